/*
 * app/totals_check.h - whether the completeness ledger is what the store holds; for `sekisho verify`.
 *
 *   totals of each municipality --+-- rows of its segments, counted again: records and rows by
 *                                 |   partition and hour, bytes by topic and hour
 *                                 +-- ranges of offsets in frames and in the remains of retired files
 *                                 +-- catalog, checkpoint
 *
 * No stored count is believed. Hours whose segments were deleted can only be checked by what the
 * totals say of themselves, the frames and the checkpoint; so can a municipality of which encrypted
 * segments lack their key.
 *
 * Ownership: nothing is kept.
 * Threads:   one caller; a collector and a compaction may go on beside it.
 * Failures:  ERR_CORRUPT with the first difference named; ERR_FORMAT for files of a newer program;
 *            ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "store/store.h"

struct totals_check_report {
    uint64_t tenants; /* that have totals */
    uint64_t records; /* counted again in segments */
    uint64_t rows;
    uint64_t offsets; /* counted again in frames and remains */
};

/* held: an older checkpoint that somebody kept, its signature checked; NULL: none. */
int totals_check_run(struct totals_check_report *out, const char *dir,
                     const struct checkpoint *held, struct diag *diag);
