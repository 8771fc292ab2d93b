/*
 * event/pipe_cells.h - the fields that pipes ask for, of rows of a batch, as cells of a pool.
 *
 *   batch                 views                          out
 *   column of codes  -->  entry -> cell, each once  -->  cell cell cell ...   one per row asked for
 *   other columns    ------------------------------->    cell {cell,cell} null ...
 *
 * Ownership: borrows fields, pool and the batch looked at; the rest is its own until released.
 * Threads:   one owner.
 * Failures:  those of the pool.
 */
#pragma once

#include "event/columns.h"
#include "event/pipe.h"
#include "event/pipe_pool.h"
#include "event/pred_compose.h"

/* Where a field stands in the batch. */
enum pipe_cells_limits {
    PIPE_RECENT_IPS = 8192, /* a power of two */
};

/* An IPv4 address and its cell; PIPE_CELL_NULL: none. */
struct pipe_recent_ip {
    uint32_t ip4;
    uint32_t cell;
};

/* Rows of one number have one cell; those of numbers from `end` on have null. */
struct pipe_numbers {
    const uint16_t *of_row; /* of every row of the batch; NULL: all rows have one cell */
    uint32_t end;
};

struct pipe_view {
    uint16_t *columns; /* of the field, in the arena */
    uint32_t column_count;
    /* One column whose values have numbers: cell of each, or PIPE_CELLS_MAX if not made yet. */
    uint32_t *codes;
    struct pipe_numbers numbers; /* those of the rows */
    uint32_t last;               /* the cell made last, of `last_value` */
    int64_t last_value;
};

/* A zeroed struct with `fields` and `pool` set is ready. */
struct pipe_cells {
    const struct pipe_field *fields;
    uint32_t field_count;
    struct pipe_pool *pool;
    const struct batch *batch;
    struct pipe_view views[PIPE_FIELDS_MAX];
    struct url_plan *plans; /* of each shape; NULL: not made yet */
    struct arena arena;     /* of the batch */
    struct buf scratch;
    struct buf decoded;
    struct buf clean;
    struct pipe_recent_ip recent[PIPE_RECENT_IPS]; /* of the pool since its last reset */
    uint32_t resets;
    uint32_t set[PIPE_SET_MAX];
    uint32_t set_count;
};

void pipe_cells_release(struct pipe_cells *c);

/* Look at a batch, whose rows are known; also when the pool was reset. 0 or ERR_NOMEM. */
int pipe_cells_batch(struct pipe_cells *c, const struct batch *b);

/* The cells of a field in `count` rows, into out[0, count). */
int pipe_cells_fill(struct pipe_cells *c, uint32_t field, const uint16_t *rows, uint32_t count,
                    uint32_t *out);

/* Numbers of a field's values; false where there are none: the rows' cells are all that is known. */
bool pipe_cells_numbers(const struct pipe_cells *c, uint32_t field, struct pipe_numbers *out);

/* Add the columns of a batch, which may have no rows as yet, and the parts that the fields are read from. */
void pipe_cells_columns(const struct pipe_field *fields, uint32_t count, const struct batch *b,
                        struct column_mask *out);

/* The beginning of the step that a time is in. */
int64_t pipe_step(int64_t time_ns, int64_t span_ns);
