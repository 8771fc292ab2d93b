/*
 * app/rule_run.h - a rule engine over batches that are at hand whole: eval, test, back-test.
 *
 *   rule_run_batch(run, batch)   ...   rule_run_finish(run)
 *
 * Matches of rules are told batch by batch. Signals for correlations are kept until the end and
 * then taken in the order of event time, ties in that of their events: each municipality's by
 * correlations of its own, then what these tell by those over municipalities.
 *
 * Ownership: the engine is borrowed. The run owns its signals.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM, ERR_RANGE where a regular expression hit its match limit, and what the
 *            callbacks return.
 */
#pragma once

#include "app/rule_load.h"

/* A rule that holds for a row; also one that only correlations refer to. */
typedef int rule_match(void *self, const struct sigma_rule *rule, const struct batch *b,
                       uint32_t row);

struct rule_run_options {
    rule_match *match;
    correlate_fire *alert;
    void *self;
    uint32_t cells; /* memory of correlations (detect/correlate.h); 0 = a million */
    /* The number by which alerts name an event; NULL: its offset. */
    uint64_t (*event_id)(void *self, const struct batch *b, uint32_t row);
};

struct rule_run;

int rule_run_new(struct rule_run **out, const struct rule_set *engine,
                 const struct rule_run_options *options);
int rule_run_batch(struct rule_run *run, const struct batch *b);
/* The correlations; the watermark is the newest event. */
int rule_run_finish(struct rule_run *run);
/* Groups that gave up their place for want of memory. */
uint64_t rule_run_evictions(const struct rule_run *run);
void rule_run_free(struct rule_run *run);
