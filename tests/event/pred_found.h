/* tests/event/pred_found.h - the rows of a batch that a tree or a query finds, or may find. */
#pragma once

#include "event/query.h"
#include "tests/event/gram_check.h"

/* The rows where the tree holds, as a text "0 3 4"; what filter of runs there is lets it pass. */
static inline const char *tree_found(const struct batch *b, const struct ast *tree, struct buf *out)
{
    struct diag diag = {0};
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    struct buf grams = {0};
    struct column_set set = {.batch = b, .end_row = b->row_count, .rows_known = true};
    if (pred_compile(&pred, &tree, 1, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(pred_scratch_new(&scratch, pred), 0);
    assert_int_equal(pred_eval(pred, scratch, &set, &hits), 0);
    set.rows_known = false;
    assert_true(hits.count == 0 || pred_possible(pred, scratch, &set));
    make_grams(b, &grams);
    (void)check_grams(pred, &grams, &hits);
    buf_release(&grams);
    buf_reset(out);
    for (size_t i = 0; i < hits.count; i++)
        buf_printf(out, i == 0 ? "%u" : " %u", hits.items[i].row);
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    diag_release(&diag);
    return buf_string(out);
}

/* The same of a query. */
static inline const char *found(const struct batch *b, const char *query, struct buf *out)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct ast *tree = NULL;
    if (query_parse(&tree, &arena, slice_from(query), &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    const char *rows = tree_found(b, tree, out);
    diag_release(&diag);
    arena_release(&arena);
    return rows;
}

/* May rows hold the tree, as far as a batch tells without its rows? */
static inline bool tree_possible(const struct batch *b, const struct ast *tree)
{
    struct diag diag = {0};
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    const struct column_set set = {.batch = b};
    assert_int_equal(pred_compile(&pred, &tree, 1, &diag), 0);
    assert_int_equal(pred_scratch_new(&scratch, pred), 0);
    bool may = pred_possible(pred, scratch, &set);
    pred_scratch_free(scratch);
    pred_free(pred);
    diag_release(&diag);
    return may;
}
