/*
 * app/rule_hidden.h - what filters took out of rules in the stored history:
 * `sekisho rule backtest --hidden`.
 *
 * For each filter and rule the rows for which the rule's condition held and which the filter took out,
 * by municipality and day (of Japan), with who owns the filter, why and until when, and a query that
 * shows the rows. The end of a filter is taken at the time in the row, as in the collector.
 */
#pragma once

#include "app/rule_backtest.h"

/*
 * Print them; `against` is not looked at, `rule` is a rule or a filter, NULL: all filters. Returns
 * the exit code: 0 something was taken out, 1 nothing, 5 incomplete.
 */
int rule_hidden(const struct backtest_options *options);
