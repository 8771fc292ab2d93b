/* Trees become nodes, leaves and targets; each expression gets its witnesses. */
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "event/pred_group.h"
#include "event/pred_plan.h"

enum {
    NODES_MAX = 4 * 1000 * 1000, /* of all expressions together */
    COST_MAX = 1000 * 1000,
    POINTER_BYTES = sizeof(void *),
};

/* What is needed while compiling only. */
struct build {
    struct pred *pred;
    struct diag *diag;
    const struct ast **asts; /* the tree's leaf of each leaf */
    uint32_t *table;         /* leaf + 1 by hash */
    uint32_t table_mask;
    uint64_t seed;
    bool wrong; /* a diagnosis was given */
};

/* A node of a tree that is still to be read. */
struct todo {
    const struct ast *ast;
    uint32_t parent;
    uint32_t depth;
};

static struct target target_of(const struct ast *ast, bool other)
{
    uint16_t field = other ? ast->other : ast->field;
    const struct field_info *info = field_info(field);
    struct slice asked = other ? ast->other_name : ast->field_name;
    struct slice name = info != NULL ? info->name : asked;
    struct target t = {.kind = TARGET_LOCAL, .field = field, .name = name};
    t.row_field = (uint8_t)row_field_find(name);
    if (ast->op == AST_RAW || ast->any_field || field == FIELD_EVENT_ORIGINAL) {
        t.kind = ast->any_field ? TARGET_ANY : TARGET_RAW;
        t.field = FIELD_NONE;
        t.row_field = ROW_FIELD_NONE;
        t.name = SLICE("");
    } else if (t.row_field != ROW_FIELD_NONE) {
        t.kind = TARGET_ROW;
    } else if (info != NULL) {
        t.kind = info->id == FIELD_URL_ORIGINAL ? TARGET_URL : TARGET_FIELD;
        t.is_url = slice_starts(name, SLICE("url."));
    }
    return t;
}

static bool same_target(const struct target *a, const struct target *b)
{
    if (a->kind != b->kind || a->row_field != b->row_field)
        return false;
    return a->kind == TARGET_LOCAL ? slice_equal(a->name, b->name) : a->field == b->field;
}

/* The index of the target of a leaf, or of its other field; PLAN_NONE without memory. */
static uint32_t target_add(struct pred *p, const struct ast *ast, bool other)
{
    struct target t = target_of(ast, other);
    bool by_id = t.kind == TARGET_FIELD || t.kind == TARGET_URL;
    if (by_id && p->field_target[t.field] != 0)
        return p->field_target[t.field] - 1;
    for (uint32_t i = 0; !by_id && i < p->target_count; i++) {
        if (same_target(&p->targets[i], &t))
            return i;
    }
    const char *name = arena_copy(&p->arena, t.name);
    if (name == NULL)
        return PLAN_NONE;
    t.name.data = name;
    p->targets[p->target_count] = t;
    if (by_id)
        p->field_target[t.field] = p->target_count + 1;
    return p->target_count++;
}

static uint64_t leaf_hash(const struct build *b, const struct ast *ast)
{
    uint64_t key[6] = {
        (uint64_t)ast->op | (uint64_t)ast->cased << 8 | (uint64_t)ast->field << 16 |
            (uint64_t)ast->other << 32 | (uint64_t)ast->part << 48 | (uint64_t)ast->any_field << 56,
        (uint64_t)ast->bound.number, (uint64_t)ast->high.number, ast->network.prefix_bits};
    memcpy(&key[4], &ast->bound.real, sizeof(key[4]));
    memcpy(&key[5], &ast->high.real, sizeof(key[5]));
    uint64_t hash = hash_bytes(b->seed, key, sizeof(key));
    hash = hash_bytes(hash, ast->network.ip.bytes, sizeof(ast->network.ip.bytes));
    bool raw = ast->op == AST_RAW || ast->any_field;
    hash = hash_slice(hash, raw ? SLICE("") : ast->field_name);
    hash = hash_slice(hash, ast->other_name);
    return hash_slice(hash, ast->text);
}

