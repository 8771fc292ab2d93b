/* D12: a small town's two log sources, day and night, and what goes wrong with one of them. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "tests/detect/log_town.h"

enum {
    TEXT_SILENT,
    TEXT_DROPPED,
    TEXT_RISEN,
    TEXT_FAST,
    TEXT_SLOW,
    HOLIDAY = 14, /* 2026-10-12, a Monday on which offices are closed */
};

static int begin(void **state)
{
    return town_begin(state, &detector_silence, (struct source){.permille = PER_MILLE});
}

/* Nights, weekends and a holiday, three weeks long. */
static void test_quiet_times(void **state)
{
    struct town *t = *state;
    assert_false(calendar_open(calendar_day(START + HOLIDAY * DAY)));
    assert_false(live(t, 22 * DAY));
    assert_int_equal(t->run.fired, 0);
}

/* The plug of one source is pulled while people work. */
static void test_silence_and_return(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    int64_t from_ns = t->now_ns;
    t->sources[0].permille = 0;
    assert_true(live(t, HOUR));
    const struct finding *f = first_of(t, TEXT_SILENT);
    assert_null(f->flow);
    assert_false(f->ended);
    assert_true(f->time_ns >= from_ns + 4 * MINUTE && f->time_ns <= from_ns + 20 * MINUTE);
    assert_int_equal(f->time_ns, t->now_ns);
    long expected = number_of(f, "expected");
    assert_in_range(expected, 20, 200);
    assert_true((double)expected + 0.5 >= strtod(fake_item(f, "bound"), NULL));
    int64_t since_ns = 0;
    assert_int_equal(clock_parse(&since_ns, slice_from(fake_item(f, "since"))), 0);
    assert_true(since_ns <= from_ns && since_ns > from_ns - 3 * MINUTE);
    /* It goes on: said once an hour, in the same episode. */
    fake_run_clear(&t->run);
    assert_true(live(t, HOUR));
    assert_false(first_of(t, TEXT_SILENT)->ended);
    assert_int_equal(t->now_ns % HOUR, 0);
    /* The next line ends it at once. */
    fake_run_clear(&t->run);
    line(t, 0);
    assert_true(first_of(t, TEXT_SILENT)->ended);
    t->sources[0].permille = PER_MILLE;
    fake_run_clear(&t->run);
    assert_false(live(t, 3 * DAY));
}

/* At night little is expected, so it takes longer, but not until somebody misses it. */
static void test_silence_at_night(void **state)
{
    struct town *t = *state;
    learn(t, 22);
    int64_t from_ns = t->now_ns;
    t->sources[0].permille = 0;
    assert_true(live(t, 12 * HOUR));
    assert_true(first_of(t, TEXT_SILENT)->time_ns >= from_ns + HOUR);
}

/* A tenth of the lines still comes: no silence, but less than usual; then it is as before. */
static void test_partial_drop(void **state)
{
    struct town *t = *state;
    learn(t, 9);
    int64_t from_ns = t->now_ns;
    t->sources[0].permille = PER_MILLE / 10;
    assert_true(live(t, 6 * HOUR));
    const struct finding *f = first_of(t, TEXT_DROPPED);
    assert_in_range(f->time_ns, from_ns + 2 * HOUR, from_ns + 5 * HOUR);
    assert_in_range(number_of(f, "lines"), 20, 90);
    assert_in_range(number_of(f, "usual"), 200, 550);
    t->sources[0].permille = PER_MILLE;
    do {
        fake_run_clear(&t->run);
        assert_true(live(t, 3 * HOUR));
        assert_int_equal(t->run.findings[0].text, TEXT_DROPPED);
    } while (!t->run.findings[0].ended);
    fake_run_clear(&t->run);
    assert_false(live(t, 2 * DAY));
}

/* Half of the lines, or twice as many, is a matter of the day's work. */
static void test_a_slow_day(void **state)
{
    struct town *t = *state;
    learn(t, 0);
    t->sources[0].permille = PER_MILLE / 2;
    assert_false(live(t, DAY));
    t->sources[0].permille = PER_MILLE * 2;
    assert_false(live(t, DAY));
}

static void test_rise(void **state)
{
    struct town *t = *state;
    learn(t, 9);
    t->sources[0].permille = PER_MILLE * 6;
    assert_true(live(t, 8 * HOUR));
    const struct finding *f = first_of(t, TEXT_RISEN);
    assert_true(number_of(f, "lines") > 4 * number_of(f, "usual"));
}

