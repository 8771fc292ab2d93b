#include "app/leaf_gather.h"

#include <stdlib.h>

#include "base/err.h"

/* Leaves of one stored node. */
struct waiting {
    uint32_t count;
    uint64_t have[TREE_GROUP_ROWS / 64];
    struct sha256 leaves[TREE_GROUP_ROWS];
};

struct leaf_gather {
    uint64_t size;
    struct slice nodes;
    struct waiting **waiting; /* by node; NULL: none came, or all did */
    uint64_t *done;           /* a bit for each node */
    size_t node_count;        /* with the last, which may be part of one */
    struct hasher *hasher;
};

int leaf_gather_new(struct leaf_gather **out, uint64_t size, struct slice nodes)
{
    struct leaf_gather *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ERR_NOMEM;
    g->size = size;
    g->nodes = nodes;
    g->node_count = (size_t)((size + TREE_GROUP_ROWS - 1) / TREE_GROUP_ROWS);
    g->waiting = calloc(g->node_count + 1, sizeof(struct waiting *));
    g->done = calloc(g->node_count / 64 + 1, sizeof(*g->done));
    int err = g->waiting == NULL || g->done == NULL ? ERR_NOMEM : hasher_new(&g->hasher);
    if (err == 0 && nodes.len != size / TREE_GROUP_ROWS * SHA256_BYTES)
        err = ERR_CORRUPT;
    if (err != 0) {
        leaf_gather_free(g);
        return err;
    }
    *out = g;
    return 0;
}

void leaf_gather_free(struct leaf_gather *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; g->waiting != NULL && i < g->node_count; i++)
        free(g->waiting[i]);
    free(g->waiting);
    free(g->done);
    hasher_free(g->hasher);
    free(g);
}

static bool is_done(const struct leaf_gather *g, size_t node)
{
    return (g->done[node / 64] >> (node % 64) & 1) != 0;
}

/* The node over 256 leaves, level by level. */
static int node_of(struct leaf_gather *g, struct waiting *w, struct sha256 *out)
{
    int err = 0;
    for (uint32_t count = TREE_GROUP_ROWS; count > 1 && err == 0; count /= 2) {
        for (uint32_t i = 0; i < count / 2 && err == 0; i++) {
            struct sha256 node;
            err = tree_node(g->hasher, &node, &w->leaves[(size_t)i * 2],
                            &w->leaves[(size_t)i * 2 + 1]);
            w->leaves[i] = node;
        }
    }
    *out = w->leaves[0];
    return err;
}

int leaf_gather_add(struct leaf_gather *g, uint64_t leaf, const struct sha256 *hash,
                    uint64_t *wrong)
{
    size_t node = (size_t)(leaf / TREE_GROUP_ROWS);
    uint32_t at = (uint32_t)(leaf % TREE_GROUP_ROWS);
    *wrong = node;
    if (leaf >= g->size || is_done(g, node))
        return ERR_CORRUPT;
    struct waiting *w = g->waiting[node];
    if (w == NULL) {
        w = calloc(1, sizeof(*w));
        if (w == NULL)
            return ERR_NOMEM;
        g->waiting[node] = w;
    }
    if ((w->have[at / 64] >> (at % 64) & 1) != 0)
        return ERR_CORRUPT;
    w->have[at / 64] |= UINT64_C(1) << (at % 64);
    w->leaves[at] = *hash;
    if (++w->count < TREE_GROUP_ROWS)
        return 0;
    struct sha256 made;
    int err = node_of(g, w, &made);
    free(w);
    g->waiting[node] = NULL;
    g->done[node / 64] |= UINT64_C(1) << (node % 64);
    if (err == 0 && memcmp(made.bytes, g->nodes.data + node * SHA256_BYTES, SHA256_BYTES) != 0)
        err = ERR_CORRUPT;
    return err;
}

/* The tree that stored nodes and the last leaves make: the nodes take their places as subtrees. */
static int grow(struct leaf_gather *g, const struct waiting *rest, struct tree *out)
{
    struct tree t = {0};
    int err = 0;
    uint64_t whole = g->size / TREE_GROUP_ROWS;
    for (uint64_t i = 0; i < whole && err == 0; i++) {
        struct sha256 node;
        memcpy(node.bytes, g->nodes.data + i * SHA256_BYTES, SHA256_BYTES);
        unsigned level = TREE_STORED_LEVEL;
        for (; (t.size >> level & 1) != 0 && err == 0; level++)
            err = tree_node(g->hasher, &node, &t.peaks[level], &node);
        t.peaks[level] = node;
        t.size += TREE_GROUP_ROWS;
    }
    struct buf nodes = {0};
    for (uint32_t i = 0; rest != NULL && i < rest->count && err == 0; i++)
        err = tree_append(g->hasher, &t, &rest->leaves[i], &nodes);
    buf_release(&nodes);
    *out = t;
    return err;
}

int leaf_gather_finish(struct leaf_gather *g, const struct tree *tree, uint64_t *missing)
{
    size_t whole = (size_t)(g->size / TREE_GROUP_ROWS);
    for (size_t node = 0; node < g->node_count; node++) {
        const struct waiting *w = g->waiting[node];
        uint32_t rows = node < whole ? TREE_GROUP_ROWS : (uint32_t)(g->size % TREE_GROUP_ROWS);
        for (uint32_t at = 0; !is_done(g, node) && at < rows; at++) {
            *missing = (uint64_t)node * TREE_GROUP_ROWS + at;
            if (w == NULL || (w->have[at / 64] >> (at % 64) & 1) == 0)
                return ERR_CORRUPT;
        }
    }
    *missing = UINT64_MAX;
    struct tree made = {0};
    struct sha256 made_root;
    struct sha256 root;
    int err = grow(g, g->node_count == whole ? NULL : g->waiting[whole], &made);
    if (err == 0)
        err = tree_root(g->hasher, &made_root, &made);
    if (err == 0)
        err = tree_root(g->hasher, &root, tree);
    return err != 0 ? err : sha256_equal(&root, &made_root) ? 0 : ERR_CORRUPT;
}
