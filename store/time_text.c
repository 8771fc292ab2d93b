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

/* How far a text of the layout is from a time; what it would be printed as is not asked. */
static bool read_distance(const struct time_text *t, struct slice text, int64_t time_ns,
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
    *distance = floor_to(ns, t->unit_ns) - floor_to(time_ns, t->unit_ns);
    return true;
}

/* Two digits. */
static void write_pair(char *to, int32_t value)
{
    to[0] = (char)('0' + value / 10);
    to[1] = (char)('0' + value % 10);
}

static void write_digits(char *to, int32_t value, unsigned count)
{
    for (unsigned i = count; i > 0; i--) {
        to[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Write a part that the date gives; the bytes written. */
static size_t write_date(char *to, char letter, const struct clock_civil *c)
{
    switch (letter) {
    case 'b':
        memcpy(to, MONTHS + (size_t)(c->month - 1) * MONTH_BYTES, MONTH_BYTES);
        return MONTH_BYTES;
    case 'Y':
        write_digits(to, c->year, 4);
        return 4;
    case 'e':
        write_pair(to, c->day);
        if (c->day < 10)
            to[0] = ' ';
        return 2;
    default:
        write_pair(to, letter == 'm' ? c->month : c->day);
        return 2;
    }
}

/* The parts of the time of day at their places. */
static void write_time(struct time_pen *pen, int64_t of_day_ns)
{
    int32_t seconds = (int32_t)(of_day_ns / CLOCK_NS_PER_SECOND);
    bool same = pen->has_day && seconds == pen->seconds; /* and the day is the same */
    pen->seconds = seconds;
    for (unsigned i = 0; i < pen->part_count; i++) {
        char letter = pen->parts[i].letter;
        char *to = pen->text + pen->parts[i].at;
        if (letter >= '1' && letter <= '9') {
            unsigned digits = (unsigned)(letter - '0');
            int64_t rest = of_day_ns % CLOCK_NS_PER_SECOND;
            write_digits(to, (int32_t)(rest / power_of_ten(NANO_DIGITS - digits)), digits);
        } else if (!same) {
            write_pair(to, letter == 'H'   ? seconds / 3600
                           : letter == 'M' ? seconds / 60 % 60
                                           : seconds % 60);
        }
    }
}

/* What the day of `ns` gives, and where the time of day has its place. */
static void write_day(struct time_pen *pen, int64_t ns)
{
    struct clock_civil c;
    size_t len = 0;
    clock_to_civil(&c, ns);
    pen->part_count = 0;
    for (const char *at = pen->layout->layout; *at != '\0'; at++) {
        if (*at != '%') {
            pen->text[len++] = *at;
            continue;
        }
        char letter = *++at;
        bool digits = letter >= '1' && letter <= '9';
        if (digits || letter == 'H' || letter == 'M' || letter == 'S') {
            pen->parts[pen->part_count].letter = letter;
            pen->parts[pen->part_count++].at = (uint8_t)len;
            len += digits ? (size_t)(letter - '0') : 2;
            at += digits;
        } else {
            len += write_date(pen->text + len, letter, &c);
        }
    }
    pen->len = (uint8_t)len;
}

struct time_pen time_pen_of(const struct time_text *layout)
{
    return (struct time_pen){.layout = layout};
}

bool time_pen_write(struct time_pen *pen, int64_t time_ns, int64_t distance)
{
    const int64_t unit_ns = pen->layout->unit_ns;
    int64_t most = DISTANCE_NS / unit_ns + 1;
    if (!time_is_civil(time_ns) || distance > most || distance < -most)
        return false;
    int64_t moment = floor_to(time_ns, unit_ns) + distance;
    if (pen->has_day && moment == pen->moment)
        return true;
    int64_t ns = moment * unit_ns;
    int64_t day = floor_to(ns, DAY_NS);
    int64_t rest = ns % DAY_NS;
    if (day != pen->day)
        pen->has_day = false;
    if (!pen->has_day)
        write_day(pen, ns);
    write_time(pen, rest < 0 ? rest + DAY_NS : rest);
    pen->day = day;
    pen->moment = moment;
    pen->has_day = true;
    return true;
}

static bool pen_wrote(const struct time_pen *pen, struct slice text)
{
    return text.len == pen->len && memcmp(text.data, pen->text, pen->len) == 0;
}

bool time_pen_distance(struct time_pen *pen, struct slice text, int64_t time_ns, int64_t guess,
                       int64_t *distance)
{
    int64_t d = guess;
    if (text.len > TIME_TEXT_BYTES_MAX)
        return false;
    if (!time_pen_write(pen, time_ns, guess) || !pen_wrote(pen, text)) {
        if (!read_distance(pen->layout, text, time_ns, &d) || !time_pen_write(pen, time_ns, d) ||
            !pen_wrote(pen, text))
            return false;
    }
    *distance = d;
    return true;
}

bool time_text_distance(const struct time_text *t, struct slice text, int64_t time_ns,
                        int64_t *distance)
{
    struct time_pen pen = time_pen_of(t);
    int64_t d = 0;
    if (!read_distance(t, text, time_ns, &d) || !time_pen_write(&pen, time_ns, d) ||
        !pen_wrote(&pen, text))
        return false;
    *distance = d;
    return true;
}

bool time_text_print(const struct time_text *t, int64_t time_ns, int64_t distance, struct buf *out)
{
    struct time_pen pen = time_pen_of(t);
    if (!time_pen_write(&pen, time_ns, distance))
        return false;
    buf_append(out, pen.text, pen.len);
    return buf_ok(out);
}
