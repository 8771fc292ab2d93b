/*
 * detect/policy_hours.h - when a registered flow may be seen: days and hours of Japan.
 *
 *   always
 *   office                          weekdays 08:30-17:15
 *   daily 02:00-05:00, sat+sun 09:00-17:00, weekdays 22:00-04:00
 *
 * `weekdays` are days on which offices are open; `holidays` all others. Day names are mon tue wed
 * thu fri sat sun, joined with '+', whatever is celebrated on them. A span that ends before it begins
 * goes on into the next day. Its end does not belong to it; 24:00 is the day's.
 *
 * Ownership: plain values.
 * Threads:   pure functions.
 * Failures:  ERR_FORMAT.
 */
#pragma once

#include "base/calendar.h"
#include "base/slice.h"

enum policy_hours_limits {
    POLICY_SPANS_MAX = 4,
};

struct policy_span {
    uint16_t from_minute; /* of the day */
    uint16_t to_minute;   /* up to 1,440; not above from_minute: of the next day */
    uint8_t weekdays;     /* bit 0 = Monday; 0 = by `open` and `closed` */
    bool open;            /* days on which offices are open */
    bool closed;          /* the others */
};

/* No span = always. */
struct policy_hours {
    struct policy_span spans[POLICY_SPANS_MAX];
    uint8_t count;
};

int policy_hours_parse(struct policy_hours *out, struct slice text);

/*
 * Whether the moment is within. A line about a session comes when the session is over, so a span
 * lasts `grace_minutes` longer than written.
 */
bool policy_hours_hold(const struct policy_hours *hours, int64_t time_ns, uint32_t grace_minutes);