/* Texts of the row's own fields are not kept, so no other field can be compared with them. */
static int ref_check(struct build *b, const struct pred *p, const struct plan_leaf *l,
                     const struct ast *ast)
{
    if (l->other == PLAN_NONE)
        return 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct target *t = &p->targets[i == 0 ? l->target : l->other];
        if (t->kind == TARGET_LOCAL || t->kind == TARGET_FIELD || t->kind == TARGET_URL)
            continue;
        if (b->diag != NULL) {
            diag_add(b->diag, NULL, 0, 0,
                     "fieldref between %.*s and %.*s: %.*s is no field of the line and cannot be "
                     "compared with another",
                     (int)ast->field_name.len, ast->field_name.data, (int)ast->other_name.len,
                     ast->other_name.data, (int)t->name.len, t->name.data);
        }
        return ERR_CONF;
    }
    return 0;
}

/* The index of a leaf, added where it is new. 0, or ERR_CONF, ERR_NOMEM. */
static int leaf_add(struct build *b, const struct ast *ast, uint32_t *out)
{
    struct pred *p = b->pred;
    uint32_t at = (uint32_t)leaf_hash(b, ast) & b->table_mask;
    for (; b->table[at] != 0; at = (at + 1) & b->table_mask) {
        if (ast_leaf_equal(b->asts[b->table[at] - 1], ast)) {
            *out = b->table[at] - 1;
            return 0;
        }
    }
    struct plan_leaf *l = &p->leaves[p->leaf_count];
    *l = (struct plan_leaf){.target = target_add(p, ast, false), .other = PLAN_NONE};
    if (leaf_is_ref(ast->op))
        l->other = target_add(p, ast, true);
    if (l->target == PLAN_NONE || (leaf_is_ref(ast->op) && l->other == PLAN_NONE))
        return ERR_NOMEM;
    int err = ref_check(b, p, l, ast);
    if (err == 0)
        err = leaf_init(&l->leaf, &p->arena, ast, b->diag);
    if (err != 0)
        return err;
    b->asts[p->leaf_count] = ast;
    *out = p->leaf_count++;
    b->table[at] = p->leaf_count;
    return 0;
}

static uint32_t work_of(const struct plan_leaf *l, const struct target *t)
{
    static const uint32_t WORK[] = {
        [LEAF_OP_EQUAL] = 4,         [LEAF_OP_PREFIX] = 4,      [LEAF_OP_SUFFIX] = 4,
        [LEAF_OP_CONTAINS] = 8,      [LEAF_OP_GLOB] = 12,       [LEAF_OP_REGEX] = 60,
        [LEAF_OP_LESS] = 2,          [LEAF_OP_LESS_EQUAL] = 2,  [LEAF_OP_GREATER] = 2,
        [LEAF_OP_GREATER_EQUAL] = 2, [LEAF_OP_RANGE] = 2,       [LEAF_OP_NETWORK] = 2,
        [LEAF_OP_EXISTS] = 2,        [LEAF_OP_VALUE] = 2,       [LEAF_OP_REF_EQUAL] = 40,
        [LEAF_OP_REF_CONTAINS] = 40, [LEAF_OP_REF_PREFIX] = 40, [LEAF_OP_REF_SUFFIX] = 40,
    };
    uint32_t work = WORK[l->leaf.op];
    if (t->kind == TARGET_ROW)
        return t->row_field <= ROW_FIELD_TIME_SOURCE ? 1 : work;
    if (t->kind == TARGET_URL)
        return work + 20;
    return t->kind == TARGET_RAW || t->kind == TARGET_ANY ? work + 80 : work;
}

/* A guess at how few rows have it, together with what it costs to find them. */
static uint32_t rarity_of(const struct plan_leaf *l, const struct target *t)
{
    if (t->kind == TARGET_ROW)
        return 400;
    size_t len = l->leaf.needle.text.len;
    uint32_t hard = t->kind == TARGET_RAW || t->kind == TARGET_ANY ? 100 : 0;
    switch ((enum leaf_op)l->leaf.op) {
    case LEAF_OP_EQUAL:
        return hard + 10;
    case LEAF_OP_PREFIX:
    case LEAF_OP_SUFFIX:
    case LEAF_OP_CONTAINS:
    case LEAF_OP_GLOB:
        return hard + (len < GROUP_LITERAL_MIN ? 300 : 20 + (uint32_t)(len > 20 ? 0 : 20 - len));
    case LEAF_OP_NETWORK:
        return 60;
    case LEAF_OP_RANGE:
        return 300;
    case LEAF_OP_REGEX:
    case LEAF_OP_REF_EQUAL:
    case LEAF_OP_REF_CONTAINS:
    case LEAF_OP_REF_PREFIX:
    case LEAF_OP_REF_SUFFIX:
        return 600;
    case LEAF_OP_EXISTS:
    case LEAF_OP_VALUE:
    case LEAF_OP_LESS:
    case LEAF_OP_LESS_EQUAL:
    case LEAF_OP_GREATER:
    case LEAF_OP_GREATER_EQUAL:
    default:
        return 500;
    }
}

