/* What groups come to: quantiles, and the table. */
#include <stdlib.h>

#include "base/err.h"
#include "event/pipe_groups.h"

/* Tallies by group, aggregate and value. */
static int tally_compare(const void *left, const void *right, void *self)
{
    const struct pipe_tally *a = left;
    const struct pipe_tally *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->aggregate != b->aggregate)
        return a->aggregate < b->aggregate ? -1 : 1;
    return pipe_cell_compare(self, a->cell, b->cell);
}

/* The value of tallies [0, count), which are sorted, that at least `quantile` of all are not above. */
static int quantile_find(struct pipe_pool *pool, const struct pipe_tally *tallies, size_t count,
                         uint32_t quantile, uint32_t *out)
{
    uint64_t all = 0;
    uint64_t seen = 0;
    size_t at = 0;
    pipe_number number = 0;
    for (size_t i = 0; i < count; i++)
        all += tallies[i].count;
    pipe_number rank = ((pipe_number)all * quantile + PIPE_QUANTILE_ONE - 1) / PIPE_QUANTILE_ONE;
    for (; at + 1 < count; at++) {
        seen += tallies[at].count;
        if ((pipe_number)seen >= rank)
            break;
    }
    (void)pipe_cell_number(pool, tallies[at].cell, &number);
    return pipe_pool_number(pool, number, out);
}

/* The quantiles of one group and column, whose tallies are [0, count). */
static int quantiles_set(struct pipe_groups *g, const struct pipe_tally *tallies, size_t count)
{
    const struct pipe *p = g->pipe;
    int err = 0;
    for (uint32_t a = 0; a < p->aggregate_count && err == 0; a++) {
        uint32_t cell = PIPE_CELL_NULL;
        if (p->aggregates[a].function != PIPE_QUANTILE || g->tally_of[a] != tallies->aggregate)
            continue;
        err = quantile_find(g->pool, tallies, count, p->aggregates[a].quantile, &cell);
        g->states[(size_t)tallies->group * g->width + g->state_at[a] + 1] = cell;
    }
    return err;
}

static int quantiles(struct pipe_groups *g)
{
    struct pipe_tally *sorted = malloc((g->tally_count + 1) * sizeof(*sorted));
    size_t count = 0;
    int err = sorted == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < g->tally_slots && err == 0; i++) {
        const struct pipe_tally *t = &g->tallies[i];
        if (t->cell != PIPE_CELL_NULL &&
            g->pipe->aggregates[t->aggregate].function == PIPE_QUANTILE)
            sorted[count++] = *t;
    }
    if (err == 0)
        qsort_r(sorted, count, sizeof(*sorted), tally_compare, g->pool);
    for (size_t i = 0; i < count && err == 0;) {
        size_t end = i + 1;
        while (end < count && sorted[end].group == sorted[i].group &&
               sorted[end].aggregate == sorted[i].aggregate)
            end++;
        err = quantiles_set(g, sorted + i, end - i);
        i = end;
    }
    free(sorted);
    return err;
}

/* What an aggregate of a group comes to. */
static int result_cell(struct pipe_groups *g, uint8_t function, const uint64_t *state,
                       uint32_t *out)
{
    *out = PIPE_CELL_NULL;
    switch (function) {
    case PIPE_SUM:
    case PIPE_AVG: {
        pipe_number sum = pipe_number_get(state);
        if (state[2] == 0)
            return 0;
        return pipe_pool_number(
            g->pool, function == PIPE_AVG ? pipe_number_divide(sum, state[2]) : sum, out);
    }
    case PIPE_MIN:
    case PIPE_MAX:
        *out = (uint32_t)state[0];
        return 0;
    case PIPE_QUANTILE:
        *out = (uint32_t)state[1];
        return 0;
    case PIPE_COUNT:
    case PIPE_DISTINCT:
    default:
        return pipe_pool_number(g->pool, pipe_number_of((int64_t)state[0]), out);
    }
}

int pipe_groups_table(struct pipe_groups *g, struct pipe_table *out)
{
    const struct pipe *p = g->pipe;
    bool chart = p->kind == PIPE_TIMECHART;
    const uint64_t none[PIPE_AGGREGATES_MAX * 3] = {0};
    struct pipe_table t = {.pool = g->pool, .column_count = p->key_count + p->aggregate_count};
    uint32_t row[PIPE_COLUMNS_MAX] = {0};
    int err = g->tally_count == 0 ? 0 : quantiles(g);
    uint32_t count = p->key_count == 0 ? 1 : g->count; /* without by there is one row, always */
    for (uint32_t i = 0; i < count && err == 0; i++) {
        const uint64_t *states = i < g->count ? g->states + (size_t)i * g->width : none;
        for (uint32_t k = 0; k < p->key_count; k++)
            row[k] = g->keys[i * p->key_count + k];
        for (uint32_t a = 0; a < p->aggregate_count && err == 0; a++)
            err = result_cell(g, p->aggregates[a].function, states + g->state_at[a],
                              &row[p->key_count + a]);
        if (err == 0)
            err = pipe_table_add(&t, row);
    }
    if (err == 0)
        err = pipe_table_sort_names(&t, chart, p->key_count - chart);
    if (err == 0)
        *out = t;
    else
        pipe_table_release(&t);
    return err;
}
