/*
 * app/rule_reach.h - can a rule, or a correlation, bind to what a source writes?
 *
 * Ownership: everything is borrowed.
 * Threads:   pure functions of immutable rules and facts.
 * Failures:  ERR_NOMEM; ERR_RANGE past the limits of app/rule_needs.h.
 */
#pragma once

#include "app/rule_needs.h"
#include "detect/detect.h"

enum reach {
    REACH_BINDS,
    REACH_LOGSOURCE,  /* the logsource does not mean this format */
    REACH_FIELDS,     /* fields without which it cannot hold have no value */
    REACH_REFERENCES, /* a correlation: too few of its rules bind */
    REACH_NOWHERE,    /* its logsource is none of ours */
    REACH_DEPRECATED,
};

/* "binds", "logsource", ... */
const char *reach_name(enum reach reach);

/* Does it run at all? REACH_BINDS, REACH_NOWHERE or REACH_DEPRECATED. */
enum reach rule_reach_ever(const struct sigma_rule *rule);

/* Add all that the rules that run ask for. */
int rule_reach_fields(struct need_fields *out, const struct sigma_set *set);

/* A rule on a source; *lacks is what it needs there and has not. */
int rule_reach(enum reach *out, struct needs *lacks, const struct sigma_rule *rule,
               const struct need_fields *fields, const struct need_facts *facts);

/* Can events of a source that a reference binds to count: have group and counted fields values? */
bool correlation_counts(const struct sigma_rule *correlation, uint32_t reference,
                        const struct need_fields *fields, const struct need_facts *facts);
/* Can a correlation come true where the references of `present` (one bit each) can? */
bool correlation_reach(const struct sigma_rule *correlation, uint64_t present);
