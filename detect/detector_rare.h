/*
 * detect/detector_rare.h - private to detect/: how the thresholds of D1 hold, for tests and docs.
 *
 * Ownership: plain values.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include <stdint.h>

enum rare_tally_levels {
    RARE_TALLY_LEVELS = 4,
};

/* Nominal shares of units: 0.05, 0.01, 0.003, 0.001. */
extern const double RARE_TALLY_SHARES[RARE_TALLY_LEVELS];

/* Alerts that are expected on a working day of one municipality. */
#define RARE_ALERT_RATE 0.1

struct rare_tally {
    uint64_t units;                      /* judged, whose 24 hours are over */
    uint64_t days;                       /* working days on which they were met */
    uint64_t reached[RARE_TALLY_LEVELS]; /* of them, with a share at most so large */
    uint64_t alerts;                     /* of them */
};

/* `state` is of detector_rare. */
struct rare_tally rare_tally(const void *state);
