/*
 * store/rowgroup_plan.h - private to store/: how each column of a group is stored, found by trial.
 *
 *   texts, addresses   dictionary and codes; mapped from another column's codes where they follow
 *                      from them (a policy's UUID from its number); texts of their own where nearly
 *                      all differ; distances where they tell the row's time
 *   integers           as they are, by dictionary, or beside another column's, whichever takes the
 *                      fewest bytes for the first PLAN_SAMPLE_ROWS rows
 *
 * The most frequent entries of a dictionary come first, so that most codes take one byte.
 *
 * Ownership: the plans own their arrays until rowgroup_plans_free().
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "store/rowgroup_state.h"
#include "store/time_text.h"

enum rowgroup_plan_limits {
    PLAN_SAMPLE_ROWS = 1024,
    PLAN_FREQUENT = 255, /* entries in the order of frequency; the others in their own */
};

struct column_plan {
    uint8_t form;     /* enum rowgroup_form */
    bool is_base;     /* another is stored beside it */
    uint32_t other;   /* column of FORM_MAPPED, FORM_BESIDE, FORM_EPOCH */
    uint32_t present; /* rows with a value, exceptions excluded */
    uint32_t entry_count;
    uint32_t *entries; /* code -> word, or place in `values` */
    uint16_t *codes;   /* of every row, CODE_NONE without a value; NULL: no dictionary */
    int64_t *values;   /* integers by dictionary */
    uint32_t misses;   /* FORM_MAPPED: rows that `map` does not tell */
    uint16_t *map;     /* FORM_MAPPED: code of `other` (its entry_count: none) -> code */
    int64_t *numbers;  /* FORM_TIME_TEXT, addresses as integers: of every row */
    struct time_text layout;
    uint32_t codes_cost, numbers_cost; /* of the sample, by trial, + 1; 0: not tried */
};

/* One for each column of a group whose rows are in order. NULL without memory. */
struct column_plan *rowgroup_plans(struct rowgroup *g, struct chunk_press *press);
void rowgroup_plans_free(struct column_plan *plans, uint32_t count);

/*
 * Number the entries that occur, given how often each of `count` does: fills p->entries. The places of
 * integers are those in p->values. 0 or ERR_NOMEM.
 */
int plan_order_entries(struct column_plan *p, struct rowgroup_column *c, const uint32_t *counts,
                       uint32_t count);

/* The number of a row, of a column that is stored as integers. */
static inline int64_t plan_number(const struct rowgroup_column *c, const struct column_plan *p,
                                  uint32_t row)
{
    return p->numbers != NULL ? p->numbers[row] : c->numbers[row];
}

/* The code of a row, entry_count without a value. */
static inline uint16_t plan_code(const struct column_plan *p, uint32_t row)
{
    return p->codes[row] == CODE_NONE ? (uint16_t)p->entry_count : p->codes[row];
}

/* The IPv4 address of a word. */
uint32_t plan_ip4(const struct rowgroup_column *c, uint32_t word);
