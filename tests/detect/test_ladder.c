/* The fit of the upper end: what it calls one in a thousand comes once in a thousand. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "detect/habit.h"
#include "detect/ladder.h"

#define HOUR  CALENDAR_HOUR_NS
#define DAY   CALENDAR_DAY_NS
#define START (INT64_C(1790521200) * CLOCK_NS_PER_SECOND) /* Monday 2026-09-28 00:00 JST */

static double draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
}

/* A count: Poisson of a mean that is itself lognormal, so with an end that no model here has. */
static uint32_t bursty(uint64_t *state, double mean, double sigma)
{
    double normal = sqrt(-2 * log(draw(state))) * cos(6.283185307179586 * draw(state));
    double limit = exp(-mean * exp(sigma * normal - sigma * sigma / 2));
    uint32_t n = 0;
    for (double p = draw(state); p > limit && n < 5000; n++)
        p *= draw(state);
    return n;
}

static void assert_between(double got, double low, double high)
{
    if (!(got >= low && got <= high))
        fail_msg("%g is not within %g and %g", got, low, high);
}

static void test_exponential(void **state)
{
    (void)state;
    struct ladder l = {0};
    uint64_t random = 1;
    assert_false(ladder_knows(&l));
    for (int i = 0; i < 100000; i++) {
        ladder_expose(&l, 1.0, 1e9);
        ladder_learn(&l, -3.0 * log(draw(&random)));
    }
    assert_true(ladder_knows(&l));
    /* Near, and beyond everything that was seen. */
    assert_between(ladder_rate(&l, 3.0) / exp(-1.0), 0.95, 1.05);
    assert_between(ladder_rate(&l, 20.0) / exp(-20.0 / 3), 0.8, 1.25);
    assert_between(ladder_rate(&l, 60.0) / exp(-20.0), 0.1, 10);
    double last = 2;
    for (int half = 0; half < 600; half++) {
        double now = ladder_rate(&l, half / 2.0);
        assert_true(now <= last * 1.3);
        last = now;
    }
}

/* A short history is honest on the average over many of them. */
static void test_short_history(void **state)
{
    (void)state;
    uint64_t random = 2;
    double nominal = 0;
    double realised = 0;
    for (int trial = 0; trial < 3000; trial++) {
        struct ladder l = {0};
        for (int i = 0; i < 400; i++) {
            ladder_expose(&l, 1.0, 1e9);
            ladder_learn(&l, -log(draw(&random)));
        }
        for (int i = 0; i < 100; i++) {
            nominal += 1e-3;
            realised += ladder_rate(&l, -log(draw(&random))) < 1e-3;
        }
    }
    assert_between(realised / nominal, 0.7, 1.4);
}

static void test_ledger_and_memory(void **state)
{
    (void)state;
    struct ladder l = {0};
    uint64_t random = 3;
    for (int i = 0; i < 200000; i++) {
        double size = -2.0 * log(draw(&random));
        if (ladder_knows(&l)) {
            l.judged += 1.0;
            ladder_judge(&l, size, 1e-2);
        }
        ladder_expose(&l, 1.0, 20000);
        ladder_learn(&l, size);
    }
    assert_between(l.exposure, 10000, 20000);
    assert_between(l.realised[0] / (l.judged * 1e-2), 0.9, 1.1);
    assert_between(l.realised[1] / (l.judged * 1e-3), 0.75, 1.3);
    assert_between(l.realised[2] / (l.judged * 1e-4), 0.4, 2.0);
}

/* Weeks of windows of sixty keys, by office hours. Returns realised over nominal at 1e-3. */
static double habit_honesty(double sigma, uint64_t seed)
{
    static struct habit h;
    uint64_t random = seed;
    memset(&h, 0, sizeof(h));
    for (int64_t t = START; t < START + 28 * DAY; t += 5 * CLOCK_NS_PER_MINUTE) {
        int64_t hour = (t - START) % DAY / HOUR;
        bool office = hour >= 8 && hour < 18 && calendar_open(calendar_day(t));
        for (int key = 0; key < (office ? 60 : 3); key++) {
            double level = key % 7 == 0 ? 4.0 : 1.0;
            uint32_t count = bursty(&random, (hour == 12 ? 1.2 : 0.4) * level, sigma);
            if (count == 0)
                continue;
            (void)habit_close(&h,
                              &(struct habit_window){.time_ns = t, .count = count, .level = level});
        }
    }
    assert_true(habit_knows(&h));
    assert_true(h.ladder.judged * 1e-3 > 30);
    return h.ladder.realised[1] / (h.ladder.judged * 1e-3);
}

static void test_habit_is_honest(void **state)
{
    (void)state;
    assert_between(habit_honesty(0.01, 11), 0.6, 1.6);
    assert_between(habit_honesty(0.5, 12), 0.6, 1.6);
    assert_between(habit_honesty(1.2, 13), 0.6, 1.6);
}

static void test_habit_abstains(void **state)
{
    (void)state;
    static struct habit h;
    uint64_t random = 5;
    memset(&h, 0, sizeof(h));
    assert_true(habit_tail(&h, 500) >= 1.0);
    for (int64_t t = START; t < START + 4 * DAY; t += CLOCK_NS_PER_MINUTE)
        (void)habit_close(&h, &(struct habit_window){
                                  .time_ns = t, .count = 1 + bursty(&random, 1, 0.5), .level = 1});
    assert_false(habit_knows(&h));
    assert_true(habit_tail(&h, 500) >= 1.0);
    for (int64_t t = START + 4 * DAY; t < START + 7 * DAY; t += CLOCK_NS_PER_MINUTE)
        (void)habit_close(&h, &(struct habit_window){
                                  .time_ns = t, .count = 1 + bursty(&random, 1, 0.5), .level = 1});
    assert_true(habit_knows(&h));
    assert_true(habit_tail(&h, 0) > 0.99);
    double mean = habit_mean(&h, START + 7 * DAY, 1.0);
    assert_between(mean, 0.5, 1.6);
    assert_true(habit_tail(&h, habit_size(&h, 400, mean)) < 1e-6);
    /* Alarmed windows change nothing. */
    struct habit before = h;
    (void)habit_close(
        &h, &(struct habit_window){
                .time_ns = START + 7 * DAY - HOUR, .count = 4000, .level = 1, .alarmed = true});
    assert_between(h.all_sum, before.all_sum, before.all_sum);
    assert_between(h.ladder.exposure, before.ladder.exposure, before.ladder.exposure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exponential),       cmocka_unit_test(test_short_history),
        cmocka_unit_test(test_ledger_and_memory), cmocka_unit_test(test_habit_is_honest),
        cmocka_unit_test(test_habit_abstains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
