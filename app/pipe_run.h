/*
 * app/pipe_run.h - a query with pipes over the log: scan, pipes, print.
 *
 *   ... | stats                   each thread of the scan feeds groups     app/pipe_feed.h
 *   ... | dedup | head | stats    the hits in order, one by one            app/pipe_stream.h
 *   ... | sort | ...              the hits as a table, then
 *   what follows                  the pipes on tables                      event/pipe_apply.h
 *
 * Ownership: everything given is borrowed for the call.
 * Threads:   the scan's own; the rest on the calling thread.
 * Failures:  as app/scan.h, those of the sink, ERR_CONF with a diagnosis (a timechart that is too
 *            long). A stop is no failure: what there is is printed.
 */
#pragma once

#include "app/pipe_feed.h"
#include "app/row_print.h"
#include "app/sink.h"

enum pipe_run_limits {
    PIPE_RUN_TABLE_ROWS = 1000, /* of an aligned table without a limit */
};

struct pipe_run {
    const struct pipeline *pipeline;
    const struct log_index *index;
    const struct sieve_query *query;
    struct row_print_options form;
    unsigned threads;
    uint64_t row_max; /* rows that are printed; UINT64_MAX: no limit */
    size_t memory_max_bytes;
    struct scan_stop *stop;
    struct sink *sink;
    struct diag *diag;
    struct scan *scan;  /* out: for its counters; the caller frees it */
    uint64_t rows;      /* out: that came out of the last pipe, as far as it is known */
    uint64_t rows_left; /* out: of these, not printed for lack of room on a terminal */
};

int pipe_run(struct pipe_run *r);
