/*
 * detect/detector_scan.h - D3's account of itself: how often its thresholds were put to the test.
 *
 * Ownership: plain values.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "detect/detector.h"
#include "detect/scan_walk.h"

/* Of one rule: walks begun, and those of them that reached the bound. */
struct scan_count {
    uint64_t walks;
    uint64_t alarms;
};

/* out[SCAN_KINDS]; alarms / walks is to be compared with scan_rule_of(kind)->nominal. */
void detector_scan_counts(const void *state, struct scan_count *out);
