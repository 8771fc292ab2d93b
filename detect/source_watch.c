#include "detect/source_watch.h"

#include "detect/real.h"

enum {
    GAP_LINES_LEAST = 20,       /* expected lines: a silence is never shorter */
    GAP_SECONDS_LEAST = 300,    /* a relay restarts within a minute */
    GAP_DENIES_SECONDS = 86400, /* of a source of refusals: nobody may have been refused all day */
    GAP_HOURS_LEAST = 72,       /* learned, before gaps mean anything */
    JUDGE_HOURS = 160,          /* learned, before the ledger counts: a week but for a few */
    LEVEL_LINES_LEAST = 10,     /* expected: what tells a level */
    RATE_HOURS_LEAST = 160,     /* learned: a week but for a few */
    RATE_LINES_LEAST = 50,      /* usual, in an hour that is compared */
    RATE_ACCEPT_HOURS = 24,     /* a level that lasts is the new one */
    CLOCK_LINES_LEAST = 10,     /* in a block */
    CLOCK_SECONDS_LEAST = 300,  /* off */
    CLOCK_STEADY_SECONDS = 60,  /* from block to block: a backlog being read changes faster */
    LAG_SECONDS = 120,          /* lines that arrived before that belong to another hour */
    SECONDS_AN_HOUR = 3600,
};

#define GAP_RATE_MOST  1e-3  /* gaps of that size a day; docs/detection.md has what comes of it */
#define GAP_BEND       8.0   /* lines */
#define GAP_LONGEST    1.5   /* times the longest one that was none */
#define LONGEST_KEPT   0.999 /* an hour: half of it after a month */
#define LADDER_DAYS    60.0
#define LEDGER_MARK    0.1 /* a day */
#define LEVEL_LEAST    0.02
#define RATE_REFERENCE 1.0986f /* ln 3 */
#define RATE_BOUND     3.0f    /* six hours at a fifth, three at a tenth or less */
#define RATE_STEP_MOST 1.0f
#define RATE_OVER      0.6931f /* ln 2 */
#define RATE_SMOOTH    5.0

void source_watch_begin(struct source_watch *w)
{
    *w = (struct source_watch){.level = 1.0,
                               .least = {-1.0f, -1.0f, -1.0f},
                               .delay_least = INT32_MAX,
                               .delay_last = INT32_MAX,
                               .flags = SOURCE_UNSURE};
}

static void begin_block(struct source_watch *w, int32_t last)
{
    w->delay_last = last;
    w->delay_least = INT32_MAX;
    w->timed = 0;
}

void source_watch_gap(struct source_watch *w, int64_t tick_ns)
{
    if ((w->flags & SOURCE_SILENT) == 0) {
        w->heard_ns = tick_ns;
        w->open = 0;
    }
    w->flags |= SOURCE_UNSURE;
    begin_block(w, INT32_MAX);
}

/* ----------------------------------------------------------------------------- lines */

/*
 * Rates of hours are guesses, and gaps under a guessed rate have a heavier end than exponential. On
 * this scale the end is exponential again: linear for a few lines, logarithmic for many.
 */
static double gap_size(double lines)
{
    return GAP_BEND * real_log1p(lines / GAP_BEND);
}

static void end_gap(struct source_watch *w)
{
    bool normal = (w->flags & SOURCE_SILENT) == 0;
    w->level_expected += (float)w->open;
    if (w->hours > JUDGE_HOURS && ladder_knows(&w->gaps))
        ladder_judge(&w->gaps, gap_size(w->open), LEDGER_MARK);
    if (normal && w->hours > GAP_HOURS_LEAST)
        ladder_learn(&w->gaps, gap_size(w->open));
    if (normal && w->open > w->longest)
        w->longest = w->open;
    w->open = 0;
}

static void note_delay(struct source_watch *w, const struct flow *flow)
{
    int64_t seconds = (flow->arrival_ns - flow->time_ns) / CLOCK_NS_PER_SECOND;
    if (seconds > INT32_MAX - 1)
        seconds = INT32_MAX - 1;
    if (seconds < INT32_MIN)
        seconds = INT32_MIN;
    if (seconds < w->delay_least)
        w->delay_least = (int32_t)seconds;
    w->timed++;
}

