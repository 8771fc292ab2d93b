#include "app/log_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
    TAIL_TRIES = 20, /* looks at a frame that is being written */
};

#define TAIL_WAIT_NS INT64_C(10000000)

/* Whether what stands before the first file is accounted for. */
static int check_beginning(struct log_walk *w)
{
    char path[FILE_PATH_BYTES_MAX];
    const struct log_file_header *first = log_reader_header(w->reader);
    bool explained = first->first_seq == 1;
    int len = snprintf(path, sizeof(path), "%s/log", w->dir);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : 0;
    if (err == 0 && !explained && !w->remains)
        err = remains_explain(&explained, path, first);
    if (err == 0 && !explained) {
        diag_add(w->diag, log_reader_path(w->reader), 0, 0,
                 "the files before this one are missing");
        w->damage++;
    }
    return err;
}

static int open_walk(struct log_walk *w, const struct log_reader_options *options,
                     struct diag *diag)
{
    struct log_reader *reader = NULL;
    int err = log_reader_open(&reader, options, diag);
    if (err != 0)
        return err;
    *w = (struct log_walk){
        .reader = reader, .dir = options->dir, .diag = diag, .remains = options->remains};
    if (!options->from_newest)
        err = check_beginning(w);
    if (err != 0)
        log_walk_close(w);
    return err;
}

int log_walk_open(struct log_walk *w, const char *dir, bool from_newest, struct diag *diag)
{
    const struct log_reader_options options = {.dir = dir, .from_newest = from_newest};
    return open_walk(w, &options, diag);
}

int log_walk_open_whole(struct log_walk *w, const char *dir, struct diag *diag)
{
    const struct log_reader_options options = {.dir = dir, .remains = true};
    return open_walk(w, &options, diag);
}

void log_walk_close(struct log_walk *w)
{
    log_reader_close(w->reader);
    w->reader = NULL;
}

/* The log's next file after `seq`, or what is left of it; 0 when there is none. */
static int file_after(uint64_t *out, const struct log_walk *w, uint64_t seq)
{
    char path[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    struct log_file_list lists[2] = {0};
    uint64_t next = UINT64_MAX;
    int len = snprintf(path, sizeof(path), "%s/log", w->dir);
    if (len < 0 || (size_t)len >= sizeof(path))
        return ERR_RANGE;
    int err = log_file_list(&lists[0], &arena, path);
    if (err == 0 && w->remains)
        err = remains_list(&lists[1], &arena, path);
    for (size_t which = 0; which < 2 && err == 0; which++) {
        for (size_t i = 0; i < lists[which].count; i++) {
            uint64_t first = lists[which].first_seqs[i];
            next = first > seq && first < next ? first : next;
        }
    }
    *out = next == UINT64_MAX ? 0 : next;
    arena_release(&arena);
    return err;
}

/*
 * Something here is damaged and named: go on in the next file that has a header. A bookmark at
 * offset 0 leaves the reader at the beginning of its file. ERR_AGAIN when there is none.
 */
static int skip_damage(struct log_walk *w)
{
    uint64_t seq = log_reader_position(w->reader).file_seq;
    w->damage++;
    for (;;) {
        int err = file_after(&seq, w, seq);
        if (err != 0 || seq == 0)
            return err != 0 ? err : ERR_AGAIN;
        const struct log_position start = {.file_seq = seq, .next_seq = seq};
        (void)log_reader_seek(w->reader, &start, NULL);
        if (log_reader_position(w->reader).file_seq == seq)
            return 0;
        diag_add(w->diag, w->dir, 0, 0, "log/%016" PRIx64 ".log: the file cannot be read", seq);
        w->damage++;
    }
}

/*
 * Bytes behind the last frame that do not become one. Others behind them are found by recovery: then
 * it is damage. So is what has a frame's length, or is none: a write that was torn ends early.
 */
static int judge_tail(struct log_walk *w)
{
    struct log_tail tail = log_reader_tail(w->reader);
    struct store *st = NULL;
    const struct store_options opts = {.dir = w->dir, .read_only = true};
    int err = store_open(&st, &opts, w->diag);
    store_close(st);
    if (err != 0 && err != ERR_CORRUPT && err != ERR_FORMAT)
        return err;
    if (err == 0 && store_is_held(w->dir))
        return ERR_AGAIN; /* its writer is at it */
    if (err == 0)
        log_walk_name_tail(w->reader, &tail, w->diag);
    w->damage += err != 0 || !tail.ends_early;
    return ERR_AGAIN;
}

void log_walk_name_tail(const struct log_reader *reader, const struct log_tail *tail,
                        struct diag *diag)
{
    struct log_position at = log_reader_position(reader);
    diag_add(diag, log_reader_path(reader), 0, 0,
             tail->ends_early
                 ? "offset %" PRIu64 ", frame %" PRIu64
                   ": %s: a commit that was not finished, which nobody was shown and the "
                   "collector's next start cuts off and reads again; or else the file was cut: "
                   "then restore it from a copy"
                 : "offset %" PRIu64 ", frame %" PRIu64
                   ": %s; keep a copy of the file, or restore it from one: the collector's next "
                   "start cuts the frame off, and reads its records again as far as Kafka has them",
             at.offset, at.next_seq, tail->why);
}

int log_walk_next(struct frame_view *out, struct log_walk *w)
{
    const struct timespec wait = {.tv_nsec = TAIL_WAIT_NS};
    for (int tries = 0;;) {
        int err = ledger_read(out, w->reader, w->diag);
        if (err == ERR_CORRUPT || err == ERR_FORMAT) {
            tries = 0;
            err = skip_damage(w);
            if (err == 0)
                continue;
            return err;
        }
        if (err != ERR_AGAIN || log_reader_tail(w->reader).bytes == 0)
            return err;
        if (++tries == TAIL_TRIES)
            return judge_tail(w);
        (void)nanosleep(&wait, NULL);
    }
}

void log_walk_explain(const char *dir, int err, size_t said, struct diag *diag)
{
    if (err == 0 || diag->count != said)
        return;
    diag_add(diag, dir, 0, 0, "the log cannot be read: %s",
             err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
}
