/*
 * store/bound.h - private to store/: which rows carry a value in a column.
 *
 * A shape binds its values to columns, so the rows of a column follow from the rows' shapes alone.
 *
 * Ownership: the table points into the batch's arena.
 */
#pragma once

#include "event/batch.h"

struct bound {
    const struct batch *batch;
    const uint8_t *binds; /* [shape * column_count + column] */
};

/* Needs the batch's shapes and columns; 0 or ERR_NOMEM. */
int bound_init(struct bound *out, struct batch *scratch_owner, const struct batch *b);

/* How many rows the column has; needs the row counts of the shapes. */
uint32_t bound_count(const struct bound *bound, uint32_t column);

/* Write the rows of the column, ascending, to rows[]; returns how many. A derived column has all. */
uint32_t bound_rows(const struct bound *bound, uint32_t column, uint16_t *rows);
