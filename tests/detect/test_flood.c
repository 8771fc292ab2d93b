/* D11: floods, and crowds that are none. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "tests/detect/fake_run.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define HOUR   CALENDAR_HOUR_NS
#define DAY    CALENDAR_DAY_NS
#define START  (INT64_C(1790521200) * SECOND) /* Monday 2026-09-28 00:00 JST */
#define MS     INT64_C(1000000)

enum {
    TEXT_MANY,
    TEXT_ONE,
};

struct town {
    struct detect_run run;
    uint64_t random;
};

static uint32_t draw(struct town *t, uint32_t below)
{
    t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((t->random >> 33) % below);
}

static int begin(void **state)
{
    struct town *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->random = 1;
    fake_run_begin(&t->run, &detector_flood, DETECT_SMALL);
    *state = t;
    return 0;
}

static int end(void **state)
{
    struct town *t = *state;
    fake_run_end(&t->run);
    free(t);
    return 0;
}

/* Sessions to the web site, `gap` apart, from so many sources, of which permille fail. */
static void sessions(struct town *t, int64_t from_ns, int64_t gap_ns, int count, uint32_t sources,
                     uint32_t fail_permille)
{
    for (int i = 0; i < count; i++) {
        char source[32];
        uint32_t n = draw(t, sources);
        (void)snprintf(source, sizeof(source), "198.19.%u.%u", n / 250, n % 250 + 1);
        struct flow f = fake_flow(source, "10.1.64.10", 443, from_ns + i * gap_ns);
        f.flags |= draw(t, 1000) < fail_permille ? FLOW_FAILED : 0;
        fake_run_flow(&t->run, &f);
    }
}

/* Visitors by the hour: `day` a second at noon, a tenth of it at night. */
static void visitors(struct town *t, int64_t from_ns, int64_t to_ns, double day)
{
    for (int64_t m = from_ns; m < to_ns; m += MINUTE) {
        int64_t hour = (m - START) % DAY / HOUR;
        double rate = day * (hour >= 8 && hour < 20 ? 1.0 : 0.1) * (hour == 12 ? 1.5 : 1.0);
        int count = (int)(rate * 60) + (int)draw(t, 3);
        sessions(t, m, count == 0 ? MINUTE : MINUTE / count, count, 30000, 20);
        fake_run_tick(&t->run, m + MINUTE);
    }
}

static void test_flood(void **state)
{
    struct town *t = *state;
    visitors(t, START, START + 5 * DAY, 1.0);
    assert_int_equal(t->run.fired, 0);
    fake_run_move(&t->run);
    int64_t now = START + 5 * DAY + 10 * HOUR;
    sessions(t, now, 4 * MS, 4000, 30000, 1000);
    assert_int_equal(fake_count(&t->run, TEXT_MANY, "destination.ip", "10.1.64.10"), 1);
    assert_int_equal(t->run.fired, 1);
    assert_true(t->run.findings[0].flow->time_ns <= now + 10 * SECOND);
    assert_false(t->run.findings[0].ended);
    /* And over. */
    t->run.tick_ns = now + 16 * SECOND;
    fake_run_ticks(&t->run, now + 20 * MINUTE);
    assert_int_equal(t->run.fired, 2);
    assert_true(t->run.findings[1].ended);
    assert_int_equal(t->run.findings[1].text, TEXT_MANY);
}

static void test_one_source(void **state)
{
    struct town *t = *state;
    visitors(t, START, START + 4 * DAY, 0.2);
    int64_t now = START + 4 * DAY + 10 * HOUR;
    sessions(t, now, 5 * MS, 4000, 1, 0); /* all answered: a program gone wild */
    assert_int_equal(fake_count(&t->run, TEXT_ONE, "last.source", "198.19.0.1"), 1);
}

/* An hour of it is one alert that is amended, not one a minute. */
static void test_long_flood(void **state)
{
    struct town *t = *state;
    visitors(t, START, START + 4 * DAY, 0.2);
    int64_t now = START + 4 * DAY;
    for (int s = 0; s < 3600; s++) {
        sessions(t, now + s * SECOND, 10 * MS, 100, 30000, 1000);
        fake_run_tick(&t->run, now + (s + 1) * SECOND);
    }
    assert_int_equal(fake_count(&t->run, TEXT_MANY, NULL, NULL), t->run.fired);
    assert_true(t->run.fired >= 2 && t->run.fired <= 4);
}

static void test_look_alikes(void **state)
{
    struct town *t = *state;
    visitors(t, START, START + 7 * DAY, 2.0);
    int64_t now = START + 7 * DAY + 10 * HOUR;
    sessions(t, now, SECOND / 10, 36000, 30000, 20); /* five times as many for an hour */
    sessions(t, now + 3 * HOUR, SECOND / 40, 40 * 20, 30000, 20); /* twenty times for 20 seconds */
    sessions(t, now + 4 * HOUR, 2 * SECOND, 1500, 1, 0);   /* a search engine reads all pages */
    sessions(t, now + 5 * HOUR, 3 * SECOND, 400, 1, 1000); /* a monitor whose check fails */
    visitors(t, now + 6 * HOUR, now + 7 * HOUR, 2.0);
    assert_int_equal(t->run.fired, 0);
    /* Own PCs fetch patches, each once, within minutes. */
    for (int i = 0; i < 3000; i++) {
        char source[32];
        (void)snprintf(source, sizeof(source), "10.1.%d.%d", i / 250, i % 250 + 1);
        struct flow f = fake_flow(source, "10.1.64.20", 8530, now + 8 * HOUR + 40 * MS * i);
        fake_run_flow(&t->run, &f);
    }
    assert_int_equal(t->run.fired, 0);
}

static void test_new_server(void **state)
{
    struct town *t = *state;
    sessions(t, START, SECOND / 40, 40 * 300, 30000, 20); /* opens with forty a second */
    assert_int_equal(t->run.fired, 0);
    sessions(t, START + HOUR, 2 * MS, 20000, 30000, 1000);
    assert_int_equal(t->run.fired, 1);
}

/* A log of translated addresses fills a table of its own and exports no evictions. */
static void test_passing(void **state)
{
    struct town *t = *state;
    for (int i = 0; i < 20000; i++) {
        char dest[32];
        (void)snprintf(dest, sizeof(dest), "198.18.%d.%d", i / 250, i % 250 + 1);
        struct flow f = fake_flow("198.51.100.9", dest, 443, START + i * SECOND);
        fake_run_flow(&t->run, &f);
    }
    assert_int_equal(t->run.fired, 0);
    assert_int_equal(detector_flood.evictions(t->run.state), 0);
    for (int i = 0; i < 20000; i++) {
        struct flow f = fake_flow("198.51.100.9", "192.0.2.2", 443, START + 6 * HOUR + 2 * MS * i);
        f.source_key = detect_key((uint64_t)i, 5);
        f.flags |= FLOW_FAILED;
        fake_run_flow(&t->run, &f);
    }
    assert_int_equal(fake_count(&t->run, TEXT_MANY, "destination.ip", "192.0.2.2"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flood, begin, end),
        cmocka_unit_test_setup_teardown(test_one_source, begin, end),
        cmocka_unit_test_setup_teardown(test_long_flood, begin, end),
        cmocka_unit_test_setup_teardown(test_look_alikes, begin, end),
        cmocka_unit_test_setup_teardown(test_new_server, begin, end),
        cmocka_unit_test_setup_teardown(test_passing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
