/*
 * detect/week.h - the hours of a municipality's week, in Japan Standard Time.
 *
 *   slot   0 Monday 00:00 ... 167 Sunday 23:00; a day on which offices are closed is a Sunday
 *
 * Ownership: plain values.
 * Threads:   pure functions.
 * Failures:  none. Times are after 1970-01-01.
 */
#pragma once

#include "base/calendar.h"

enum week_units {
    WEEK_DAY_HOURS = 24,
    WEEK_HOURS = 168,
    WEEK_DAYS = 7,
    WEEK_SATURDAY = 5,
    WEEK_SUNDAY = 6,
};

/* Whole hours since 1970-01-01 00:00 JST. */
static inline int64_t week_hour(int64_t time_ns)
{
    return (time_ns + CALENDAR_JST_NS) / CALENDAR_HOUR_NS;
}

/* The slot of an hour: 0 to WEEK_HOURS - 1. */
static inline unsigned week_slot(int64_t hour)
{
    int64_t day = hour / WEEK_DAY_HOURS;
    unsigned weekday = calendar_weekday(day);
    if (weekday < WEEK_SATURDAY && !calendar_open(day))
        weekday = WEEK_SUNDAY;
    return weekday * WEEK_DAY_HOURS + (unsigned)(hour % WEEK_DAY_HOURS);
}
