/*
 * detect/rule_hits.h - the rules that rows hold, with the values that their alerts show.
 *
 *   batch --rule_hits_read()--> (place, rule, values) --rule_hits_sort()--> in the order of the rows
 *
 * Ownership: hits own scratch and values; a zeroed struct is empty.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM. A regular expression that gives up on a text does not hold it; the count of
 *            such texts is kept.
 */
#pragma once

#include "detect/rule_set.h"

struct rule_hit {
    uint32_t place;       /* of the row, as in detect_add() */
    uint32_t rule;        /* index in the set */
    struct slice *values; /* by field of the rule's entry; data NULL where the row has none */
};

/* A row that correlations are told of. */
struct rule_row {
    uint32_t place;
    uint32_t rule_count;
    uint32_t *rules;      /* indices in the set, ascending: those that correlations refer to */
    struct slice *values; /* by field of the set */
};

struct rule_hits {
    const struct rule_set *rules; /* that the scratch is for */
    struct pred_scratch *scratch;
    struct hits found;
    struct rule_hit *items;
    size_t count;
    size_t cap;
    struct rule_row *rows;
    size_t row_count;
    size_t row_cap;
    const struct hit *hidden; /* of the last batch: what filters took out */
    size_t hidden_count;
    struct arena values;
    uint64_t given_up; /* texts, so far */
};

int rule_hits_read(struct rule_hits *h, const struct rule_set *rules, const struct batch *b,
                   const uint32_t *order);
/* Add the rows that filters took out of the last batch, by place in the set's `filters`. */
void rule_hits_hidden(const struct rule_hits *h, uint64_t *rows);
/* Hits by place, then by rule; rows by place. */
void rule_hits_sort(struct rule_hits *h);
/* Forget the hits, keep the memory. */
void rule_hits_reset(struct rule_hits *h);
void rule_hits_release(struct rule_hits *h);
