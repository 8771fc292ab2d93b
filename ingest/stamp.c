#include "ingest/stamp.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/value.h"

enum stamp_limits {
    STAMP_YEAR_MIN = 1678, /* the whole years that 64 bits of nanoseconds hold */
    STAMP_YEAR_MAX = 2261,
    STAMP_MINUTES_PER_DAY = 24 * 60,
    STAMP_FRACTION_DIGITS = 9,
    STAMP_EPOCH_DIGITS = 10, /* of seconds with a fraction */
    STAMP_NO_YEAR = 0,
    STAMP_NOT_DIGITS = 255,
};

#define NS_PER_DAY (STAMP_MINUTES_PER_DAY * CLOCK_NS_PER_MINUTE)

/* Three letters as one number, for a switch. */
#define LETTERS(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)

/* What is left of a text that is read from the front. */
struct cursor {
    const char *at;
    const char *end;
};

static struct cursor cursor_of(struct slice text)
{
    return (struct cursor){.at = text.data,
                           .end = text.len == 0 ? text.data : text.data + text.len};
}

static size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

static bool cursor_is(const struct cursor *c, char byte)
{
    return c->at < c->end && *c->at == byte;
}

static uint32_t digit_of(char byte)
{
    return (uint32_t)(unsigned char)byte - '0';
}

/* Two digits as a number, or STAMP_NOT_DIGITS. */
static uint32_t two_digits(const char *p)
{
    uint32_t tens = digit_of(p[0]);
    uint32_t ones = digit_of(p[1]);
    return tens > 9 || ones > 9 ? STAMP_NOT_DIGITS : tens * 10 + ones;
}

/* Four digits as a number, or 0, which is no year here. */
static int32_t four_digits(const char *p)
{
    uint32_t high = two_digits(p);
    uint32_t low = two_digits(p + 2);
    return high == STAMP_NOT_DIGITS || low == STAMP_NOT_DIGITS ? 0 : (int32_t)(high * 100 + low);
}

/* 1..12, or 0. Needs 3 readable bytes. */
static int32_t month_of(const char *p)
{
    switch (LETTERS((unsigned char)p[0] | 0x20, (unsigned char)p[1] | 0x20,
                    (unsigned char)p[2] | 0x20)) {
    case LETTERS('j', 'a', 'n'):
        return 1;
    case LETTERS('f', 'e', 'b'):
        return 2;
    case LETTERS('m', 'a', 'r'):
        return 3;
    case LETTERS('a', 'p', 'r'):
        return 4;
    case LETTERS('m', 'a', 'y'):
        return 5;
    case LETTERS('j', 'u', 'n'):
        return 6;
    case LETTERS('j', 'u', 'l'):
        return 7;
    case LETTERS('a', 'u', 'g'):
        return 8;
    case LETTERS('s', 'e', 'p'):
        return 9;
    case LETTERS('o', 'c', 't'):
        return 10;
    case LETTERS('n', 'o', 'v'):
        return 11;
    case LETTERS('d', 'e', 'c'):
        return 12;
    default:
        return 0;
    }
}

/* One or two digits. */
static bool read_short_number(struct cursor *c, uint32_t *out)
{
    if (c->at == c->end || digit_of(*c->at) > 9)
        return false;
    *out = digit_of(*c->at++);
    if (c->at < c->end && digit_of(*c->at) <= 9)
        *out = *out * 10 + digit_of(*c->at++);
    return true;
}

/* h:m:s where a part has one digit or a blank behind its colon. */
static bool read_clock_loosely(struct cursor *c, uint32_t parts[3])
{
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) {
            if (!cursor_is(c, ':'))
                return false;
            c->at++;
            c->at += cursor_is(c, ' ') ? 1 : 0;
        }
        if (!read_short_number(c, &parts[i]))
            return false;
    }
    return true;
}

