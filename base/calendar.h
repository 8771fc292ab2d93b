/*
 * base/calendar.h - Japanese days: weekdays, holidays, and whether offices are open.
 *
 * Days are counted in Japan Standard Time from 1970-01-01; Japan has no summer time.
 *
 * Ownership: plain values.
 * Threads:   pure functions.
 * Failures:  none; outside 1980 to 2099 the equinoxes are off by a day or more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define CALENDAR_JST_NS  (540 * CLOCK_NS_PER_MINUTE)
#define CALENDAR_HOUR_NS (60 * CLOCK_NS_PER_MINUTE)
#define CALENDAR_DAY_NS  (24 * CALENDAR_HOUR_NS)

enum calendar_units {
    CALENDAR_DAY_MINUTES = 24 * 60,
};

/* Minutes since the first minute of day 0, rounded down. */
static inline int64_t calendar_minutes(int64_t time_ns)
{
    int64_t whole = time_ns / CLOCK_NS_PER_MINUTE - (time_ns % CLOCK_NS_PER_MINUTE < 0 ? 1 : 0);
    return whole + CALENDAR_JST_NS / CLOCK_NS_PER_MINUTE;
}

/* The day that holds that moment; any moment has one. */
static inline int64_t calendar_day(int64_t time_ns)
{
    int64_t minutes = calendar_minutes(time_ns);
    return minutes / CALENDAR_DAY_MINUTES - (minutes % CALENDAR_DAY_MINUTES < 0 ? 1 : 0);
}

/* The first nanosecond of that day, of years that int64_t holds. */
static inline int64_t calendar_midnight(int64_t day)
{
    return day * CALENDAR_DAY_NS - CALENDAR_JST_NS;
}

/* Minute of its day, 0..1439. */
static inline uint32_t calendar_minute(int64_t time_ns)
{
    int64_t minutes = calendar_minutes(time_ns);
    return (uint32_t)(minutes - calendar_day(time_ns) * CALENDAR_DAY_MINUTES);
}

/* 0 = Monday ... 6 = Sunday. */
static inline uint32_t calendar_weekday(int64_t day)
{
    return (uint32_t)((day % 7 + 7 + 3) % 7);
}

/* National holidays with their substitutes, and 29 December to 3 January. */
bool calendar_holiday(int64_t day);

/* Whether offices are open. */
static inline bool calendar_open(int64_t day)
{
    return calendar_weekday(day) < 5 && !calendar_holiday(day);
}
