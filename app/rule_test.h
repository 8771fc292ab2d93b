/*
 * app/rule_test.h - rules against the test lines beside them: `sekisho rule test`.
 *
 * The lines of x.yml stand in x.lines (app/rule_lines.h), of the municipality of app/rule_source.h.
 */
#pragma once

#include "app/rule_load.h"

/* Print what failed, and a summary; returns the exit code. */
int rule_test(const struct rule_options *options);
