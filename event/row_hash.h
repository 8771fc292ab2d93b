/*
 * event/row_hash.h - a number for all that a batch holds of a row, whatever way it is stored.
 *
 *   log's batch      dictionary of its own, IPv4     --> row_hashes() --> 7f3a...
 *   segment's block  another dictionary, any address --> row_hashes() --> 7f3a...   the same row
 *
 * It is made of the line's skeleton and values, those beside the line, place, times, reason and
 * verdict: two rows with the same number render to the same bytes, but for a collision of 64 bits.
 * Neither lines are rendered nor entries of dictionaries looked at twice.
 *
 * Ownership: the hasher owns working memory until row_hasher_release(); a zeroed one is empty.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/ties.h"

struct row_hasher {
    struct arena arena;
    struct buf name;
};

void row_hasher_release(struct row_hasher *h);

/*
 * The numbers of a whole batch that was read back, and whose ties those are, into out[0, row_count).
 * 0 or ERR_NOMEM.
 */
int row_hashes(struct row_hasher *h, const struct batch *b, const struct ties *ties, uint64_t *out);
