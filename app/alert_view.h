/*
 * app/alert_view.h - the lists that `sekisho alerts` prints.
 *
 *   alerts of the log --> those asked for --> worst first --> the first N --> JSON lines
 *                                                                         --> text by municipality
 *   --follow: afterwards each new revision as a frame brings it
 *
 * Ownership: a view borrows its texts.
 * Threads:   the main thread.
 * Failures:  the result is an exit code of app/options.h; why stands in the diagnosis.
 */
#pragma once

#include "app/alert_print.h"

struct alert_view {
    const char *dir;
    bool has_tenant;
    uint32_t tenant;
    int64_t since_ns; /* alerts whose times overlap [since, until) */
    int64_t until_ns;
    uint8_t severity_min;
    const char *kind;  /* NULL = every */
    const char *state; /* of alert_entry_state(); NULL = every */
    uint64_t limit;    /* 0 = all */
    bool follow;
    bool json;
    struct alert_print print;
};

/* Print to a descriptor. EXIT_CODE_FINDINGS when no alert is asked for, unless it follows. */
int alert_view_list(const struct alert_view *v, int out, struct diag *diag);
/* The suppressions that are in force now; EXIT_CODE_FINDINGS when there is none. */
int alert_view_suppressions(const struct alert_view *v, int out, struct diag *diag);
