#include "app/leaf_gather.h"

#include <stdlib.h>

#include "base/err.h"

/* Leaves of one stored node, and nodes that stand for deleted ones. */
struct waiting {
    uint32_t count;  /* of leaves that are there or were deleted */
    uint32_t hashed; /* of leaves that are there or stood for */
    uint64_t have[TREE_GROUP_ROWS / 64];
    uint64_t gone[TREE_GROUP_ROWS / 64];
    uint8_t level[TREE_GROUP_ROWS];        /* of the node that begins at that leaf */
    struct sha256 leaves[TREE_GROUP_ROWS]; /* its hash; those within it mean nothing */
};

struct leaf_gather {
    uint64_t size;
    struct slice nodes;
    struct waiting **waiting; /* by node; NULL: none came, or all did and no head needs them */
    const struct tree_head *heads;
    size_t head_count;
    uint64_t *done;    /* a bit for each node */
    size_t node_count; /* with the last, which may be part of one */
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

int leaf_gather_expect(struct leaf_gather *g, const struct tree_head *heads, size_t count)
{
    if (count != 0 && heads[count - 1].size > g->size)
        return ERR_CORRUPT;
    g->heads = heads;
    g->head_count = count;
    return 0;
}

/* The first head that has more than `size` leaves. */
static size_t head_behind(const struct leaf_gather *g, uint64_t size)
{
    size_t low = 0;
    size_t high = g->head_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->heads[middle].size > size)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Whether some head ends within the leaves of a node. */
static bool has_head_within(const struct leaf_gather *g, size_t node)
{
    uint64_t first = (uint64_t)node * TREE_GROUP_ROWS;
    size_t head = head_behind(g, first);
    return head < g->head_count && g->heads[head].size < first + TREE_GROUP_ROWS;
}

static bool is_done(const struct leaf_gather *g, size_t node)
{
    return (g->done[node / 64] >> (node % 64) & 1) != 0;
}

/*
 * Nodes of all levels up to the stored one, level by level, over the first `rows` leaves, of which
 * none is missing: each ends up at its first leaf.
 */
static int join(struct leaf_gather *g, struct waiting *w, uint32_t rows)
{
    int err = 0;
    for (uint32_t level = 0; level < TREE_STORED_LEVEL && err == 0; level++) {
        const uint32_t half = UINT32_C(1) << level;
        struct tree_pair pairs[TREE_PAIRS_MAX];
        struct sha256 made[TREE_PAIRS_MAX];
        uint32_t places[TREE_PAIRS_MAX];
        size_t count = 0;
        for (uint32_t at = 0; at + 2 * half <= rows && err == 0; at += 2 * half) {
            if (w->level[at] == level) { /* else one that is higher is there already */
                pairs[count] = (struct tree_pair){&w->leaves[at], &w->leaves[at + half]};
                places[count++] = at;
            }
            if (count < TREE_PAIRS_MAX && at + 4 * half <= rows)
                continue;
            err = tree_nodes(g->hasher, made, pairs, count);
            for (; count != 0; count--) {
                w->leaves[places[count - 1]] = made[count - 1];
                w->level[places[count - 1]] = (uint8_t)(level + 1);
            }
        }
    }
    return err;
}

/* The place where a node's leaves wait, made at first sight. NULL: no memory. */
static struct waiting *wait_at(struct leaf_gather *g, size_t node)
{
    if (g->waiting[node] == NULL)
        g->waiting[node] = calloc(1, sizeof(*g->waiting[node]));
    return g->waiting[node];
}

static bool has_bit(const uint64_t *bits, uint32_t at)
{
    return (bits[at / 64] >> (at % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, uint32_t at)
{
    bits[at / 64] |= UINT64_C(1) << (at % 64);
}

static int remove_part(struct leaf_gather *g, size_t node, uint32_t from, uint32_t to)
{
    struct waiting *w = wait_at(g, node);
    if (w == NULL)
        return ERR_NOMEM;
    for (uint32_t at = from; at < to; at++) {
        if (has_bit(w->have, at))
            return ERR_CORRUPT;
        set_bit(w->have, at);
        set_bit(w->gone, at);
        w->count++;
    }
    return 0;
}

int leaf_gather_remove(struct leaf_gather *g, uint64_t first, uint64_t last)
{
    int err = last >= g->size || first > last ? ERR_CORRUPT : 0;
    for (uint64_t at = first; err == 0 && at <= last;) {
        size_t node = (size_t)(at / TREE_GROUP_ROWS);
        uint64_t end = (at / TREE_GROUP_ROWS + 1) * TREE_GROUP_ROWS;
        uint32_t from = (uint32_t)(at % TREE_GROUP_ROWS);
        if (is_done(g, node))
            return ERR_CORRUPT;
        if (from == 0 && end <= last + 1 && g->waiting[node] == NULL)
            g->done[node / 64] |= UINT64_C(1) << (node % 64); /* the stored node says it all */
        else {
            err =
                remove_part(g, node, from,
                            end <= last ? TREE_GROUP_ROWS : (uint32_t)(last % TREE_GROUP_ROWS) + 1);
        }
        at = end;
    }
    return err;
}

int leaf_gather_stand_in(struct leaf_gather *g, uint32_t level, uint64_t index,
                         const struct sha256 *hash)
{
    uint64_t first = index << level;
    size_t node = (size_t)(first / TREE_GROUP_ROWS);
    uint32_t from = (uint32_t)(first % TREE_GROUP_ROWS);
    const uint32_t rows = UINT32_C(1) << level;
    if (level >= TREE_STORED_LEVEL || first >= g->size || is_done(g, node) ||
        g->waiting[node] == NULL)
        return ERR_CORRUPT;
    struct waiting *w = g->waiting[node];
    for (uint32_t at = from; at < from + rows; at++) {
        if (!has_bit(w->gone, at))
            return ERR_CORRUPT;
        w->gone[at / 64] &= ~(UINT64_C(1) << (at % 64)); /* it is stood for */
        w->hashed++;
    }
    w->leaves[from] = *hash;
    w->level[from] = (uint8_t)level;
    return 0;
}

/* All leaves of a stored node are there: it is the one that is stored. */
static int complete(struct leaf_gather *g, size_t node)
{
    struct waiting *w = g->waiting[node];
    struct waiting joined = *w;
    int err = w->hashed < TREE_GROUP_ROWS ? ERR_CORRUPT : join(g, &joined, TREE_GROUP_ROWS);
    if (err == 0 &&
        memcmp(joined.leaves[0].bytes, g->nodes.data + node * SHA256_BYTES, SHA256_BYTES) != 0)
        err = ERR_CORRUPT;
    if (!has_head_within(g, node)) {
        free(w);
        g->waiting[node] = NULL;
    }
    g->done[node / 64] |= UINT64_C(1) << (node % 64);
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
    struct waiting *w = wait_at(g, node);
    if (w == NULL)
        return ERR_NOMEM;
    if (has_bit(w->have, at))
        return ERR_CORRUPT;
    set_bit(w->have, at);
    w->leaves[at] = *hash;
    w->hashed++;
    return ++w->count < TREE_GROUP_ROWS ? 0 : complete(g, node);
}

/*
 * The first `rows` leaves of a stored node, behind a tree of whole ones; *known: false where some were
 * deleted and the node that stands for them is over others too.
 */
static int append_part(struct leaf_gather *g, struct tree *t, size_t node, uint32_t rows,
                       bool *known)
{
    uint32_t at = 0;
    *known = rows == 0 || g->waiting[node] != NULL;
    if (rows == 0 || !*known)
        return 0;
    struct waiting joined = *g->waiting[node];
    int err = join(g, &joined, rows);
    for (uint32_t level = TREE_STORED_LEVEL; err == 0 && *known && level-- > 0;) {
        if ((rows >> level & 1) == 0)
            continue;
        *known = joined.level[at] == level;
        t->peaks[level] = joined.leaves[at];
        at += UINT32_C(1) << level;
    }
    t->size += rows;
    return err;
}

/*
 * Heads of the tree at hand and of the leaves that follow it, those of node `node`; *head is the first that
 * was not looked at. Of one that ends among deleted rows certificates say what there was.
 */
static int check_heads(struct leaf_gather *g, const struct tree *at, size_t node, size_t *head)
{
    int err = 0;
    for (; *head < g->head_count && err == 0; (*head)++) {
        const struct tree_head *h = &g->heads[*head];
        struct tree t = *at;
        struct sha256 root;
        bool known = true;
        if (h->size >= at->size + TREE_GROUP_ROWS)
            return 0;
        err = append_part(g, &t, node, (uint32_t)(h->size - at->size), &known);
        if (err == 0 && known)
            err = tree_root(g->hasher, &root, &t);
        if (err == 0 && known && !sha256_equal(&root, &h->root))
            return ERR_CORRUPT;
    }
    return err;
}

/* The tree that stored nodes and the last leaves make: the nodes take their places as subtrees. */
static int grow(struct leaf_gather *g, struct tree *out, size_t *head)
{
    struct tree t = {0};
    bool known = true;
    size_t whole = (size_t)(g->size / TREE_GROUP_ROWS);
    int err = 0;
    *head = 0;
    for (size_t i = 0; i < whole && err == 0; i++) {
        struct sha256 node;
        err = check_heads(g, &t, i, head);
        memcpy(node.bytes, g->nodes.data + i * SHA256_BYTES, SHA256_BYTES);
        unsigned level = TREE_STORED_LEVEL;
        for (; (t.size >> level & 1) != 0 && err == 0; level++)
            err = tree_node(g->hasher, &node, &t.peaks[level], &node);
        t.peaks[level] = node;
        t.size += TREE_GROUP_ROWS;
    }
    if (err == 0)
        err = check_heads(g, &t, whole, head);
    if (err == 0)
        err = append_part(g, &t, whole, (uint32_t)(g->size % TREE_GROUP_ROWS), &known);
    *out = t;
    return err;
}

/* How many leaves of a stored node the tree has. */
static uint32_t rows_of(const struct leaf_gather *g, size_t node)
{
    uint64_t rest = g->size - (uint64_t)node * TREE_GROUP_ROWS;
    return rest < TREE_GROUP_ROWS ? (uint32_t)rest : TREE_GROUP_ROWS;
}

/* The first leaf that did not come; `size` when all did. */
static uint64_t first_missing(const struct leaf_gather *g)
{
    for (size_t node = 0; node < g->node_count; node++) {
        const struct waiting *w = g->waiting[node];
        uint32_t rows = rows_of(g, node);
        for (uint32_t at = 0; !is_done(g, node) && at < rows; at++) {
            if (w == NULL || !has_bit(w->have, at))
                return (uint64_t)node * TREE_GROUP_ROWS + at;
        }
    }
    return g->size;
}

/* Of nodes whose leaves were deleted piece by piece the nodes that stand for them are there to be compared. */
static int complete_rest(struct leaf_gather *g)
{
    int err = 0;
    for (size_t node = 0; node < g->node_count && err == 0; node++) {
        const struct waiting *w = g->waiting[node];
        uint32_t rows = rows_of(g, node);
        if (w == NULL || is_done(g, node))
            continue;
        if (w->hashed != rows)
            err = ERR_CORRUPT;
        else if (rows == TREE_GROUP_ROWS)
            err = complete(g, node);
    }
    return err;
}

int leaf_gather_finish(struct leaf_gather *g, const struct tree *tree,
                       struct leaf_gather_fault *fault)
{
    struct tree made = {0};
    struct sha256 made_root;
    struct sha256 root;
    size_t head = 0;
    *fault = (struct leaf_gather_fault){.is_missing = true, .at = first_missing(g)};
    if (fault->at != g->size)
        return ERR_CORRUPT;
    *fault = (struct leaf_gather_fault){0};
    int err = complete_rest(g);
    if (err != 0)
        return err;
    err = grow(g, &made, &head);
    *fault = (struct leaf_gather_fault){.is_head = err == ERR_CORRUPT, .at = head};
    if (err == 0)
        err = tree_root(g->hasher, &made_root, &made);
    if (err == 0)
        err = tree_root(g->hasher, &root, tree);
    return err != 0 ? err : sha256_equal(&root, &made_root) ? 0 : ERR_CORRUPT;
}
