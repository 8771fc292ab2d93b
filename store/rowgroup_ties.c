/* store/rowgroup_ties.c - columns of a group that say the same in all rows of a shape: no value a row. */
#include <stdlib.h>

#include "base/err.h"
#include "event/ties.h"
#include "store/rowgroup_state.h"

enum {
    TIED_STEP = 32, /* shapes for which there is room at once */
};

static bool is_told(const struct rowgroup_column *c, uint32_t shape)
{
    return (c->told[shape / 64] >> (shape % 64) & 1) != 0;
}

static void tell(struct rowgroup_column *c, uint32_t shape, int64_t value)
{
    c->told[shape / 64] |= UINT64_C(1) << (shape % 64);
    c->tied[shape] = value;
}

/* Room for all shapes of the group. A column that comes late has no value in the rows before. */
static int tied_room(const struct rowgroup *g, struct rowgroup_column *c)
{
    uint32_t shapes = g->shapes.count + 1;
    bool is_new = c->tied == NULL;
    if (shapes > c->tied_cap) {
        uint32_t cap = (shapes + TIED_STEP - 1) / TIED_STEP * TIED_STEP;
        int64_t *tied = reallocarray(c->tied, cap, sizeof(*tied));
        if (tied == NULL)
            return ERR_NOMEM;
        c->tied = tied;
        c->tied_cap = cap;
    }
    for (uint32_t shape = 0; is_new && c->tied != NULL && shape < shapes; shape++) {
        if (g->shape_rows[shape] != 0)
            tell(c, shape, TIE_NONE);
    }
    return 0;
}

int rowgroup_untie(struct rowgroup *g, struct rowgroup_column *c)
{
    const int64_t *shapes = rowgroup_internal(g, ROWGROUP_SHAPE)->numbers;
    int64_t *tied = c->tied;
    if (tied == NULL)
        return 0;
    if (rowgroup_column_room(c, g->row_cap) != 0)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < g->row_count; row++) {
        int64_t v = tied[shapes[row]];
        if (v == TIE_NONE)
            continue;
        if (c->worded)
            c->codes[row] = (uint32_t)v;
        else
            c->numbers[row] = v;
    }
    free(tied);
    c->tied = NULL;
    c->tied_cap = 0;
    return 0;
}

/* What a shape of the batch says, in terms of the group. */
static int take_value(struct rowgroup_column *to, const struct batch *b, const struct column *c,
                      int64_t value, int64_t *out)
{
    *out = value;
    if (value == TIE_NONE || c->storage != COLUMN_CODES)
        return 0;
    uint32_t word = words_put(&to->words, batch_span(b, c->entries[value]));
    *out = (int64_t)word;
    return word == WORD_NONE ? ERR_NOMEM : 0;
}

int rowgroup_add_tied(struct rowgroup *g, struct rowgroup_column *to,
                      const struct rowgroup_rows *from, uint32_t column,
                      const struct shape_rows *shapes)
{
    const struct batch *b = from->batch;
    const int64_t *tied = from->ties == NULL ? NULL : ties_of(from->ties, column);
    int err = tied == NULL || to->row_cap != 0 ? ERR_NOTFOUND : tied_room(g, to);
    for (uint32_t s = 0; s < b->shape_count && err == 0; s++) {
        int64_t value;
        if (shapes->rows[s] == 0)
            continue;
        err = take_value(to, b, &b->columns[column], tied[s], &value);
        if (err != 0)
            break;
        if (is_told(to, shapes->numbers[s]) && to->tied[shapes->numbers[s]] != value)
            err = ERR_NOTFOUND;
        else
            tell(to, shapes->numbers[s], value);
    }
    if (err == ERR_NOTFOUND && rowgroup_untie(g, to) != 0)
        err = ERR_NOMEM;
    return err;
}

int rowgroup_add_none(struct rowgroup *g, struct rowgroup_column *to, const struct batch *b,
                      const struct shape_rows *shapes)
{
    if (to->tied == NULL)
        return 0;
    int err = tied_room(g, to);
    for (uint32_t s = 0; s < b->shape_count && err == 0; s++) {
        uint32_t shape = shapes->numbers[s];
        if (shapes->rows[s] == 0)
            continue;
        if (is_told(to, shape) && to->tied[shape] != TIE_NONE)
            return rowgroup_untie(g, to);
        tell(to, shape, TIE_NONE);
    }
    return err;
}
