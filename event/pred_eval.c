/* One batch: wake expressions by their witnesses, ask them of the rows that the witnesses have. */
#include <stdlib.h>

#include "base/err.h"
#include "event/pred_form.h"
#include "event/pred_group.h"
#include "event/pred_plan.h"

int pred_scratch_new(struct pred_scratch **out, const struct pred *p)
{
    struct pred_scratch *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->pred = p;
    s->target_column = calloc(p->target_count + 1, sizeof(*s->target_column));
    s->target_scanned = calloc(p->target_count + 1, sizeof(*s->target_scanned));
    s->leaf_known = calloc(p->leaf_count + 1, sizeof(*s->leaf_known));
    s->leaf_rows = calloc(p->leaf_count + 1, sizeof(struct rows *));
    s->held = calloc(p->leaf_count + 1, sizeof(*s->held));
    s->candidates = calloc(p->expression_count + 1, sizeof(struct rows *));
    int err = s->target_column == NULL || s->target_scanned == NULL || s->leaf_known == NULL ||
                      s->leaf_rows == NULL || s->held == NULL || s->candidates == NULL
                  ? ERR_NOMEM
                  : regex_scratch_new(&s->regex);
    for (uint32_t i = 0; err == 0 && i < p->leaf_count; i++) {
        if (p->leaves[i].leaf.regex != NULL)
            err = regex_scratch_fit(s->regex, p->leaves[i].leaf.regex);
    }
    if (err == 0)
        err = group_scratch_new(&s->group, p);
    if (err != 0) {
        pred_scratch_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void pred_scratch_free(struct pred_scratch *s)
{
    if (s == NULL)
        return;
    regex_scratch_free(s->regex);
    group_scratch_free(s->group);
    arena_release(&s->arena);
    buf_release(&s->text);
    buf_release(&s->text2);
    form_bufs_release(&s->forms);
    free(s->target_column);
    free(s->target_scanned);
    free(s->leaf_known);
    free(s->leaf_rows);
    free(s->held);
    free(s->candidates);
    free(s);
}

void pred_scratch_forgive(struct pred_scratch *s)
{
    regex_scratch_forgive(s->regex);
}

uint64_t pred_scratch_given_up(const struct pred_scratch *s)
{
    return regex_scratch_given_up(s->regex);
}

void hits_release(struct hits *h)
{
    free(h->items);
    *h = (struct hits){0};
}

static void column_link(struct pred_scratch *s, uint32_t target, uint32_t column)
{
    s->column_next[column] = s->target_column[target];
    s->target_column[target] = column + 1;
}

/* Unnamed fields have ids of the batch; they are found by name. */
static void bind_local(struct pred_scratch *s, uint32_t column)
{
    const struct pred *p = s->pred;
    struct slice name = {0};
    for (uint32_t i = 0; i < p->target_count; i++) {
        if (p->targets[i].kind != TARGET_LOCAL)
            continue;
        if (name.len == 0)
            name = batch_field_name(s->batch, s->batch->columns[column].field, &s->text);
        if (slice_equal(name, p->targets[i].name))
            column_link(s, i, column);
    }
}

int scratch_bind(struct pred_scratch *s, const struct column_set *set)
{
    const struct batch *b = set->batch;
    const struct pred *p = s->pred;
    if (set->end_row > b->row_count || set->first_row > set->end_row ||
        set->end_row - set->first_row > BATCH_LIVE_ROWS_MAX || b->column_count > BATCH_COLUMNS_MAX)
        return ERR_RANGE;
    arena_reset(&s->arena);
    s->batch = b;
    s->first_row = set->first_row;
    s->row_count = set->end_row - set->first_row;
    memset(&s->all, 0, sizeof(s->all));
    for (uint32_t i = 0; i < s->row_count; i++)
        rows_set(&s->all, i);
    memset(s->column_forms, 0, b->column_count * sizeof(struct forms *));
    s->url_forms = NULL;
    s->raw_forms = NULL;
    s->url_plans = NULL;
    s->unlike = 0;
    s->ascii = 0;
    memset(s->target_column, 0, p->target_count * sizeof(*s->target_column));
    memset(s->target_scanned, 0, p->target_count * sizeof(*s->target_scanned));
    memset(s->leaf_known, 0, p->leaf_count * sizeof(*s->leaf_known));
    memset(s->leaf_rows, 0, p->leaf_count * sizeof(struct rows *));
    s->held_count = 0;
    memset(s->candidates, 0, p->expression_count * sizeof(struct rows *));
    for (uint32_t i = 0; i < b->column_count; i++) {
        uint16_t field = b->columns[i].field;
        if (field >= FIELD_LOCAL_FIRST)
            bind_local(s, i);
        else if (p->field_target[field] != 0)
            column_link(s, p->field_target[field] - 1, i);
    }
    return 0;
}

/* Add the rows of a witness to the candidates of an expression. */
static int wake_one(struct pred_scratch *s, uint32_t expression, const struct rows *rows)
{
    struct rows **candidates = &s->candidates[expression];
    if (*candidates == NULL) {
        *candidates = arena_alloc(&s->arena, sizeof(**candidates));
        __builtin_prefetch(&s->pred->nodes[s->pred->expressions[expression].root]);
    }
    if (*candidates == NULL)
        return ERR_NOMEM;
    rows_or(*candidates, rows);
    return 0;
}

static int wake_watchers(struct pred_scratch *s, uint32_t leaf, const struct rows *rows)
{
    const struct plan_leaf *l = &s->pred->leaves[leaf];
    int err = 0;
    for (uint32_t w = 0; err == 0 && rows != NULL && w < l->watch_count; w++)
        err = wake_one(s, s->pred->watchers[l->watch_first + w], rows);
    return err;
}

/*
 * Ask every witness; expressions whose witnesses have no rows stay asleep. Of groups, with their
 * thousands of leaves, only those that have rows are looked at.
 */
static int wake(struct pred_scratch *s)
{
    const struct pred *p = s->pred;
    int err = 0;
    for (uint32_t i = 0; err == 0 && i < p->lone_count; i++) {
        const struct rows *rows = NULL;
        err = scratch_leaf_all(s, p->lone[i], &rows);
        if (err == 0)
            err = wake_watchers(s, p->lone[i], rows);
    }
    for (uint32_t i = 0; err == 0 && i < p->target_count; i++) {
        if (p->targets[i].watched && s->target_scanned[i] == 0)
            err = group_scan(s, i);
    }
    for (uint32_t i = 0; err == 0 && i < s->held_count; i++)
        err = wake_watchers(s, s->held[i], s->leaf_rows[s->held[i]]);
    return err;
}

static void frame_open(struct pred_scratch *s, uint32_t depth, uint32_t node,
                       const struct rows *mask)
{
    struct frame *f = &s->frames[depth];
    f->node = node;
    f->child = s->pred->nodes[node].first;
    f->mask = *mask;
    memset(&f->result, 0, sizeof(f->result));
}

/*
 * What a finished child means for its parent. The mask of an AND is what still may hold, the mask
 * of an OR what does not hold yet: so no child is asked about a row that is decided.
 */
static void frame_take(struct frame *parent, unsigned kind, const struct rows *child)
{
    if (kind == AST_AND) {
        parent->mask = *child;
        return;
    }
    if (kind == AST_OR)
        rows_or(&parent->result, child);
    rows_minus(&parent->mask, child);
}

/* 1: f->result is final. 0: a child must be asked. */
static int frame_step(struct pred_scratch *s, struct frame *f)
{
    const struct node *n = &s->pred->nodes[f->node];
    if (n->kind == AST_LEAF) {
        int err = scratch_leaf(s, n->leaf, &f->mask, &f->result);
        return err != 0 ? err : 1;
    }
    if (f->child != PLAN_NONE && !rows_empty(&f->mask))
        return 0;
    if (n->kind != AST_OR)
        f->result = f->mask;
    return 1;
}

/*
 * A leaf whose rows are known needs no frame of its own: most children of what thousands of rules
 * ask are such, without any row.
 */
static bool leaf_taken(const struct pred_scratch *s, struct frame *parent, uint32_t child)
{
    const struct node *n = &s->pred->nodes[child];
    const struct rows *all = NULL;
    if (n->kind != AST_LEAF || !scratch_leaf_known(s, n->leaf, &all))
        return false;
    unsigned kind = s->pred->nodes[parent->node].kind;
    if (all != NULL) {
        struct rows holds = *all;
        rows_and(&holds, &parent->mask);
        frame_take(parent, kind, &holds);
    } else if (kind == AST_AND) {
        memset(&parent->mask, 0, sizeof(parent->mask));
    }
    return true;
}

static int tree_eval(struct pred_scratch *s, uint32_t root, const struct rows *mask,
                     struct rows *out)
{
    uint32_t depth = 0;
    frame_open(s, 0, root, mask);
    for (;;) {
        struct frame *f = &s->frames[depth];
        int done = frame_step(s, f);
        if (done < 0)
            return done;
        if (done == 0) {
            uint32_t child = f->child;
            f->child = s->pred->nodes[child].next;
            if (!leaf_taken(s, f, child))
                frame_open(s, ++depth, child, &f->mask);
            continue;
        }
        if (depth == 0)
            break;
        depth--;
        frame_take(&s->frames[depth], s->pred->nodes[s->frames[depth].node].kind, &f->result);
    }
    *out = s->frames[0].result;
    return 0;
}

static int hits_add(struct hits *h, const struct pred_scratch *s, uint32_t expression,
                    const struct rows *rows)
{
    size_t need = h->count + rows_count(rows);
    if (need > h->cap) {
        size_t cap = h->cap * 2 > need ? h->cap * 2 : need;
        struct hit *items = reallocarray(h->items, cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        h->items = items;
        h->cap = cap;
    }
    for (uint32_t i = 0; rows_next(rows, &i); i++)
        h->items[h->count++] = (struct hit){.expression = expression, .row = s->first_row + i};
    return 0;
}

static int eval(struct pred_scratch *s, const struct column_set *set, struct hits *out)
{
    const struct pred *p = s->pred;
    int err = scratch_bind(s, set);
    if (err != 0 || s->row_count == 0)
        return err;
    if (p->expression_count > 1)
        err = wake(s);
    for (uint32_t i = 0; err == 0 && i < p->expression_count; i++) {
        struct rows rows;
        const struct rows *mask = &s->all;
        if (p->expression_count > 1 && !p->expressions[i].full_scan)
            mask = s->candidates[i];
        if (mask == NULL)
            continue;
        err = tree_eval(s, p->expressions[i].root, mask, &rows);
        if (err == 0)
            err = hits_add(out, s, i, &rows);
    }
    return err;
}

int pred_eval(const struct pred *p, struct pred_scratch *s, const struct column_set *set,
              struct hits *out)
{
    out->count = 0;
    if (p != s->pred || !set->rows_known)
        return ERR_RANGE;
    int err = eval(s, set, out);
    if (err != 0)
        out->count = 0;
    return err;
}