/* The digits behind a point or comma, as nanoseconds; none is 0. */
static int64_t read_fraction(struct cursor *c)
{
    if (cursor_left(c) < 2 || (*c->at != '.' && *c->at != ',') || digit_of(c->at[1]) > 9)
        return 0;
    c->at++;
    int64_t ns = 0;
    int digits = 0;
    for (; c->at < c->end && digit_of(*c->at) <= 9; c->at++) {
        if (digits == STAMP_FRACTION_DIGITS)
            continue;
        ns = ns * 10 + digit_of(*c->at);
        digits++;
    }
    for (; digits < STAMP_FRACTION_DIGITS; digits++)
        ns *= 10;
    return ns;
}

/* A time of day, as nanoseconds since midnight. */
static bool read_clock(struct cursor *c, int64_t *out)
{
    uint32_t parts[3] = {STAMP_NOT_DIGITS, STAMP_NOT_DIGITS, STAMP_NOT_DIGITS};
    if (cursor_left(c) >= 8 && c->at[2] == ':' && c->at[5] == ':') {
        for (size_t i = 0; i < 3; i++)
            parts[i] = two_digits(c->at + 3 * i);
    }
    if (parts[0] != STAMP_NOT_DIGITS && parts[1] != STAMP_NOT_DIGITS &&
        parts[2] != STAMP_NOT_DIGITS) {
        c->at += 8;
    } else if (!read_clock_loosely(c, parts)) {
        return false;
    }
    if (parts[0] > 23 || parts[1] > 59 || parts[2] > 60)
        return false;
    int64_t seconds = (int64_t)parts[0] * 3600 + (int64_t)parts[1] * 60 + parts[2];
    *out = seconds * CLOCK_NS_PER_SECOND + read_fraction(c);
    return true;
}

/* Z, UTC, GMT, JST. */
static bool read_zone_name(struct cursor *c, int32_t *out)
{
    if (*c->at == 'Z' || *c->at == 'z') {
        c->at++;
        *out = 0;
        return true;
    }
    if (cursor_left(c) < 3)
        return false;
    switch (LETTERS((unsigned char)c->at[0], (unsigned char)c->at[1], (unsigned char)c->at[2])) {
    case LETTERS('U', 'T', 'C'):
    case LETTERS('G', 'M', 'T'):
        *out = 0;
        break;
    case LETTERS('J', 'S', 'T'):
        *out = 9 * 60;
        break;
    default:
        return false;
    }
    c->at += 3;
    return true;
}

/* An offset from UTC: Z, JST, +09:00, GMT+09:00. Needs at least one byte left. */
static bool read_zone(struct cursor *c, int32_t *out)
{
    char sign = *c->at;
    if (sign != '+' && sign != '-') {
        if (!read_zone_name(c, out))
            return false;
        if (*out != 0 || (!cursor_is(c, '+') && !cursor_is(c, '-')))
            return true;
        sign = *c->at;
    }
    c->at++;
    uint32_t hours = cursor_left(c) >= 2 ? two_digits(c->at) : STAMP_NOT_DIGITS;
    if (hours > 23)
        return false;
    c->at += 2;
    uint32_t minutes = 0;
    size_t colon = cursor_is(c, ':') ? 1 : 0;
    if (cursor_left(c) >= colon + 2) {
        minutes = two_digits(c->at + colon);
        if (minutes > 59)
            return false;
        c->at += colon + 2;
    }
    int32_t offset = (int32_t)(hours * 60 + minutes);
    *out = sign == '-' ? -offset : offset;
    return true;
}

/* Bytes of the date that the text starts with, by where its separators stand; or 0. */
static size_t date_length(const struct cursor *c)
{
    const char *p = c->at;
    size_t left = cursor_left(c);
    if (left >= 9 && month_of(p + 2) != 0)
        return 9; /* ddMonYYYY */
    if (left < 10)
        return 0;
    if (p[4] == p[7] && (p[4] == '-' || p[4] == '/' || p[4] == ':'))
        return 10; /* YYYY-MM-DD */
    if (p[2] == '/' && p[5] == '/')
        return 10; /* MM/DD/YYYY */
    if (left >= 11 && p[2] == p[6] && (p[2] == '/' || p[2] == '-' || p[2] == ' '))
        return 11; /* dd/Mon/yyyy */
    return 0;
}

