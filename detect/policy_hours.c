#include "detect/policy_hours.h"

#include "base/err.h"

static struct slice trim(struct slice s)
{
    while (s.len != 0 && s.data[0] == ' ')
        s = slice_from_offset(s, 1);
    while (s.len != 0 && s.data[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* The part before the first `mark`, trimmed; *rest what is behind it, its data NULL at the end. */
static struct slice cut(struct slice text, char mark, struct slice *rest)
{
    const char *at = text.len == 0 ? NULL : memchr(text.data, mark, text.len);
    if (at == NULL) {
        *rest = (struct slice){0};
        return trim(text);
    }
    size_t len = (size_t)(at - text.data);
    *rest = slice_from_offset(text, len + 1);
    return trim(slice_of(text.data, len));
}

static bool two_digits(unsigned *out, const char *at)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *out = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    return true;
}

static bool parse_time(uint16_t *minute, struct slice text)
{
    unsigned hours = 0;
    unsigned minutes = 0;
    if (text.len != 5 || text.data[2] != ':' || !two_digits(&hours, text.data) ||
        !two_digits(&minutes, text.data + 3) || minutes > 59 ||
        hours * 60 + minutes > CALENDAR_DAY_MINUTES)
        return false;
    *minute = (uint16_t)(hours * 60 + minutes);
    return true;
}

static bool parse_days(struct policy_span *span, struct slice text)
{
    static const char *const NAMES[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    if (slice_equal(text, SLICE("daily")) || slice_equal(text, SLICE("weekdays")) ||
        slice_equal(text, SLICE("holidays"))) {
        span->open = text.data[0] != 'h';
        span->closed = text.data[0] != 'w';
        return true;
    }
    for (struct slice rest = text; rest.data != NULL;) {
        struct slice name = cut(rest, '+', &rest);
        unsigned day = 0;
        while (day < 7 && !slice_equal(name, slice_from(NAMES[day])))
            day++;
        if (day == 7)
            return false;
        span->weekdays |= (uint8_t)(1U << day);
    }
    return true;
}

static bool parse_span(struct policy_span *out, struct slice text)
{
    struct policy_span span = {0};
    struct slice times;
    struct slice until;
    if (slice_equal(text, SLICE("office")))
        text = SLICE("weekdays 08:30-17:15");
    struct slice days = cut(text, ' ', &times);
    if (times.data == NULL || !parse_days(&span, days))
        return false;
    struct slice from = cut(times, '-', &until);
    if (until.data == NULL || !parse_time(&span.from_minute, from) ||
        !parse_time(&span.to_minute, trim(until)) || span.from_minute == span.to_minute ||
        span.from_minute == CALENDAR_DAY_MINUTES)
        return false;
    *out = span;
    return true;
}

int policy_hours_parse(struct policy_hours *out, struct slice text)
{
    struct policy_hours hours = {0};
    if (slice_equal(trim(text), SLICE("always"))) {
        *out = hours;
        return 0;
    }
    for (struct slice rest = text; rest.data != NULL;) {
        struct slice part = cut(rest, ',', &rest);
        if (hours.count == POLICY_SPANS_MAX || !parse_span(&hours.spans[hours.count], part))
            return ERR_FORMAT;
        hours.count++;
    }
    if (hours.count == 0)
        return ERR_FORMAT;
    *out = hours;
    return 0;
}

static bool begins_on(const struct policy_span *span, int64_t day)
{
    if (span->weekdays != 0)
        return (span->weekdays >> calendar_weekday(day) & 1) != 0;
    return calendar_open(day) ? span->open : span->closed;
}

bool policy_hours_hold(const struct policy_hours *hours, int64_t time_ns, uint32_t grace_minutes)
{
    int64_t today = calendar_day(time_ns);
    uint32_t minute = calendar_minute(time_ns);
    for (uint8_t i = 0; i < hours->count; i++) {
        const struct policy_span *span = &hours->spans[i];
        uint32_t length =
            span->to_minute > span->from_minute
                ? (uint32_t)span->to_minute - span->from_minute
                : CALENDAR_DAY_MINUTES + (uint32_t)span->to_minute - span->from_minute;
        length += grace_minutes;
        /* A span of up to a day and its grace may have begun yesterday. */
        if (minute >= span->from_minute && minute - span->from_minute < length &&
            begins_on(span, today))
            return true;
        if (minute + CALENDAR_DAY_MINUTES - span->from_minute < length &&
            begins_on(span, today - 1))
            return true;
    }
    return hours->count == 0;
}
