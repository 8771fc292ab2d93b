#include "detect/parse_watch.h"

#include "base/clock.h"
#include "detect/real.h"

enum {
    START_LINES = 50,      /* more unparsed than explained: it never could be read */
    START_PARSED = 4,      /* a parsed line explains that many: of five, one */
    START_READ_LINES = 20, /* explained beyond: it can be read */
    LEARN_HOURS = 3,       /* with lines, before anything can drift */
    SHARE_HOURS = 72,      /* memory of the usual: a weekend is not all of it */
    ACCEPT_HOURS = 24,     /* with lines: a format that lasts is the new one */
    SAID_DAILY_HOURS = 24,
    STEP_LINES = 1000,  /* of a source in one step, however short: no restart is so long */
    QUIET_MINUTES = 30, /* at zero, before a drift is over; twice as long each time */
    QUIET_TIMES = 6,    /* it may become so long */
    QUIET_HOURS = 168,  /* with lines and no drift: one time less */
};

#define SHARE_LEAST 0.02    /* of lines */
#define SHARE_MOST  0.3     /* usual share from which on there is nothing to drift */
#define SHARE_TIMES 3.0     /* the usual share is no drift yet; SHARE_MOST of it below one */
#define MOST_TIMES  2.0f    /* the most of an hour is no drift yet */
#define MOST_KEPT   0.98f   /* an hour: half of it after a day and a half */
#define MOST_RISE   10.0f   /* it rises by no more than to that over MOST_TIMES of it */
#define FORMAT_BAD  3.2387f /* ln(0.51 / 0.02): costs as of a usual share of none */
#define FORMAT_GOOD 0.6931f /* ln(0.98 / 0.49) */
#define SUM_BOUND   150.0f  /* nats; 47 lines at the least */
#define SUM_STEP    15.0f   /* of a minute */
#define SUM_FULL    60.0f   /* from where it falls when it was said: some 90 good lines */

static void set_odds(struct parse_watch *w)
{
    if ((double)w->share > SHARE_MOST)
        return; /* nothing to drift, and no odds: SHARE_TIMES as many may be more than all */
    double many = (double)w->share * SHARE_TIMES;
    double usual = many > SHARE_LEAST ? many : SHARE_LEAST;
    double drifted = 0.5 + usual * 0.5;
    w->cost_bad = (float)(real_log(drifted) - real_log(usual));
    w->cost_good = (float)(real_log1p(-usual) - real_log1p(-drifted));
}

void parse_watch_begin(struct parse_watch *w)
{
    *w = (struct parse_watch){.share = 0};
    set_odds(w);
}

/* ------------------------------------------------------------------------------- sums */

/* `said`: its numbers are still to be told. */
static void fold(struct parse_sum *s, bool said)
{
    float step = s->minute < SUM_STEP ? s->minute : SUM_STEP;
    s->score += step > -SUM_STEP ? step : -SUM_STEP;
    s->minute = 0;
    if (s->score > s->peak)
        s->peak = s->score;
    if (said && s->score > SUM_FULL)
        s->score = SUM_FULL;
    if (s->score < 0)
        s->score = 0;
    if (!(s->score > 0) && !said)
        *s = (struct parse_sum){.score = 0};
}

/* A step of the sums is over with its minute, or where very many lines come with so many. */
static void step_to(struct parse_watch *w, int64_t tick_ns)
{
    int64_t minute = tick_ns / CLOCK_NS_PER_MINUTE;
    if (minute == w->minute && w->step_lines < STEP_LINES)
        return;
    fold(&w->unread, (w->flags & PARSE_DRIFTED) != 0);
    fold(&w->format, (w->flags & PARSE_CHANGED) != 0);
    if (w->unread.score > 0)
        w->quiet = 0;
    else
        w->quiet += minute != w->minute;
    w->minute = minute;
    w->step_lines = 0;
}

