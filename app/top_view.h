/*
 * app/top_view.h - what `sekisho top` shows: two looks at a collector's metrics and the newest alerts,
 * as lines of text.
 *
 *   page before, page now --> sources with their rates --> those that need a look first
 *   frames of the log     --> the newest alerts
 *
 * Ownership: a view owns its tables and texts; pages are handed over to it.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; top_view_alerts() also as ledger_read().
 */
#pragma once

#include "app/alert_print.h"
#include "app/status_page.h"

enum top_limits {
    TOP_SOURCES_MAX = 8192,
    TOP_ALERTS_MAX = 64,
    TOP_ALERT_TEXT_MAX = 512, /* bytes of what is shown of an alert */
    TOP_SILENT_S = 60,        /* a source that was silent so long stands on top */
};

struct top_view;

/* `how` is copied. */
int top_view_new(struct top_view **out, const struct alert_print *how);
void top_view_free(struct top_view *v);

/* Take the newest look, whose page belongs to the view from now on. Times are of this moment. */
void top_view_page(struct top_view *v, struct status_page *page, int64_t now_ns,
                   int64_t monotonic_ns);
/* Nobody answered: the old numbers stay, and the head says so. */
void top_view_lost(struct top_view *v);
/* Take the alerts of the frames that a log got since; 0 at its end. */
int top_view_alerts(struct top_view *v, struct log_reader *reader);

/* How much fits; columns 0 = no end, rows 0 = all. */
struct top_size {
    unsigned rows;
    unsigned columns;
};

/* Append the lines, each with a line feed, none longer than the columns. */
void top_view_print(struct top_view *v, const struct top_size *size, struct buf *out);
