/*
 * app/bundle_prove.c - the bytes of chosen rows, and the hashes of all that lies between them.
 *
 *   numbers      . . . 3 . . . . 8 9 . . . . size
 *   hashes of    [0 1][2]  [4 .. 7]    [10 11][12 13]        the greatest whole subtrees, from left to right
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "app/bundle_parts.h"

enum {
    RUN_GROUPS_MAX = 1024, /* stored nodes whose rows are read at once */
    RUN_GAP_GROUPS =
        64, /* of which nothing is wanted between two that are: reading on is cheaper */
    RUN_ROWS_MAX = RUN_GROUPS_MAX * TREE_GROUP_ROWS,
};

/* Nodes from left to right, those of one size joined. */
struct node_stack {
    struct sha256 items[TREE_LEVELS];
    unsigned count;
};

struct prover {
    struct bundle_evidence *out;
    struct tree_rows *rows;
    const struct tree_source *source;
    const struct bundle_choice *choice;
    uint64_t size; /* of the tree */
    struct hasher *hasher;
    struct diag *diag;
    size_t next;   /* in choice->numbers: the first that is not in the tree yet */
    size_t loaded; /* and the first that the run at hand does not have */
    struct node_stack stack;
    uint64_t run_first, run_end; /* rows whose hashes are at hand */
    bool *have;
    uint8_t *levels; /* not 0: of the node over it and others that are gone */
    struct sha256 *leaves;
};

/* Add the node over the rows from `at` on, 2^level of them. */
static int push(struct prover *p, struct node_stack *stack, struct sha256 node, uint64_t at,
                unsigned level)
{
    for (; (at >> level & 1) != 0; level++) {
        int err = tree_node(p->hasher, &node, &stack->items[--stack->count], &node);
        if (err != 0)
            return err;
    }
    assert(stack->count < TREE_LEVELS);
    stack->items[stack->count++] = node;
    return 0;
}

/* The topic among those that are kept, which are few. */
static int keep_topic(struct bundle_evidence *e, struct slice topic, struct span *out)
{
    for (size_t at = 0; at < e->topics.len;) {
        uint32_t len = (uint8_t)e->topics.data[at];
        if (slice_equal(slice_of(e->topics.data + at + 1, len), topic)) {
            *out = (struct span){.offset = (uint32_t)at + 1, .len = len};
            return 0;
        }
        at += 1 + len;
    }
    static_assert((int)TREE_TOPIC_BYTES_MAX <= (int)UINT8_MAX, "the length of a topic is a byte");
    *out = (struct span){.offset = (uint32_t)e->topics.len + 1, .len = (uint32_t)topic.len};
    buf_byte(&e->topics, (char)topic.len);
    buf_slice(&e->topics, topic);
    return buf_ok(&e->topics) ? 0 : ERR_NOMEM;
}

static int keep_row(struct prover *p, uint64_t number, size_t at, const struct tree_row *row)
{
    struct bundle_evidence *e = p->out;
    struct bundle_row *to = &e->rows[at];
    if (e->raw.len + row->raw.len > BUNDLE_RAW_BYTES_MAX) {
        diag_add(p->diag, NULL, 0, 0,
                 "the rows have more than %d MiB: take a shorter time (--since, --until) or a "
                 "narrower query, and make several bundles",
                 BUNDLE_RAW_BYTES_MAX >> 20);
        return ERR_RANGE;
    }
    *to = (struct bundle_row){.number = number,
                              .at = e->raw.len,
                              .len = (uint32_t)row->raw.len,
                              .partition = row->partition,
                              .offset = row->offset,
                              .sub = row->sub};
    buf_slice(&e->raw, row->raw);
    int err = keep_topic(e, row->topic, &to->topic);
    if (err == 0)
        err = sha256_of(&to->hash, row->raw);
    return err == 0 && !buf_ok(&e->raw) ? ERR_NOMEM : err;
}

/* Where a number stands among those of the run at hand; SIZE_MAX: nowhere. */
static size_t find_number(const struct prover *p, uint64_t number)
{
    size_t low = p->next;
    size_t high = p->loaded;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->choice->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->loaded && p->choice->numbers[low] == number ? low : SIZE_MAX;
}

static int take_row(void *self, uint64_t number, const struct tree_row *row)
{
    struct prover *p = self;
    uint64_t at = number - p->run_first;
    size_t chosen = find_number(p, number);
    int err = tree_leaf(p->hasher, &p->leaves[at], row);
    p->have[at] = err == 0;
    return err == 0 && chosen != SIZE_MAX ? keep_row(p, number, chosen, row) : err;
}

static int take_node(void *self, uint64_t number, unsigned level, const struct sha256 *hash)
{
    struct prover *p = self;
    uint64_t at = number - p->run_first;
    p->have[at] = true;
    p->levels[at] = (uint8_t)level;
    p->leaves[at] = *hash;
    return 0;
}

/* Read the rows of the group and of those behind it that are wanted soon. */
static int load_run(struct prover *p, uint64_t group)
{
    const struct bundle_choice *c = p->choice;
    uint64_t end = group + 1;
    size_t at = p->next;
    for (; at < c->count; at++) {
        uint64_t wanted = c->numbers[at] / TREE_GROUP_ROWS;
        if (wanted >= end + RUN_GAP_GROUPS || wanted >= group + RUN_GROUPS_MAX)
            break;
        end = wanted >= end ? wanted + 1 : end;
    }
    p->loaded = at;
    p->run_first = group * TREE_GROUP_ROWS;
    p->run_end = end * TREE_GROUP_ROWS < p->size ? end * TREE_GROUP_ROWS : p->size;
    memset(p->have, 0, RUN_ROWS_MAX * sizeof(*p->have));
    memset(p->levels, 0, RUN_ROWS_MAX * sizeof(*p->levels));
    int err = tree_rows_read(p->rows, p->run_first, p->run_end, take_row, p);
    bool whole = err == 0;
    for (uint64_t i = 0; i < p->run_end - p->run_first && whole; i++)
        whole = p->have[i];
    return err != 0 || whole ? err
                             : tree_rows_gone(p->rows, p->run_first, p->run_end, take_node, p);
}

