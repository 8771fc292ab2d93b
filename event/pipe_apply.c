#include "event/pipe_apply.h"

#include <stdlib.h>

#include "base/err.h"
#include "event/pred_find.h"

/* The first rows by one column, the most of it first, or the least. */
static int table_top(struct pipe_table *t, const struct pipe *p, uint32_t column)
{
    const struct pipe_key key = {.column = column, .descending = p->kind == PIPE_TOP};
    int err = pipe_table_sort(t, &key, 1);
    if (err == 0)
        pipe_table_head(t, p->row_max);
    return err;
}

int pipe_apply_groups(struct pipe_groups *g, const struct pipe_bounds *bounds,
                      struct pipe_table *out, struct diag *diag)
{
    const struct pipe *p = g->pipe;
    struct pipe_table t = {0};
    int err = pipe_groups_table(g, &t);
    if (err == 0 && p->kind == PIPE_TIMECHART)
        err = pipe_table_fill(&t, p, bounds->since_ns, bounds->until_ns, diag);
    if (err == 0 && (p->kind == PIPE_TOP || p->kind == PIPE_RARE))
        err = table_top(&t, p, p->key_count);
    if (err == 0)
        *out = t;
    else
        pipe_table_release(&t);
    return err;
}

static int table_groups(struct pipe_table *t, const struct pipe *p,
                        const struct pipe_bounds *bounds, struct diag *diag)
{
    struct pipe_groups *g = malloc(sizeof(*g));
    struct pipe_table made = {0};
    if (g == NULL)
        return ERR_NOMEM;
    int err = pipe_groups_init(g, p, t->pool);
    if (err == 0)
        err = pipe_groups_add_table(g, t);
    if (err == 0)
        err = pipe_apply_groups(g, bounds, &made, diag);
    pipe_groups_release(g);
    free(g);
    if (err == 0) {
        pipe_table_release(t);
        *t = made;
    }
    return err;
}

static int table_dedup(struct pipe_table *t, const struct pipe *p)
{
    struct pipe_groups *g = malloc(sizeof(*g));
    uint32_t keys[PIPE_KEYS_MAX + 1];
    size_t kept = 0;
    if (g == NULL)
        return ERR_NOMEM;
    int err = pipe_groups_init(g, p, t->pool);
    for (size_t row = 0; row < t->row_count && err == 0; row++) {
        const uint32_t *from = pipe_table_row(t, row);
        bool fresh = false;
        for (uint32_t k = 0; k < p->key_count; k++)
            keys[k] = from[p->keys[k].column];
        err = pipe_groups_first(g, keys, &fresh);
        if (err == 0 && fresh)
            memmove(t->cells + kept++ * t->column_count, from, t->column_count * sizeof(*t->cells));
    }
    if (err == 0)
        t->row_count = kept;
    pipe_groups_release(g);
    free(g);
    return err;
}

static bool folded_equal(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && a.len == b.len; i++) {
        if (find_fold((unsigned char)a.data[i]) != find_fold((unsigned char)b.data[i]))
            return false;
    }
    return a.len == b.len;
}

static bool order_holds(uint8_t comparison, int order)
{
    switch ((enum pipe_comparison)comparison) {
    case PIPE_LESS:
        return order < 0;
    case PIPE_LESS_EQUAL:
        return order <= 0;
    case PIPE_GREATER:
        return order > 0;
    case PIPE_GREATER_EQUAL:
        return order >= 0;
    case PIPE_EQUAL:
    case PIPE_NOT_EQUAL:
    default:
        return order == 0;
    }
}

/* One value; != is asked as =. */
static bool value_holds(const struct pipe_test *t, const struct pipe_pool *pool, uint32_t cell,
                        struct buf *scratch)
{
    pipe_number number = 0;
    if (t->is_number && pipe_cell_number(pool, cell, &number))
        return order_holds(t->comparison, number < t->number ? -1 : number > t->number);
    if (t->is_time && pipe_cell_kind(pool, cell) == PIPE_TIME) {
        int64_t time_ns = pipe_cell_time(pool, cell);
        return order_holds(t->comparison, time_ns < t->time_ns ? -1 : time_ns > t->time_ns);
    }
    if (t->comparison != PIPE_EQUAL && t->comparison != PIPE_NOT_EQUAL)
        return false;
    buf_reset(scratch);
    pipe_cell_print(pool, cell, scratch);
    return folded_equal(buf_content(scratch), t->text);
}

bool pipe_test_holds(const struct pipe_test *test, const struct pipe_pool *pool, uint32_t cell,
                     struct buf *scratch)
{
    bool any = false;
    uint32_t count = pipe_cell_count(pool, cell);
    for (uint32_t i = 0; i < count && !any; i++)
        any = value_holds(test, pool, pipe_cell_member(pool, cell, i), scratch);
    return any != (test->comparison == PIPE_NOT_EQUAL);
}

static int table_where(struct pipe_table *t, const struct pipe *p)
{
    struct buf scratch = {0};
    size_t kept = 0;
    for (size_t row = 0; row < t->row_count; row++) {
        const uint32_t *from = pipe_table_row(t, row);
        bool holds = true;
        for (uint32_t i = 0; i < p->test_count && holds; i++)
            holds = pipe_test_holds(&p->tests[i], t->pool, from[p->tests[i].column], &scratch);
        if (holds)
            memmove(t->cells + kept++ * t->column_count, from, t->column_count * sizeof(*t->cells));
    }
    t->row_count = kept;
    int err = buf_ok(&scratch) ? 0 : ERR_NOMEM;
    buf_release(&scratch);
    return err;
}

static int apply_one(const struct pipe *p, const struct pipe_bounds *bounds, struct pipe_table *t,
                     struct diag *diag)
{
    if (p->aggregate_count != 0)
        return table_groups(t, p, bounds, diag);
    switch ((enum pipe_kind)p->kind) {
    case PIPE_SORT:
        return pipe_table_sort(t, p->keys, p->key_count);
    case PIPE_HEAD:
        pipe_table_head(t, p->row_max);
        return 0;
    case PIPE_DEDUP:
        return table_dedup(t, p);
    case PIPE_WHERE:
        return table_where(t, p);
    case PIPE_FIELDS: /* of events: when they come out */
        return p->on_table ? pipe_table_select(t, p->keys, p->key_count) : 0;
    case PIPE_TOP:
    case PIPE_RARE:
        return table_top(t, p, p->keys[0].column);
    case PIPE_STATS:
    case PIPE_TIMECHART:
    default:
        return 0;
    }
}

const struct pipe *pipe_shown_fields(const struct pipeline *p)
{
    const struct pipe *shown = NULL;
    for (uint32_t i = 0; i < p->pipe_count && !pipe_makes_table(p); i++) {
        if (p->pipes[i].kind == PIPE_FIELDS)
            shown = &p->pipes[i];
    }
    return shown;
}

int pipe_apply(const struct pipeline *p, uint32_t from, const struct pipe_bounds *bounds,
               struct pipe_table *t, struct diag *diag)
{
    const struct pipe *shown = pipe_shown_fields(p);
    int err = 0;
    for (uint32_t i = from; i < p->pipe_count && err == 0; i++)
        err = apply_one(&p->pipes[i], bounds, t, diag);
    if (err == 0 && shown != NULL)
        err = pipe_table_select(t, shown->keys, shown->key_count);
    return err;
}
