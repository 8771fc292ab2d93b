/*
 * app/leaf_gather.h - hashes of rows that come in any order, to the stored nodes of their tree.
 *
 *   leaf 300, 2, 301, ...  -->  the leaves of a node wait together until all 256 are there
 *
 * Ownership: the gather owns what waits until leaf_gather_free().
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_CORRUPT for a leaf that came twice or cannot be, or nodes that differ.
 */
#pragma once

#include "store/store.h"

struct leaf_gather;

/* For a tree of `size` leaves whose stored nodes are `nodes`, borrowed. */
int leaf_gather_new(struct leaf_gather **out, uint64_t size, struct slice nodes);
/* NULL is allowed. */
void leaf_gather_free(struct leaf_gather *g);

/* A leaf; *wrong is set to its node's number when the node that it completes is another one. */
int leaf_gather_add(struct leaf_gather *g, uint64_t leaf, const struct sha256 *hash,
                    uint64_t *wrong);
/* All leaves are there, and the tree has these peaks. *missing: the first leaf that is not there. */
int leaf_gather_finish(struct leaf_gather *g, const struct tree *tree, uint64_t *missing);
