/* tests/detect/log_town.h - the log sources of a town of fifty people, day and night, before one detector. */
#pragma once

#include <stdlib.h>

#include "base/calendar.h"
#include "tests/detect/fake_run.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define HOUR   CALENDAR_HOUR_NS
#define DAY    CALENDAR_DAY_NS
#define START  (INT64_C(1790521200) * SECOND) /* Monday 2026-09-28 00:00 JST */

enum {
    SOURCES = 2,
    LEARN_DAYS = 8, /* until Tuesday */
    PER_MILLE = 1000,
    ALPHA = 1, /* formats, as the fake run calls them */
    BETA = 2,
};

/* How a source behaves; zeroed it is gone. */
struct source {
    uint32_t permille; /* of its usual lines */
    uint32_t unparsed_permille;
    uint32_t beta_permille; /* of what is parsed: of the other format */
    uint32_t chatter;       /* unparsed lines an hour, day and night */
    int64_t ahead_ns;       /* of its clock */
    bool denies;            /* a firewall before the LGWAN */
};

struct town {
    struct detect_run run;
    uint64_t random;
    int64_t now_ns;
    struct source sources[SOURCES];
};

/* For cmocka's setup: a town whose sources all behave like that. */
static inline int town_begin(void **state, const struct detector *detector, struct source usual)
{
    struct town *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->random = 7;
    t->now_ns = START;
    for (unsigned i = 0; i < SOURCES; i++)
        t->sources[i] = usual;
    fake_run_begin(&t->run, detector, DETECT_SMALL);
    fake_run_tick(&t->run, START);
    *state = t;
    return 0;
}

/* For its teardown. */
static inline int town_end(void **state)
{
    struct town *t = *state;
    fake_run_end(&t->run);
    free(t);
    return 0;
}

static inline bool chance(struct town *t, uint32_t of, uint32_t in)
{
    if (of == 0)
        return false;
    t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (t->random >> 33) % in < of;
}

/* A line of that source now, of a format or unparsed. */
static inline void put(struct town *t, unsigned source, bool unparsed, uint8_t format)
{
    const struct source *s = &t->sources[source];
    struct flow f = fake_flow("10.1.0.2", "198.51.100.7", 443, t->now_ns + s->ahead_ns);
    f.arrival_ns = t->now_ns;
    f.log_source = (uint8_t)source;
    f.format = unparsed ? 0 : format;
    f.flags |= unparsed ? FLOW_UNPARSED : 0;
    f.flags |= s->denies ? FLOW_REFUSED | FLOW_LGWAN : 0;
    fake_run_flow(&t->run, &f);
}

/* A line as that source writes them. */
static inline void line(struct town *t, unsigned source)
{
    const struct source *s = &t->sources[source];
    bool unparsed = chance(t, s->unparsed_permille, PER_MILLE);
    put(t, source, unparsed, chance(t, s->beta_permille, PER_MILLE) ? BETA : ALPHA);
}

/* Lines an hour. */
static inline uint32_t town_lines(int64_t now_ns)
{
    int64_t day = calendar_day(now_ns);
    uint32_t hour = calendar_minute(now_ns) / 60;
    if (!calendar_open(day))
        return 12;
    if (hour >= 9 && hour < 17)
        return hour == 12 ? 250 : 500;
    return hour == 8 || hour == 17 ? 200 : 20;
}

/* Second by second; true when a finding came, before `span_ns` are over. */
static inline bool live(struct town *t, int64_t span_ns)
{
    int64_t end_ns = t->now_ns + span_ns;
    while (t->now_ns < end_ns) {
        t->now_ns += SECOND;
        fake_run_tick(&t->run, t->now_ns);
        for (unsigned i = 0; i < SOURCES; i++) {
            const struct source *s = &t->sources[i];
            if (chance(t, town_lines(t->now_ns) * s->permille, 3600 * PER_MILLE))
                line(t, i);
            if (chance(t, s->chatter, 3600))
                put(t, i, true, 0);
        }
        if (t->run.finding_count != 0)
            return true;
    }
    return false;
}

/* A week of learning, until Tuesday at that hour. */
static inline void learn(struct town *t, int64_t hour)
{
    assert_false(live(t, LEARN_DAYS * DAY + hour * HOUR));
}

/* Nobody watches for so long; `known`: and that is known when it is over. Nothing is found. */
static inline void miss(struct town *t, int64_t span_ns, bool known)
{
    uint64_t fired = t->run.fired;
    t->now_ns += span_ns;
    t->run.gap = known;
    fake_run_tick(&t->run, t->now_ns);
    t->run.gap = false;
    assert_int_equal(t->run.fired, fired);
}

/* The only finding there is: of that text, about a source. */
static inline const struct finding *first_of(const struct town *t, unsigned text)
{
    assert_int_equal(t->run.finding_count, 1);
    assert_int_equal(t->run.findings[0].text, text);
    assert_string_equal(fake_item(&t->run.findings[0], "sekisho.source"), "source");
    assert_false(t->run.findings[0].scored);
    return &t->run.findings[0];
}

static inline long number_of(const struct finding *f, const char *name)
{
    return strtol(fake_item(f, name), NULL, 10);
}
