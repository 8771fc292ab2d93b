#include "store/checkpoint_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

#define NAME  "checkpoints"
#define BEGIN "sekisho checkpoint v"

struct checkpoint_file {
    struct file *file;
    struct note_signer signer;
    struct arena arenas[2]; /* of the last checkpoint, and of the next */
    unsigned arena;
    struct checkpoint last; /* number 0: none */
    struct sha256 last_hash;
    struct buf last_text; /* what `last` points into */
    uint64_t cut_bytes;
    bool broken;
};

static int path_in(char *out, const char *dir, const char *name)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/%s", dir, name);
    return len > 0 && len < FILE_PATH_BYTES_MAX ? 0 : ERR_RANGE;
}

static int path_of(char *out, const char *dir)
{
    return path_in(out, dir, NAME);
}

int checkpoint_signer_open(struct note_signer *out, const char *dir,
                           const uint8_t store_id[STORE_ID_BYTES], const char *key_path,
                           struct diag *diag)
{
    char own_path[FILE_PATH_BYTES_MAX];
    char public_path[FILE_PATH_BYTES_MAX];
    char name[NOTE_NAME_BYTES_MAX + 1];
    checkpoint_key_name(name, store_id);
    int err = path_in(own_path, dir, "checkpoint.key");
    if (err == 0)
        err = path_in(public_path, dir, "checkpoint.pub");
    if (err != 0)
        return err;
    return note_signer_open(out, key_path == NULL ? own_path : key_path, public_path, name, diag);
}

int checkpoint_key_read(struct note_key *out, const char *dir, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    int err = path_in(path, dir, "checkpoint.pub");
    if (err == 0)
        err = file_stat(&info, path);
    return err == 0 ? note_key_read(out, path, diag) : err;
}

/* Where the next checkpoint can begin, from `from` on: at the start of a line. SIZE_MAX: nowhere. */
static size_t next_begin(struct slice text, size_t from)
{
    while (from < text.len) {
        const char *at = memmem(text.data + from, text.len - from, BEGIN, sizeof(BEGIN) - 1);
        if (at == NULL)
            return SIZE_MAX;
        size_t place = (size_t)(at - text.data);
        if (place == 0 || text.data[place - 1] == '\n')
            return place;
        from = place + 1;
    }
    return SIZE_MAX;
}

/* Whether a whole checkpoint signed with the key begins there. */
static bool whole_at(struct slice text, size_t place, const struct note_key *key)
{
    struct slice rest = slice_from_offset(text, place);
    struct checkpoint c;
    struct arena arena = {0};
    struct diag diag = {0};
    size_t len = note_length(rest);
    bool whole =
        len != 0 && checkpoint_parse(&c, &arena, slice_of(rest.data, len), key, NAME, &diag) == 0;
    arena_release(&arena);
    diag_release(&diag);
    return whole;
}

/*
 * Whether these bytes at the end of the file can be what a crash left of one checkpoint: it lacks its
 * end, or parts of it that never reached the disk are zeroes. `len`: of the note in it, or 0.
 */
static bool is_torn(struct slice rest, size_t len)
{
    if (len == 0)
        return rest.len <= CHECKPOINT_BYTES_MAX;
    return len == rest.len && memchr(rest.data, 0, rest.len) != NULL;
}

/* Where the last whole checkpoint begins; SIZE_MAX: there is none. */
static size_t last_whole(struct slice text, const struct note_key *key)
{
    size_t last = SIZE_MAX;
    for (size_t at = next_begin(text, 0); at != SIZE_MAX; at = next_begin(text, at + 1)) {
        if (whole_at(text, at, key))
            last = at;
    }
    return last;
}

/* The end of the file, where the last whole checkpoint and what was torn behind it must be. */
static int read_tail(struct buf *out, struct file *file)
{
    uint64_t end = file_end(file);
    uint64_t from =
        end > UINT64_C(2) * CHECKPOINT_BYTES_MAX ? end - UINT64_C(2) * CHECKPOINT_BYTES_MAX : 0;
    size_t len = (size_t)(end - from);
    size_t got = 0;
    char *place = buf_reserve(out, len);
    if (place == NULL)
        return ERR_NOMEM;
    int err = file_read_at(&got, file, from, place, len);
    out->len = got;
    return err == 0 && got != len ? ERR_IO : err;
}

/* Read the last whole checkpoint, which stands at the start of the text. */
static int take_last(struct checkpoint_file *f, struct slice text, struct diag *diag)
{
    buf_slice(&f->last_text, text);
    if (!buf_ok(&f->last_text))
        return ERR_NOMEM;
    struct slice kept = buf_content(&f->last_text);
    int err = checkpoint_parse(&f->last, &f->arenas[0], kept, NULL, file_path(f->file), diag);
    return err == 0 ? checkpoint_hash(&f->last_hash, kept) : err;
}