static uint32_t cost_add(uint32_t a, uint32_t b)
{
    if (a == PLAN_NONE || b == PLAN_NONE)
        return PLAN_NONE;
    return a + b > COST_MAX ? COST_MAX : a + b;
}

/* Parents stand before their children, so one pass from the end sees children first. */
static void costs(struct pred *p, uint32_t from)
{
    for (uint32_t i = p->node_count; i > from; i--) {
        struct node *n = &p->nodes[i - 1];
        if (n->kind == AST_LEAF) {
            const struct plan_leaf *l = &p->leaves[n->leaf];
            n->work = work_of(l, &p->targets[l->target]);
            n->rarity = rarity_of(l, &p->targets[l->target]);
            continue;
        }
        n->rarity = n->kind == AST_OR ? 0 : PLAN_NONE;
        for (uint32_t c = n->first; c != PLAN_NONE; c = p->nodes[c].next) {
            const struct node *child = &p->nodes[c];
            n->work = cost_add(n->work, child->work);
            if (n->kind == AST_OR)
                n->rarity = cost_add(n->rarity, child->rarity);
            else if (n->kind == AST_AND && child->rarity < n->rarity)
                n->rarity = child->rarity;
        }
    }
}

/* Children in the order of their work: insertion into an ordered list; long lists are left alone. */
static void order_children(struct pred *p, uint32_t node)
{
    enum {
        ORDERED_MAX = 64
    };
    uint32_t ordered = PLAN_NONE;
    uint32_t count = 0;
    for (uint32_t c = p->nodes[node].first; c != PLAN_NONE; c = p->nodes[c].next)
        count++;
    if (count < 2 || count > ORDERED_MAX)
        return;
    for (uint32_t c = p->nodes[node].first; c != PLAN_NONE;) {
        uint32_t next = p->nodes[c].next;
        uint32_t *place = &ordered;
        while (*place != PLAN_NONE && p->nodes[*place].work <= p->nodes[c].work)
            place = &p->nodes[*place].next;
        p->nodes[c].next = *place;
        *place = c;
        c = next;
    }
    p->nodes[node].first = ordered;
}

/* Append one node under its parent. */
static int node_add(struct build *b, const struct todo *todo)
{
    struct pred *p = b->pred;
    uint32_t at = p->node_count;
    struct node n = {.kind = (uint8_t)todo->ast->kind,
                     .first = PLAN_NONE,
                     .next = PLAN_NONE,
                     .parent = todo->parent};
    if (todo->ast->kind == AST_LEAF) {
        int err = leaf_add(b, todo->ast, &n.leaf);
        if (err == ERR_CONF) {
            b->wrong = true;
            n.kind = AST_TRUE;
        } else if (err != 0) {
            return err;
        }
    }
    if (todo->parent != PLAN_NONE) {
        n.next = p->nodes[todo->parent].first;
        p->nodes[todo->parent].first = at;
    }
    p->nodes[p->node_count++] = n;
    return 0;
}

static int too_deep(struct build *b, size_t number)
{
    if (b->diag != NULL)
        diag_add(b->diag, NULL, 0, 0, "expression %zu is nested deeper than %d levels; split it",
                 number, AST_DEPTH_MAX);
    b->wrong = true;
    return 0;
}

/* Read one tree; `stack` has room for all its nodes. */
static int tree_add(struct build *b, const struct ast *root, size_t number, struct todo *stack)
{
    struct pred *p = b->pred;
    size_t depth = 0;
    uint32_t from = p->node_count;
    stack[depth++] = (struct todo){.ast = root, .parent = PLAN_NONE, .depth = 1};
    while (depth > 0) {
        struct todo todo = stack[--depth];
        if (todo.depth > PLAN_DEPTH_MAX)
            return too_deep(b, number);
        uint32_t at = p->node_count;
        int err = node_add(b, &todo);
        if (err != 0)
            return err;
        if (todo.ast->kind == AST_LEAF || todo.ast->kind == AST_TRUE)
            continue;
        for (const struct ast *c = todo.ast->first; c != NULL; c = c->next)
            stack[depth++] = (struct todo){.ast = c, .parent = at, .depth = todo.depth + 1};
    }
    costs(p, from);
    for (uint32_t i = from; i < p->node_count; i++)
        order_children(p, i);
    p->expressions[number].root = from;
    p->expressions[number].full_scan = p->nodes[from].rarity == PLAN_NONE;
    p->full_scan_count += p->expressions[number].full_scan;
    return 0;
}

