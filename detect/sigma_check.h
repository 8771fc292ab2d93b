/*
 * detect/sigma_check.h - private to detect/sigma*.c: what a set is warned of because it is read and
 * never gives a result.
 */
#pragma once

#include "detect/sigma_read.h"

/* Warn where no log satisfies a value, as sekisho.verdict: ALLOWED. `tree` is what was read of it. */
int sigma_check_value(struct sigma_reader *r, const struct yaml_node *value, struct ast *tree);
/* Warn of conditions that never hold, once filters and references are there. */
int sigma_check_set(struct sigma_set *set);
