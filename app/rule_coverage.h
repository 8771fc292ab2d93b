/*
 * app/rule_coverage.h - where rules can bind and where they are blind: `sekisho rule coverage`.
 *
 * With a store: for each municipality, source and format that has rows, which rules can hold for
 * them, and for the others why not; for each municipality the same of correlations. Without one:
 * what each rule needs. In both cases how many rules there are for each ATT&CK technique.
 */
#pragma once

#include "app/rule_load.h"

struct coverage_options {
    struct rule_options rules;
    const char *data; /* NULL: without a store */
    uint32_t tenant;
    bool has_tenant;
    int64_t since_ns; /* INT64_MIN and INT64_MAX: no bound */
    int64_t until_ns;
    bool json;
};

/* Print it; returns the exit code: 0 every rule binds somewhere, 1 some are blind, 5 incomplete. */
int rule_coverage(const struct coverage_options *options);