/* Nodes and leaves of all trees; 0 or ERR_RANGE. Depth is not bounded here, so no recursion. */
static int trees_count(const struct ast *const *asts, size_t count, size_t *nodes, size_t *leaves,
                       size_t *largest)
{
    struct buf stack = {0};
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        size_t before = *nodes;
        const struct ast *at = asts[i];
        buf_append(&stack, &at, POINTER_BYTES);
        while (stack.len != 0 && buf_ok(&stack) && *nodes <= NODES_MAX) {
            stack.len -= POINTER_BYTES;
            memcpy(&at, stack.data + stack.len, POINTER_BYTES);
            (*nodes)++;
            *leaves += at->kind == AST_LEAF;
            if (at->kind == AST_LEAF || at->kind == AST_TRUE)
                continue;
            for (const struct ast *c = at->first; c != NULL; c = c->next)
                buf_append(&stack, &c, POINTER_BYTES);
        }
        err = !buf_ok(&stack) ? ERR_NOMEM : *nodes > NODES_MAX ? ERR_RANGE : 0;
        if (*nodes - before > *largest)
            *largest = *nodes - before;
    }
    buf_release(&stack);
    return err;
}

static int pred_alloc(struct pred *p, size_t expressions, size_t nodes, size_t leaves)
{
    p->nodes = arena_array(&p->arena, nodes + 1, sizeof(*p->nodes));
    p->leaves = arena_array(&p->arena, leaves + 1, sizeof(*p->leaves));
    p->targets = arena_array(&p->arena, 2 * leaves + 1, sizeof(*p->targets));
    p->expressions = arena_array(&p->arena, expressions + 1, sizeof(*p->expressions));
    p->expression_count = (uint32_t)expressions;
    return p->nodes == NULL || p->leaves == NULL || p->targets == NULL || p->expressions == NULL
               ? ERR_NOMEM
               : 0;
}

/* Mark the string leaves of each target that has many. */
static int groups_make(struct pred *p)
{
    uint32_t *counts = calloc(p->target_count + 1, sizeof(*counts));
    if (counts == NULL)
        return ERR_NOMEM;
    bool usable = group_usable();
    int err = 0;
    for (uint32_t i = 0; i < p->leaf_count; i++) {
        const struct target *t = &p->targets[p->leaves[i].target];
        const struct field_info *info = field_info(t->field);
        bool is_text = t->kind != TARGET_ROW && t->kind != TARGET_ANY &&
                       (info == NULL || info->type == FIELD_TYPE_TEXT);
        p->leaves[i].grouped = usable && is_text && group_takes(&p->leaves[i].leaf);
        counts[p->leaves[i].target] += p->leaves[i].grouped;
    }
    for (uint32_t i = 0; i < p->leaf_count; i++)
        p->leaves[i].grouped =
            p->leaves[i].grouped && counts[p->leaves[i].target] >= GROUP_LEAVES_MIN;
    for (uint32_t i = 0; err == 0 && i < p->target_count; i++) {
        if (counts[i] >= GROUP_LEAVES_MIN)
            err = group_new(&p->targets[i].group, p, i);
    }
    free(counts);
    return err;
}

/* Is the node on a way from the root that takes the rarest child of each AND? */
static bool is_witness(const struct pred *p, uint32_t node)
{
    while (p->nodes[node].parent != PLAN_NONE) {
        const struct node *parent = &p->nodes[p->nodes[node].parent];
        if (parent->kind == AST_AND) {
            uint32_t best = parent->first;
            for (uint32_t c = parent->first; c != PLAN_NONE; c = p->nodes[c].next) {
                if (p->nodes[c].rarity < p->nodes[best].rarity)
                    best = c;
            }
            if (best != node)
                return false;
        } else if (parent->kind != AST_OR) {
            return false;
        }
        node = p->nodes[node].parent;
    }
    return p->nodes[node].rarity != PLAN_NONE;
}

