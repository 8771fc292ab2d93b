/*
 * event/pipe_apply.h - pipes on rows that are all there.
 *
 * Before the first pipe that makes a table, the columns are the pipeline's fields, in their order
 * (and whatever stands behind them).
 *
 * Ownership: the table stays the caller's.
 * Threads:   one owner.
 * Failures:  those of the pool; ERR_CONF with a diagnosis where a timechart is too long. The table
 *            is then what some of the pipes made.
 */
#pragma once

#include "event/pipe_groups.h"

/* The times that were asked for, for the first and last step of a timechart. */
struct pipe_bounds {
    int64_t since_ns; /* INT64_MIN: none */
    int64_t until_ns; /* INT64_MAX: none */
};

/* Whether a cell satisfies a test of where. `scratch` is used. */
bool pipe_test_holds(const struct pipe_test *test, const struct pipe_pool *pool, uint32_t cell,
                     struct buf *scratch);

/* What `pipe`, which makes a table, gives of groups that hold all its rows; `out` is empty. */
int pipe_apply_groups(struct pipe_groups *g, const struct pipe_bounds *bounds,
                      struct pipe_table *out, struct diag *diag);

/* The pipes [from, pipe_count) one after the other. */
int pipe_apply(const struct pipeline *p, uint32_t from, const struct pipe_bounds *bounds,
               struct pipe_table *t, struct diag *diag);

/* The keys of the last `fields` where events come out of it; NULL: whole events, or a table. */
const struct pipe *pipe_shown_fields(const struct pipeline *p);
