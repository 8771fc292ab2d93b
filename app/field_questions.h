/*
 * app/field_questions.h - has a row a value of a field? Asked of the predicate engine, for all fields
 * that conditions ask for, as `rule coverage` and `source try` want it.
 *
 * Ownership: field_questions_release() frees; the fields are borrowed, the rest is the arena's.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; those of pred_compile() and pred_eval().
 */
#pragma once

#include "app/rule_needs.h"
#include "event/pred.h"

/* An expression a field that is not known of a source: it has a value. */
struct field_questions {
    struct pred *pred; /* NULL: nothing is asked */
    struct pred_scratch *scratch;
    uint32_t *field_of; /* expression -> field */
    struct hits hits;
};

int field_questions_make(struct field_questions *out, struct arena *arena,
                         const struct need_fields *fields, struct diag *diag);
void field_questions_release(struct field_questions *q);

/* Add to values[field] the rows of the batch that have one; `chosen` has a flag a row, NULL: all. */
int field_questions_ask(struct field_questions *q, const struct batch *b, const bool *chosen,
                        uint64_t *values);

/* What is known of a source without looking at a row. */
struct known_source {
    uint32_t tenant;
    struct slice name;
    struct slice format;
};

/* Set holds[leaf] for the leaves of fields->known that hold for each of the sources. */
int known_sources_answer(const struct known_source *sources, bool *const *holds, uint32_t count,
                         const struct need_fields *fields, struct diag *diag);
