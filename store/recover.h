/*
 * store/recover.h - what a log says when nobody was there to finish it.
 *
 *   file 1   file 2   ...   newest file
 *   header-->header-->  --> header, frame, frame, frame, torn
 *   the last hash of each   every byte read            cut here
 *   stands in the next
 *
 * The first file may follow remains of others, whose headers are checked the same way.
 *
 * Layer:     base < event < store; private to ledger.c
 * Ownership: the result owns its state; log_state_release().
 * Threads:   none but the caller may write the log meanwhile.
 * Failures:  ERR_CORRUPT, ERR_FORMAT, ERR_IO, ERR_NOMEM, ERR_RANGE; ERR_NOTFOUND for an empty
 *            folder. The log is changed by nothing but the cut, and by that only on success.
 */
#pragma once

#include "store/ledger.h"

struct recovered {
    struct log_state state;
    struct ledger_recovery report;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t newest_seq;   /* names the file to append to */
    uint64_t newest_bytes; /* of it, after the cut */
    uint64_t older_bytes;  /* of the files and remains before it */
};

/* `dir` is the store's, not that of the log. With read_only a torn tail is reported, not cut. */
int recover_log(struct recovered *out, const char *dir, bool read_only, struct diag *diag);
