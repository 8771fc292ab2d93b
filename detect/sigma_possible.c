#include "detect/sigma_possible.h"

#include <string.h>

#include "base/err.h"

enum {
    NODE_NONE = -1,
    NODES_FIRST = 64,
};

/* Of the tree without NOT: in the order of the text, each before what is below it. */
struct node {
    enum ast_kind kind; /* AND, OR, LEAF, TRUE */
    bool dead;          /* cannot hold */
    bool wanted;        /* must hold */
    int32_t parent;
    int32_t end;        /* behind the last node below it */
    int32_t live;       /* OR: parts that are not dead */
    int32_t field_next; /* LEAF: the next leaf of its field */
    uint32_t field;     /* LEAF: number of its field */
    struct claim *claim;
};

struct field_claims {
    int32_t first;  /* leaf */
    uint32_t names; /* of a fixed list, those that are left */
};

enum change_kind {
    CHANGE_DEAD,
    CHANGE_WANTED,
    CHANGE_LIVE,  /* an OR lost a part */
    CHANGE_NAMES, /* of a field */
};

/* What is undone when a try is over. */
struct change {
    enum change_kind kind;
    int32_t at;
    uint32_t before;
};

struct search {
    struct arena *arena;
    struct node *nodes;
    int32_t count;
    int32_t cap;
    struct field_claims *fields;
    uint32_t field_count;
    struct change *changes;
    size_t change_count;
    int32_t *queue; /* nodes that must hold and were not looked at */
    int32_t queued;
    int32_t root; /* of the try */
    bool too_large;
    bool strict; /* a field may stand in a line several times */
    uint32_t steps;
    struct possible found; /* the last two claims that excluded each other */
    struct possible twice; /* the last of them on one value alone */
};

/* The tree */

/* NULL with s->too_large set past POSSIBLE_NODES_MAX, else without memory. */
static struct node *node_add(struct search *s, enum ast_kind kind, int32_t parent)
{
    s->too_large = s->count == POSSIBLE_NODES_MAX;
    if (s->too_large)
        return NULL;
    if (s->count == s->cap) {
        int32_t cap = s->cap == 0 ? NODES_FIRST : s->cap * 2;
        struct node *more = arena_array(s->arena, (size_t)cap, sizeof(*more));
        if (more == NULL)
            return NULL;
        if (s->count != 0)
            memcpy(more, s->nodes, (size_t)s->count * sizeof(*more));
        s->nodes = more;
        s->cap = cap;
    }
    struct node *n = &s->nodes[s->count++];
    *n = (struct node){.kind = kind, .parent = parent, .end = s->count, .field_next = NODE_NONE};
    if (parent != NODE_NONE)
        s->nodes[parent].live++;
    return n;
}

static int leaf_add(struct search *s, const struct ast *leaf, bool holds, int32_t parent)
{
    struct claim *claim = arena_alloc(s->arena, sizeof(*claim));
    struct node *n = claim == NULL ? NULL : node_add(s, AST_LEAF, parent);
    if (n == NULL)
        return ERR_NOMEM;
    n->claim = claim;
    return claim_init(claim, s->arena, leaf, holds);
}

struct level {
    const struct ast *next; /* child to take */
    int32_t node;
    bool holds; /* false below an odd number of NOT */
};

/* NOT goes to the leaves: not (a and b) = not a or not b. A deeper tree is cut: nothing is known. */
static int tree_add(struct search *s, const struct ast *root, int32_t parent)
{
    struct level levels[AST_DEPTH_MAX + 2];
    unsigned depth = 0;
    levels[depth++] = (struct level){.next = root, .node = parent, .holds = true};
    while (depth > 0) {
        struct level *l = &levels[depth - 1];
        const struct ast *node = l->next;
        if (node == NULL) {
            if (depth > 1)
                s->nodes[l->node].end = s->count;
            depth--;
            continue;
        }
        l->next = depth == 1 ? NULL : node->next; /* what stands beside the root is not asked */
        int err = 0;
        if (node->kind == AST_LEAF) {
            err = leaf_add(s, node, l->holds, l->node);
        } else if (node->kind == AST_TRUE || depth == AST_DEPTH_MAX + 2) {
            err = node_add(s, AST_TRUE, l->node) == NULL ? ERR_NOMEM : 0;
        } else {
            bool holds = l->holds == (node->kind != AST_NOT);
            bool all = (node->kind == AST_AND) == holds;
            int32_t at = s->count;
            if (node_add(s, node->kind == AST_NOT || all ? AST_AND : AST_OR, l->node) == NULL)
                return ERR_NOMEM;
            levels[depth++] = (struct level){.next = node->first, .node = at, .holds = holds};
        }
        if (err != 0)
            return err;
    }
    return 0;
}

