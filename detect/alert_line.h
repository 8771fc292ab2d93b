/*
 * detect/alert_line.h - private to detect/: an episode as the JSON line of an alert.
 *
 * Keys and their order are a contract (docs/alerts.md). Nothing of the wall clock but ticks.
 *
 * Ownership: appends to the caller's buffer.
 * Threads:   any.
 * Failures:  the buffer's.
 */
#pragma once

#include "detect/tenant_state.h"

struct alert_line {
    enum alert_state state;
    const struct alert_id *superseded_by; /* or NULL */
    struct slice reason;                  /* of a closing, for explain.closed */
};

void alert_line_print(struct buf *out, const struct detect_run *run, const struct episode *e,
                      const struct alert_line *how);