/* What stands at the end of the file. */
struct tail {
    struct buf bytes;
    struct slice last; /* the last whole checkpoint; empty: there is none */
    struct slice rest; /* what was torn behind it */
};

/* Read it; ERR_CORRUPT for an end that no crash has left. */
static int look_at_tail(struct tail *out, struct file *file, const struct note_key *key,
                        struct diag *diag)
{
    int err = read_tail(&out->bytes, file);
    if (err != 0)
        return err;
    size_t at = last_whole(buf_content(&out->bytes), key);
    struct slice text = slice_from_offset(buf_content(&out->bytes), at == SIZE_MAX ? 0 : at);
    out->last = slice_of(text.data, at == SIZE_MAX ? 0 : note_length(text));
    out->rest = slice_from_offset(text, out->last.len);
    if (out->rest.len == 0 || is_torn(out->rest, note_length(out->rest)))
        return 0;
    diag_add(diag, file_path(file), 0, 0,
             "the last checkpoint is damaged or signed with another key than that of %s; put "
             "the file or the key back from a copy",
             key->name);
    return ERR_CORRUPT;
}

/* Find where to go on, and cut what was torn. */
static int recover(struct checkpoint_file *f, struct diag *diag)
{
    struct tail tail = {0};
    int err = look_at_tail(&tail, f->file, &f->signer.key, diag);
    if (err == 0 && tail.last.len != 0)
        err = take_last(f, tail.last, diag);
    if (err == 0 && tail.rest.len != 0) {
        f->cut_bytes = tail.rest.len;
        err = file_truncate(f->file, file_end(f->file) - tail.rest.len);
        if (err == 0)
            err = file_sync(f->file);
    }
    buf_release(&tail.bytes);
    return err;
}

int checkpoint_file_read_last(struct buf *text, const char *dir, const struct note_key *key,
                              struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct tail tail = {0};
    struct file *file = NULL;
    int err = path_of(path, dir);
    if (err == 0)
        err = file_open(&file, path, FILE_READ);
    if (err == 0)
        err = look_at_tail(&tail, file, key, diag);
    if (err == 0 && tail.last.len == 0)
        err = ERR_NOTFOUND;
    if (err == 0) {
        buf_slice(text, tail.last);
        err = buf_ok(text) ? 0 : ERR_NOMEM;
    }
    file_close(file);
    buf_release(&tail.bytes);
    return err;
}

int checkpoint_file_open(struct checkpoint_file **out, const char *dir,
                         const struct note_signer *signer, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    size_t said = diag->count;
    struct checkpoint_file *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->signer = *signer;
    int err = path_of(path, dir);
    if (err == 0)
        err = file_open(&f->file, path, FILE_APPEND);
    if (err == 0)
        err = dir_sync(dir);
    if (err == 0)
        err = recover(f, diag);
    if (err == 0) {
        *out = f;
        return 0;
    }
    if (diag->count == said)
        diag_add(diag, dir, 0, 0, NAME ": cannot be opened (%s)", err_name(err));
    checkpoint_file_close(f);
    return err;
}

void checkpoint_file_close(struct checkpoint_file *f)
{
    if (f == NULL)
        return;
    file_close(f->file);
    note_signer_wipe(&f->signer);
    arena_release(&f->arenas[0]);
    arena_release(&f->arenas[1]);
    buf_release(&f->last_text);
    free(f);
}

uint64_t checkpoint_file_number(const struct checkpoint_file *f)
{
    return f->last.number;
}

uint64_t checkpoint_file_cut_bytes(const struct checkpoint_file *f)
{
    return f->cut_bytes;
}

const struct checkpoint *checkpoint_file_last(const struct checkpoint_file *f)
{
    return f->last.number == 0 ? NULL : &f->last;
}

/* What was appended becomes the last one; takes the text's bytes. */
static int remember(struct checkpoint_file *f, struct buf *text, struct diag *diag)
{
    struct arena *arena = &f->arenas[f->arena ^ 1];
    struct checkpoint c;
    struct sha256 hash;
    arena_reset(arena);
    int err = checkpoint_parse(&c, arena, buf_content(text), NULL, NAME, diag);
    if (err == 0)
        err = checkpoint_hash(&hash, buf_content(text));
    if (err == 0 && f->last.number != 0)
        err = checkpoint_check_next(&f->last, &f->last_hash, &c, file_path(f->file), diag);
    if (err == 0)
        err = file_append(f->file, text->data, text->len);
    if (err == 0)
        err = file_sync(f->file);
    if (err == ERR_IO)
        f->broken = true;
    if (err != 0)
        return err;
    buf_release(&f->last_text);
    f->last_text = *text;
    *text = (struct buf){0};
    f->arena ^= 1;
    f->last = c;
    f->last_hash = hash;
    return 0;
}