/* Leaves by their fields. */
static int fields_make(struct search *s)
{
    s->fields = arena_array(s->arena, (size_t)s->count + 1, sizeof(*s->fields));
    s->changes = arena_array(s->arena, (size_t)s->count * 4 + 1, sizeof(*s->changes));
    s->queue = arena_array(s->arena, (size_t)s->count * 2 + 2, sizeof(*s->queue));
    if (s->fields == NULL || s->changes == NULL || s->queue == NULL)
        return ERR_NOMEM;
    for (int32_t i = 0; i < s->count; i++) {
        struct node *n = &s->nodes[i];
        uint32_t field = 0;
        if (n->kind != AST_LEAF)
            continue;
        while (field < s->field_count && field < POSSIBLE_FIELDS_MAX &&
               !claim_same_field(s->nodes[s->fields[field].first].claim, n->claim))
            field++;
        if (field == POSSIBLE_FIELDS_MAX)
            field = s->field_count;
        if (field == s->field_count)
            s->fields[s->field_count++] =
                (struct field_claims){.first = NODE_NONE, .names = CLAIM_ALL};
        n->field = field;
        n->field_next = s->fields[field].first;
        s->fields[field].first = i;
    }
    return 0;
}

/* Spreading */

static void change_note(struct search *s, enum change_kind kind, int32_t at, uint32_t before)
{
    s->changes[s->change_count++] = (struct change){.kind = kind, .at = at, .before = before};
}

static void changes_undo(struct search *s, size_t to)
{
    s->queued = 0;
    while (s->change_count > to) {
        const struct change *c = &s->changes[--s->change_count];
        if (c->kind == CHANGE_DEAD)
            s->nodes[c->at].dead = false;
        else if (c->kind == CHANGE_WANTED)
            s->nodes[c->at].wanted = false;
        else if (c->kind == CHANGE_LIVE)
            s->nodes[c->at].live++;
        else
            s->fields[c->at].names = c->before;
    }
}

/* The next part of a node behind `after`, or its first one. */
static int32_t part_next(const struct search *s, int32_t node, int32_t after)
{
    int32_t at = after == NODE_NONE ? node + 1 : s->nodes[after].end;
    return at < s->nodes[node].end ? at : NODE_NONE;
}

/* An OR that must hold and has one part left wants it. */
static void want_last(struct search *s, int32_t node)
{
    int32_t part = part_next(s, node, NODE_NONE);
    while (part != NODE_NONE && s->nodes[part].dead)
        part = part_next(s, node, part);
    if (part != NODE_NONE)
        s->queue[s->queued++] = part;
}

/* The node cannot hold. False where then the root cannot, or what must. */
static bool node_kill(struct search *s, int32_t at)
{
    for (;;) {
        struct node *n = &s->nodes[at];
        if (n->dead)
            return true;
        n->dead = true;
        change_note(s, CHANGE_DEAD, at, 0);
        if (n->wanted || at == s->root || n->parent == NODE_NONE)
            return false;
        struct node *parent = &s->nodes[n->parent];
        at = n->parent;
        if (parent->kind == AST_AND)
            continue;
        parent->live--;
        change_note(s, CHANGE_LIVE, at, 0);
        if (parent->live == 0)
            continue;
        if (parent->live == 1 && parent->wanted)
            want_last(s, at);
        return true;
    }
}

static bool excludes(struct search *s, struct claim *a, struct claim *b)
{
    enum claim_relation relation = claim_compare(a, b);
    if (relation == CLAIM_TOGETHER || (relation == CLAIM_TWO_LINES && s->strict))
        return false;
    s->found = (struct possible){.relation = relation, .first = a, .second = b};
    if (relation == CLAIM_TWO_LINES)
        s->twice = s->found;
    return true;
}

