/*
 * store/tree_proof.h - what a tree can prove: that a row is in it, and that it only grew.
 *
 *   inclusion of leaf i at size n     the siblings from the leaf up to the peak of its mountain, then
 *                                     the other peaks from left to right
 *   consistency of m with n >= m      the peaks at size m, then what lacks to go from them to the
 *                                     peaks at size n: the right siblings from the lowest peak of m
 *                                     up to the peak of n that swallowed it, then the peaks to the
 *                                     right of that. (Mountains left of it are the same in both.)
 *
 * Sizes and index alone say how many hashes a proof has and what each is for, so nothing in it is free.
 *
 * Layer:     base < event < store
 * Ownership: values; a source is borrowed.
 * Threads:   one owner of the hasher; a source as its `leaf` allows.
 * Failures:  ERR_RANGE for a size that the source does not reach or an index outside of it; what
 *            `leaf` gives; ERR_NOMEM. ERR_CORRUPT of a check: this proves nothing.
 */
#pragma once

#include "store/tree.h"

enum tree_proof_limits {
    TREE_PROOF_HASHES_MAX = 2 * TREE_LEVELS,
};

/* Where the nodes of a tree come from. */
struct tree_source {
    struct slice nodes; /* of TREE_STORED_LEVEL, in order, SHA256_BYTES each */
    /*
     * The hash of a row that stands in the group of TREE_GROUP_ROWS of the row to prove, or behind
     * the last whole group of a size. Asked for at most once for each row by one call of a function
     * below, in no certain order; never for the row to prove. Of rows that are gone it may be that of
     * the node of *level, which is 0 before, over this one and those behind it: these are not asked
     * for then. A node that reaches beyond what is asked for is ERR_NOTFOUND of the function.
     */
    int (*leaf)(void *self, uint64_t index, unsigned *level, struct sha256 *out);
    void *self;
};

struct tree_proof {
    uint32_t count;
    struct sha256 hashes[TREE_PROOF_HASHES_MAX];
};

/* The tree as it was with `size` leaves. Reads the stored nodes and at most 255 leaves. */
int tree_load(struct hasher *h, struct tree *out, const struct tree_source *source, uint64_t size);
/* Its root. */
int tree_root_at(struct hasher *h, struct sha256 *out, const struct tree_source *source,
                 uint64_t size);

/* That leaf `index` is in the tree of `size` leaves. */
int tree_prove_leaf(struct hasher *h, struct tree_proof *out, const struct tree_source *source,
                    uint64_t index, uint64_t size);
/* That the tree of `newer` leaves begins with that of `older`. */
int tree_prove_growth(struct hasher *h, struct tree_proof *out, const struct tree_source *source,
                      uint64_t older, uint64_t newer);

/* A tree that somebody vouches for. */
struct tree_head {
    uint64_t size;
    struct sha256 root;
};

/* 0 when the leaf is number `index` of the tree of that root, else ERR_CORRUPT. */
int tree_check_leaf(struct hasher *h, const struct tree_proof *proof, const struct sha256 *leaf,
                    uint64_t index, const struct tree_head *head);
/* 0 when the first leaves of `newer` are those of `older`, else ERR_CORRUPT. */
int tree_check_growth(struct hasher *h, const struct tree_proof *proof,
                      const struct tree_head *older, const struct tree_head *newer);
