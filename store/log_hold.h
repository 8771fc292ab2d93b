/*
 * store/log_hold.h - who reads the log's closed files, so that none is removed under a reader.
 *
 *   DIR/log/readers   readers: shared lock        store_retire(): exclusive, for the removal only
 *
 * A reader takes the hold before it looks which files there are, and keeps it while it needs files
 * that are not the newest (which is never removed). Whoever looks elsewhere first, as in a catalog
 * of segments, takes the hold before that.
 *
 * Layer:     base < event < store
 * Ownership: log_hold_take() fills a zeroed struct that log_hold_drop() empties.
 * Threads:   a hold has one owner; any number of holds, in any process.
 * Failures:  named per function.
 */
#pragma once

#include <stdbool.h>

#include "base/file.h"

struct log_hold {
    struct file *file; /* NULL: none is held, or none can be */
};

/*
 * `log_dir` is DIR/log. Waits out a removal. Returns 0, also where there is no such file to lock or
 * it cannot be opened: a read-only copy of a store can be read, and has nobody who removes. ERR_BUSY
 * when a removal takes longer than LOG_HOLD_WAIT_MS; ERR_RANGE. Nothing happens when it is held.
 */
int log_hold_take(struct log_hold *h, const char *log_dir);
/* The same of the store in `dir`, whose log is DIR/log. */
int log_hold_take_store(struct log_hold *h, const char *dir);
void log_hold_drop(struct log_hold *h);

/* The file that is locked is made where a store is opened to write. Returns 0, ERR_IO, ERR_RANGE. */
int log_hold_prepare(const char *log_dir);
/* Keep all readers away until file_close(). ERR_AGAIN while somebody reads; ERR_IO, ERR_RANGE. */
int log_hold_exclude(struct file **out, const char *log_dir);

enum log_hold_limits {
    LOG_HOLD_WAIT_MS = 10000,
};