/* A line more; `cost` is what it says for a drift, 0 for nothing either way. */
static void count(struct parse_sum *s, bool odd, float cost, int64_t tick_ns)
{
    if (s->since_ns == 0 && !(cost > 0))
        return;
    if (s->since_ns == 0)
        s->since_ns = tick_ns;
    s->lines++;
    s->odd += odd;
    s->minute += cost;
}

/* ------------------------------------------------------------------------------ lines */

/* The walk over the first lines; PARSE_UNREAD when it passed its bound with this one. */
static uint32_t count_start(struct parse_watch *w, bool unparsed)
{
    w->start += unparsed ? 1 : -START_PARSED;
    if (w->start > START_LINES)
        w->start = START_LINES;
    if (w->start <= -START_READ_LINES)
        w->flags |= PARSE_READ;
    bool bound = w->start == START_LINES && (w->flags & PARSE_UNREAD) == 0;
    w->flags |= bound ? PARSE_UNREAD : 0;
    return bound ? PARSE_UNREAD : 0;
}

static bool is_foreign(const struct parse_watch *w, const struct flow *flow)
{
    return flow->format != 0 && flow->format < 64 && (w->known >> flow->format & 1) == 0;
}

static uint32_t count_unread(struct parse_watch *w, bool unparsed, int64_t tick_ns)
{
    if ((double)w->share > SHARE_MOST)
        return 0;
    bool usual = unparsed && (float)w->unparsed <= w->most * MOST_TIMES;
    float cost = unparsed ? w->cost_bad : -w->cost_good;
    count(&w->unread, unparsed, usual ? 0 : cost, tick_ns);
    if (!unparsed || w->unread.score < SUM_BOUND || (w->flags & PARSE_DRIFTED) != 0)
        return 0;
    w->flags |= PARSE_DRIFTED;
    w->alarm_hours[0] = 0;
    w->quiet = 0;
    w->times += w->times < QUIET_TIMES;
    return PARSE_DRIFTED;
}

static uint32_t count_format(struct parse_watch *w, const struct flow *flow, int64_t tick_ns)
{
    bool odd = is_foreign(w, flow);
    if (w->known == 0)
        return 0;
    if (odd)
        w->odd_format = flow->format;
    else
        format_habit_row(&w->habit, flow->format);
    count(&w->format, odd, odd ? FORMAT_BAD : -FORMAT_GOOD, tick_ns);
    if (!odd || w->format.score < SUM_BOUND || (w->flags & PARSE_CHANGED) != 0)
        return 0;
    w->flags |= PARSE_CHANGED;
    w->alarm_hours[1] = 0;
    return PARSE_CHANGED;
}

uint32_t parse_watch_line(struct parse_watch *w, const struct flow *flow, int64_t tick_ns)
{
    bool unparsed = (flow->flags & FLOW_UNPARSED) != 0;
    step_to(w, tick_ns);
    w->lines++;
    w->step_lines++;
    w->unparsed += unparsed;
    if (!unparsed && flow->format < 64)
        w->seen |= UINT64_C(1) << flow->format;
    if ((w->flags & PARSE_READ) == 0)
        return count_start(w, unparsed);
    if (w->hours < LEARN_HOURS)
        return 0;
    uint32_t event = count_unread(w, unparsed, tick_ns);
    return unparsed ? event : event | count_format(w, flow, tick_ns);
}

uint32_t parse_watch_shows(const struct parse_watch *w, const struct flow *flow)
{
    if ((flow->flags & FLOW_UNPARSED) != 0)
        return w->flags & (PARSE_DRIFTED | PARSE_UNREAD);
    return is_foreign(w, flow) ? w->flags & PARSE_CHANGED : 0;
}

/* ------------------------------------------------------------------------------- time */

/* A source that could not be read can be now: what it was until now is not its usual. */
static void begin_readable(struct parse_watch *w)
{
    uint32_t hours = w->hours;
    uint64_t seen = w->seen;
    int64_t minute = w->minute;
    parse_watch_begin(w);
    w->flags = PARSE_READ;
    w->hours = hours;
    w->minute = minute;
    w->seen = seen;
    w->known = seen;
}