void source_watch_line(struct source_watch *w, const struct flow *flow, int64_t tick_ns)
{
    if (w->open > 0)
        end_gap(w);
    w->heard_ns = tick_ns;
    w->flags &= ~(uint32_t)SOURCE_DENIES;
    w->flags |= SOURCE_SEEN | ((flow->flags & FLOW_LGWAN) != 0 ? SOURCE_DENIES : 0U);
    if (tick_ns - flow->arrival_ns > LAG_SECONDS * CLOCK_NS_PER_SECOND)
        w->flags |= SOURCE_UNSURE;
    if ((flow->flags & FLOW_NO_TIME) == 0)
        note_delay(w, flow);
    w->lines++;
    w->level_lines++;
}

/* --------------------------------------------------------------------------- silence */

void source_watch_pass(struct source_watch *w, double seconds)
{
    if ((w->flags & SOURCE_SEEN) != 0)
        w->open += w->per_second * seconds;
}

void source_watch_minute(struct source_watch *w)
{
    /* An hour beside a quieter one may be as quiet: people come earlier and go later. */
    float now = w->least[0] < w->least[2] ? w->least[0] : w->least[2];
    now = now < w->least[1] ? now : w->least[1];
    w->per_second = now > 0 ? (double)now * w->level : 0;
}

double source_watch_bound(const struct source_watch *w)
{
    double bound = w->longest * GAP_LONGEST;
    return bound > GAP_LINES_LEAST ? bound : GAP_LINES_LEAST;
}

double source_watch_gap_rate(const struct source_watch *w)
{
    return ladder_knows(&w->gaps) ? ladder_rate(&w->gaps, gap_size(w->open)) : 0.0;
}

bool source_watch_silent(const struct source_watch *w, int64_t tick_ns)
{
    bool denies = (w->flags & SOURCE_DENIES) != 0;
    int64_t least_s = denies ? GAP_DENIES_SECONDS : GAP_SECONDS_LEAST;
    if (w->hours < GAP_HOURS_LEAST || w->open < source_watch_bound(w) ||
        tick_ns - w->heard_ns < least_s * CLOCK_NS_PER_SECOND)
        return false;
    return source_watch_gap_rate(w) <= GAP_RATE_MOST;
}

/* ------------------------------------------------------------------------------ hours */

/* An hour while the rate is another one: is it over? */
static void judge_change(struct source_watch *w, struct source_hour *h, float z)
{
    w->alarm_hours++;
    w->shift += (z - w->shift) * 0.25f;
    h->which = w->flags & (SOURCE_DROPPED | SOURCE_RISEN);
    bool usual = h->which == SOURCE_DROPPED ? z > -RATE_OVER : z < RATE_OVER;
    h->over = usual || w->alarm_hours >= RATE_ACCEPT_HOURS;
}

static float cusum_hour(float score, float z)
{
    float step = z - RATE_REFERENCE;
    score += step < RATE_STEP_MOST ? step : RATE_STEP_MOST;
    return score > 0 ? score : 0;
}

/* The CUSUMs of an hour; z is ln(heard / usual), against the least and the most that is usual. */
static void judge_rate(struct source_watch *w, struct source_hour *h, const float z[2])
{
    w->down = cusum_hour(w->down, -z[0]);
    w->up = cusum_hour(w->up, z[1]);
    h->which = w->down >= RATE_BOUND ? SOURCE_DROPPED : w->up >= RATE_BOUND ? SOURCE_RISEN : 0;
    if (h->which == 0)
        return;
    h->score = (double)(h->which == SOURCE_DROPPED ? w->down : w->up);
    w->flags |= h->which;
    w->alarm_hours = 0;
    w->shift = h->which == SOURCE_DROPPED ? z[0] : z[1];
}

static void compare(struct source_watch *w, struct source_hour *h, unsigned slot)
{
    double usual[2] = {source_usual_least(&w->usual, slot), source_usual_most(&w->usual, slot)};
    float z[2] = {0, 0};
    if (usual[1] < RATE_LINES_LEAST)
        return;
    for (int i = 0; i < 2; i++)
        z[i] = (float)real_log((h->lines + RATE_SMOOTH) / (usual[i] + RATE_SMOOTH));
    bool dropped = (w->flags & SOURCE_DROPPED) != 0;
    if ((w->flags & (SOURCE_DROPPED | SOURCE_RISEN)) != 0)
        judge_change(w, h, dropped ? z[0] : z[1]);
    else
        judge_rate(w, h, z);
    h->usual = h->which == SOURCE_DROPPED ? usual[0] : usual[1];
}

