/* tests/event/pred_agree.h - what a predicate finds in a sample is what the naive evaluator says. */
#pragma once

#include "event/pred.h"
#include "event/query.h"
#include "tests/event/pred_random.h"

static inline void differ(const struct sample *s, const struct ast *ast, uint32_t row, int want)
{
    struct buf text = {0};
    struct buf line = {0};
    if (query_print(ast, &text) != 0) /* it has no words for this */
        buf_printf(&text, "%.*s (any %d, part %d, other %u, cased %d)", (int)ast->text.len,
                   ast->text.data, ast->any_field, ast->part, ast->other, ast->cased);
    (void)batch_render(s->batch, row, &line);
    fail_msg("row %u wants %d: %s\n%s(kind %d, op %d, field %u)", row, want, buf_string(&text),
             buf_string(&line), (int)ast->kind, (int)ast->op, ast->field);
}

/* The hits in a set of rows are exactly the pairs that the naive evaluator finds there. */
static inline void check_hits(const struct sample *s, const struct ast *const *asts, size_t count,
                              const struct column_set *set, const struct hits *hits)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t row = set->first_row; row < set->end_row; row++) {
            int want = naive_holds(s->batch, row, &s->known[row], asts[i]);
            bool is =
                at < hits->count && hits->items[at].expression == i && hits->items[at].row == row;
            at += is;
            if (want != is)
                differ(s, asts[i], row, want);
        }
    }
    assert_int_equal(at, hits->count);
}
