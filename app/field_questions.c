#include "app/field_questions.h"

#include "base/err.h"

int field_questions_make(struct field_questions *out, struct arena *arena,
                         const struct need_fields *fields, struct diag *diag)
{
    struct field_questions q = {0};
    const struct ast **asked = arena_array(arena, fields->count + 1, sizeof(const struct ast *));
    struct ast *leaves = arena_array(arena, fields->count + 1, sizeof(*leaves));
    uint32_t count = 0;
    q.field_of = arena_array(arena, fields->count + 1, sizeof(*q.field_of));
    if (asked == NULL || leaves == NULL || q.field_of == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < fields->count; i++) {
        const struct need_field *field = &fields->items[i];
        if (field->known)
            continue;
        leaves[count] = (struct ast){.kind = AST_LEAF,
                                     .op = field->null_counts ? AST_EXISTS : AST_VALUE,
                                     .field = field->field,
                                     .field_name = field->name};
        asked[count] = &leaves[count];
        q.field_of[count++] = i;
    }
    int err = count == 0 ? 0 : pred_compile(&q.pred, asked, count, diag);
    if (err == 0 && count != 0)
        err = pred_scratch_new(&q.scratch, q.pred);
    if (err != 0) {
        field_questions_release(&q);
        return err;
    }
    *out = q;
    return 0;
}

void field_questions_release(struct field_questions *q)
{
    hits_release(&q->hits);
    pred_scratch_free(q->scratch);
    pred_free(q->pred);
    *q = (struct field_questions){0};
}

int field_questions_ask(struct field_questions *q, const struct batch *b, const bool *chosen,
                        uint64_t *values)
{
    const struct column_set set = {.batch = b, .end_row = b->row_count, .rows_known = true};
    int err = q->pred == NULL ? 0 : pred_eval(q->pred, q->scratch, &set, &q->hits);
    for (size_t i = 0; q->pred != NULL && err == 0 && i < q->hits.count; i++) {
        if (chosen == NULL || chosen[q->hits.items[i].row])
            values[q->field_of[q->hits.items[i].expression]]++;
    }
    return err;
}

/* Ask the leaves on municipality, source and format of a row that has nothing else. */
static int known_answer(const struct known_source *s, bool *holds, const struct pred *pred,
                        struct pred_scratch *scratch, struct hits *hits)
{
    const struct batch outline = {
        .tenant = s->tenant, .source = s->name, .format_name = s->format, .row_count = 1};
    const struct column_set set = {.batch = &outline, .end_row = 1, .rows_known = true};
    int err = pred_eval(pred, scratch, &set, hits);
    for (size_t i = 0; i < hits->count && err == 0; i++)
        holds[hits->items[i].expression] = true;
    return err;
}

int known_sources_answer(const struct known_source *sources, bool *const *holds, uint32_t count,
                         const struct need_fields *fields, struct diag *diag)
{
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    if (fields->known_count == 0)
        return 0;
    int err = pred_compile(&pred, fields->known, fields->known_count, diag);
    if (err == 0)
        err = pred_scratch_new(&scratch, pred);
    for (uint32_t i = 0; i < count && err == 0; i++)
        err = known_answer(&sources[i], holds[i], pred, scratch, &hits);
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    return err;
}
