/*
 * store/tree.h - the Merkle mountain range over the rows of one tenant.
 *
 *   level 3        o                        size 11 = 8 + 2 + 1: three mountains, whose peaks are
 *            ______|______                  nodes of levels 3, 1 and 0, from left to right
 *   level 2  o           o
 *          __|__       __|__
 *   level 1 o   o     o     o      o        leaf i stands for the i-th row of the tenant's history
 *          / \ / \   / \   / \    / \
 *   leaves 0 1 2 3  4  5  6  7   8   9   10
 *
 *   leaf = H(0x00 | u16 topic_len | topic | i32 partition | i64 offset | u32 sub | raw bytes)
 *   node = H(0x01 | left | right)
 *   root = H(0x02 | u64 size | peaks from left to right)                    H = SHA-256
 *
 * Leaves and nodes are those of RFC 6962 and RFC 9162 (domains 0 and 1, nodes over aligned powers of
 * two, the same subtrees); so are the mountains, which are Peter Todd's "Merkle mountain ranges"
 * without his numbering of nodes. Both join the peaks by further nodes; here one hash over the size
 * and all peaks joins them, so that a root vouches for its size and no peak passes for a node.
 *
 * Only nodes of TREE_STORED_LEVEL are kept for good, one hash for 256 rows (store/tree_file.h).
 * Those above are computed from them, those below from the rows again. Proofs: store/tree_proof.h.
 *
 * Layer:     base < event < store
 * Ownership: values; the caller owns buffers and hashers.
 * Threads:   one owner of a tree and of its hasher.
 * Failures:  ERR_NOMEM of the hasher or a buffer, ERR_RANGE past TREE_ROWS_MAX; nothing happened then.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "store/sha256.h"

#define TREE_ROWS_MAX ((UINT64_C(1) << TREE_LEVELS) - 1)

enum tree_limits {
    TREE_LEVELS = 48,
    TREE_STORED_LEVEL = 8,
    TREE_GROUP_ROWS = 1 << TREE_STORED_LEVEL, /* leaves under one stored node */
    TREE_TOPIC_BYTES_MAX = 249,               /* FRAME_TOPIC_BYTES_MAX */
    TREE_PAIRS_MAX = 64,                      /* hashed together */
};

/* A row as evidence; its bytes are borrowed. */
struct tree_row {
    struct slice topic; /* 1..TREE_TOPIC_BYTES_MAX bytes */
    int32_t partition;
    int64_t offset;
    uint32_t sub;
    struct slice raw;
};

/* A tree that grows. A zeroed one is the empty tree. */
struct tree {
    uint64_t size;                    /* leaves */
    struct sha256 peaks[TREE_LEVELS]; /* by level; those whose bit of `size` is set */
};

/* ERR_RANGE for a topic of no or too many bytes. */
int tree_leaf(struct hasher *h, struct sha256 *out, const struct tree_row *row);
int tree_node(struct hasher *h, struct sha256 *out, const struct sha256 *left,
              const struct sha256 *right);
/* The same of TREE_PAIRS_MAX at most: out[i] over pairs[i], which may be in the place of what was read. */
struct tree_pair {
    const struct sha256 *left;
    const struct sha256 *right;
};
int tree_nodes(struct hasher *h, struct sha256 *out, const struct tree_pair *pairs, size_t count);

/* Append what is hashed of a row before its bytes. ERR_RANGE as above; ERR_NOMEM. */
int tree_leaf_head(struct buf *out, const struct tree_row *row);

/* Append one leaf. A node of the stored level that it completes is added to `nodes`, SHA256_BYTES. */
int tree_append(struct hasher *h, struct tree *t, const struct sha256 *leaf, struct buf *nodes);
/* The same for many, whose places are used up meanwhile: several times as fast. */
int tree_append_leaves(struct hasher *h, struct tree *t, struct sha256 *leaves, size_t count,
                       struct buf *nodes);
/* The same for a row. */
int tree_append_row(struct hasher *h, struct tree *t, const struct tree_row *row,
                    struct buf *nodes);

/* The root at the tree's size; also of the empty tree. */
int tree_root(struct hasher *h, struct sha256 *out, const struct tree *t);
/* The root of `size` leaves whose peaks are given from left to right, one for each bit of `size`. */
int tree_root_of(struct hasher *h, struct sha256 *out, uint64_t size, const struct sha256 *peaks);

/* u64 size, then the peaks from left to right: all that is needed to go on. */
void tree_write(struct buf *out, const struct tree *t);
/* The inverse; all of the bytes must be used. ERR_FORMAT, with *out untouched. */
int tree_read(struct tree *out, struct slice bytes);