static void end_change(struct source_watch *w)
{
    if (w->alarm_hours >= RATE_ACCEPT_HOURS) {
        source_usual_scale(&w->usual, real_exp((double)w->shift));
        w->longest = 0; /* it was measured in lines of then */
    }
    w->flags &= ~(uint32_t)(SOURCE_DROPPED | SOURCE_RISEN);
    w->down = 0;
    w->up = 0;
}

static void end_hour(struct source_watch *w, struct source_hour *h)
{
    unsigned slot = week_slot(w->hour);
    bool silent = (w->flags & SOURCE_SILENT) != 0;
    h->lines = w->lines;
    bool rated = (w->flags & SOURCE_DENIES) == 0;
    if (w->hours >= RATE_HOURS_LEAST && !silent && rated && w->lines != 0)
        compare(w, h, slot);
    bool normal = !silent && (w->flags & (SOURCE_DROPPED | SOURCE_RISEN)) == 0;
    if (normal) {
        source_usual_learn(&w->usual, slot, h->lines);
        w->hours++;
        if (w->hours > JUDGE_HOURS)
            w->gaps.judged += 1.0 / WEEK_DAY_HOURS;
        if (w->hours > GAP_HOURS_LEAST)
            ladder_expose(&w->gaps, 1.0 / WEEK_DAY_HOURS, LADDER_DAYS);
        w->longest *= LONGEST_KEPT;
    }
    if (h->over)
        end_change(w);
}

static void set_expectations(struct source_watch *w)
{
    for (int i = 0; i < 3; i++) {
        double lines = source_usual_least(&w->usual, week_slot(w->hour + i - 1));
        w->least[i] = (float)(lines / SECONDS_AN_HOUR);
    }
}

struct source_hour source_watch_hour(struct source_watch *w, int64_t hour)
{
    struct source_hour h = {0};
    bool whole = (w->flags & (SOURCE_SEEN | SOURCE_UNSURE)) == SOURCE_SEEN && w->hour == hour - 1;
    if (whole)
        end_hour(w, &h);
    w->hour = hour;
    w->lines = 0;
    /* The first hour is not whole, but the next one is. */
    if ((w->flags & SOURCE_SEEN) != 0)
        w->flags &= ~(uint32_t)SOURCE_UNSURE;
    set_expectations(w);
    return h;
}

/* ------------------------------------------------------------------------------ clock */

static bool is_off(int32_t delay)
{
    return delay >= CLOCK_SECONDS_LEAST || delay <= -CLOCK_SECONDS_LEAST;
}

/* The level of the last few lines: who has gone home sends no more today. */
static void learn_level(struct source_watch *w)
{
    if (w->level_lines == 0 || w->level_expected < LEVEL_LINES_LEAST)
        return;
    /* Expected was said at the level of then. */
    double ratio = w->level * w->level_lines / (double)w->level_expected;
    if (ratio > 1.0)
        ratio = 1.0;
    if (ratio < LEVEL_LEAST)
        ratio = LEVEL_LEAST;
    w->level += (ratio - w->level) * 0.5;
    w->level_expected = 0;
    w->level_lines = 0;
}

struct source_block source_watch_block(struct source_watch *w)
{
    if ((w->flags & SOURCE_SILENT) == 0)
        learn_level(w);
    struct source_block b = {.delay_seconds = w->delay_least};
    uint32_t wrong = w->flags & (SOURCE_FAST | SOURCE_SLOW);
    int32_t last = w->delay_last;
    if (w->timed < CLOCK_LINES_LEAST) {
        begin_block(w, last);
        return b;
    }
    begin_block(w, b.delay_seconds);
    if (wrong != 0) {
        b.over =
            b.delay_seconds < CLOCK_SECONDS_LEAST / 2 && b.delay_seconds > -CLOCK_SECONDS_LEAST / 2;
        return b;
    }
    bool steady = last != INT32_MAX && (int64_t)b.delay_seconds - last <= CLOCK_STEADY_SECONDS &&
                  (int64_t)last - b.delay_seconds <= CLOCK_STEADY_SECONDS;
    if (steady && is_off(b.delay_seconds) && is_off(last))
        b.event = b.delay_seconds < 0 ? SOURCE_FAST : SOURCE_SLOW;
    w->flags |= b.event;
    return b;
}
