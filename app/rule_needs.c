#include "app/rule_needs.h"

#include <string.h>

#include "base/err.h"
#include "base/escape.h"
#include "event/pred_row.h"

enum {
    KNOWN_CAP_LEAST = 64,
    NAMES_SHOWN_MAX = 8, /* of a clause */
};

enum leaf_kind {
    LEAF_FREE,  /* may hold on any log */
    LEAF_KNOWN, /* of the source as a whole */
    LEAF_VALUE, /* of a field of the line */
};

static enum leaf_kind field_kind(uint16_t field, struct slice name)
{
    const struct field_info *info = field_info(field);
    if (field == FIELD_EVENT_ORIGINAL)
        return LEAF_FREE;
    enum row_field row = row_field_find(info != NULL ? info->name : name);
    if (row == ROW_FIELD_NONE)
        return LEAF_VALUE;
    bool known = row == ROW_FIELD_TENANT || row == ROW_FIELD_SOURCE || row == ROW_FIELD_FORMAT;
    return known ? LEAF_KNOWN : LEAF_FREE;
}

static enum leaf_kind leaf_kind(const struct ast *leaf)
{
    if (leaf->op == AST_RAW || leaf->any_field)
        return LEAF_FREE;
    return field_kind(leaf->field, leaf->field_name);
}

/* The place of a field, or NEED_FIELDS_MAX. */
static uint32_t field_place(const struct need_fields *f, uint16_t field, struct slice name,
                            bool null_counts)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct need_field *item = &f->items[i];
        if (item->field == field && item->null_counts == null_counts &&
            (field != FIELD_UNNAMED || slice_equal(item->name, name)))
            return i;
    }
    return NEED_FIELDS_MAX;
}

static int field_add(struct need_fields *f, const struct need_field *field)
{
    if (field_place(f, field->field, field->name, field->null_counts) != NEED_FIELDS_MAX)
        return 0;
    if (f->count == NEED_FIELDS_MAX)
        return ERR_RANGE;
    const struct field_info *info = field_info(field->field);
    f->items[f->count] = *field;
    if (info != NULL)
        f->items[f->count].name = info->name;
    f->count++;
    return 0;
}

/* The place of a leaf on what is known, or known_count. */
static uint32_t known_place(const struct need_fields *f, const struct ast *leaf)
{
    uint32_t i = 0;
    while (i < f->known_count && !ast_leaf_equal(f->known[i], leaf))
        i++;
    return i;
}

static int known_add(struct need_fields *f, const struct ast *leaf)
{
    if (known_place(f, leaf) != f->known_count)
        return 0;
    if (f->known_count == f->known_cap) {
        uint32_t cap = f->known_cap == 0 ? KNOWN_CAP_LEAST : f->known_cap * 2;
        const struct ast **more = arena_array(&f->arena, cap, sizeof(const struct ast *));
        if (more == NULL)
            return ERR_NOMEM;
        for (uint32_t i = 0; i < f->known_count; i++)
            more[i] = f->known[i];
        f->known = more;
        f->known_cap = cap;
    }
    f->known[f->known_count++] = leaf;
    return 0;
}

static int leaf_add(void *self, struct ast *leaf)
{
    struct need_fields *f = self;
    enum leaf_kind kind = leaf_kind(leaf);
    if (kind == LEAF_FREE)
        return 0;
    int err = kind == LEAF_KNOWN ? known_add(f, leaf) : 0;
    const struct need_field field = {.name = leaf->field_name,
                                     .field = leaf->field,
                                     .null_counts = leaf->op == AST_EXISTS,
                                     .known = kind == LEAF_KNOWN};
    if (err == 0)
        err = field_add(f, &field);
    if (err != 0 || leaf->other_name.len == 0)
        return err;
    const struct need_field other = {.name = leaf->other_name, .field = leaf->other};
    return field_add(f, &other);
}

static int items_make(struct need_fields *f)
{
    if (f->items == NULL)
        f->items = arena_array(&f->arena, NEED_FIELDS_MAX, sizeof(*f->items));
    return f->items == NULL ? ERR_NOMEM : 0;
}

int need_fields_add(struct need_fields *f, struct ast *condition)
{
    int err = items_make(f);
    return err != 0 ? err : ast_leaves(condition, leaf_add, f);
}

int need_fields_add_field(struct need_fields *f, uint16_t field, struct slice name)
{
    const struct need_field added = {.name = name, .field = field};
    int err = items_make(f);
    if (err != 0 || field_kind(field, name) != LEAF_VALUE)
        return err;
    return field_add(f, &added);
}

void need_fields_release(struct need_fields *f)
{
    arena_release(&f->arena);
    *f = (struct need_fields){0};
}

/* Clauses */

static bool set_within(const struct need_set *part, const struct need_set *whole)
{
    for (unsigned i = 0; i < NEED_WORDS; i++) {
        if ((part->words[i] & ~whole->words[i]) != 0)
            return false;
    }
    return true;
}

static unsigned set_size(const struct need_set *set)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NEED_WORDS; i++)
        count += (unsigned)__builtin_popcountll(set->words[i]);
    return count;
}

