/*
 * app/log_index.h - where every blob of batches of a store stands: segments, then the log.
 *
 *   place 0   place 1   place 2            place 3
 *   group     group     file 0             file 1     files are mapped read-only; the newest file's
 *   of a      of a      offset             offset     last frame, which its writer may still cut,
 *   segment   segment                                 is a copy
 *
 * The catalogs are read first, then the frames behind what they cover: a row is seen once, also
 * beside a compaction. Of the log one walk touches the frames' outlines, not their batches. 24 bytes
 * of memory a blob. Damage does not end the walk: it is named, and the walk goes on in the next file.
 *
 * Ownership: log_index_open() gives a handle that log_index_close() takes back; blobs are borrowed
 *            from it.
 * Threads:   immutable once open: any number of threads may read.
 * Failures:  named per function. The log as it was when the walk reached its end: nothing that
 *            comes later is seen.
 */
#pragma once

#include <stdatomic.h>

#include "app/long_term.h"
#include "store/store.h"

enum log_index_limits {
    LOG_INDEX_FORGET_BYTES = 256 << 10, /* of the log at a time */
};

struct log_index;

struct log_index_options {
    const char *dir;            /* of the store; borrowed until it is open */
    struct long_term_wish wish; /* segments that it excludes are left out */
    bool log_only;              /* no segments, and all that the log has */
    atomic_bool *stop;          /* NULL: never */
};

/*
 * Walk the log of the store in `dir`. Returns 0, also when something of the log is damaged or
 * missing: log_index_damage() counts it and `diag` names it. ERR_NOTFOUND without a log;
 * ERR_CORRUPT, ERR_FORMAT when not even its beginning can be read; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int log_index_open(struct log_index **out, const char *dir, struct diag *diag);
/* The same by wish; ERR_AGAIN when *stop becomes true before the walk is done. */
int log_index_open_with(struct log_index **out, const struct log_index_options *options,
                        struct diag *diag);
/* NULL is allowed. */
void log_index_close(struct log_index *x);

size_t log_index_count(const struct log_index *x);
/* A blob, at < log_index_count(). Its bytes are as read: stored_open() checks them. */
struct stored_blob log_index_blob(const struct log_index *x, size_t at);
/*
 * A blob that is not looked at again soon. Of a store of more than LONG_TERM_RESIDENT_BYTES its bytes
 * leave memory, and come back from the files when they are asked for. Any thread, at any time.
 */
void log_index_forget(const struct log_index *x, size_t at);
/* None of the log's files is looked at soon: whatever their size, their pages leave the process. */
void log_index_forget_log(const struct log_index *x);
/* The number of the frame that a blob stands in; 0 in a segment. */
uint64_t log_index_seq(const struct log_index *x, size_t at);
/* Whether the rows of a municipality in a blob of the log are in its segments as well. */
bool log_index_is_covered(const struct log_index *x, size_t at, uint32_t tenant);
/* The number of the last frame; 0 without one. */
uint64_t log_index_last_seq(const struct log_index *x);
/* The segments, and what was left out of them. */
const struct long_term *log_index_long_term(const struct log_index *x);
/* The tick of the last frame: up to where the history was watched. */
int64_t log_index_tick_ns(const struct log_index *x);
/* Places where the log is damaged or missing. */
uint64_t log_index_damage(const struct log_index *x);
/* Name a blob in `diag`: "path: offset N, frame N: why". */
void log_index_name(const struct log_index *x, size_t at, const char *why, struct diag *diag);
