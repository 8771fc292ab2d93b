/*
 * app/alert_show.h - all that is known of one alert: `sekisho alerts show ID`.
 *
 *   its newest line --> texts, group keys, the numbers of the decision
 *   its evidence    --> every line of it as it came
 *   the log         --> everything that people did to it
 *
 * Ownership: a request borrows its texts.
 * Threads:   the main thread.
 * Failures:  the result is an exit code of app/options.h; why stands in the diagnosis.
 */
#pragma once

#include "app/alert_find.h"
#include "app/alert_print.h"

struct alert_show {
    struct alert_wanted wanted;
    bool json; /* the released line with members added */
    struct alert_print print;
};

/* Print to a descriptor. */
int alert_show_run(const struct alert_show *show, int out, struct diag *diag);
