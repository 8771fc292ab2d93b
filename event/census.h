/*
 * event/census.h - fields with few values, whose combinations a segment counts (store/census.h).
 *
 * Each has a place, which is its bit in a mask: of what a group's census tells, and of what a
 * condition or a pipe asks for. Where the second is within the first, the census answers. Places are numbers on disk.
 *
 * Threads:   pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event/pred_row.h"

enum census_limits {
    CENSUS_PLACES = 28, /* of combinations */
    CENSUS_TALLY = 28,  /* an address, counted by itself: only asked for alone */
    CENSUS_PLACES_ALL = 29,
};

#define CENSUS_TALLIES (UINT64_C(1) << CENSUS_TALLY)

/* What stands at a place: a field of the dictionary, or one of the row; the other is 0. */
struct census_place {
    uint16_t field;
    uint8_t row_field; /* enum row_field: verdict, parse error, source of the time */
};

struct census_place census_place(unsigned place);

/* Whether one census can tell these places together. */
static inline bool census_joins(uint64_t places)
{
    return (places & CENSUS_TALLIES) == 0 || places == CENSUS_TALLIES;
}

/*
 * Add what a field asks for; false where no census tells it. Fields of the batch (tenant, source, format,
 * topic) ask for nothing.
 */
bool census_wants_field(uint16_t field, uint64_t *places);
bool census_wants_row_field(enum row_field field, uint64_t *places);

struct pred;

/* Add what the expressions of a predicate ask for. */
bool census_wants_pred(const struct pred *p, uint64_t *places);
