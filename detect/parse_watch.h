/*
 * detect/parse_watch.h - private to D12: can the lines of a log source be read, and is it still the
 * source that it was?
 *
 *   start    a walk over the first lines: could this source be read at all?
 *   unread   CUSUM of the likelihood of "half cannot be read" against "three times the usual share",
 *            where more lines are unread in this hour than twice the most of the hours before
 *   format   the same of read lines whose format the source is not known for
 *
 *   hour          |  learned: share (of EWMAs), most, known formats -- unless a sum stands above zero
 *   minute  . . . |  sum of its lines, at most SUM_STEP either way --> score --> bound, or zero again
 *
 * Page's CUSUM (Continuous Inspection Schemes, Biometrika 41, 1954) over log-likelihood ratios, with
 * increments bounded, as robust statistics bounds what one observation may say (Huber 1981): a minute
 * is a tenth of the bound whatever it holds, or a thousand lines of it where more come. So neither a few broken lines nor the hundreds that a device writes while it starts are
 * a drift, and a firmware that writes another layout is one after ten minutes of work, or after some
 * fifty lines where few come. Since what counts is beyond the usual number and the usual share, lines
 * that were never read are nothing new at night either, when nothing else comes.
 *
 * A drift is over when its sum was at zero for half an hour, twice as long the second time and so
 * on: a source that comes and goes is one alert that goes on, not many a day.
 *
 * Time here is the ticks'.
 *
 * Ownership: plain data without pointers; parse_watch_begin() makes a zeroed one ready.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include <assert.h>

#include "detect/flow.h"
#include "event/format_habit.h"

enum parse_flag {
    PARSE_DRIFTED = 1 << 0, /* what was said and is not over */
    PARSE_CHANGED = 1 << 1,
    PARSE_UNREAD = 1 << 2, /* its lines never could be read */
    PARSE_READ = 1 << 3,   /* they can be read, or could once */
};

/* One CUSUM and what it has seen since it left zero. */
struct parse_sum {
    float score;
    float minute; /* of the minute at hand; not in the score yet */
    float peak;   /* of the score */
    uint32_t spare;
    int64_t since_ns; /* 0 = it is at zero */
    uint64_t lines;
    uint64_t odd;
};

struct parse_watch {
    struct parse_sum unread;
    struct parse_sum format;
    uint64_t known; /* formats, a bit for each id */
    uint64_t seen;  /* in the hour at hand */
    uint64_t once;  /* in an hour before */
    uint64_t twice; /* in two of them */
    int64_t minute;
    uint32_t step_lines; /* since the sums were added up */
    uint32_t lines;      /* of the hour at hand */
    uint32_t unparsed;
    uint32_t hours;          /* with lines, so far */
    uint32_t alarm_hours[2]; /* with lines since it was said: unread, format */
    float mean_lines;        /* of hours with lines, over some days */
    float mean_unparsed;
    float share; /* unparsed of all, usually */
    float most;  /* unparsed lines of an hour; forgotten slowly */
    float cost_bad;
    float cost_good;
    int32_t start; /* unparsed lines against parsed ones, until PARSE_READ */
    uint32_t flags;
    uint32_t quiet;            /* minutes with the sum of unread at zero */
    uint32_t quiet_hours;      /* with lines since the last drift */
    uint32_t times;            /* drifts lately: the more, the longer until one is over */
    struct format_habit habit; /* among known formats */
    uint8_t odd_format;        /* the last that was not known */
    uint8_t spare[7];
};
static_assert(sizeof(struct parse_watch) <= 208, "208 bytes a log source");

void parse_watch_begin(struct parse_watch *w);

/*
 * A line; tick_ns is the last tick. Returns the flag of what has become too much with it
 * (PARSE_DRIFTED, PARSE_CHANGED, PARSE_UNREAD), else 0.
 */
uint32_t parse_watch_line(struct parse_watch *w, const struct flow *flow, int64_t tick_ns);
/* The flags of what is said that this line is an instance of. */
uint32_t parse_watch_shows(const struct parse_watch *w, const struct flow *flow);
/* A minute begins, or goes on. Returns the flags of what is over now; they are taken off. */
uint32_t parse_watch_minute(struct parse_watch *w, int64_t tick_ns);
/*
 * The hour at hand is over. Returns the flags of what goes on and is worth saying again. A format
 * that has been another one for a day is over, too, with the next minute.
 */
uint32_t parse_watch_hour(struct parse_watch *w);
