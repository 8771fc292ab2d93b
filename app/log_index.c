#include "app/log_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log_walk.h"

enum {
    PLACES_FIRST = 1024,
};

struct place {
    uint64_t offset; /* bytes from the start of the file */
    uint64_t frame_seq;
    uint32_t file;
    uint32_t len;
};

struct log_map {
    char *path;
    uint64_t first_seq;
    struct slice map;
    struct buf tail;  /* bytes from tail_at on; only of the newest file */
    uint64_t tail_at; /* UINT64_MAX: all is in the map */
};

struct log_index {
    struct place *places;
    size_t count;
    size_t cap;
    struct log_map *files;
    uint32_t file_count;
    uint32_t file_cap;
    struct long_term long_term; /* its groups are places [0, group_count) */
    uint64_t mapped_bytes;      /* of all files */
    uint64_t damage;
    uint64_t last_seq;
    int64_t tick_ns;
};

/* A place in the log. */
static const struct place *log_place(const struct log_index *x, size_t at)
{
    return &x->places[at - x->long_term.group_count];
}

int64_t log_index_tick_ns(const struct log_index *x)
{
    return x->tick_ns;
}

size_t log_index_count(const struct log_index *x)
{
    return x->long_term.group_count + x->count;
}

uint64_t log_index_damage(const struct log_index *x)
{
    return x->damage + x->long_term.damage;
}

uint64_t log_index_last_seq(const struct log_index *x)
{
    return x->last_seq;
}

const struct long_term *log_index_long_term(const struct log_index *x)
{
    return &x->long_term;
}

bool log_index_is_covered(const struct log_index *x, size_t at, uint32_t tenant)
{
    return at >= x->long_term.group_count && x->long_term.tenant_count != 0 &&
           log_place(x, at)->frame_seq <= long_term_through(&x->long_term, tenant);
}

uint64_t log_index_seq(const struct log_index *x, size_t at)
{
    return at < x->long_term.group_count ? 0 : log_place(x, at)->frame_seq;
}

struct stored_blob log_index_blob(const struct log_index *x, size_t at)
{
    if (at < x->long_term.group_count)
        return (struct stored_blob){.group = x->long_term.groups[at]};
    const struct place *p = log_place(x, at);
    const struct log_map *f = &x->files[p->file];
    const char *bytes =
        p->offset >= f->tail_at ? f->tail.data + (p->offset - f->tail_at) : f->map.data + p->offset;
    return (struct stored_blob){.pack = slice_of(bytes, p->len)};
}

void log_index_forget(const struct log_index *x, size_t at)
{
    if (x->mapped_bytes <= LONG_TERM_RESIDENT_BYTES)
        return;
    if (at < x->long_term.group_count) {
        file_map_forget(x->long_term.groups[at]->body);
        return;
    }
    /* Blobs of the log may be small: a stretch of them goes when one reaches its end. */
    const struct place *p = log_place(x, at);
    const struct log_map *f = &x->files[p->file];
    uint64_t from = p->offset / LOG_INDEX_FORGET_BYTES * LOG_INDEX_FORGET_BYTES;
    uint64_t end = (p->offset + p->len) / LOG_INDEX_FORGET_BYTES * LOG_INDEX_FORGET_BYTES;
    if (from < end && end <= f->map.len)
        file_map_forget(slice_of(f->map.data + from, end - from));
}

void log_index_forget_log(const struct log_index *x)
{
    for (size_t i = 0; i < x->file_count; i++)
        file_map_forget(x->files[i].map);
}

void log_index_name(const struct log_index *x, size_t at, const char *why, struct diag *diag)
{
    if (at < x->long_term.group_count) {
        diag_add(diag, segment_file(x->long_term.segments[x->long_term.segment_of[at]]), 0, 0, "%s",
                 why);
        return;
    }
    const struct place *p = log_place(x, at);
    diag_add(diag, x->files[p->file].path, 0, 0, "offset %" PRIu64 ", frame %" PRIu64 ": %s",
             p->offset, p->frame_seq, why);
}

void log_index_close(struct log_index *x)
{
    if (x == NULL)
        return;
    for (uint32_t i = 0; i < x->file_count; i++) {
        free(x->files[i].path);
        file_unmap(x->files[i].map);
        buf_release(&x->files[i].tail);
    }
    long_term_close(&x->long_term);
    free(x->files);
    free(x->places);
    free(x);
}

static int map_path(struct slice *out, const char *path)
{
    struct file *f = NULL;
    int err = file_open(&f, path, FILE_READ);
    if (err == 0)
        err = file_map(out, f);
    file_close(f);
    return err;
}

/* A file that another one follows is never cut: what was copied of it is in a map as well. */
static int settle(struct log_map *f)
{
    struct slice map;
    if (f->tail_at == UINT64_MAX)
        return 0;
    int err = map_path(&map, f->path);
    if (err != 0)
        return err;
    if (map.len < f->tail_at + f->tail.len) {
        file_unmap(map);
        return ERR_CORRUPT;
    }
    file_unmap(f->map);
    buf_release(&f->tail);
    f->map = map;
    f->tail_at = UINT64_MAX;
    return 0;
}

