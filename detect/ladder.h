/*
 * detect/ladder.h - how often something at least so large happens: a fit of the upper end.
 *
 *   size   1.5      2.4       3.8         6.1                      rungs, each 1.6 times the last
 *          |---------|---------|-----------|-------->
 *          40k       9k        800         31      <- seen beyond; the mean excess beyond it, too
 *                                          ^ the highest rung with enough beyond it is the model
 *
 * Peaks over a threshold (Pickands; the SPOT of Siffer et al., KDD 2017) with an exponential end,
 * which is what sizes here are made to have: they are logarithms of probabilities, or counts of
 * expected lines. In place of SPOT's numerical fit stands the posterior predictive of the
 * exponential's rate, (sum / (sum + excess))^count: it is exact for any count and so needs no
 * correction for a short history.
 *
 * Rates are per unit of exposure, which is the caller's: an evaluation, or a day. `ledger` counts
 * how often sizes were as rare as a few given rates: realised against nominal false alarms.
 *
 * Ownership: plain data without pointers.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum ladder_limits {
    LADDER_RUNGS = 10,
    LADDER_COUNT_LEAST = 30, /* beyond the rung that is the model */
    LADDER_MARKS = 3,        /* rates in the ledger, each a tenth of the last */
};

struct ladder {
    double exposure;
    double count[LADDER_RUNGS];
    double sum[LADDER_RUNGS]; /* of what is beyond the rung */
    double judged; /* exposure whose sizes were entered into the ledger; the caller adds it up */
    double realised[LADDER_MARKS];
};

/* Exposure passes. Past `memory` the older half counts half. */
void ladder_expose(struct ladder *l, double exposure, double memory);
/* A size was seen; not one that was alarmed. */
void ladder_learn(struct ladder *l, double size);
/* Whether there is a model. */
bool ladder_knows(const struct ladder *l);
/* How often a size at least so large is expected in a unit of exposure; needs a model. */
double ladder_rate(const struct ladder *l, double size);
/*
 * Enter a size that was seen, alarmed or not, into the ledger, before it is learned: it was as rare
 * as mark, mark / 10, ... in a unit. Needs a model.
 */
void ladder_judge(struct ladder *l, double size, double mark);
