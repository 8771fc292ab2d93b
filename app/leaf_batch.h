/*
 * app/leaf_batch.h - rows whose leaves are hashed together, several at a time.
 *
 *   leaf_batch_begin(row's place)  the line is appended to `text`  leaf_batch_end()
 *   ... until leaf_batch_is_full()  -->  leaf_batch_hash()  -->  hashes[0..count)
 *
 * Ownership: the batch owns its memory until leaf_batch_release(); a zeroed one is empty.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_RANGE of tree_leaf_head().
 */
#pragma once

#include "store/store.h"

enum leaf_batch_limits {
    LEAF_BATCH_ROWS = 128,
    LEAF_BATCH_BYTES = 64 << 10, /* from here it is full, too: what was written is still near */
};

struct leaf_batch {
    struct buf text; /* what is hashed of the rows, one behind the other */
    size_t ends[LEAF_BATCH_ROWS];
    struct sha256 hashes[LEAF_BATCH_ROWS];
    uint32_t count;
};

void leaf_batch_release(struct leaf_batch *b);
/* A row: all but its bytes, `raw` of which is ignored; they are to be appended to b->text next. */
int leaf_batch_begin(struct leaf_batch *b, const struct tree_row *row);
void leaf_batch_end(struct leaf_batch *b);
bool leaf_batch_is_full(const struct leaf_batch *b);
/* The leaves of its rows, into b->hashes. */
int leaf_batch_hash(struct leaf_batch *b, struct hasher *h);
/* Forget the rows. */
void leaf_batch_clear(struct leaf_batch *b);