static int add_file(struct log_index *x, const struct log_reader *reader)
{
    int err = x->file_count == 0 ? 0 : settle(&x->files[x->file_count - 1]);
    if (err != 0)
        return err;
    if (x->file_count == x->file_cap) {
        uint32_t cap = x->file_cap == 0 ? 16 : x->file_cap * 2;
        struct log_map *files = realloc(x->files, cap * sizeof(*files));
        if (files == NULL)
            return ERR_NOMEM;
        x->files = files;
        x->file_cap = cap;
    }
    struct log_map *f = &x->files[x->file_count];
    *f = (struct log_map){.path = strdup(log_reader_path(reader)),
                          .first_seq = log_reader_header(reader)->first_seq,
                          .tail_at = UINT64_MAX};
    if (f->path == NULL)
        return ERR_NOMEM;
    err = map_path(&f->map, f->path);
    if (err != 0) {
        free(f->path);
        return err;
    }
    x->file_count++;
    return 0;
}

static int add_place(struct log_index *x, const struct place *place)
{
    if (x->count == x->cap) {
        size_t cap = x->cap == 0 ? PLACES_FIRST : x->cap * 2;
        struct place *places = realloc(x->places, cap * sizeof(*places));
        if (places == NULL)
            return ERR_NOMEM;
        x->places = places;
        x->cap = cap;
    }
    x->places[x->count++] = *place;
    return 0;
}

/* The batches of the frame that was just read. */
static int add_frame(struct log_index *x, const struct log_reader *reader,
                     const struct frame_view *frame)
{
    int err = 0;
    x->last_seq = frame->link.seq;
    x->tick_ns = frame->tick_ns;
    if (frame->link.seq <= x->long_term.through_seq)
        return 0;
    if (x->file_count == 0 ||
        x->files[x->file_count - 1].first_seq != log_reader_header(reader)->first_seq)
        err = add_file(x, reader);
    if (err != 0)
        return err;
    struct log_map *f = &x->files[x->file_count - 1];
    uint64_t end = log_reader_position(reader).offset;
    uint64_t begin = end - frame->bytes.len;
    /* The last frame of the file as mapped, and what came after it. */
    if (end >= f->map.len) {
        f->tail_at = f->tail_at == UINT64_MAX ? begin : f->tail_at;
        buf_slice(&f->tail, frame->bytes);
        if (!buf_ok(&f->tail))
            return ERR_NOMEM;
    }
    struct frame_items items = frame->batches;
    struct slice blob;
    struct place place = {.file = x->file_count - 1, .frame_seq = frame->link.seq};
    while (err == 0 && frame_next_blob(&blob, &items)) {
        place.offset = begin + (uint64_t)(blob.data - frame->bytes.data);
        place.len = (uint32_t)blob.len;
        err = add_place(x, &place);
    }
    return err;
}

int log_index_open(struct log_index **out, const char *dir, struct diag *diag)
{
    const struct log_index_options options = {
        .dir = dir, .wish = {.since_ns = INT64_MIN, .until_ns = INT64_MAX}};
    return log_index_open_with(out, &options, diag);
}

static int walk_log(struct log_index *x, const struct log_index_options *options, struct diag *diag)
{
    bool stopped = false;
    struct log_walk walk = {0};
    struct frame_view frame;
    size_t said = diag->count;
    int err = log_walk_open(&walk, options->dir, false, diag);
    while (err == 0 && !stopped) {
        stopped = options->stop != NULL && atomic_load(options->stop);
        err = log_walk_next(&frame, &walk);
        if (err == 0)
            err = add_frame(x, walk.reader, &frame);
    }
    if (err == ERR_AGAIN)
        err = 0;
    if (err == 0 && stopped)
        err = ERR_AGAIN;
    log_walk_explain(options->dir, err, said, diag);
    log_walk_close(&walk);
    x->damage = walk.damage;
    return err;
}

int log_index_open_with(struct log_index **out, const struct log_index_options *options,
                        struct diag *diag)
{
    struct log_index *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return ERR_NOMEM;
    /* Held before the catalogs are read: else files could go that these do not cover yet. */
    struct log_hold hold = {0};
    int err = log_hold_take_store(&hold, options->dir);
    if (err == 0 && !options->log_only)
        err = long_term_open(&x->long_term, options->dir, &options->wish, diag);
    if (err == 0)
        err = walk_log(x, options, diag);
    log_hold_drop(&hold);
    x->mapped_bytes = x->long_term.mapped_bytes;
    for (uint32_t i = 0; i < x->file_count; i++)
        x->mapped_bytes += x->files[i].map.len;
    if (err != 0) {
        log_index_close(x);
        return err;
    }
    *out = x;
    return 0;
}
