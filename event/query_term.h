/* event/query_term.h - private to query*.c and pipe*.c: one condition on one field, as it is written. */
#pragma once

#include "event/ast.h"
#include "event/query_lex.h"

/* What a name stands for. */
struct query_field {
    struct slice name; /* as asked; empty = none */
    uint16_t field;    /* enum field or FIELD_UNNAMED */
    unsigned type;     /* enum field_type or LEAF_TYPE_TIME */
};

/* Find a field by name; ERR_CONF with a suggestion. `at` is where the name stands. */
int term_field(struct query_lex *lex, size_t at, struct slice name, struct query_field *out);

/* What stands behind `field:` or before `<` `>`: a leaf, or an AND of two for a range. */
int term_value(struct query_lex *lex, const struct query_field *field, struct ast **out);

/* A raw text here. */
int term_raw(struct query_lex *lex, struct ast **out);
