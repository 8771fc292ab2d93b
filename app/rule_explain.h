/*
 * app/rule_explain.h - why a rule holds for a line or does not: `sekisho rule explain`.
 */
#pragma once

#include "app/rule_load.h"
#include "event/source_class.h"

struct explain_options {
    struct rule_options rules;
    const char *rule;   /* id or name; NULL: the only one of the file */
    const char *format; /* of the line, as in --format */
    struct slice line;
    uint32_t tenant;         /* whose line it is taken for; 0: the test municipality */
    enum source_class class; /* of the source that the line is taken to come from */
    bool json;
};

/* Print the truth table; returns the exit code: 0 the rule holds, 1 it does not. */
int rule_explain(const struct explain_options *options);
