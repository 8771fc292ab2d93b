#include "base/clock.h"

#include <time.h>

#include "base/err.h"

enum {
    CLOCK_YEAR_MIN = 1678, /* the whole years that 64 bits of nanoseconds hold */
    CLOCK_YEAR_MAX = 2261,
    CLOCK_SECONDS_PER_DAY = 86400,
    CLOCK_DAYS_PER_ERA = 146097,     /* 400 years */
    CLOCK_EPOCH_SHIFT_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
};

/* What is left of a text that is read from the front. */
struct clock_cursor {
    const char *at;
    const char *end;
};

static int64_t clock_read(clockid_t id)
{
    struct timespec ts = {0};
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * CLOCK_NS_PER_SECOND + ts.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t clock_boot_ns(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

int64_t clock_cpu_ns(void)
{
    return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

/* Quotient rounded to minus infinity; the remainder then lies in 0..divisor-1. */
static int64_t floor_div(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

void clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / CLOCK_NS_PER_SECOND),
                             .tv_nsec = (long)(until_ns % CLOCK_NS_PER_SECOND)};
    return pthread_cond_timedwait(cond, lock, &until) == 0;
}

int64_t clock_days(int32_t year, int32_t month, int32_t day)
{
    /* Years start in March, so that the leap day is the last of the year. */
    int64_t y = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * CLOCK_DAYS_PER_ERA + day_of_era - CLOCK_EPOCH_SHIFT_DAYS;
}

static bool leap_year(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int32_t month_days(int32_t year, int32_t month)
{
    static const int8_t DAYS[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap_year(year) ? 29 : DAYS[month - 1];
}

bool clock_civil_valid(const struct clock_civil *c)
{
    if (c->month < 1 || c->month > 12)
        return false;
    if (c->day < 1 || c->day > month_days(c->year, c->month))
        return false;
    if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59)
        return false;
    if (c->second < 0 || c->second > 60)
        return false;
    return c->nanosecond >= 0 && c->nanosecond < CLOCK_NS_PER_SECOND;
}

int64_t clock_from_civil(const struct clock_civil *c)
{
    int64_t seconds = clock_days(c->year, c->month, c->day) * CLOCK_SECONDS_PER_DAY;
    seconds += (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second;
    return seconds * CLOCK_NS_PER_SECOND + c->nanosecond;
}

static void civil_from_seconds(struct clock_civil *out, int64_t seconds, int32_t nanosecond)
{
    int64_t days = floor_div(seconds, CLOCK_SECONDS_PER_DAY);
    int32_t of_day = (int32_t)(seconds - days * CLOCK_SECONDS_PER_DAY);
    days += CLOCK_EPOCH_SHIFT_DAYS;
    int64_t era = floor_div(days, CLOCK_DAYS_PER_ERA);
    int64_t day_of_era = days - era * CLOCK_DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    out->year = (int32_t)(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    out->month = (int32_t)month;
    out->day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->hour = of_day / 3600;
    out->minute = of_day / 60 % 60;
    out->second = of_day % 60;
    out->nanosecond = nanosecond;
}

void clock_to_civil(struct clock_civil *out, int64_t ns)
{
    int64_t seconds = floor_div(ns, CLOCK_NS_PER_SECOND);
    /* Not ns - seconds * 1e9: the product leaves 64 bits for the smallest times. */
    int64_t rest = ns % CLOCK_NS_PER_SECOND;
    civil_from_seconds(out, seconds, (int32_t)(rest < 0 ? rest + CLOCK_NS_PER_SECOND : rest));
}

/* Write `width` decimal digits of a number that is not negative. */
static void put_digits(char *to, int32_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Append the time with so many digits of the fraction; -1 = as many as are needed. */
static void print_civil(struct buf *out, const struct clock_civil *c, int digits)
{
    char text[32] = "0000-00-00T00:00:00.";
    put_digits(text, c->year, 4);
    put_digits(text + 5, c->month, 2);
    put_digits(text + 8, c->day, 2);
    put_digits(text + 11, c->hour, 2);
    put_digits(text + 14, c->minute, 2);
    put_digits(text + 17, c->second, 2);
    put_digits(text + 20, c->nanosecond, 9);
    if (digits < 0 && c->nanosecond == 0) {
        digits = 0;
    } else if (digits < 0) {
        digits = c->nanosecond % 1000000 == 0 ? 3 : c->nanosecond % 1000 == 0 ? 6 : 9;
    }
    buf_append(out, text, digits == 0 ? 19 : 20 + (size_t)digits);
}

void clock_print(struct buf *out, int64_t ns)
{
    struct clock_civil c;
    clock_to_civil(&c, ns);
    print_civil(out, &c, -1);
    buf_byte(out, 'Z');
}

void clock_print_ms(struct buf *out, int64_t ns)
{
    struct clock_civil c;
    clock_to_civil(&c, ns);
    print_civil(out, &c, 3);
    buf_byte(out, 'Z');
}

void clock_print_offset(struct buf *out, int32_t offset_minutes)
{
    int32_t minutes = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    char zone[6] = {offset_minutes < 0 ? '-' : '+', '0', '0', ':', '0', '0'};
    put_digits(zone + 1, minutes / 60, 2);
    put_digits(zone + 4, minutes % 60, 2);
    buf_append(out, zone, sizeof(zone));
}

void clock_print_zone(struct buf *out, int64_t ns, int32_t offset_minutes)
{
    struct clock_civil c;
    int64_t rest = ns % CLOCK_NS_PER_SECOND;
    int64_t seconds = floor_div(ns, CLOCK_NS_PER_SECOND) + (int64_t)offset_minutes * 60;
    civil_from_seconds(&c, seconds, (int32_t)(rest < 0 ? rest + CLOCK_NS_PER_SECOND : rest));
    print_civil(out, &c, -1);
    clock_print_offset(out, offset_minutes);
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly `width` digits. */
static bool take_digits(struct clock_cursor *in, int32_t *out, int width)
{
    int32_t value = 0;
    if (in->end - in->at < width)
        return false;
    for (int i = 0; i < width; i++) {
        if (!digit(in->at[i]))
            return false;
        value = value * 10 + (in->at[i] - '0');
    }
    in->at += width;
    *out = value;
    return true;
}

static bool take_char(struct clock_cursor *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

/* Digits after the point; those past the ninth are dropped. */
static bool take_fraction(struct clock_cursor *in, int32_t *out)
{
    int32_t value = 0;
    int count = 0;
    for (; in->at < in->end && digit(*in->at); in->at++, count++) {
        if (count < 9)
            value = value * 10 + (*in->at - '0');
    }
    if (count == 0)
        return false;
    for (; count < 9; count++)
        value *= 10;
    *out = value;
    return true;
}

static bool take_date_time(struct clock_cursor *in, struct clock_civil *c)
{
    if (!take_digits(in, &c->year, 4) || !take_char(in, '-') || !take_digits(in, &c->month, 2) ||
        !take_char(in, '-') || !take_digits(in, &c->day, 2))
        return false;
    if (!take_char(in, 'T') && !take_char(in, 't') && !take_char(in, ' '))
        return false;
    if (!take_digits(in, &c->hour, 2) || !take_char(in, ':') || !take_digits(in, &c->minute, 2) ||
        !take_char(in, ':') || !take_digits(in, &c->second, 2))
        return false;
    return !take_char(in, '.') || take_fraction(in, &c->nanosecond);
}

int clock_parse_zone(int32_t *out, struct slice text)
{
    if (text.len == 1 && (text.data[0] == 'Z' || text.data[0] == 'z')) {
        *out = 0;
        return 0;
    }
    if (text.len < 5)
        return ERR_FORMAT;
    struct clock_cursor in = {.at = text.data + 1, .end = text.data + text.len};
    int32_t hours = 0;
    int32_t minutes = 0;
    bool negative = text.data[0] == '-';
    if ((!negative && text.data[0] != '+') || !take_digits(&in, &hours, 2))
        return ERR_FORMAT;
    (void)take_char(&in, ':');
    if (!take_digits(&in, &minutes, 2) || in.at != in.end || hours > 23 || minutes > 59)
        return ERR_FORMAT;
    minutes += hours * 60;
    *out = negative ? -minutes : minutes;
    return 0;
}

/* The civil time and its offset. */
static int parse_civil(struct clock_civil *out, int32_t *offset_minutes, struct slice text)
{
    if (text.len == 0)
        return ERR_FORMAT;
    struct clock_cursor in = {.at = text.data, .end = text.data + text.len};
    struct clock_civil c = {0};
    int32_t offset = 0;
    if (!take_date_time(&in, &c) || !clock_civil_valid(&c))
        return ERR_FORMAT;
    if (c.year < CLOCK_YEAR_MIN || c.year > CLOCK_YEAR_MAX)
        return ERR_FORMAT;
    if (in.at < in.end) {
        int err = clock_parse_zone(&offset, slice_of(in.at, (size_t)(in.end - in.at)));
        if (err != 0)
            return err;
    }
    *out = c;
    *offset_minutes = offset;
    return 0;
}

int clock_parse(int64_t *out, struct slice text)
{
    struct clock_civil c;
    int32_t offset_minutes = 0;
    int err = parse_civil(&c, &offset_minutes, text);
    if (err == 0)
        *out = clock_from_civil(&c) - offset_minutes * CLOCK_NS_PER_MINUTE;
    return err;
}

int clock_parse_written(int64_t *out, struct slice text)
{
    struct clock_civil c;
    int32_t offset_minutes = 0;
    int err = parse_civil(&c, &offset_minutes, text);
    if (err == 0)
        *out = clock_from_civil(&c);
    return err;
}

int32_t clock_week(const struct clock_civil *c)
{
    /* The week is that of its Thursday; 1970-01-01 was one. */
    int64_t day = clock_days(c->year, c->month, c->day);
    int64_t thursday = day - ((day + 3) % 7 + 7) % 7 + 3;
    struct clock_civil mid;
    clock_to_civil(&mid, thursday * 86400 * CLOCK_NS_PER_SECOND);
    return (int32_t)((thursday - clock_days(mid.year, 1, 1)) / 7 + 1);
}

int clock_parse_duration(int64_t *out, struct slice text)
{
    static const struct {
        struct slice name;
        int64_t ns;
    } UNITS[] = {
        {{"ns", 2}, 1},
        {{"us", 2}, 1000},
        {{"ms", 2}, 1000000},
        {{"s", 1}, CLOCK_NS_PER_SECOND},
        {{"m", 1}, CLOCK_NS_PER_MINUTE},
        {{"h", 1}, 60 * CLOCK_NS_PER_MINUTE},
        {{"d", 1}, INT64_C(24) * 60 * CLOCK_NS_PER_MINUTE},
    };
    int64_t value = 0;
    size_t at = 0;
    for (; at < text.len && digit(text.data[at]); at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[at] - '0', &value))
            return ERR_FORMAT;
    }
    if (at == 0)
        return ERR_FORMAT;
    struct slice unit = slice_from_offset(text, at);
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        int64_t ns = 0;
        if (!slice_equal(unit, UNITS[i].name))
            continue;
        if (__builtin_mul_overflow(value, UNITS[i].ns, &ns))
            return ERR_FORMAT;
        *out = ns;
        return 0;
    }
    return ERR_FORMAT;
}
