/*
 * app/scan_stop.h - when a search ends before its end: out of time, or interrupted.
 *
 * Ownership: scan_stop_begin() fills a struct that scan_stop_end() empties.
 * Threads:   begin and end on the main thread, before and after all others; scan_stop_now() and
 *            scan_stop_because() by any.
 * Failures:  ERR_IO from the system.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum scan_stop_reason {
    SCAN_STOP_NONE,
    SCAN_STOP_TIME,
    SCAN_STOP_SIGNAL,
    SCAN_STOP_MEMORY,
};

struct scan_stop {
    int64_t deadline_ns; /* by the monotonic clock; INT64_MAX: none */
    int signals;         /* descriptor that SIGINT is read from; -1: it ends the process */
    _Atomic int reason;  /* enum scan_stop_reason: the first that came */
};

/* Take SIGINT, and let the time end in so many ns; INT64_MAX: never. */
int scan_stop_begin(struct scan_stop *s, int64_t time_max_ns);
/* SIGINT ends the process again. The reason stays. */
void scan_stop_end(struct scan_stop *s);

/* Whether it is time to stop. */
bool scan_stop_now(struct scan_stop *s);
/* Stop for a reason of one's own. */
void scan_stop_because(struct scan_stop *s, enum scan_stop_reason reason);

/* What stopped it: "--max-time", ...; NULL: nothing did. */
const char *scan_stop_text(const struct scan_stop *s);
