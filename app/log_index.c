#include "app/log_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    TAIL_TRIES = 20, /* looks at a frame that is being written */
    PLACES_FIRST = 1024,
};

#define TAIL_WAIT_NS INT64_C(10000000)

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
    uint64_t damage;
};

/* The walk over the frames. */
struct walk {
    struct log_index *x;
    struct log_reader *reader;
    const char *dir;
    struct diag *diag;
};

size_t log_index_count(const struct log_index *x)
{
    return x->count;
}

uint64_t log_index_damage(const struct log_index *x)
{
    return x->damage;
}

struct slice log_index_blob(const struct log_index *x, size_t at)
{
    const struct place *p = &x->places[at];
    const struct log_map *f = &x->files[p->file];
    const char *bytes =
        p->offset >= f->tail_at ? f->tail.data + (p->offset - f->tail_at) : f->map.data + p->offset;
    return slice_of(bytes, p->len);
}

void log_index_name(const struct log_index *x, size_t at, const char *why, struct diag *diag)
{
    const struct place *p = &x->places[at];
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
    struct log_map f = {.path = strdup(log_reader_path(reader)),
                        .first_seq = log_reader_header(reader)->first_seq,
                        .tail_at = UINT64_MAX};
    if (f.path == NULL)
        return ERR_NOMEM;
    err = map_path(&f.map, f.path);
    if (err != 0) {
        free(f.path);
        return err;
    }
    x->files[x->file_count++] = f;
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
static int add_frame(struct walk *w, const struct frame_view *frame)
{
    struct log_index *x = w->x;
    int err = 0;
    if (x->file_count == 0 ||
        x->files[x->file_count - 1].first_seq != log_reader_header(w->reader)->first_seq)
        err = add_file(x, w->reader);
    if (err != 0)
        return err;
    struct log_map *f = &x->files[x->file_count - 1];
    uint64_t end = log_reader_position(w->reader).offset;
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
    while (err == 0 && frame_next_batch(&blob, &items)) {
        place.offset = begin + (uint64_t)(blob.data - frame->bytes.data);
        place.len = (uint32_t)blob.len;
        err = add_place(x, &place);
    }
    return err;
}

/* The log's next file after `seq`; 0 when there is none. */
static int file_after(uint64_t *out, const char *dir, uint64_t seq)
{
    char path[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    struct log_file_list list = {0};
    int len = snprintf(path, sizeof(path), "%s/log", dir);
    if (len < 0 || (size_t)len >= sizeof(path))
        return ERR_RANGE;
    int err = log_file_list(&list, &arena, path);
    *out = 0;
    for (size_t i = 0; i < list.count && err == 0 && *out == 0; i++)
        *out = list.first_seqs[i] > seq ? list.first_seqs[i] : 0;
    arena_release(&arena);
    return err;
}

/*
 * Something here is damaged and named: go on in the next file that has a header. A bookmark at
 * offset 0 leaves the reader at the beginning of its file. ERR_AGAIN when there is none.
 */
static int skip_damage(struct walk *w)
{
    uint64_t seq = log_reader_position(w->reader).file_seq;
    w->x->damage++;
    for (;;) {
        int err = file_after(&seq, w->dir, seq);
        if (err != 0 || seq == 0)
            return err != 0 ? err : ERR_AGAIN;
        const struct log_position start = {.file_seq = seq, .next_seq = seq};
        (void)log_reader_seek(w->reader, &start, NULL);
        if (log_reader_position(w->reader).file_seq == seq)
            return 0;
        diag_add(w->diag, w->dir, 0, 0, "log/%016" PRIx64 ".log: the file cannot be read", seq);
        w->x->damage++;
    }
}

/* Bytes behind the last frame that do not become one: a torn write, or damage? Recovery knows. */
static int judge_tail(struct walk *w)
{
    struct store *st = NULL;
    const struct store_options opts = {.dir = w->dir, .read_only = true};
    int err = store_open(&st, &opts, w->diag);
    store_close(st);
    if (err != ERR_CORRUPT && err != ERR_FORMAT)
        return err;
    w->x->damage++;
    return 0;
}

static int walk_frames(struct walk *w)
{
    const struct timespec wait = {.tv_nsec = TAIL_WAIT_NS};
    for (int tries = 0;;) {
        struct frame_view frame;
        int err = ledger_read(&frame, w->reader, w->diag);
        if (err == 0) {
            tries = 0;
            err = add_frame(w, &frame);
            if (err != 0)
                return err;
            continue;
        }
        if (err == ERR_CORRUPT || err == ERR_FORMAT) {
            err = skip_damage(w);
            if (err == 0)
                continue;
            return err == ERR_AGAIN ? 0 : err;
        }
        if (err != ERR_AGAIN)
            return err;
        if (log_reader_tail(w->reader).bytes == 0)
            return 0;
        if (++tries == TAIL_TRIES)
            return judge_tail(w);
        (void)nanosleep(&wait, NULL);
    }
}

int log_index_open(struct log_index **out, const char *dir, struct diag *diag)
{
    struct walk w = {.dir = dir, .diag = diag};
    const struct log_reader_options opts = {.dir = dir};
    size_t said = diag->count;
    w.x = calloc(1, sizeof(*w.x));
    int err = w.x == NULL ? ERR_NOMEM : log_reader_open(&w.reader, &opts, diag);
    if (err == 0 && log_reader_header(w.reader)->first_seq != 1) {
        diag_add(diag, log_reader_path(w.reader), 0, 0, "the files before this one are missing");
        w.x->damage++;
    }
    if (err == 0)
        err = walk_frames(&w);
    if (err == ERR_IO && diag->count == said)
        diag_add(diag, dir, 0, 0, "the log cannot be read: %s", strerrordesc_np(errno));
    else if (err != 0 && diag->count == said)
        diag_add(diag, dir, 0, 0, "the log cannot be read: %s", err_name(err));
    log_reader_close(w.reader);
    if (err != 0) {
        log_index_close(w.x);
        return err;
    }
    *out = w.x;
    return 0;
}
