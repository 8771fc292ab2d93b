/* D5: PCs that are refused or get no answer too often, and what only looks like it. */
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
    TEXT_DENIED,
    TEXT_FAILED,
    PCS = 60,
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

static struct flow contact(unsigned pc, unsigned flags, int64_t time_ns)
{
    char source[32];
    (void)snprintf(source, sizeof(source), "10.1.%u.%u", pc / 200, pc % 200 + 2);
    struct flow f = fake_flow(source, "198.51.100.7", 443, time_ns);
    f.flags |= (uint16_t)flags;
    return f;
}

static void show(struct town *t, unsigned pc, unsigned flags, int64_t time_ns)
{
    struct flow f = contact(pc, flags, time_ns);
    fake_run_flow(&t->run, &f);
}

/* A minute of everybody's work: some requests are refused, some get no answer, in small bursts. */
static void work(struct town *t, int64_t minute_ns)
{
    int64_t hour = (minute_ns - START) % DAY / HOUR;
    bool office = hour >= 8 && hour < 18 && calendar_open(calendar_day(minute_ns));
    uint32_t rate = !office ? 2 : hour == 12 ? 250 : 50; /* permille of PCs in a minute */
    for (unsigned pc = 0; pc < PCS; pc++) {
        if (draw(t, 1000) >= (pc % 9 == 0 ? rate * 3 : rate))
            continue;
        unsigned flags = draw(t, 3) == 0 ? FLOW_FAILED : FLOW_REFUSED;
        for (uint32_t n = 1 + draw(t, 2) * draw(t, 6); n > 0; n--)
            show(t, pc, flags, minute_ns + draw(t, 60) * SECOND);
    }
    /* One PC's program is refused all day, every day; one is polled for by a monitor in vain. */
    for (int i = 0; i < 60; i += 2)
        show(t, PCS, FLOW_REFUSED, minute_ns + i * SECOND);
    for (int i = 0; i < 60; i += 10)
        show(t, PCS + 1, FLOW_FAILED, minute_ns + i * SECOND);
}

static void days(struct town *t, int64_t from_ns, int64_t to_ns)
{
    for (int64_t m = from_ns; m < to_ns; m += MINUTE)
        work(t, m);
}

