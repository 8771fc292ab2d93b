#include "store/time_text.h"

#include <string.h>

#include "base/clock.h"

enum {
    MONTH_BYTES = 3,
    NANO_DIGITS = 9,
};

#define DAY_NS      (86400 * CLOCK_NS_PER_SECOND)
#define YEAR_LEAST  1678
#define YEAR_MOST   2261
#define DISTANCE_NS (INT64_C(400) * 86400 * CLOCK_NS_PER_SECOND) /* a farther text stays a text */

static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* The layouts that devices use; digits of seconds and what stands behind are the text's own. */
static const char *const LAYOUTS[] = {
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%b %d %H:%M:%S",
    "%b %e %H:%M:%S",    "%b %d %Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S", "%H:%M:%S",
};

static int64_t power_of_ten(unsigned exponent)
{
    int64_t power = 1;
    for (unsigned i = 0; i < exponent; i++)
        power *= 10;
    return power;
}

/* Digits at the front of *text, exactly `count`; less than zero when there are others. */
static int32_t take_digits(struct slice *text, unsigned count)
{
    int32_t value = 0;
    if (text->len < count)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        char c = text->data[i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    *text = slice_from_offset(*text, count);
    return value;
}

static int32_t take_month(struct slice *text)
{
    for (int32_t month = 0; month < 12 && text->len >= MONTH_BYTES; month++) {
        if (memcmp(text->data, MONTHS + (size_t)month * MONTH_BYTES, MONTH_BYTES) == 0) {
            *text = slice_from_offset(*text, MONTH_BYTES);
            return month + 1;
        }
    }
    return -1;
}

/* A day of two places, the first a blank below ten. */
static int32_t take_day(struct slice *text)
{
    if (text->len < 2 || text->data[0] != ' ')
        return take_digits(text, 2);
    *text = slice_from_offset(*text, 1);
    return take_digits(text, 1);
}

/* Read what `letter` stands for. False when it is not there. */
static bool take_part(struct slice *text, char letter, struct clock_civil *c)
{
    int32_t *to = letter == 'Y'                    ? &c->year
                  : letter == 'm' || letter == 'b' ? &c->month
                  : letter == 'd' || letter == 'e' ? &c->day
                  : letter == 'H'                  ? &c->hour
                  : letter == 'M'                  ? &c->minute
                                                   : &c->second;
    if (letter == 'b')
        *to = take_month(text);
    else if (letter == 'e')
        *to = take_day(text);
    else
        *to = take_digits(text, letter == 'Y' ? 4 : 2);
    return *to >= 0;
}

/* Read a text by a layout; *rest is what stands behind. */
static bool take_all(const char *layout, struct slice text, struct clock_civil *c,
                     struct slice *rest)
{
    for (const char *at = layout; *at != '\0'; at++) {
        if (*at == '%' && at[1] >= '1' && at[1] <= '9') {
            unsigned digits = (unsigned)(at[1] - '0');
            int32_t fraction = take_digits(&text, digits);
            if (fraction < 0)
                return false;
            c->nanosecond = (int32_t)(fraction * power_of_ten(NANO_DIGITS - digits));
            at += 2;
        } else if (*at == '%') {
            if (!take_part(&text, *++at, c))
                return false;
        } else {
            if (text.len == 0 || text.data[0] != *at)
                return false;
            text = slice_from_offset(text, 1);
        }
    }
    *rest = text;
    return true;
}

bool time_text_layout(struct time_text *out, struct slice layout)
{
    struct time_text t = {.unit_ns = CLOCK_NS_PER_SECOND};
    if (layout.len == 0 || layout.len > TIME_TEXT_BYTES_MAX ||
        memchr(layout.data, '\0', layout.len) != NULL)
        return false;
    memcpy(t.layout, layout.data, layout.len);
    for (const char *at = t.layout; *at != '\0'; at++) {
        if (*at != '%')
            continue;
        char letter = *++at;
        if (letter >= '1' && letter <= '9') {
            t.unit_ns = power_of_ten(NANO_DIGITS - (unsigned)(letter - '0'));
            if (*++at != 'N')
                return false;
        } else if (letter == '\0' || strchr("YmdebHMS", letter) == NULL) {
            return false;
        }
        t.has_year |= letter == 'Y';
        t.has_date |= letter == 'm' || letter == 'b';
    }
    *out = t;
    return true;
}

bool time_text_guess(struct time_text *out, struct slice text)
{
    if (text.len > TIME_TEXT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); i++) {
        struct clock_civil civil = {0};
        struct slice rest = {0};
        char layout[2 * TIME_TEXT_BYTES_MAX];
        if (!take_all(LAYOUTS[i], text, &civil, &rest))
            continue;
        size_t len = strlen(LAYOUTS[i]);
        memcpy(layout, LAYOUTS[i], len);
        size_t digits = 0;
        while (rest.len > digits + 1 && digits < NANO_DIGITS && rest.data[0] == '.' &&
               rest.data[digits + 1] >= '0' && rest.data[digits + 1] <= '9')
            digits++;
        if (digits != 0) {
            const char part[] = {'.', '%', (char)('0' + digits), 'N'};
            memcpy(layout + len, part, sizeof(part));
            len += sizeof(part);
            rest = slice_from_offset(rest, digits + 1);
        }
        if (rest.len != 0 && memchr(rest.data, '%', rest.len) != NULL)
            return false;
        if (rest.len != 0)
            memcpy(layout + len, rest.data, rest.len);
        return time_text_layout(out, slice_of(layout, len + rest.len));
    }
    return false;
}