/* The midnight of a date that exists within the range, read as UTC. */
static bool day_of_civil(int32_t year, int32_t month, int32_t day, int64_t *day_ns)
{
    struct clock_civil civil = {.year = year, .month = month, .day = day};
    if (year < STAMP_YEAR_MIN || year > STAMP_YEAR_MAX || !clock_civil_valid(&civil))
        return false;
    *day_ns = clock_days(year, month, day) * NS_PER_DAY;
    return true;
}

/* A date with a year, as its midnight read as UTC. */
static bool read_date(struct cursor *c, struct stamp_cache *cache, int64_t *day_ns)
{
    size_t len = date_length(c);
    if (len == 0)
        return false;
    const char *p = c->at;
    uint64_t head = bytes_get64(p);
    uint32_t tail = bytes_get32(p + len - 4);
    if (head != cache->head || tail != cache->tail) {
        int32_t year = 0;
        int32_t month = 0;
        uint32_t day = 0;
        if (len == 11) {
            year = four_digits(p + 7);
            month = month_of(p + 3);
            day = two_digits(p);
        } else if (len == 9) {
            year = four_digits(p + 5);
            month = month_of(p + 2);
            day = two_digits(p);
        } else if (p[2] == '/') {
            year = four_digits(p + 6);
            month = (int32_t)two_digits(p);
            day = two_digits(p + 3);
        } else {
            year = four_digits(p);
            month = (int32_t)two_digits(p + 5);
            day = two_digits(p + 8);
        }
        int64_t ns = 0;
        if (!day_of_civil(year, month, (int32_t)day, &ns))
            return false;
        *cache = (struct stamp_cache){.head = head, .tail = tail, .day_ns = ns};
    }
    *day_ns = cache->day_ns;
    c->at += len;
    return true;
}

/* "2026 Nov 21 10:00:00", as NX-OS writes it. */
static bool is_year_first(const struct cursor *c)
{
    return cursor_left(c) > 18 && c->at[4] == ' ' && digit_of(c->at[5]) > 9 &&
           four_digits(c->at) != STAMP_NO_YEAR;
}

/*
 * Mon dd and perhaps a year, before it or behind it (else STAMP_NO_YEAR), up to the blank before the
 * time of day.
 */
static bool read_date_bsd(struct cursor *c, struct clock_civil *out)
{
    int32_t year = STAMP_NO_YEAR;
    if (is_year_first(c)) {
        year = four_digits(c->at);
        c->at += 5;
    }
    if (cursor_left(c) < 14)
        return false;
    out->month = month_of(c->at);
    if (out->month == 0 || c->at[3] != ' ')
        return false;
    c->at += 4;
    c->at += cursor_is(c, ' ') ? 1 : 0;
    uint32_t day = 0;
    if (!read_short_number(c, &day) || !cursor_is(c, ' '))
        return false;
    out->day = (int32_t)day;
    c->at++;
    out->year = year;
    if (year == STAMP_NO_YEAR && cursor_left(c) > 5 && c->at[4] == ' ') {
        out->year = four_digits(c->at);
        if (out->year == STAMP_NO_YEAR)
            return false;
        c->at += 5;
    }
    return true;
}

static int64_t floor_days(int64_t ns)
{
    return ns / NS_PER_DAY - (ns % NS_PER_DAY < 0 ? 1 : 0);
}

/* The day of a date without a year that is nearest to the reference; see stamp_parse(). */
static bool nearest_day(const struct clock_civil *date, int64_t reference_day, int64_t *day_ns)
{
    struct clock_civil reference = {0};
    clock_to_civil(&reference, reference_day * NS_PER_DAY);
    bool found = false;
    int64_t best = INT64_MAX;
    for (int32_t year = reference.year - 1; year <= reference.year + 1; year++) {
        int64_t ns = 0;
        if (!day_of_civil(year, date->month, date->day, &ns))
            continue;
        int64_t distance = ns / NS_PER_DAY - reference_day;
        distance = distance < 0 ? -distance : distance;
        if (distance >= best)
            continue;
        best = distance;
        *day_ns = ns;
        found = true;
    }
    return found;
}

