/*
 * app/gen_calendar.h - when people work: Japanese weekdays, holidays and the curve of an office day.
 *
 * Days are counted in Japan Standard Time from 1970-01-01; quarters are the 96 quarter hours of one.
 *
 * Threads:   pure functions.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define GEN_JST_NS  (540 * CLOCK_NS_PER_MINUTE)
#define GEN_HOUR_NS (60 * CLOCK_NS_PER_MINUTE)
#define GEN_DAY_NS  (24 * GEN_HOUR_NS)

enum gen_calendar_units {
    GEN_QUARTERS = 96,
    GEN_CURVE_MEAN = 256, /* of gen_calendar_curve() over an office day from 8:30 to 17:15 */
};

static inline int64_t gen_calendar_day(int64_t time_ns)
{
    return (time_ns + GEN_JST_NS) / GEN_DAY_NS;
}

/* The first nanosecond of that day. */
static inline int64_t gen_calendar_midnight(int64_t day)
{
    return day * GEN_DAY_NS - GEN_JST_NS;
}

/* 0 = Monday ... 6 = Sunday. */
static inline uint32_t gen_calendar_weekday(int64_t day)
{
    return (uint32_t)((day + 3) % 7);
}

/* National holidays with their substitutes, and 29 December to 3 January. Years 2000 to 2099. */
bool gen_calendar_holiday(int64_t day);

/* Whether offices are open. */
static inline bool gen_calendar_open(int64_t day)
{
    return gen_calendar_weekday(day) < 5 && !gen_calendar_holiday(day);
}

/* How much a person who is there browses in that quarter of an office day; 256 is the mean. */
uint32_t gen_calendar_curve(uint32_t quarter);
/* The same for the visitors of a municipality's web site, through the whole day. */
uint32_t gen_calendar_visitors(uint32_t quarter);