int checkpoint_file_append(struct checkpoint_file *f, const struct checkpoint *c, struct buf *text,
                           struct diag *diag)
{
    struct checkpoint next = *c;
    struct buf signed_text = {0};
    next.number = f->last.number + 1;
    next.previous = f->last_hash;
    if (f->broken)
        return ERR_IO;
    int err = checkpoint_sign(&signed_text, &next, &f->signer);
    if (err == 0)
        err = remember(f, &signed_text, diag);
    buf_release(&signed_text);
    if (err == 0 && text != NULL) {
        buf_slice(text, buf_content(&f->last_text));
        err = buf_ok(text) ? 0 : ERR_NOMEM;
    }
    return err;
}

/* A walk over the file. */
struct walk {
    const struct checkpoint_check *check;
    const char *path;
    struct arena arenas[2];
    struct checkpoint last;
    struct sha256 last_hash;
    struct checkpoint held; /* number 0: none */
    struct arena held_arena;
    bool held_seen;
};

static int see_held(struct walk *w, const struct checkpoint *c, struct slice text,
                    struct diag *diag)
{
    if (w->held.number != c->number)
        return 0;
    w->held_seen = true;
    if (slice_equal(text, w->check->held))
        return 0;
    diag_add(diag, w->path, 0, 0,
             "checkpoint %" PRIu64 " is not the one that is held: the history was forked or "
             "rewritten",
             c->number);
    return ERR_CORRUPT;
}

static int walk_one(struct walk *w, struct slice text, struct diag *diag)
{
    struct arena *arena = &w->arenas[w->last.number & 1];
    struct checkpoint c;
    arena_reset(arena);
    int err = checkpoint_parse(&c, arena, text, w->check->key, w->path, diag);
    if (err == 0 && w->last.number == 0 && c.number != 1) {
        diag_add(diag, w->path, 0, 0,
                 "the first checkpoint is number %" PRIu64 ": those before it were cut off",
                 c.number);
        err = ERR_CORRUPT;
    } else if (err == 0 && w->last.number != 0) {
        err = checkpoint_check_next(&w->last, &w->last_hash, &c, w->path, diag);
    }
    if (err == 0)
        err = see_held(w, &c, text, diag);
    if (err == 0 && w->check->visit != NULL)
        err = w->check->visit(w->check->self, &c, text);
    if (err == 0)
        err = checkpoint_hash(&w->last_hash, text);
    if (err == 0)
        w->last = c;
    return err;
}

static int walk_all(struct walk *w, struct slice all, struct checkpoint_summary *sum,
                    struct diag *diag)
{
    size_t at = 0;
    while (at < all.len) {
        struct slice rest = slice_from_offset(all, at);
        size_t len = note_length(rest);
        if (is_torn(rest, len)) {
            sum->torn_bytes = rest.len;
            return 0;
        }
        /* A damaged one names its line; one without an end takes the next one into itself. */
        int err = walk_one(w, slice_of(rest.data, len == 0 ? rest.len : len), diag);
        if (err != 0)
            return err;
        sum->count++;
        at += len;
    }
    return 0;
}

static int walk_file(struct walk *w, struct checkpoint_summary *sum, struct diag *diag)
{
    struct file *file = NULL;
    struct slice all = {0};
    int err = file_open(&file, w->path, FILE_READ);
    if (err == ERR_NOTFOUND)
        return 0;
    if (err == 0)
        err = file_map(&all, file);
    if (err == 0)
        err = walk_all(w, all, sum, diag);
    else
        diag_add(diag, w->path, 0, 0, "cannot be read (%s)", err_name(err));
    file_unmap(all);
    file_close(file);
    return err;
}

int checkpoint_file_check(struct checkpoint_summary *out, const char *dir,
                          const struct checkpoint_check *check, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct walk w = {.check = check, .path = path};
    struct checkpoint_summary sum = {0};
    int err = path_of(path, dir);
    if (err == 0 && check->held.len != 0)
        err = checkpoint_parse(&w.held, &w.held_arena, check->held, check->key,
                               "the checkpoint that is held", diag);
    if (err == 0)
        err = walk_file(&w, &sum, diag);
    if (err == 0 && w.held.number != 0 && !w.held_seen) {
        diag_add(diag, path, 0, 0,
                 "the last checkpoint is number %" PRIu64 ", but number %" PRIu64
                 " is held: the end was cut off",
                 w.last.number, w.held.number);
        err = ERR_CORRUPT;
    }
    arena_release(&w.arenas[0]);
    arena_release(&w.arenas[1]);
    arena_release(&w.held_arena);
    if (err == 0)
        *out = sum;
    return err;
}
