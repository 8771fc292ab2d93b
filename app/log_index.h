/*
 * app/log_index.h - where every blob of batches of a store's log stands, in the order of the history.
 *
 *   place 0   place 1            place 2
 *   file 0    file 0             file 1       files are mapped read-only; the newest file's last
 *   offset    offset             offset       frame, which its writer may still cut, is a copy
 *
 * Made by one walk over the frames that touches their outlines, not their batches. 24 bytes of
 * memory a blob. Damage does not end the walk: it is named, and the walk goes on in the next file.
 *
 * Ownership: log_index_open() gives a handle that log_index_close() takes back; blobs are borrowed
 *            from it.
 * Threads:   immutable once open: any number of threads may read.
 * Failures:  named per function. The log as it was when the walk reached its end: nothing that
 *            comes later is seen.
 */
#pragma once

#include <stdatomic.h>

#include "store/store.h"

struct log_index;

/*
 * Walk the log of the store in `dir`. Returns 0, also when something of the log is damaged or
 * missing: log_index_damage() counts it and `diag` names it. ERR_NOTFOUND without a log;
 * ERR_CORRUPT, ERR_FORMAT when not even its beginning can be read; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int log_index_open(struct log_index **out, const char *dir, struct diag *diag);
/* The same; ERR_AGAIN when *stop becomes true before the walk is done. */
int log_index_open_until(struct log_index **out, const char *dir, atomic_bool *stop,
                         struct diag *diag);
/* NULL is allowed. */
void log_index_close(struct log_index *x);

size_t log_index_count(const struct log_index *x);
/* The bytes of a blob, at < log_index_count(). They are as read: pack_open() checks them. */
struct slice log_index_blob(const struct log_index *x, size_t at);
/* The number of the frame that a blob stands in. */
uint64_t log_index_seq(const struct log_index *x, size_t at);
/* The tick of the last frame: up to where the history was watched. */
int64_t log_index_tick_ns(const struct log_index *x);
/* Places where the log is damaged or missing. */
uint64_t log_index_damage(const struct log_index *x);
/* Name a blob in `diag`: "path: offset N, frame N: why". */
void log_index_name(const struct log_index *x, size_t at, const char *why, struct diag *diag);
