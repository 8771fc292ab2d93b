/* tests/event/gram_check.h - the filter of runs of a batch never rules out what a predicate finds there. */
#pragma once

#include "event/pred.h"

/* The filter of runs of a batch. */
static inline void make_grams(const struct batch *b, struct buf *out)
{
    struct grams *g = NULL;
    assert_int_equal(grams_new(&g), 0);
    assert_int_equal(grams_add(g, b, true), 0);
    grams_seal(g, b->row_count, out);
    assert_true(buf_ok(out) && grams_is_filter(buf_content(out)));
    grams_free(g);
}

static inline bool gram_has(void *self, enum grams_place place, struct slice literal)
{
    const struct buf *filter = self;
    return grams_may_hold(buf_content(filter), place, literal);
}

/* Does the filter of runs rule out what the first expression asks? Never where it holds. */
static inline bool check_grams(const struct pred *pred, struct buf *filter, const struct hits *hits)
{
    bool may = pred_literals(pred, gram_has, filter);
    assert_true(may || hits->count == 0 || hits->items[0].expression != 0);
    return !may;
}

/* A sample's filter of runs, and how often it ruled an expression out. */
struct gram_filter {
    struct buf bytes;
    size_t ruled_out;
};
