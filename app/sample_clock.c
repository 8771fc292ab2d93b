#include "app/sample_clock.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    ZONE_STEP_MINUTES = 30, /* zones of the world that matter are whole half hours apart */
    ZONE_FAR_MINUTES = 14 * 60,
    CLOSE_SECONDS = 180, /* to a whole step, so that it is a zone */
    OFF_SECONDS = 120,   /* a clock that is further off is said */
};

const char *zone_basis_name(enum zone_basis basis)
{
    static const char *const NAMES[] = {
        [ZONE_ASSUMED] = "assumed",     [ZONE_IN_LINE] = "line", [ZONE_RELAY] = "relay",
        [ZONE_REFERENCE] = "reference", [ZONE_NO_TIME] = "none",
    };
    return NAMES[basis];
}

/* Differences between a line's time and its relay's. */
struct relay_gaps {
    int64_t *items;
    size_t count;
};

static int gap_compare(const void *left, const void *right)
{
    int64_t a;
    int64_t b;
    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return a < b ? -1 : a > b;
}

/* Is it a whole number of steps, as between zones? *minutes is that. */
static bool is_zone_step(int64_t ns, int32_t *minutes)
{
    int64_t step = ZONE_STEP_MINUTES * CLOCK_NS_PER_MINUTE;
    int64_t half = ns < 0 ? -step / 2 : step / 2;
    int64_t whole = (ns + half) / step * ZONE_STEP_MINUTES;
    int64_t rest = ns - whole * CLOCK_NS_PER_MINUTE;
    if (llabs(whole) > ZONE_FAR_MINUTES || llabs(rest) > CLOSE_SECONDS * CLOCK_NS_PER_SECOND)
        return false;
    *minutes = (int32_t)whole;
    return true;
}

/* Of lines whose time depends on the zone: which one is it? */
static void zone_guess(struct sample_clock *c, struct relay_gaps *gaps)
{
    int32_t steps = 0;
    int64_t apart = c->newest_ns - c->reference_ns;
    if (gaps->count * 2 > c->device && gaps->count != 0) {
        qsort(gaps->items, gaps->count, sizeof(*gaps->items), gap_compare);
        if (is_zone_step(gaps->items[gaps->count / 2], &steps)) {
            c->zone_minutes += steps;
            c->basis = ZONE_RELAY;
            return;
        }
    }
    /* An old file is old in any zone; only the future, or who knows the time, tells. */
    if (!is_zone_step(apart, &steps) || (!c->reference_given && steps < 0))
        return;
    c->zone_minutes += steps;
    c->basis = ZONE_REFERENCE;
}

static void clock_judge(struct sample_clock *c, struct relay_gaps *gaps)
{
    int32_t zone = c->zone_minutes;
    uint64_t timed = c->device + c->header;
    int64_t off = OFF_SECONDS * CLOCK_NS_PER_SECOND;
    if (timed == 0) {
        c->basis = ZONE_NO_TIME;
        return;
    }
    if (c->said * 10 >= timed * 9)
        c->basis = ZONE_IN_LINE;
    else
        zone_guess(c, gaps);
    int64_t moved = (int64_t)(c->zone_minutes - zone) * CLOCK_NS_PER_MINUTE;
    c->newest_ns -= moved;
    c->oldest_ns -= moved;
    c->offset_ns = c->newest_ns - c->reference_ns;
    c->is_off = c->offset_ns > off || (c->reference_given && c->offset_ns < -off);
}

/* One line in both zones. */
static void line_take(struct sample_clock *c, struct relay_gaps *gaps, struct feed *const *feeds,
                      struct slice line, int64_t *near_ns)
{
    uint8_t source = TIME_SOURCE_ARRIVAL;
    uint8_t other = TIME_SOURCE_ARRIVAL;
    int64_t time_ns = feed_peek_time(feeds[0], line, c->reference_ns, *near_ns, &source);
    int64_t moved_ns = feed_peek_time(feeds[1], line, c->reference_ns, *near_ns, &other);
    c->rows++;
    if (source != TIME_SOURCE_DEVICE && source != TIME_SOURCE_SYSLOG)
        return;
    *near_ns = time_ns;
    c->said += time_ns == moved_ns;
    c->newest_ns = c->newest_ns == CLOCK_NONE || time_ns > c->newest_ns ? time_ns : c->newest_ns;
    c->oldest_ns = c->oldest_ns == CLOCK_NONE || time_ns < c->oldest_ns ? time_ns : c->oldest_ns;
    if (source == TIME_SOURCE_SYSLOG) {
        c->header++;
        return;
    }
    c->device++;
    int64_t relay_ns = feed_peek_header_time(feeds[0], line, *near_ns);
    if (relay_ns != CLOCK_NONE && gaps->count < CLOCK_LINES_MAX)
        gaps->items[gaps->count++] = time_ns - relay_ns;
}

int sample_clock_read(struct sample_clock *out, const struct sample *s,
                      const struct sample_reading *how, bool reference_given)
{
    struct sample_clock c = {.oldest_ns = CLOCK_NONE,
                             .newest_ns = CLOCK_NONE,
                             .reference_ns = how->reference_ns,
                             .reference_given = reference_given,
                             .zone_minutes = how->zone_minutes};
    struct feed_options options = {.format = how->format,
                                   .layout = how->layout,
                                   .zone_minutes = how->zone_minutes,
                                   .split = SPLIT_LINES};
    struct feed *feeds[2] = {NULL, NULL};
    struct relay_gaps gaps = {.items = calloc(CLOCK_LINES_MAX, sizeof(*gaps.items))};
    int64_t near_ns = how->reference_ns;
    int err = gaps.items == NULL ? ERR_NOMEM : feed_open(&feeds[0], how->bench, &options);
    options.zone_minutes -= 60;
    if (err == 0)
        err = feed_open(&feeds[1], how->bench, &options);
    /* The newest lines tell the clock, and they stand at the end; #Fields: stands before them. */
    size_t first = s->count > CLOCK_LINES_MAX ? s->count - CLOCK_LINES_MAX : 0;
    for (size_t i = 0; i < s->count && err == 0; i++) {
        if (i >= first || sample_line(s, i).data[0] == '#')
            line_take(&c, &gaps, feeds, sample_text(s, i), &near_ns);
    }
    if (err == 0)
        clock_judge(&c, &gaps);
    feed_free(feeds[0]);
    feed_free(feeds[1]);
    free(gaps.items);
    if (err == 0)
        *out = c;
    return err;
}
