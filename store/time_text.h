/*
 * store/time_text.h - private to store/: texts that tell a row's time once more, as a number.
 *
 *   time of the row   2026-11-22T01:00:00.5Z
 *   text              2026/11/22 10:00:00       layout %Y/%m/%d %H:%M:%S    distance 32400 seconds
 *
 * A layout is what strftime() would be given: %Y %m %d %e %b %H %M %S, %1N to %9N for the digits
 * behind the seconds, and other bytes as they are. The distance from the row's time is counted in
 * the last digit that the layout shows; in one source it is nearly always the same. What a layout
 * leaves out (the year, the date) is that of the nearest moment.
 *
 * Ownership: a layout is a plain value.
 * Threads:   pure functions.
 * Failures:  false where a text is not of the layout, or would be printed otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum time_text_limits {
    TIME_TEXT_BYTES_MAX = 64, /* of a layout and of a text */
};

struct time_text {
    char layout[TIME_TEXT_BYTES_MAX + 1];
    int64_t unit_ns;
    bool has_date;
    bool has_year;
};

/* The layout of a text, if it is one. */
bool time_text_guess(struct time_text *out, struct slice text);
/* Read a layout from disk. */
bool time_text_layout(struct time_text *out, struct slice layout);

/* How far the text is from a row's time. */
bool time_text_distance(const struct time_text *t, struct slice text, int64_t time_ns,
                        int64_t *distance);
/* Append the text at that distance; false when there is none. */
bool time_text_print(const struct time_text *t, int64_t time_ns, int64_t distance, struct buf *out);
