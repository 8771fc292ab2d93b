/*
 * app/rule_needs.h - what a log must have so that a condition can hold for a line of it.
 *
 *   url.domain:a and (url.path:b or url.query:c)      clause   {url.domain}
 *                                                     clause   {url.path, url.query}
 *   Each clause wants a value in at least one of its fields. A condition without clauses binds.
 *
 * An AND needs what all of its children need; an OR needs nothing when one child needs nothing,
 * else each clause of one child joined with each of the others. A leaf needs a value of its field (a comparison of two
 * fields: of both), negated it needs nothing, so tests for null bind everywhere. Keywords, parts of
 * the raw line and what every row has (time, verdict) need nothing. Leaves on municipality, source
 * and format are answered, because they are known; where one does not hold, its field stands in a
 * clause.
 *
 * Ownership: need_fields_release() frees; names and trees are borrowed from the rules.
 * Threads:   one owner while fields are added, immutable then.
 * Failures:  ERR_NOMEM; ERR_RANGE past NEED_FIELDS_MAX or AST_DEPTH_MAX.
 */
#pragma once

#include "event/ast.h"

enum need_limits {
    NEED_FIELDS_MAX = 512,
    NEED_WORDS = NEED_FIELDS_MAX / 64,
    NEED_CLAUSES_MAX = 8, /* of a condition; further ones are left out */
};

/* Some of the fields of a struct need_fields, one bit each. */
struct need_set {
    uint64_t words[NEED_WORDS];
};

static inline void need_set_add(struct need_set *s, uint32_t at)
{
    s->words[at / 64] |= UINT64_C(1) << (at % 64);
}

static inline bool need_set_has(const struct need_set *s, uint32_t at)
{
    return (s->words[at / 64] >> (at % 64) & 1) != 0;
}

/* A field that conditions ask for. */
struct need_field {
    struct slice name; /* ECS, or as in the rule */
    uint16_t field;    /* enum field, or FIELD_UNNAMED */
    bool null_counts;  /* the question is whether it is there, even as null */
    bool known;        /* municipality, source, format: no column, the leaves are answered */
};

struct need_fields {
    struct arena arena;
    struct need_field *items; /* NEED_FIELDS_MAX; NULL until one is added */
    uint32_t count;
    const struct ast **known; /* the different leaves on fields that are known */
    uint32_t known_count;
    uint32_t known_cap;
};

/* What is known of a source. */
struct need_facts {
    struct need_set values;  /* fields that have one */
    const bool *known_holds; /* by leaf in `known`; NULL: take all to hold */
};

struct needs {
    struct need_set clauses[NEED_CLAUSES_MAX]; /* none is a part of another */
    uint32_t count;
};

/* Add the fields and known leaves of a condition. */
int need_fields_add(struct need_fields *f, struct ast *condition);
/* Add a field that is read, as by a group-by. */
int need_fields_add_field(struct need_fields *f, uint16_t field, struct slice name);
void need_fields_release(struct need_fields *f);

/* What the facts lack so that the condition can hold; its fields were added before. */
int needs_of(struct needs *out, const struct need_fields *f, const struct ast *condition,
             const struct need_facts *facts);

/* Has every line, or some line of the source, a value of a field that was added? */
bool need_facts_have(const struct need_facts *facts, const struct need_fields *f, uint16_t field,
                     struct slice name);

/* Append the clauses as "url.domain and (url.path or url.query)". */
void needs_print(struct buf *out, const struct needs *n, const struct need_fields *f);
