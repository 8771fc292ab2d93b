/*
 * app/log_walk.h - every frame of a log in order, also past what is damaged.
 *
 * Damage does not end a walk: it is named in the diagnosis and counted, and the walk goes on in the
 * next file that can be read.
 *
 * Ownership: log_walk_open() fills a struct that log_walk_close() empties; directory and diagnosis
 *            are borrowed for its life.
 * Threads:   one owner.
 * Failures:  named per function.
 */
#pragma once

#include "store/store.h"

struct log_walk {
    struct log_reader *reader;
    const char *dir;
    struct diag *diag;
    bool remains;    /* what is left of retired files is read, too */
    uint64_t damage; /* places where the log is damaged or missing */
};

/*
 * Begin at the oldest file of the store in `dir`, or at its newest. Returns 0, also when files before
 * the oldest are missing (which is damage, unless they are retired: then their remains are there); ERR_NOTFOUND without a log; ERR_CORRUPT, ERR_FORMAT when not even its
 * beginning can be read; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int log_walk_open(struct log_walk *w, const char *dir, bool from_newest, struct diag *diag);
/*
 * The same from frame 1 on, with what is left of retired files: kept frames, without rows, whose
 * numbers jump.
 */
int log_walk_open_whole(struct log_walk *w, const char *dir, struct diag *diag);
void log_walk_close(struct log_walk *w);

/*
 * The next frame, valid until the next call. Returns 0; ERR_AGAIN at the end of the log, where
 * bytes behind the last frame were waited for and judged; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int log_walk_next(struct frame_view *out, struct log_walk *w);

/* Say what stands behind the last frame of a log that nobody writes, and what to do. */
void log_walk_name_tail(const struct log_reader *reader, const struct log_tail *tail,
                        struct diag *diag);

/* Say that reading ended with `err` (which may be 0) where nothing was said since `said` findings. */
void log_walk_explain(const char *dir, int err, size_t said, struct diag *diag);
