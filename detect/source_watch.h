/*
 * detect/source_watch.h - private to D12: what is remembered of one log source, and three statistics
 * over it; whether its lines can be read is parse_watch.h.
 *
 *   gap     expected lines since the last line, against how large such gaps are here (ladder.h)
 *   rate    lines of an hour against the usual: CUSUM of the logarithm, reference threefold
 *   clock   smallest delay between a line's time and its arrival, in blocks of ten minutes
 *
 * A source of which only refusals are logged says as much as there is to refuse: its rate means
 * nothing, and it is silent after a day at the earliest.
 *
 * Time here is the ticks': a line was heard at the tick at hand, whatever it says itself.
 *
 * Ownership: plain data without pointers; source_watch_begin() makes a zeroed one ready.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include <assert.h>

#include "detect/flow.h"
#include "detect/ladder.h"
#include "detect/source_usual.h"

enum source_flag {
    SOURCE_SILENT = 1 << 0, /* what was said and is not over */
    SOURCE_DROPPED = 1 << 1,
    SOURCE_RISEN = 1 << 2,
    SOURCE_FAST = 1 << 3,
    SOURCE_SLOW = 1 << 4,
    SOURCE_SEEN = 1 << 5, /* has had a line */
    SOURCE_UNSURE =
        1 << 6, /* the hour at hand was not watched from its beginning, or not all of it */
    SOURCE_DENIES = 1 << 7, /* only what it refuses is logged */
};

struct source_watch {
    struct source_usual usual;
    struct ladder gaps; /* of bent expected lines; exposure in days */
    /* gap */
    int64_t heard_ns;  /* tick of the last line */
    double open;       /* expected lines since */
    double longest;    /* gap that was none; forgotten slowly */
    double level;      /* lately heard over expected, at most 1 */
    double per_second; /* expected, at hand */
    float least[3];    /* a second, in the hour before, at hand, after; negative = not known */
    /* hour */
    uint32_t lines;
    int64_t hour;   /* week.h; 0 = none yet */
    uint32_t hours; /* learned so far */
    /* rate */
    float down;
    float up;
    float shift; /* ln of heard over usual, while alarmed: a mean of hours */
    /* clock */
    int32_t delay_least; /* seconds, of the block */
    int32_t delay_last;  /* of the block before; INT32_MAX = none */
    uint32_t timed;      /* lines with a time of their own in the block */
    uint32_t flags;
    uint32_t alarm_hours; /* of a changed rate */
    float level_expected; /* since the level was measured, up to the last line */
    uint32_t level_lines; /* heard */
};
static_assert(sizeof(struct source_watch) <= 704, "704 bytes a log source");

void source_watch_begin(struct source_watch *w);
/* Nobody watched: what was being measured is not known; a silence goes on. */
void source_watch_gap(struct source_watch *w, int64_t tick_ns);

/* A line; tick_ns is the last tick. */
void source_watch_line(struct source_watch *w, const struct flow *flow, int64_t tick_ns);

/* Time passes. Call source_watch_minute() where a minute begins, before. */
void source_watch_pass(struct source_watch *w, double seconds);
/* How much is expected a second now. */
void source_watch_minute(struct source_watch *w);
/* Whether the source has been silent for too long now. */
bool source_watch_silent(const struct source_watch *w, int64_t tick_ns);
/* How many gaps like the one at hand a normal day holds; 0 while there are too few to say. */
double source_watch_gap_rate(const struct source_watch *w);
/* Expected lines that a gap has to reach before it is a silence. */
double source_watch_bound(const struct source_watch *w);

/* What an hour said of the rate. */
struct source_hour {
    double lines;   /* heard */
    double usual;   /* expected */
    double score;   /* of the CUSUM */
    uint32_t which; /* SOURCE_DROPPED or SOURCE_RISEN: it is, since now or longer; 0 = as usual */
    bool over;      /* until now: it is usual again, or has become so */
};
/* The hour at hand is over and `hour` begins. */
struct source_hour source_watch_hour(struct source_watch *w, int64_t hour);

/* What a block of ten minutes said of the clock. */
struct source_block {
    int32_t delay_seconds; /* smallest; negative: ahead */
    uint32_t event;        /* SOURCE_FAST or SOURCE_SLOW, once for each time */
    bool over;
};
struct source_block source_watch_block(struct source_watch *w);
