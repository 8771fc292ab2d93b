/*
 * app/retain.h - deletes what has been kept for long enough, and says so under its signature.
 *
 *   due, not held, not in the log any more
 *     --> what stays of a mixed segment written as the next generation     nothing counts yet
 *     --> lock of the holds, looked at once more
 *         --> certificate, durable  --> catalog's record: from here the rows are gone
 *     --> files removed while nobody reads; else by a later run
 *
 * Killed between certificate and record, the next run completes the certificate if all of it still
 * holds, else withdraws it by another. So every row that is missing has one certificate that counts.
 *
 * Ownership: options are borrowed for the call.
 * Threads:   one run per store at a time, not beside a compaction; readers, and who adds holds, may go on.
 * Failures:  ERR_CORRUPT for damage: nothing of that municipality is deleted, others go on; ERR_AGAIN
 *            for a full disk or a stop; ERR_IO, ERR_NOMEM, ERR_RANGE. *out counts what has happened.
 */
#pragma once

#include <stdatomic.h>

#include "app/retention.h"

/* Rows of a class. */
struct retain_count {
    uint64_t segments;
    uint64_t rows;
    uint64_t raw_bytes;
    int64_t first_hour; /* where segments is not 0 */
    int64_t last_hour;
};

/* What a run finds of a municipality. */
struct retain_tenant {
    uint32_t tenant;
    struct retain_count gone[RETENTION_CLASSES]; /* deleted, or with dry_run to be deleted */
    struct retain_count held[RETENTION_CLASSES]; /* due, and under legal hold */
    uint64_t hold;                               /* number of the first hold that was met */
    uint64_t segments_in_log;                    /* due, and the log has rows of them yet */
    uint64_t segments_damaged;
    uint64_t segments_locked; /* due, and encrypted with a key that is not here */
    uint64_t segments_left;   /* gone, and a reader keeps the files from being removed */
    uint64_t bytes;           /* of segments that count now */
    int64_t next_due_ns;      /* of what is not due; INT64_MAX: nothing */
    uint64_t certificate;     /* the last one of this run; 0: none */
    uint64_t withdrawn;       /* the one that was withdrawn; 0: none */
    bool completed;           /* a certificate of a run that was killed */
};

struct retain_options {
    const char *dir;
    const uint8_t *store_id; /* 16 bytes */
    const struct config *config;
    const struct trusted_time *time; /* after a look at the system clock */
    int64_t system_ns;
    bool dry_run;
    atomic_bool *stop;                                       /* NULL: never */
    void (*visit)(void *self, const struct retain_tenant *); /* each municipality; or NULL */
    void *self;
};

struct retain_report {
    uint64_t tenants;
    uint64_t segments;
    uint64_t rows;
    uint64_t raw_bytes;
    uint64_t freed_bytes; /* of files, less what was written again */
    uint64_t certificates;
    uint64_t held;         /* segments */
    uint64_t waiting;      /* segments: in the log yet, damaged, or locked */
    uint64_t locked;       /* of these: encrypted with keys that are not here */
    uint64_t stored_bytes; /* of segments that count now */
    int64_t next_due_ns;
};

int retain_run(const struct retain_options *options, struct retain_report *out, struct diag *diag);

/* The first frame that a file of the log has; UINT64_MAX: there is no file. */
int retain_log_begin(uint64_t *out, const char *dir);