/* The hash of a row; or, of rows that are gone, of the node of *level that begins with it. */
static int leaf_at(struct prover *p, uint64_t number, unsigned *level, struct sha256 *out)
{
    int err = 0;
    if (number < p->run_first || number >= p->run_end)
        err = load_run(p, number / TREE_GROUP_ROWS);
    if (err == 0 && !p->have[number - p->run_first]) {
        diag_add(p->diag, NULL, 0, 0,
                 "row %" PRIu64
                 " of the history is in no segment, and without it the rows beside it "
                 "cannot be proved; it was deleted, or a segment is missing",
                 number);
        return ERR_NOTFOUND;
    }
    if (err == 0) {
        *level = p->levels[number - p->run_first];
        *out = p->leaves[number - p->run_first];
    }
    return err;
}

static int contradicts(struct prover *p, uint64_t number)
{
    diag_add(p->diag, NULL, 0, 0,
             "row %" PRIu64
             " of the history is there, and a certificate of deletion says that it is gone",
             number);
    return ERR_CORRUPT;
}

/* The node over the 2^level rows from `at` on, none of which was chosen. */
static int node_of(struct prover *p, uint64_t at, unsigned level, struct sha256 *out)
{
    struct node_stack stack = {.count = 0};
    bool stored = level >= TREE_STORED_LEVEL;
    unsigned base = stored ? TREE_STORED_LEVEL : 0U;
    int err = 0;
    const char *nodes = p->source->nodes.data + (at >> TREE_STORED_LEVEL) * SHA256_BYTES;
    for (uint64_t i = 0; i >> (level - base) == 0 && err == 0;) {
        struct sha256 node;
        unsigned step = 0;
        if (stored)
            memcpy(node.bytes, nodes + i * SHA256_BYTES, SHA256_BYTES);
        else
            err = leaf_at(p, at + i, &step, &node);
        /* Between chosen rows the greatest nodes are asked for: one that reaches further is over rows that are there. */
        if (err == 0)
            err = step > level ? contradicts(p, at + i) : push(p, &stack, node, i, step);
        i += UINT64_C(1) << step;
    }
    *out = stack.items[0];
    return err;
}

/* All rows from left to right: chosen ones, and whole subtrees between them. */
static int walk_tree(struct prover *p)
{
    const struct bundle_choice *c = p->choice;
    uint64_t at = 0;
    int err = 0;
    while (at < p->size && err == 0) {
        uint64_t stop = p->next < c->count ? c->numbers[p->next] : p->size;
        struct sha256 node;
        unsigned level = 0;
        if (at == stop) {
            err = leaf_at(p, at, &level, &node);
            if (err == 0 && level != 0)
                err = contradicts(p, at);
            p->next++;
        } else {
            while ((at & ((UINT64_C(2) << level) - 1)) == 0 && at + (UINT64_C(2) << level) <= stop)
                level++;
            err = node_of(p, at, level, &node);
            buf_append(&p->out->proof, node.bytes, SHA256_BYTES);
        }
        if (err == 0)
            err = push(p, &p->stack, node, at, level);
        at += UINT64_C(1) << level;
    }
    return err == 0 && !buf_ok(&p->out->proof) ? ERR_NOMEM : err;
}

/* That the whole is what the checkpoint says, before anybody is told so. */
static int check_root(struct prover *p, const struct tree_head *head)
{
    struct sha256 root;
    int err = tree_root_of(p->hasher, &root, p->size, p->stack.items);
    if (err != 0 || sha256_equal(&root, &head->root))
        return err;
    diag_add(p->diag, NULL, 0, 0,
             "the rows of the store are not those that the checkpoint vouches for; sekisho verify "
             "tells which");
    return ERR_CORRUPT;
}

int bundle_prove(struct bundle_evidence *out, struct tree_rows *rows,
                 const struct bundle_choice *choice, const struct tree_head *head,
                 struct diag *diag)
{
    struct bundle_evidence e = {.row_count = choice->count};
    struct prover *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    *p = (struct prover){.out = &e,
                         .rows = rows,
                         .source = tree_rows_source(rows),
                         .choice = choice,
                         .size = head->size,
                         .diag = diag};
    e.rows = calloc(choice->count, sizeof(*e.rows));
    p->have = calloc(RUN_ROWS_MAX, sizeof(*p->have));
    p->levels = calloc(RUN_ROWS_MAX, sizeof(*p->levels));
    p->leaves = calloc(RUN_ROWS_MAX, sizeof(*p->leaves));
    int err = e.rows == NULL || p->have == NULL || p->levels == NULL || p->leaves == NULL
                  ? ERR_NOMEM
                  : hasher_new(&p->hasher);
    if (err == 0)
        err = walk_tree(p);
    if (err == 0)
        err = check_root(p, head);
    hasher_free(p->hasher);
    free(p->have);
    free(p->levels);
    free(p->leaves);
    free(p);
    if (err == 0)
        *out = e;
    else
        bundle_evidence_release(&e);
    return err;
}

void bundle_evidence_release(struct bundle_evidence *e)
{
    free(e->rows);
    buf_release(&e->raw);
    buf_release(&e->topics);
    buf_release(&e->proof);
    *e = (struct bundle_evidence){0};
}