uint32_t parse_watch_minute(struct parse_watch *w, int64_t tick_ns)
{
    uint32_t over = 0;
    step_to(w, tick_ns);
    if ((w->flags & PARSE_DRIFTED) != 0 && w->quiet >= (uint32_t)QUIET_MINUTES << (w->times - 1))
        over |= PARSE_DRIFTED;
    if ((w->flags & PARSE_CHANGED) != 0 &&
        (!(w->format.score > 0) || w->alarm_hours[1] >= ACCEPT_HOURS))
        over |= PARSE_CHANGED;
    if ((w->flags & PARSE_UNREAD) != 0 && (w->flags & PARSE_READ) != 0)
        over |= PARSE_UNREAD;
    w->flags &= ~over;
    if ((over & PARSE_DRIFTED) != 0) {
        w->unread = (struct parse_sum){.score = 0};
        w->quiet_hours = 0;
    }
    if ((over & PARSE_CHANGED) != 0) {
        w->format = (struct parse_sum){.score = 0};
        w->known |= UINT64_C(1) << w->odd_format | (w->seen & ~UINT64_C(1)); /* told of */
    }
    if ((over & PARSE_UNREAD) != 0)
        begin_readable(w);
    return over;
}

/* At the first hours, then once a day. */
static bool is_due(uint32_t hours)
{
    if (hours < SAID_DAILY_HOURS)
        return (hours & (hours - 1)) == 0;
    return hours % SAID_DAILY_HOURS == 0;
}

/*
 * What an hour says of the usual. One in which the device was restarted counts for little more than
 * one before it, or the next drift would be a usual thing.
 */
static void learn_unread(struct parse_watch *w)
{
    float unparsed = (float)w->unparsed;
    float room = w->most * MOST_TIMES + MOST_RISE;
    float part = 1.0f / (float)(w->hours + 1 < SHARE_HOURS ? w->hours + 1 : SHARE_HOURS);
    if (unparsed > room && w->hours >= LEARN_HOURS)
        unparsed = room;
    float lines = (float)(w->lines - w->unparsed) + unparsed;
    w->most = unparsed > w->most * MOST_KEPT ? unparsed : w->most * MOST_KEPT;
    w->mean_lines += (lines - w->mean_lines) * part;
    w->mean_unparsed += (unparsed - w->mean_unparsed) * part;
    w->share = w->mean_unparsed / w->mean_lines;
    set_odds(w);
}

/* A format is known when three hours had it; the first ones at once. */
static void learn_formats(struct parse_watch *w)
{
    uint64_t seen = w->seen & ~UINT64_C(1);
    if (w->hours < LEARN_HOURS || w->known == 0)
        w->known |= seen;
    w->known |= seen & w->twice;
    w->twice |= seen & w->once;
    w->once |= seen;
}

static void learn(struct parse_watch *w)
{
    if (w->unread.since_ns == 0)
        learn_unread(w);
    if (w->format.since_ns == 0)
        learn_formats(w);
    if ((w->flags & PARSE_DRIFTED) == 0 && ++w->quiet_hours >= QUIET_HOURS) {
        w->quiet_hours = 0;
        w->times -= w->times > 0;
    }
    w->hours++;
}

uint32_t parse_watch_hour(struct parse_watch *w)
{
    uint32_t again = 0;
    if (w->lines == 0)
        return 0;
    learn(w);
    if ((w->flags & (PARSE_DRIFTED | PARSE_UNREAD)) != 0 && is_due(++w->alarm_hours[0]) &&
        w->unparsed != 0)
        again |= w->flags & (PARSE_DRIFTED | PARSE_UNREAD);
    if ((w->flags & PARSE_CHANGED) != 0) {
        w->alarm_hours[1]++;
        if (w->alarm_hours[1] < ACCEPT_HOURS && is_due(w->alarm_hours[1]))
            again |= PARSE_CHANGED;
    }
    w->lines = 0;
    w->unparsed = 0;
    w->seen = 0;
    return again;
}
