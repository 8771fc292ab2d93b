/*
 * app/rule_query.h - a rule as a query, and a query as a rule.
 *
 * Both have one meaning (event/pred.h). What the query language has no words for (letter case,
 * keywords, parts of times, other fields) is said, and nothing is printed.
 */
#pragma once

#include "app/rule_load.h"

/* `sekisho rule query`: each rule of the path on a line, "id TAB query". Returns the exit code. */
int rule_query(const struct rule_options *options);

/* `sekisho rule from-query`: a Sigma document. Returns the exit code. */
int rule_from_query(const char *query, const char *title);