static int64_t floor_to(int64_t value, int64_t unit)
{
    return value / unit - (value % unit < 0 ? 1 : 0);
}

static uint64_t apart(int64_t a, int64_t b)
{
    return a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

/* The moment a text without a year means: of three years the nearest. */
static bool nearest_year(struct clock_civil *c, int64_t time_ns, int64_t *out)
{
    struct clock_civil now;
    clock_to_civil(&now, time_ns);
    bool any = false;
    for (int32_t year = now.year - 1; year <= now.year + 1; year++) {
        c->year = year;
        if (year < YEAR_LEAST + 1 || year > YEAR_MOST - 1 || !clock_civil_valid(c))
            continue;
        int64_t ns = clock_from_civil(c);
        if (!any || apart(ns, time_ns) < apart(*out, time_ns))
            *out = ns;
        any = true;
    }
    return any;
}

/* The moment a time of day means: today, yesterday or tomorrow. */
static bool nearest_day(struct clock_civil *c, int64_t time_ns, int64_t *out)
{
    struct clock_civil day;
    clock_to_civil(&day, time_ns);
    c->year = day.year;
    c->month = day.month;
    c->day = day.day;
    if (!clock_civil_valid(c))
        return false;
    int64_t ns = clock_from_civil(c);
    if (ns - time_ns > DAY_NS / 2)
        ns -= DAY_NS;
    else if (time_ns - ns > DAY_NS / 2)
        ns += DAY_NS;
    *out = ns;
    return true;
}

static bool time_is_civil(int64_t time_ns)
{
    return time_ns > INT64_MIN + DISTANCE_NS && time_ns < INT64_MAX - DISTANCE_NS;
}

bool time_text_distance(const struct time_text *t, struct slice text, int64_t time_ns,
                        int64_t *distance)
{
    struct clock_civil c = {.year = 1970, .month = 1, .day = 1};
    struct slice rest = {0};
    int64_t ns = 0;
    if (!time_is_civil(time_ns) || text.len > TIME_TEXT_BYTES_MAX ||
        !take_all(t->layout, text, &c, &rest) || rest.len != 0)
        return false;
    if (t->has_date && t->has_year) {
        if (c.year <= YEAR_LEAST || c.year >= YEAR_MOST || !clock_civil_valid(&c))
            return false;
        ns = clock_from_civil(&c);
    } else if (t->has_date ? !nearest_year(&c, time_ns, &ns) : !nearest_day(&c, time_ns, &ns)) {
        return false;
    }
    if (apart(ns, time_ns) > DISTANCE_NS)
        return false;
    int64_t d = floor_to(ns, t->unit_ns) - floor_to(time_ns, t->unit_ns);
    char copy[2 * TIME_TEXT_BYTES_MAX];
    struct buf again = {.data = copy, .cap = sizeof(copy), .limit = sizeof(copy)};
    bool same = time_text_print(t, time_ns, d, &again) && slice_equal(buf_content(&again), text);
    if (same)
        *distance = d;
    return same;
}

static void put_digits(struct buf *out, int64_t value, unsigned count)
{
    char digits[NANO_DIGITS];
    for (unsigned i = count; i > 0; i--) {
        digits[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    buf_append(out, digits, count);
}

static void put_part(struct buf *out, char letter, const struct clock_civil *c)
{
    if (letter == 'b')
        buf_append(out, MONTHS + (size_t)(c->month - 1) * MONTH_BYTES, MONTH_BYTES);
    else if (letter == 'e' && c->day < 10)
        buf_byte(out, ' ');
    if (letter == 'e') {
        put_digits(out, c->day, c->day < 10 ? 1 : 2);
    } else if (letter == 'Y') {
        put_digits(out, c->year, 4);
    } else if (letter != 'b') {
        put_digits(out,
                   letter == 'm'   ? c->month
                   : letter == 'd' ? c->day
                   : letter == 'H' ? c->hour
                   : letter == 'M' ? c->minute
                                   : c->second,
                   2);
    }
}

bool time_text_print(const struct time_text *t, int64_t time_ns, int64_t distance, struct buf *out)
{
    struct clock_civil c;
    int64_t most = DISTANCE_NS / t->unit_ns + 1;
    if (!time_is_civil(time_ns) || distance > most || distance < -most)
        return false;
    clock_to_civil(&c, (floor_to(time_ns, t->unit_ns) + distance) * t->unit_ns);
    for (const char *at = t->layout; *at != '\0'; at++) {
        if (*at != '%') {
            buf_byte(out, *at);
            continue;
        }
        char letter = *++at;
        if (letter >= '1' && letter <= '9') {
            unsigned digits = (unsigned)(letter - '0');
            put_digits(out, c.nanosecond / power_of_ten(NANO_DIGITS - digits), digits);
            at++;
        } else {
            put_part(out, letter, &c);
        }
    }
    return buf_ok(out);
}