/* Where only refusals are logged, more or fewer of them is no matter of the log. */
static void test_refusals(void **state)
{
    struct town *t = *state;
    t->sources[0].denies = true;
    learn(t, 9);
    t->sources[0].permille = PER_MILLE / 10;
    assert_false(live(t, 6 * HOUR));
    t->sources[0].permille = PER_MILLE * 6;
    assert_false(live(t, DAY));
    int64_t from_ns = t->now_ns;
    t->sources[0].permille = 0;
    assert_true(live(t, 2 * DAY));
    assert_in_range(first_of(t, TEXT_SILENT)->time_ns, from_ns + DAY - 5 * MINUTE,
                    from_ns + DAY + HOUR);
}

/* A source that nobody knows yet may come and go; after a few days it is expected to stay. */
static void test_new_source(void **state)
{
    struct town *t = *state;
    t->sources[0].permille = 0;
    learn(t, 0);
    t->sources[0].permille = PER_MILLE;
    assert_false(live(t, DAY + 12 * HOUR));
    t->sources[0].permille = 0;
    assert_false(live(t, 12 * HOUR));
    t->sources[0].permille = PER_MILLE;
    assert_false(live(t, 8 * DAY + 10 * HOUR));
    t->sources[0].permille = 0;
    assert_true(live(t, 2 * HOUR));
    (void)first_of(t, TEXT_SILENT);
}

/* Nobody watched for three hours: that nothing came then says nothing. What is silent now does. */
static void test_gap(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    for (unsigned flagged = 0; flagged < 2; flagged++) {
        miss(t, 3 * HOUR, flagged == 1);
        assert_false(live(t, 18 * HOUR));
        assert_false(live(t, 3 * HOUR));
    }
    /* A restart in a short gap that the clock alone would not show. */
    t->sources[0].permille = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_false(live(t, 2 * MINUTE));
        miss(t, SECOND, true);
    }
    int64_t from_ns = t->now_ns;
    assert_true(live(t, HOUR));
    const struct finding *f = first_of(t, TEXT_SILENT);
    assert_true(f->time_ns >= from_ns + 4 * MINUTE);
    int64_t since_ns = 0;
    assert_int_equal(clock_parse(&since_ns, slice_from(fake_item(f, "since"))), 0);
    assert_int_equal(since_ns, from_ns);
}

/* A restart within a silence does not end it. */
static void test_gap_within_silence(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].permille = 0;
    assert_true(live(t, HOUR));
    fake_run_clear(&t->run);
    miss(t, SECOND, true);
    assert_false(live(t, 10 * MINUTE));
    line(t, 0);
    assert_true(first_of(t, TEXT_SILENT)->ended);
}

static void clock_is_off(struct town *t, int64_t ahead_ns, unsigned text, const char *minutes)
{
    t->sources[0].ahead_ns = ahead_ns;
    assert_true(live(t, HOUR));
    assert_string_equal(fake_item(first_of(t, text), "minutes"), minutes);
    t->sources[0].ahead_ns = 0;
    fake_run_clear(&t->run);
    assert_true(live(t, HOUR));
    assert_true(first_of(t, text)->ended);
    fake_run_clear(&t->run);
}

static void test_clock(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    clock_is_off(t, 41 * MINUTE, TEXT_FAST, "41");
    clock_is_off(t, -9 * HOUR, TEXT_SLOW, "540");
    t->sources[0].ahead_ns = 2 * MINUTE;
    assert_false(live(t, 2 * HOUR));
}

/* The state is bytes, anywhere. */
static void test_state_can_be_moved(void **state)
{
    struct town *t = *state;
    assert_false(live(t, 3 * DAY));
    fake_run_move(&t->run);
    assert_false(live(t, 5 * DAY + 10 * HOUR));
    fake_run_move(&t->run);
    t->sources[0].permille = 0;
    assert_true(live(t, HOUR));
    (void)first_of(t, TEXT_SILENT);
    fake_run_move(&t->run);
    fake_run_clear(&t->run);
    line(t, 0);
    assert_true(first_of(t, TEXT_SILENT)->ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_quiet_times, begin, town_end),
        cmocka_unit_test_setup_teardown(test_silence_and_return, begin, town_end),
        cmocka_unit_test_setup_teardown(test_silence_at_night, begin, town_end),
        cmocka_unit_test_setup_teardown(test_partial_drop, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_slow_day, begin, town_end),
        cmocka_unit_test_setup_teardown(test_rise, begin, town_end),
        cmocka_unit_test_setup_teardown(test_refusals, begin, town_end),
        cmocka_unit_test_setup_teardown(test_new_source, begin, town_end),
        cmocka_unit_test_setup_teardown(test_gap, begin, town_end),
        cmocka_unit_test_setup_teardown(test_gap_within_silence, begin, town_end),
        cmocka_unit_test_setup_teardown(test_clock, begin, town_end),
        cmocka_unit_test_setup_teardown(test_state_can_be_moved, begin, town_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
