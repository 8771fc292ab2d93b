/*
 * app/forecast.h - for how many days the disk suffices, and when the first rows are due.
 *
 *   day by day: free - what comes in a day, as in the last days - what is due by then + ...
 *
 * Ownership: values.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include "app/retention.h"

enum forecast_limits {
    FORECAST_DAYS_MAX = 3650,    /* further it does not look */
    FORECAST_RECENT_HOURS = 168, /* of which a day is the mean */
};

/* What is stored, as of a moment. Begin with forecast_begin(). */
struct forecast {
    int64_t now_ns;
    uint64_t stored_bytes;
    uint64_t recent_bytes; /* that arrived in the last FORECAST_RECENT_HOURS whole hours */
    int64_t recent_first;  /* the oldest hour of these */
    int64_t first_due_ns;  /* INT64_MAX: nothing is stored */
    uint64_t due_bytes[FORECAST_DAYS_MAX]; /* within so many days */
};

void forecast_begin(struct forecast *f, int64_t now_ns);
/* A segment of that hour, due then. */
void forecast_add(struct forecast *f, const struct segment_info *s, int64_t due_ns);
/* Bytes that a day brings; 0: not known yet. */
uint64_t forecast_daily(const struct forecast *f);
/*
 * Whole days until `free_bytes` are used up, when what comes is kept for keep_ns; -1: not within
 * FORECAST_DAYS_MAX, or nothing comes.
 */
int64_t forecast_days(const struct forecast *f, uint64_t free_bytes, int64_t keep_ns);