static int begin(void **state)
{
    struct town *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->random = 1;
    fake_run_begin(&t->run, &detector_burst, DETECT_SMALL);
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

static void repeat(struct town *t, unsigned pc, unsigned flags, int64_t from_ns, int64_t gap_ns,
                   int count)
{
    for (int i = 0; i < count; i++)
        show(t, pc, flags, from_ns + i * gap_ns);
}

static void test_bursts(void **state)
{
    struct town *t = *state;
    days(t, START, START + 8 * DAY);
    assert_int_equal(t->run.fired, 0);
    fake_run_move(&t->run);
    int64_t now = START + 8 * DAY + 10 * HOUR + 30 * SECOND;
    repeat(t, 5, FLOW_REFUSED, now, 150 * MS, 400);
    assert_int_equal(fake_count(&t->run, TEXT_DENIED, "source.ip", "10.1.0.7"), 1);
    assert_int_equal(t->run.fired, 1);
    const struct finding *f = &t->run.findings[0];
    assert_true(f->tail < 0.05);
    assert_true(f->flow->time_ns <= now + 90 * (150 * MS));
    assert_string_equal(fake_item(f, "basis"), "baseline");
    assert_string_equal(fake_item(f, "last.destination"), "198.51.100.7");
    repeat(t, 6, FLOW_FAILED, now, 150 * MS, 400);
    assert_int_equal(fake_count(&t->run, TEXT_FAILED, "source.ip", "10.1.0.8"), 1);
    assert_int_equal(t->run.fired, 2);
    /* A burst that a window's end cuts in two is still one. */
    repeat(t, 7, FLOW_REFUSED, START + 8 * DAY + 11 * HOUR - 20 * SECOND, 150 * MS, 300);
    assert_true(fake_count(&t->run, TEXT_DENIED, "source.ip", "10.1.0.9") >= 1);
}

static void test_look_alikes(void **state)
{
    struct town *t = *state;
    days(t, START, START + 8 * DAY);
    int64_t now = START + 8 * DAY + 10 * HOUR;
    repeat(t, 5, FLOW_REFUSED, now, 8 * SECOND, 8);    /* a program asks again */
    repeat(t, 6, FLOW_FAILED, now, 5 * SECOND, 12);    /* a printer that is off */
    repeat(t, 7, FLOW_FAILED, now, 10 * SECOND, 360);  /* a monitor polls for an hour */
    repeat(t, 8, FLOW_FAILED, now, 120 * SECOND, 150); /* a server that was taken away */
    repeat(t, 9, FLOW_REFUSED, now, 100 * MS, 40);     /* twenty times as much for seconds */
    repeat(t, 10, 0, now, 10 * MS, 5000);              /* answered: a backup */
    for (unsigned pc = 0; pc < PCS; pc++)              /* patch day */
        repeat(t, pc, FLOW_REFUSED, now + 2 * HOUR + pc * SECOND, 2 * SECOND, 20);
    for (unsigned pc = 0; pc < 3; pc++) {
        struct flow f = contact(20 + pc, FLOW_REFUSED, now);
        f.flags |= pc == 0 ? FLOW_SHARED_SOURCE : pc == 1 ? FLOW_EXCLUDED : 0;
        if (pc == 2) { /* noise from outside */
            f.source = fake_ip("203.0.113.9");
            f.destination = fake_ip("10.1.0.3");
            fake_flow_keys(&f);
        }
        for (int i = 0; i < 600; i++, f.time_ns += 100 * MS)
            fake_run_flow(&t->run, &f);
    }
    assert_int_equal(t->run.fired, 0);
}

/* Three weeks with a holiday (12 October) on which nobody works, and then a lunch of five times. */
static void test_weeks_stay_quiet(void **state)
{
    struct town *t = *state;
    days(t, START, START + 21 * DAY);
    assert_int_equal(t->run.fired, 0);
    for (int64_t m = START + 21 * DAY + 12 * HOUR; m < START + 21 * DAY + 13 * HOUR; m += MINUTE) {
        for (int times = 0; times < 5; times++)
            work(t, m);
    }
    assert_int_equal(fake_count(&t->run, TEXT_DENIED, NULL, NULL) -
                         fake_count(&t->run, TEXT_DENIED, "source.ip", "10.1.0.62"),
                     0);
}

static void test_before_anything_is_known(void **state)
{
    struct town *t = *state;
    int64_t now = START + 9 * HOUR;
    repeat(t, 1, FLOW_REFUSED, now, SECOND, 3600); /* tries again every second */
    assert_int_equal(t->run.fired, 0);
    repeat(t, 2, FLOW_REFUSED, now + 2 * HOUR, 150 * MS, 400);
    assert_int_equal(t->run.fired, 1);
    assert_string_equal(fake_item(&t->run.findings[0], "basis"), "fixed bound");
    assert_true(t->run.findings[0].scored);
}

/* What goes on all day becomes one PC's habit: it alarms for a while, not for days. */
static void test_a_new_habit_is_absorbed(void **state)
{
    struct town *t = *state;
    days(t, START, START + 8 * DAY);
    uint64_t first_day = 0;
    for (int day = 8; day < 12; day++) {
        for (int64_t m = START + day * DAY; m < START + (day + 1) * DAY; m += MINUTE) {
            work(t, m);
            repeat(t, 30, FLOW_REFUSED, m, 2 * SECOND, 30);
        }
        first_day = day == 8 ? t->run.fired : first_day;
    }
    assert_true(first_day >= 1);
    assert_int_equal(t->run.fired, first_day);
}

static int by_key(const void *a, const void *b)
{
    const struct flow *x = a;
    const struct flow *y = b;
    return x->sub < y->sub ? -1 : x->sub > y->sub;
}

/* Rows that come up to two minutes late, in a hundred orders. */
static void test_orders(void **state)
{
    struct town *t = *state;
    static struct flow rows[900];
    days(t, START, START + 8 * DAY);
    for (int order = 0; order < 100; order++) {
        int64_t now = START + 8 * DAY + 10 * HOUR + 10 * MINUTE * order;
        unsigned pc = 5 + (unsigned)order % 40;
        for (unsigned i = 0; i < 900; i++) {
            bool planted = i < 400;
            int64_t at =
                now + (planted ? 60 * SECOND + 150 * MS * i : (int64_t)draw(t, 240) * SECOND);
            rows[i] = contact(planted ? pc : draw(t, PCS), FLOW_REFUSED, at);
            rows[i].sub = (uint32_t)((at - now) / MS) + draw(t, 120000);
        }
        qsort(rows, 900, sizeof(rows[0]), by_key);
        fake_run_clear(&t->run);
        for (unsigned i = 0; i < 900; i++)
            fake_run_flow(&t->run, &rows[i]);
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "10.1.0.%u", pc + 2);
        assert_true(fake_count(&t->run, TEXT_DENIED, "source.ip", ip) >= 1);
        assert_int_equal(fake_count(&t->run, TEXT_DENIED, "source.ip", ip), t->run.fired);
    }
}

/* Random keys from somebody who knows: the table stays, and counts what it gave up. */
static void test_key_flood(void **state)
{
    struct town *t = *state;
    for (unsigned i = 0; i < 200000; i++) {
        struct flow f = contact(1, FLOW_REFUSED, START + i * MS);
        f.source_key = detect_key(i, 3);
        fake_run_flow(&t->run, &f);
    }
    assert_int_equal(t->run.fired, 0);
    assert_true(detector_burst.evictions(t->run.state) > 190000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bursts, begin, end),
        cmocka_unit_test_setup_teardown(test_look_alikes, begin, end),
        cmocka_unit_test_setup_teardown(test_weeks_stay_quiet, begin, end),
        cmocka_unit_test_setup_teardown(test_before_anything_is_known, begin, end),
        cmocka_unit_test_setup_teardown(test_a_new_habit_is_absorbed, begin, end),
        cmocka_unit_test_setup_teardown(test_orders, begin, end),
        cmocka_unit_test_setup_teardown(test_key_flood, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