/* A clause that holds more fields than another one says nothing beside it. */
static void clause_add(struct needs *n, const struct need_set *clause)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        if (set_within(&n->clauses[i], clause))
            return;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        if (!set_within(clause, &n->clauses[i]))
            n->clauses[kept++] = n->clauses[i];
    }
    n->count = kept;
    if (n->count < NEED_CLAUSES_MAX)
        n->clauses[n->count++] = *clause;
}

static void needs_field(struct needs *n, uint32_t at)
{
    struct need_set clause = {0};
    need_set_add(&clause, at);
    clause_add(n, &clause);
}

static void join_all(struct needs *to, const struct needs *more)
{
    for (uint32_t i = 0; i < more->count; i++)
        clause_add(to, &more->clauses[i]);
}

/* Each clause of one side with each of the other. */
static void join_any(struct needs *to, const struct needs *more)
{
    struct needs joined = {0};
    for (uint32_t i = 0; i < to->count; i++) {
        for (uint32_t k = 0; k < more->count; k++) {
            struct need_set clause = to->clauses[i];
            for (unsigned word = 0; word < NEED_WORDS; word++)
                clause.words[word] |= more->clauses[k].words[word];
            clause_add(&joined, &clause);
        }
    }
    *to = joined;
}

/* The walk: what a node needs to hold, and what it needs not to hold */

struct verdicts {
    struct needs yes;
    struct needs no;
};

struct frame {
    const struct ast *node;
    const struct ast *child; /* the next one */
    struct verdicts v;
};

static void leaf_needs(struct verdicts *out, const struct need_fields *f, const struct ast *leaf,
                       const struct need_facts *facts)
{
    enum leaf_kind kind = leaf_kind(leaf);
    out->yes.count = 0;
    out->no.count = 0;
    if (kind == LEAF_FREE)
        return;
    uint32_t at = field_place(f, leaf->field, leaf->field_name, leaf->op == AST_EXISTS);
    if (kind == LEAF_KNOWN) {
        if (facts->known_holds != NULL)
            needs_field(facts->known_holds[known_place(f, leaf)] ? &out->no : &out->yes, at);
        return;
    }
    if (!need_set_has(&facts->values, at))
        needs_field(&out->yes, at);
    if (leaf->other_name.len == 0)
        return;
    at = field_place(f, leaf->other, leaf->other_name, false);
    if (!need_set_has(&facts->values, at))
        needs_field(&out->yes, at);
}

/* The child that was just judged, into its parent. */
static void fold(struct frame *parent, const struct verdicts *child, bool first)
{
    struct verdicts *v = &parent->v;
    if (parent->node->kind == AST_NOT) {
        v->yes = child->no;
        v->no = child->yes;
    } else if (first) {
        *v = *child;
    } else if (parent->node->kind == AST_OR) {
        join_any(&v->yes, &child->yes);
        join_all(&v->no, &child->no);
    } else {
        join_all(&v->yes, &child->yes);
        join_any(&v->no, &child->no);
    }
}

static void open_frame(struct frame *frame, const struct ast *node)
{
    frame->node = node;
    frame->child = node->first;
    frame->v.yes.count = 0;
    frame->v.no.count = 0;
}

int needs_of(struct needs *out, const struct need_fields *f, const struct ast *condition,
             const struct need_facts *facts)
{
    struct frame stack[AST_DEPTH_MAX + 2];
    struct verdicts leaf;
    unsigned depth = 0;
    open_frame(&stack[depth++], condition);
    for (;;) {
        struct frame *top = &stack[depth - 1];
        if (top->node->kind == AST_LEAF) {
            leaf_needs(&leaf, f, top->node, facts);
            top->v = leaf;
        }
        if (top->child != NULL) {
            if (depth == sizeof(stack) / sizeof(stack[0]))
                return ERR_RANGE;
            open_frame(&stack[depth++], top->child);
            continue;
        }
        if (--depth == 0)
            break;
        struct frame *parent = &stack[depth - 1];
        fold(parent, &top->v, parent->child == parent->node->first);
        parent->child = parent->child->next;
    }
    *out = stack[0].v.yes;
    return 0;
}

bool need_facts_have(const struct need_facts *facts, const struct need_fields *f, uint16_t field,
                     struct slice name)
{
    uint32_t at = field_place(f, field, name, false);
    return field_kind(field, name) != LEAF_VALUE ||
           (at != NEED_FIELDS_MAX && need_set_has(&facts->values, at));
}

static void clause_print(struct buf *out, const struct need_set *clause,
                         const struct need_fields *f, bool alone)
{
    unsigned count = set_size(clause);
    unsigned shown = 0;
    if (count > 1 && !alone)
        buf_byte(out, '(');
    for (uint32_t i = 0; i < f->count && shown < NAMES_SHOWN_MAX; i++) {
        if (!need_set_has(clause, i))
            continue;
        if (shown++ != 0)
            buf_text(out, " or ");
        escape_text(out, f->items[i].name);
    }
    if (count > shown)
        buf_printf(out, " or %u more", count - shown);
    if (count > 1 && !alone)
        buf_byte(out, ')');
}

void needs_print(struct buf *out, const struct needs *n, const struct need_fields *f)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (i != 0)
            buf_text(out, " and ");
        clause_print(out, &n->clauses[i], f, n->count == 1);
    }
}