static bool day_of_bsd(const struct clock_civil *date, int32_t zone_minutes, int64_t reference_ns,
                       struct stamp_cache *cache, int64_t *day_ns)
{
    if (date->year != STAMP_NO_YEAR)
        return day_of_civil(date->year, date->month, date->day, day_ns);
    int64_t local_ns = 0;
    int64_t midnight_ns = 0;
    if (reference_ns == CLOCK_NONE ||
        __builtin_add_overflow(reference_ns, zone_minutes * CLOCK_NS_PER_MINUTE, &local_ns))
        return false;
    int64_t reference_day = floor_days(local_ns);
    if (__builtin_mul_overflow(reference_day, NS_PER_DAY, &midnight_ns))
        return false;
    /* No text of a date with a year starts with bytes this small. */
    uint64_t head = (uint64_t)date->month << 8 | (uint64_t)date->day;
    uint32_t tail = (uint32_t)reference_day;
    if (head != cache->head || tail != cache->tail) {
        int64_t ns = 0;
        if (!nearest_day(date, reference_day, &ns))
            return false;
        *cache = (struct stamp_cache){.head = head, .tail = tail, .day_ns = ns};
    }
    *day_ns = cache->day_ns;
    return true;
}

/* "Sun " or "Sun, " before a date: which day of the week it was is no news. */
static void skip_weekday(struct cursor *c)
{
    if (cursor_left(c) < 5 || digit_of(*c->at) <= 9 || month_of(c->at) != 0)
        return;
    size_t comma = c->at[3] == ',' ? 1 : 0;
    if (c->at[3 + comma] == ' ')
        c->at += 4 + comma;
}

/* The year that stands behind the time of day: Nov 21 10:00:00 2026. */
static void read_year_behind(struct cursor *c, struct clock_civil *date)
{
    if (date->year != STAMP_NO_YEAR || cursor_left(c) < 5 || *c->at != ' ' ||
        (cursor_left(c) > 5 && c->at[5] != ' '))
        return;
    int32_t year = four_digits(c->at + 1);
    if (year == 0)
        return;
    date->year = year;
    c->at += 5;
}

/* The offset that may follow a time of day, and nothing behind it. */
static bool read_end(struct cursor *c, int32_t *zone_minutes)
{
    if (c->at == c->end)
        return true;
    if (*c->at == ' ' && cursor_left(c) > 1)
        c->at++;
    return read_zone(c, zone_minutes) && c->at == c->end;
}

static int parse_bsd(int64_t *out, struct cursor c, int32_t zone_minutes, int64_t reference_ns,
                     struct stamp_cache *cache)
{
    struct clock_civil date = {0};
    int64_t clock_ns = 0;
    int64_t day_ns = 0;
    if (!read_date_bsd(&c, &date) || !read_clock(&c, &clock_ns))
        return ERR_FORMAT;
    read_year_behind(&c, &date);
    if (!read_end(&c, &zone_minutes))
        return ERR_FORMAT;
    if (!day_of_bsd(&date, zone_minutes, reference_ns, cache, &day_ns))
        return ERR_FORMAT;
    *out = day_ns + clock_ns - zone_minutes * CLOCK_NS_PER_MINUTE;
    return 0;
}

int stamp_parse(int64_t *out, struct slice text, int32_t zone_minutes, int64_t reference_ns,
                struct stamp_cache *cache)
{
    struct cursor c = cursor_of(text);
    if (text.len < 10)
        return ERR_FORMAT;
    skip_weekday(&c);
    if (cursor_left(&c) < 10)
        return ERR_FORMAT;
    if (digit_of(*c.at) > 9 || is_year_first(&c))
        return parse_bsd(out, c, zone_minutes, reference_ns, cache);
    int64_t day_ns = 0;
    int64_t clock_ns = 0;
    if (!read_date(&c, cache, &day_ns))
        return stamp_parse_epoch(out, text);
    if (c.at == c.end || (*c.at != 'T' && *c.at != ' ' && *c.at != ':' && *c.at != 't'))
        return ERR_FORMAT;
    c.at++;
    if (!read_clock(&c, &clock_ns) || !read_end(&c, &zone_minutes))
        return ERR_FORMAT;
    *out = day_ns + clock_ns - zone_minutes * CLOCK_NS_PER_MINUTE;
    return 0;
}

