/*
 * store/retire.h - the log loses its oldest files: their remains take their place.
 *
 *   make  FILE.rem   write aside, sync, rename, sync the folder     a reader sees no difference
 *   remove FILE.log  while nobody reads; sync the folder            FILE.rem counts from here on
 *
 * Interrupted anywhere, the log has the file or its remains, and recovery finishes: remains beside
 * their file let the file go, damaged ones go themselves.
 *
 * Layer:     base < event < store; private to ledger.c and recover.c
 * Ownership: nothing is kept.
 * Threads:   the store's owner; readers may be at it.
 * Failures:  named per function; what the report counts has happened also then.
 */
#pragma once

#include "store/log_reader.h"
#include "store/remains.h"

struct retire_report {
    uint64_t files;
    uint64_t frames;
    uint64_t log_bytes;     /* of the files that went */
    uint64_t remains_bytes; /* of what took their place */
    uint64_t through_seq;   /* last frame of the last one; 0: none went */
};

/*
 * Retire the log's closed files whose last frame is not behind `through_seq`, the oldest first.
 * Returns 0, also when there was none; ERR_AGAIN while somebody reads closed files (their remains
 * are made then) or when the disk is full; else as remains_make(), or ERR_IO of a removal.
 */
int retire_files(struct retire_report *out, const char *log_dir, uint64_t through_seq,
                 struct diag *diag);

/*
 * Before a log is opened to write: finish what was interrupted. Files that somebody reads stay, with
 * their remains beside them. Returns 0; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int retire_finish(const char *log_dir, struct diag *diag);
