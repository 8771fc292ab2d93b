/*
 * app/pipe_feed.h - the first pipe that makes a table, taking events as a scan finds them: each thread
 * has groups of its own, which are merged when the scan has ended.
 *
 * Ownership: borrows pipeline, budget and stop. A table made of it borrows the feed.
 * Threads:   as app/scan.h feeds; the rest has one owner.
 * Failures:  ERR_NOMEM, ERR_CONF with a diagnosis (a timechart that is too long). A full budget
 *            stops the scan by `stop`: what the table has then is a part.
 */
#pragma once

#include "app/scan.h"
#include "event/pipe_apply.h"

struct pipe_feed;

struct pipe_feed_options {
    const struct pipeline *pipeline;
    uint32_t pipe; /* which of them */
    struct pipe_budget *budget;
    struct scan_stop *stop;
    unsigned threads;
};

int pipe_feed_open(struct pipe_feed **out, const struct pipe_feed_options *options);
/* NULL is allowed. */
void pipe_feed_close(struct pipe_feed *f);

/* What the scan is given. */
struct scan_feed pipe_feed_scan(struct pipe_feed *f);

/* After the scan: what the pipe gives. The budget has no limit from here on. */
int pipe_feed_table(struct pipe_feed *f, const struct pipe_bounds *bounds, struct pipe_table *out,
                    struct diag *diag);
