/*
 * event/pipe_table.h - rows of cells: what a pipe gives to the next one, and what is printed.
 *
 *   columns   0 url.domain   1 count
 *   row 0     cell 7         cell 12       cells of one pool
 *   row 1     null           cell 3
 *
 * Ownership: the table owns its rows and borrows the pool.
 * Threads:   one owner.
 * Failures:  those of the pool. A table is as before after any of them.
 */
#pragma once

#include "event/pipe.h"
#include "event/pipe_pool.h"

enum pipe_table_limits {
    PIPE_CHART_ROWS_MAX = 1000000, /* of a timechart with its empty steps */
};

struct pipe_table {
    struct pipe_pool *pool;
    uint32_t column_count;
    uint32_t *cells; /* row by row */
    size_t row_count;
    size_t row_cap;
};

void pipe_table_release(struct pipe_table *t);

static inline const uint32_t *pipe_table_row(const struct pipe_table *t, size_t row)
{
    return t->cells + row * t->column_count;
}

int pipe_table_add(struct pipe_table *t, const uint32_t *row);
void pipe_table_head(struct pipe_table *t, int64_t rows);
/* By value; rows that are equal keep their order. */
int pipe_table_sort(struct pipe_table *t, const struct pipe_key *keys, uint32_t count);
/* Bytewise by the printed names of columns [from, from + count), after the time in column 0 if from is 1. */
int pipe_table_sort_names(struct pipe_table *t, uint32_t from, uint32_t count);
/* These columns alone. */
int pipe_table_select(struct pipe_table *t, const struct pipe_key *keys, uint32_t count);

/*
 * Every step of a timechart with every group, from the first to the last with rows; from `since_ns`
 * and to `until_ns` where these are bounds (not INT64_MIN, INT64_MAX). The table is sorted by time
 * and names. ERR_CONF with a diagnosis past PIPE_CHART_ROWS_MAX.
 */
int pipe_table_fill(struct pipe_table *t, const struct pipe *chart, int64_t since_ns,
                    int64_t until_ns, struct diag *diag);
