/*
 * detect/source_watch.h - private to D12: what is remembered of one log source, and four statistics
 * over it.
 *
 *   gap     expected lines since the last line, against how large such gaps are here (ladder.h)
 *   rate    lines of an hour against the usual: CUSUM of the logarithm, reference threefold
 *   drift   unparsed lines: CUSUM of the likelihood of "half are" against "three times the usual";
 *           before that, a walk over the first lines: can this source be read at all?
 *   clock   smallest delay between a line's time and its arrival, in blocks of ten minutes
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
    SOURCE_DRIFTED = 1 << 3,
    SOURCE_FAST = 1 << 4,
    SOURCE_SLOW = 1 << 5,
    SOURCE_SEEN = 1 << 6, /* has had a line */
    SOURCE_UNSURE =
        1 << 7, /* the hour at hand was not watched from its beginning, or not all of it */
    SOURCE_READ = 1 << 8,   /* its lines can be read, or could once */
    SOURCE_UNREAD = 1 << 9, /* they never could */
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
    uint32_t unparsed;
    int64_t hour;   /* week.h; 0 = none yet */
    uint32_t hours; /* learned so far */
    /* rate */
    float down;
    float up;
    float shift; /* ln of heard over usual, while alarmed: a mean of hours */
    /* drift */
    float share; /* unparsed of all, usually */
    float drift;
    float cost_bad;
    float cost_good;
    /* clock */
    int32_t delay_least; /* seconds, of the block */
    int32_t delay_last;  /* of the block before; INT32_MAX = none */
    uint32_t timed;      /* lines with a time of their own in the block */
    uint32_t flags;
    uint32_t alarm_hours; /* of a changed rate */
    float level_expected; /* since the level was measured, up to the last line */
    uint32_t level_lines; /* heard */
    int32_t start;        /* unparsed lines against parsed ones, until SOURCE_READ */
};
static_assert(sizeof(struct source_watch) <= 704, "704 bytes a log source");

void source_watch_begin(struct source_watch *w);
/* Nobody watched: what was being measured is not known; a silence goes on. */
void source_watch_gap(struct source_watch *w, int64_t tick_ns);

/*
 * A line; tick_ns is the last tick. Returns SOURCE_DRIFTED or SOURCE_UNREAD when with it unparsed
 * lines became too many, else 0.
 */
uint32_t source_watch_line(struct source_watch *w, const struct flow *flow, int64_t tick_ns);

/* A source that could not be read can be now: what was unparsed until now is not its usual. */
void source_watch_readable(struct source_watch *w);

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
