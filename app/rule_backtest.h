/*
 * app/rule_backtest.h - what a rule would have found in the stored history: `sekisho rule backtest`.
 *
 * Hits and alerts of each municipality and day (of Japan), where an alert is hits with the same values
 * of the rule's group-by that are nearer than its window, as in the collector. Beside another version
 * of the rule: which hits are new, lost, the same.
 */
#pragma once

#include "app/rule_load.h"

struct backtest_options {
    struct rule_options rules;
    const char *rule;    /* id or name; NULL: the only one of the file */
    const char *against; /* path of the live version, or NULL */
    const char *data;
    uint32_t tenant;
    bool has_tenant;
    int64_t since_ns; /* INT64_MIN and INT64_MAX: no bound */
    int64_t until_ns;
    unsigned threads;
    bool json;
};

/* Print the table; returns the exit code: 0 hits, 1 none, 5 incomplete. */
int rule_backtest(const struct backtest_options *options);
