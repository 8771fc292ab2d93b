/*
 * base/clock.h - what time it is, in one place.
 *
 * Times are int64_t nanoseconds since 1970-01-01T00:00:00Z; CLOCK_NONE stands for "not known".
 * Calendar arithmetic is the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible
 * low-level date algorithms"); no function here reads a time zone database.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define CLOCK_NONE INT64_MIN

#define CLOCK_NS_PER_SECOND INT64_C(1000000000)
#define CLOCK_NS_PER_MINUTE (60 * CLOCK_NS_PER_SECOND)

/* A civil date and time without a zone. */
struct clock_civil {
    int32_t year;
    int32_t month;  /* 1..12 */
    int32_t day;    /* 1..31 */
    int32_t hour;   /* 0..23 */
    int32_t minute; /* 0..59 */
    int32_t second; /* 0..60 */
    int32_t nanosecond;
};

/* The wall clock, and a clock that only goes forward, for durations. */
int64_t clock_now_ns(void);
int64_t clock_monotonic_ns(void);
/* The same since the system's boot, with the time that it slept. */
int64_t clock_boot_ns(void);
/* CPU time of this process so far. */
int64_t clock_cpu_ns(void);

/* A condition whose waits end by the monotonic clock: setting the wall clock stretches none. */
void clock_cond_init(pthread_cond_t *cond);
/* Wait with `lock` held until signalled; false: that monotonic time came first. */
bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);

/* Days since 1970-01-01 of a civil date. */
int64_t clock_days(int32_t year, int32_t month, int32_t day);
/* True for a date and time that exists; second 60 is accepted. */
bool clock_civil_valid(const struct clock_civil *c);
/* Needs a valid civil time in years 1678..2261; reads it as UTC. */
int64_t clock_from_civil(const struct clock_civil *c);
void clock_to_civil(struct clock_civil *out, int64_t ns);

/* Append RFC 3339, UTC, with as many of the nine digits of the fraction as are needed (0, 3, 6, 9). */
void clock_print(struct buf *out, int64_t ns);
/* The same with exactly three digits, the rest cut off: columns that line up. */
void clock_print_ms(struct buf *out, int64_t ns);
/* The same with an offset east of UTC in minutes, as people read it. */
void clock_print_zone(struct buf *out, int64_t ns, int32_t offset_minutes);
/* An offset east of UTC, in minutes of less than 100 hours, as "+09:00". */
void clock_print_offset(struct buf *out, int32_t offset_minutes);

/*
 * Read RFC 3339 ("2026-11-21T10:00:00.5+09:00"; blank for T and a missing zone, then UTC, are
 * accepted). Returns 0 or ERR_FORMAT.
 */
int clock_parse(int64_t *out, struct slice text);
/* The same time of day as it is written, whatever its offset: as if that were UTC. */
int clock_parse_written(int64_t *out, struct slice text);
/* The ISO 8601 week of a civil date, 1..53. */
int32_t clock_week(const struct clock_civil *c);
/* Read a zone offset "+09:00", "+0900" or "Z" into minutes. Returns 0 or ERR_FORMAT. */
int clock_parse_zone(int32_t *out, struct slice text);
/* Read a duration "10s", "5m", "2h", "7d", "500ms" into nanoseconds. Returns 0 or ERR_FORMAT. */
int clock_parse_duration(int64_t *out, struct slice text);
