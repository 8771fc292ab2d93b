/*
 * app/rule_eval.h - rules on the events of a file: `sekisho rule eval`.
 */
#pragma once

#include "app/rule_load.h"

/* Print matches and alerts; returns the exit code. */
int rule_eval(const struct rule_options *options, const char *events);
