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
    TIME_TEXT_BYTES_MAX = 64,                     /* of a layout and of a text */
    TIME_PEN_BYTES_MAX = 3 * TIME_TEXT_BYTES_MAX, /* %9N takes three bytes and gives nine */
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

/* How far the text is from a row's time; false when it would be printed otherwise. */
bool time_text_distance(const struct time_text *t, struct slice text, int64_t time_ns,
                        int64_t *distance);
/* Append the text at that distance; false when there is none. */
bool time_text_print(const struct time_text *t, int64_t time_ns, int64_t distance, struct buf *out);

/*
 * For many texts of one layout: of what was written last, only the time of day is written anew as
 * long as the day is the same. A pen is the layout's as long as that is there, and a plain value.
 */
struct time_pen {
    const struct time_text *layout;
    bool has_day;    /* something was written: */
    int64_t moment;  /* what, in units, */
    int64_t day;     /* and its day, since 1970 */
    int32_t seconds; /* of the day */
    char text[TIME_PEN_BYTES_MAX];
    uint8_t len;
    uint8_t part_count;
    struct {
        char letter;                  /* H, M, S, or how many digits of the fraction */
        uint8_t at;                   /* in `text` */
    } parts[TIME_TEXT_BYTES_MAX / 2]; /* of the time of day */
};

struct time_pen time_pen_of(const struct time_text *layout);
/* Write the text at that distance into pen->text; false when there is none. */
bool time_pen_write(struct time_pen *pen, int64_t time_ns, int64_t distance);
/* As time_text_distance(); `guess`: a distance that is likely, the one before. */
bool time_pen_distance(struct time_pen *pen, struct slice text, int64_t time_ns, int64_t guess,
                       int64_t *distance);