/* A leaf holds: others of its field fall. False where that is impossible. */
static bool leaf_want(struct search *s, int32_t at)
{
    struct node *n = &s->nodes[at];
    struct field_claims *field = &s->fields[n->field];
    change_note(s, CHANGE_NAMES, (int32_t)n->field, field->names);
    field->names &= n->claim->names;
    for (int32_t i = field->first; i != NODE_NONE && s->steps < POSSIBLE_STEPS_MAX;
         i = s->nodes[i].field_next) {
        struct node *other = &s->nodes[i];
        bool inside = i >= s->root && i < s->nodes[s->root].end;
        s->steps++;
        if (!inside || other->dead || i == at)
            continue;
        bool none = (field->names & other->claim->names) == 0;
        if (none)
            s->found = (struct possible){CLAIM_EXCLUDED, n->claim, other->claim};
        if (!none && !excludes(s, n->claim, other->claim))
            continue;
        if (!node_kill(s, i))
            return false;
    }
    return field->names != 0;
}

/* All that follows from what must hold. False where it is impossible. */
static bool spread(struct search *s)
{
    while (s->queued > 0) {
        int32_t at = s->queue[--s->queued];
        struct node *n = &s->nodes[at];
        if (n->dead)
            return false;
        if (n->wanted)
            continue;
        n->wanted = true;
        change_note(s, CHANGE_WANTED, at, 0);
        if (n->kind == AST_LEAF && !leaf_want(s, at))
            return false;
        if (n->kind == AST_OR && n->live == 1)
            want_last(s, at);
        if (n->kind != AST_AND)
            continue;
        for (int32_t part = part_next(s, at, NODE_NONE); part != NODE_NONE;
             part = part_next(s, at, part))
            s->queue[s->queued++] = part;
    }
    return true;
}

/* May the node hold, alone or with what must hold? Leaves nothing behind. */
static bool node_try(struct search *s, int32_t at, int32_t root)
{
    size_t before = s->change_count;
    int32_t outer = s->root;
    s->root = root;
    s->queued = 0;
    s->queue[s->queued++] = at;
    bool holds = spread(s);
    changes_undo(s, before);
    s->root = outer;
    return holds;
}

/* Leaves that never hold, then each AND alone, inner ones first. False: the whole is impossible. */
static bool try_alone(struct search *s)
{
    for (int32_t i = s->count; i-- > 0;) {
        struct node *n = &s->nodes[i];
        bool never = n->kind == AST_LEAF && claim_never(n->claim);
        if (never)
            s->found = (struct possible){CLAIM_EXCLUDED, n->claim, n->claim};
        if (n->kind == AST_AND && !n->dead && s->steps < POSSIBLE_STEPS_MAX)
            never = !node_try(s, i, i);
        if (never && !node_kill(s, i))
            return false;
    }
    return true;
}

/* Each AND that is one of several ways, together with what must hold. */
static bool try_ways(struct search *s)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (int32_t i = 1; i < s->count && s->steps < POSSIBLE_STEPS_MAX; i++) {
            const struct node *n = &s->nodes[i];
            const struct node *parent = &s->nodes[n->parent];
            s->steps++;
            bool way = n->kind == AST_AND && !n->dead && !n->wanted && parent->kind == AST_OR &&
                       parent->wanted;
            if (!way || node_try(s, i, 0))
                continue;
            changed = true;
            if (!node_kill(s, i) || !spread(s))
                return false;
        }
    }
    return true;
}

static bool search_holds(struct search *s, bool strict)
{
    s->strict = strict;
    s->steps = 0;
    s->root = 0;
    bool holds = try_alone(s);
    if (holds) {
        s->queue[s->queued++] = 0;
        holds = spread(s) && try_ways(s);
    }
    changes_undo(s, 0);
    return holds;
}

int possible_find(struct possible *out, struct arena *arena, const struct ast *const *conditions,
                  size_t count)
{
    struct search s = {.arena = arena};
    int err = node_add(&s, AST_AND, NODE_NONE) == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < count && err == 0; i++)
        err = tree_add(&s, conditions[i], 0);
    if (err == 0) {
        s.nodes[0].end = s.count;
        err = fields_make(&s);
    }
    *out = (struct possible){.relation = CLAIM_TOGETHER};
    if (err != 0 || s.too_large)
        return s.too_large ? 0 : err;
    if (search_holds(&s, false))
        return 0;
    bool once = search_holds(&s, true);
    *out = once ? s.twice : s.found;
    out->relation = once ? CLAIM_TWO_LINES : CLAIM_EXCLUDED;
    return 0;
}
