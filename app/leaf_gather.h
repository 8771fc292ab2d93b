/*
 * app/leaf_gather.h - hashes of rows that come in any order, to the stored nodes of their tree.
 *
 *   leaf 300, 2, 301, ...  -->  the leaves of a node wait together until all 256 are there
 *                               --> the tree, size by size --> roots that were signed
 *   rows that were deleted      take the place of leaves; where others stay beside them under a stored
 *                               node, nodes stand for them
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

/*
 * Roots that the tree must have had, ascending by size, borrowed; to be told before the first leaf.
 * ERR_CORRUPT for one of more leaves than the tree has.
 */
int leaf_gather_expect(struct leaf_gather *g, const struct tree_head *heads, size_t count);
/*
 * Rows [first, last] were deleted, and come no more; before the first leaf. ERR_CORRUPT when one of
 * them was deleted before or is behind the tree's end.
 */
int leaf_gather_remove(struct leaf_gather *g, uint64_t first, uint64_t last);
/*
 * The node over deleted rows, which were removed. ERR_CORRUPT when it is over others too, or when
 * another node is there.
 */
int leaf_gather_stand_in(struct leaf_gather *g, uint32_t level, uint64_t index,
                         const struct sha256 *hash);

/* A leaf; *wrong is set to its node's number when the node that it completes is another one. */
int leaf_gather_add(struct leaf_gather *g, uint64_t leaf, const struct sha256 *hash,
                    uint64_t *wrong);
/* What did not hold. */
struct leaf_gather_fault {
    bool is_missing; /* leaf `at` did not come */
    bool is_head;    /* the expected head number `at` is not that of the tree */
    uint64_t at;
};

/* All leaves are there, and the tree has these peaks, and had the roots that were expected. */
int leaf_gather_finish(struct leaf_gather *g, const struct tree *tree,
                       struct leaf_gather_fault *fault);