/* Fill leaf -> expressions; once to count, once to place. */
static int watchers_make(struct pred *p)
{
    bool *witness = calloc(p->node_count + 1, sizeof(*witness));
    if (witness == NULL)
        return ERR_NOMEM;
    uint32_t total = 0;
    for (uint32_t i = 0; i < p->node_count; i++) {
        if (p->nodes[i].kind != AST_LEAF || !is_witness(p, i))
            continue;
        witness[i] = true;
        p->leaves[p->nodes[i].leaf].watch_count++;
        total++;
    }
    p->watchers = arena_array(&p->arena, total + 1, sizeof(*p->watchers));
    p->lone = arena_array(&p->arena, p->leaf_count + 1U, sizeof(*p->lone));
    int err = p->watchers == NULL || p->lone == NULL ? ERR_NOMEM : 0;
    uint32_t at = 0;
    for (uint32_t i = 0; err == 0 && i < p->leaf_count; i++) {
        if (p->leaves[i].watch_count != 0 && p->leaves[i].grouped)
            p->targets[p->leaves[i].target].watched = true;
        else if (p->leaves[i].watch_count != 0)
            p->lone[p->lone_count++] = i;
        p->leaves[i].watch_first = at;
        at += p->leaves[i].watch_count;
        p->leaves[i].watch_count = 0;
    }
    uint32_t expression = 0;
    for (uint32_t i = 0; err == 0 && i < p->node_count; i++) {
        while (expression + 1 < p->expression_count && p->expressions[expression + 1].root <= i)
            expression++;
        if (!witness[i])
            continue;
        struct plan_leaf *l = &p->leaves[p->nodes[i].leaf];
        p->watchers[l->watch_first + l->watch_count++] = expression;
    }
    free(witness);
    return err;
}

static int trees_add(struct build *b, const struct ast *const *asts, size_t count, size_t largest)
{
    struct todo *stack = calloc(largest + 1, sizeof(*stack));
    if (stack == NULL)
        return ERR_NOMEM;
    int err = 0;
    for (size_t i = 0; err == 0 && i < count; i++)
        err = tree_add(b, asts[i], i, stack);
    free(stack);
    return err != 0 ? err : b->wrong ? ERR_CONF : 0;
}

static int pred_fill(struct pred *p, const struct ast *const *asts, size_t count, struct diag *diag)
{
    struct build b = {.pred = p, .diag = diag, .seed = hash_seed()};
    size_t nodes = 0;
    size_t leaves = 0;
    size_t largest = 0;
    int err = trees_count(asts, count, &nodes, &leaves, &largest);
    if (err == ERR_RANGE) {
        if (diag != NULL)
            diag_add(diag, NULL, 0, 0, "more than %d comparisons in all expressions together",
                     NODES_MAX);
        err = ERR_CONF;
    }
    if (err == 0)
        err = pred_alloc(p, count, nodes, leaves);
    if (err != 0)
        return err;
    uint32_t size = 16;
    while (size < leaves * 2)
        size *= 2;
    b.table_mask = size - 1;
    b.table = calloc(size, sizeof(*b.table));
    b.asts = calloc(leaves + 1, POINTER_BYTES);
    err = b.table == NULL || b.asts == NULL ? ERR_NOMEM : trees_add(&b, asts, count, largest);
    free(b.table);
    free(b.asts);
    if (err == 0)
        err = groups_make(p);
    return err == 0 ? watchers_make(p) : err;
}

int pred_compile(struct pred **out, const struct ast *const *expressions, size_t count,
                 struct diag *diag)
{
    struct pred *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    int err = pred_fill(p, expressions, count, diag);
    if (err != 0) {
        pred_free(p);
        return err;
    }
    *out = p;
    return 0;
}

void pred_free(struct pred *p)
{
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->target_count; i++)
        group_free(p->targets[i].group);
    for (uint32_t i = 0; i < p->leaf_count; i++)
        leaf_release(&p->leaves[i].leaf);
    arena_release(&p->arena);
    free(p);
}

struct pred_info pred_info(const struct pred *p)
{
    return (struct pred_info){.leaf_count = p->leaf_count, .full_scan_count = p->full_scan_count};
}
