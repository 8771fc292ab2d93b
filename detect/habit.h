/*
 * detect/habit.h - what counts within a window are usual in a municipality, and how unusual one is.
 *
 * Only windows in which something was counted are looked at, so a window's count is 1 + r. The mean
 * of r is kept for every hour of the week and pulled towards the mean of all hours; the caller
 * multiplies it by what is special about its key. Real counts are bursty, so r is taken as negative
 * binomial with a dispersion by moments, which makes hours and keys comparable:
 *
 *   size = -ln P(R >= r | mean, dispersion)
 *
 * and how often such sizes happen here is measured, not believed: detect/ladder.h. So a wrong model
 * costs sensitivity, and not false alarms.
 *
 * A habit has no opinion before HABIT_DAYS days and HABIT_EVALUATIONS windows. Windows that were
 * alarmed are not learned, and others enter at most at a multiple of what was expected, so that one
 * event does not become the rule at once.
 *
 * Ownership: plain data without pointers, 8-byte aligned; zeroed is empty.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include "detect/ladder.h"
#include "detect/week.h"

enum habit_limits {
    HABIT_DAYS = 5,
    HABIT_EVALUATIONS = 300,
};

struct habit {
    double sum[WEEK_HOURS];     /* of r */
    double windows[WEEK_HOURS]; /* in which something was counted */
    double all_sum;
    double all_windows;
    double spread; /* of (r - mean)^2 - mean */
    double square; /* of mean^2 */
    double evaluations_today;
    double evaluations_day; /* of a busy day */
    int64_t day;            /* at hand; 0 = none yet */
    int64_t first_day;
    int64_t hour; /* whose slot is kept */
    int64_t slot;
    struct ladder ladder;
};

/* A window that is over. */
struct habit_window {
    int64_t time_ns; /* within it */
    uint32_t count;  /* at least 1 */
    double level;    /* of the key, by which the mean of r is multiplied */
    bool alarmed;
};

/* Usual r of a key at that time: the mean of its hour of the week times level. */
double habit_mean(struct habit *h, int64_t time_ns, double level);
/* How unusual a count is, in nats. */
double habit_size(const struct habit *h, uint32_t count, double mean);
bool habit_knows(const struct habit *h);
/* Probability that a normal day holds a window of at least that size; 1 without an opinion. */
double habit_tail(const struct habit *h, double size);
/* Learn a window. Returns r as it was learned, for the level of its key. */
double habit_close(struct habit *h, const struct habit_window *w);
double habit_dispersion(const struct habit *h);
