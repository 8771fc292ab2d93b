/*
 * store/totals_file.h - the control totals of a municipality over the life of the store.
 *
 *   DIR/seg/<code6>/totals    [header | record 1 | record 2 | ...]
 *   a record                  len, totals, SHA-256 of the hash before and these, len of it all
 *
 * Each compaction appends one record, before the catalog's record makes its segments count. A record
 * counts when its through_seq is not above the catalog's; those behind are of a run that was killed, and the
 * next one cuts them off. Segments may go when their time is over: what they held stays said here.
 *
 * The hash of a store's totals up to a frame covers the last record up to there of every
 * municipality, and so all before it. Checkpoints sign it.
 *
 * Layer:     base < event < store
 * Ownership: nothing is kept.
 * Threads:   one writer per municipality, any number of readers beside it.
 * Failures:  ERR_NOTFOUND without a file; ERR_CORRUPT, ERR_FORMAT with the file named; ERR_AGAIN for a
 *            full disk; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "base/diag.h"
#include "store/log_file.h"
#include "store/totals.h"

enum totals_file_limits {
    TOTALS_FILE_VERSION = 1,
    TOTALS_FILE_HEADER_BYTES = 80,
    TOTALS_FILE_BYTES_MAX = 1 << 30,
    TOTALS_RECORD_BYTES_MAX = 256 << 20,
    TOTALS_NAME_BYTES_MAX = 32,
};

/* Where a file's records end that count. */
struct totals_head {
    uint8_t store_id[STORE_ID_BYTES];
    uint32_t tenant;
    uint64_t count; /* number of the last one; 0: there is none */
    uint64_t through_seq;
    struct sha256 hash; /* of the last one, or of the header */
    uint64_t bytes;     /* header and records */
};

/* Looks at a record, which is valid during the call. Not 0 ends the reading. */
typedef int totals_visit(void *self, const struct totals *t);

/* Read and check all records up to a frame. visit: NULL: nobody looks. */
int totals_file_read(struct totals_head *out, const char *folder, uint64_t through_seq,
                     totals_visit *visit, void *self, struct diag *diag);
/* The same head, from the file's end: records far before it are not looked at. */
int totals_file_head(struct totals_head *out, const char *folder, uint64_t through_seq,
                     struct diag *diag);
/*
 * Append a record behind the head, durable on return; what stands behind is cut off. A head without
 * bytes makes the file. t->number is filled in. After a failure the head is as before and the file may
 * have a torn tail.
 */
int totals_file_append(struct totals_head *head, const char *folder, struct totals *t);

/* What a checkpoint signs. */
struct totals_signed {
    char name[TOTALS_NAME_BYTES_MAX]; /* of the checkpoint's record: "ledger.<through_seq>" */
    uint64_t through_seq;
    uint32_t tenants; /* that had totals by then */
    struct sha256 hash;
};

/* The totals of all municipalities up to a frame. */
int totals_hash(struct totals_signed *out, const char *dir, uint64_t through_seq,
                struct diag *diag);
/*
 * The same up to where the store is compacted: for a checkpoint that is made now. ERR_NOTFOUND where nothing
 * was compacted yet.
 */
int totals_hash_now(struct totals_signed *out, const char *dir, struct diag *diag);
/* Whether a checkpoint's record is one of totals, and up to which frame. */
bool totals_signed_name(uint64_t *through_seq, struct slice name);