int stamp_parse_parts(int64_t *out, struct slice date, struct slice clock, int32_t zone_minutes,
                      struct stamp_cache *cache)
{
    struct cursor d = cursor_of(date);
    struct cursor c = cursor_of(clock);
    int64_t day_ns = 0;
    int64_t clock_ns = 0;
    if (!read_date(&d, cache, &day_ns) || d.at != d.end)
        return ERR_FORMAT;
    if (!read_clock(&c, &clock_ns) || !read_end(&c, &zone_minutes))
        return ERR_FORMAT;
    *out = day_ns + clock_ns - zone_minutes * CLOCK_NS_PER_MINUTE;
    return 0;
}

/* Ten digits, a point and a fraction of any length. */
static int parse_epoch_fraction(int64_t *out, struct slice text)
{
    struct cursor c = cursor_of(text);
    int64_t seconds = 0;
    if (text.len < STAMP_EPOCH_DIGITS + 2 || text.data[STAMP_EPOCH_DIGITS] != '.')
        return ERR_FORMAT;
    for (size_t i = 0; i < STAMP_EPOCH_DIGITS; i++, c.at++) {
        if (digit_of(*c.at) > 9)
            return ERR_FORMAT;
        seconds = seconds * 10 + digit_of(*c.at);
    }
    int64_t fraction_ns = read_fraction(&c);
    if (c.at != c.end || __builtin_mul_overflow(seconds, CLOCK_NS_PER_SECOND, &seconds) ||
        __builtin_add_overflow(seconds, fraction_ns, &seconds))
        return ERR_FORMAT;
    *out = seconds;
    return 0;
}

int stamp_parse_epoch(int64_t *out, struct slice text)
{
    int64_t value = 0;
    enum epoch_form form = EPOCH_DIGITS;
    if (value_epoch(text, &value, &form) == VALUE_INVALID)
        return parse_epoch_fraction(out, text);
    /* Ten and sixteen digits, and s.mmm, reach past what 64 bits of nanoseconds hold. */
    int64_t scale = 1;
    if (form == EPOCH_MILLIS_POINT || text.len == 13) {
        scale = CLOCK_NS_PER_SECOND / 1000;
    } else if (text.len == 10) {
        scale = CLOCK_NS_PER_SECOND;
    } else if (text.len == 16) {
        scale = CLOCK_NS_PER_SECOND / 1000000;
    }
    int64_t ns = 0;
    if (__builtin_mul_overflow(value, scale, &ns))
        return ERR_FORMAT;
    *out = ns;
    return 0;
}

int stamp_parse_zone(int32_t *out, struct slice text)
{
    struct cursor c = cursor_of(text);
    int32_t minutes = 0;
    if (text.len == 0 || !read_zone(&c, &minutes) || c.at != c.end)
        return ERR_FORMAT;
    *out = minutes;
    return 0;
}

size_t stamp_length_bsd(struct slice text)
{
    struct cursor c = cursor_of(text);
    struct clock_civil date = {0};
    int64_t clock_ns = 0;
    if (!read_date_bsd(&c, &date) || !read_clock(&c, &clock_ns))
        return 0;
    return (size_t)(c.at - text.data);
}

size_t stamp_length_iso(struct slice text)
{
    struct cursor c = cursor_of(text);
    int64_t clock_ns = 0;
    if (text.len < 19 || text.data[4] != '-' || text.data[7] != '-' || text.data[10] != 'T')
        return 0;
    if (four_digits(text.data) == 0 || two_digits(text.data + 5) == STAMP_NOT_DIGITS ||
        two_digits(text.data + 8) == STAMP_NOT_DIGITS)
        return 0;
    c.at += 11;
    if (!read_clock(&c, &clock_ns))
        return 0;
    int32_t zone_minutes = 0;
    if (c.at < c.end && *c.at != ' ' && !read_zone(&c, &zone_minutes))
        return 0;
    return (size_t)(c.at - text.data);
}
