/*
 * app/log_totals.h - what the frames of a log say that they consumed, into a count of control totals.
 *
 * Ownership: nothing is kept.
 * Threads:   one caller; a writer of the log may go on beside it.
 * Failures:  ERR_IO, ERR_NOMEM, ERR_RANGE; ERR_NOTFOUND without a log. Damage is named and counted, and
 *            the walk goes on behind it.
 */
#pragma once

#include "store/store.h"

/* All frames that the log still has from behind from_seq up to through_seq. *damage: places. */
int log_totals_read(struct totals_count *count, const char *dir, uint64_t from_seq,
                    uint64_t through_seq, uint64_t *damage, struct diag *diag);
