/* D12: log sources whose lines can no longer be read, or are another device's; and what only looks so. */
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
    TEXT_DRIFTED,
    TEXT_CHANGED,
    TEXT_UNREAD,
    EVIDENCE = 8,
};

static int begin(void **state)
{
    return town_begin(state, &detector_drift,
                      (struct source){.permille = PER_MILLE, .unparsed_permille = 5});
}

/* Lives for the whole span, however much is found. Returns how much it was. */
static size_t live_on(struct town *t, int64_t span_ns)
{
    int64_t end_ns = t->now_ns + span_ns;
    size_t count = 0;
    while (t->now_ns < end_ns && live(t, end_ns - t->now_ns)) {
        count += t->run.finding_count;
        fake_run_clear(&t->run);
    }
    return count;
}

/* Until the alert is over. Returns how often it was said again until then. */
static unsigned until_over(struct town *t, unsigned text, int64_t span_ns)
{
    unsigned said = 0;
    for (;; said++) {
        fake_run_clear(&t->run);
        assert_true(live(t, span_ns));
        if (first_of(t, text)->ended)
            break;
    }
    assert_null(t->run.findings[0].flow);
    fake_run_clear(&t->run);
    return said;
}

/* ---------------------------------------------------------------------- what is no drift */

static void test_quiet_weeks(void **state)
{
    struct town *t = *state;
    t->sources[1].unparsed_permille = 100;
    t->sources[1].beta_permille = 300;
    assert_false(live(t, 22 * DAY));
    assert_int_equal(t->run.fired, 0);
}

/* A device that restarts writes hundreds of lines that no parser knows, within a minute. */
static void test_a_restart_of_the_device(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 500; k++)
            put(t, 0, true, 0);
        assert_false(live(t, 2 * HOUR));
    }
    /* At night, too, when hardly anything else comes. */
    assert_false(live(t, 14 * HOUR));
    for (unsigned k = 0; k < 500; k++)
        put(t, 0, true, 0);
    assert_false(live(t, DAY));
}

/* Having restarted says nothing for a drift: it is found as soon as without. */
static void test_drift_after_a_restart(void **state)
{
    struct town *t = *state;
    t->sources[0].permille = 100;
    learn(t, 9);
    for (unsigned k = 0; k < 500; k++)
        put(t, 0, true, 0);
    assert_false(live(t, 2 * HOUR));
    t->sources[0].unparsed_permille = PER_MILLE;
    int64_t from_ns = t->now_ns;
    assert_true(live(t, DAY));
    assert_in_range(first_of(t, TEXT_DRIFTED)->time_ns, from_ns, from_ns + 5 * HOUR);
}

static void test_a_few_broken_lines(void **state)
{
    struct town *t = *state;
    learn(t, 9);
    t->sources[0].unparsed_permille = 60;
    assert_false(live(t, 2 * DAY));
}

/* Status lines that nobody parses, at the same pace when everybody has gone home. */
static void test_chatter_at_night(void **state)
{
    struct town *t = *state;
    t->sources[0] = (struct source){.permille = PER_MILLE, .chatter = 60};
    assert_false(live(t, 8 * HOUR));
    t->sources[0].permille = 0; /* nothing else for two days */
    assert_false(live(t, 2 * DAY));
    t->sources[0].permille = PER_MILLE;
    assert_false(live(t, 7 * DAY));
}

/* A new firmware: lines that no parser knows. Found at the line that makes it too many. */
static void test_drift(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    int64_t from_ns = t->now_ns;
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_true(live(t, HOUR));
    const struct finding *f = first_of(t, TEXT_DRIFTED);
    assert_non_null(f->flow);
    assert_true((f->flow->flags & FLOW_UNPARSED) != 0);
    assert_in_range(f->time_ns, from_ns + 10 * MINUTE, from_ns + 30 * MINUTE);
    assert_in_range(number_of(f, "unparsed"), 47, 200);
    assert_int_equal(number_of(f, "unparsed"), number_of(f, "lines"));
    int64_t since_ns = 0;
    assert_int_equal(clock_parse(&since_ns, slice_from(fake_item(f, "since"))), 0);
    assert_in_range(since_ns, from_ns, from_ns + 2 * MINUTE);
    t->sources[0].unparsed_permille = 5;
    (void)until_over(t, TEXT_DRIFTED, 3 * HOUR);
    assert_false(live(t, 2 * DAY));
}

/* A source of another format than configured: said once, amended now and then, over when corrected. */
static void test_unreadable_from_the_start(void **state)
{
    struct town *t = *state;
    t->sources[0].unparsed_permille = PER_MILLE;
    t->sources[1].permille = 0;
    assert_true(live(t, 12 * HOUR));
    const struct finding *f = first_of(t, TEXT_UNREAD);
    assert_non_null(f->flow);
    assert_true((f->flow->flags & FLOW_UNPARSED) != 0);
    assert_false(f->ended);
    assert_string_equal(fake_item(f, "unparsed"), fake_item(f, "lines"));
    /* It goes on: in the same episode even when no lines come for a weekend. */
    assert_true(f->window_ns > 4 * DAY);
    fake_run_clear(&t->run);
    assert_in_range(live_on(t, 2 * DAY), EVIDENCE, EVIDENCE + 8);
    /* What was unreadable until then does not count as usual: a drift is found soon after. */
    t->sources[0].unparsed_permille = 5;
    int64_t from_ns = t->now_ns;
    assert_true(live(t, 12 * HOUR));
    while (!first_of(t, TEXT_UNREAD)->ended) {
        fake_run_clear(&t->run);
        assert_true(live(t, 3 * HOUR));
    }
    assert_true(t->now_ns < from_ns + 3 * HOUR);
    fake_run_clear(&t->run);
    assert_false(live(t, 12 * HOUR));
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_true(live(t, 12 * HOUR));
    (void)first_of(t, TEXT_DRIFTED);
}

/* The first lines decide: how many more of them are unparsed than parsed ones explain. */
static void test_first_lines(void **state)
{
    struct town *t = *state;
    t->sources[0].unparsed_permille = PER_MILLE;
    for (unsigned i = 0; i < 49; i++)
        line(t, 0);
    assert_int_equal(t->run.fired, 0);
    t->sources[0].unparsed_permille = 0;
    line(t, 0);
    t->sources[0].unparsed_permille = PER_MILLE;
    for (unsigned i = 0; i < 4; i++)
        line(t, 0);
    assert_int_equal(t->run.fired, 0);
    line(t, 0);
    (void)first_of(t, TEXT_UNREAD);
    for (unsigned i = 0; i < 500; i++)
        line(t, 0);
    assert_int_equal(t->run.fired, EVIDENCE);
    /* However long it was: eighteen lines that can be read end it, in the next minute. */
    fake_run_clear(&t->run);
    t->sources[0].unparsed_permille = 0;
    for (unsigned i = 0; i < 17; i++)
        line(t, 0);
    fake_run_tick(&t->run, t->now_ns += MINUTE);
    assert_int_equal(t->run.fired, 0);
    line(t, 0);
    fake_run_tick(&t->run, t->now_ns += MINUTE);
    assert_true(first_of(t, TEXT_UNREAD)->ended);
    fake_run_clear(&t->run);
    fake_run_tick(&t->run, t->now_ns += MINUTE);
    assert_int_equal(t->run.fired, 0);
}

/* Much that is no traffic between lines that are: neither unreadable, nor another form. */
static void test_mixed_source(void **state)
{
    struct town *t = *state;
    t->sources[0].unparsed_permille = 600;
    t->sources[1].unparsed_permille = 340; /* three times as many are more than all */
    assert_false(live(t, 2 * DAY));
    t->sources[0].unparsed_permille = 5;
    t->sources[1].unparsed_permille = 5;
    assert_false(live(t, 6 * DAY + 10 * HOUR));
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_true(live(t, HOUR));
    (void)first_of(t, TEXT_DRIFTED);
}

/* More than the chatter that a source always had is a drift all the same. */
static void test_drift_of_a_chatty_source(void **state)
{
    struct town *t = *state;
    t->sources[0].chatter = 30;
    learn(t, 10);
    t->sources[0].unparsed_permille = PER_MILLE;
    int64_t from_ns = t->now_ns;
    assert_true(live(t, 2 * HOUR));
    const struct finding *f = first_of(t, TEXT_DRIFTED);
    assert_in_range(f->time_ns, from_ns + 10 * MINUTE, from_ns + 2 * HOUR);
    assert_in_range(number_of(f, "usual_most"), 30, 60);
}

/* A part of the lines, where many come: one module writes another layout. */
static void test_a_part_of_the_lines(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].unparsed_permille = 400;
    assert_true(live(t, 3 * HOUR));
    const struct finding *f = first_of(t, TEXT_DRIFTED);
    assert_in_range(number_of(f, "unparsed") * 100 / number_of(f, "lines"), 30, 60);
}

/* A source with a few lines an hour takes hours, not for ever. */
static void test_a_slow_source(void **state)
{
    struct town *t = *state;
    t->sources[0].permille = 40;
    learn(t, 9);
    t->sources[0].unparsed_permille = PER_MILLE;
    int64_t from_ns = t->now_ns;
    assert_true(live(t, DAY));
    assert_in_range(first_of(t, TEXT_DRIFTED)->time_ns, from_ns + HOUR, from_ns + 8 * HOUR);
}

/* Bad every other hour: some alerts, then one that goes on; a quiet month later it is news again. */
static void test_a_source_that_comes_and_goes(void **state)
{
    struct town *t = *state;
    unsigned begun = 0;
    learn(t, 9);
    for (unsigned hour = 0; hour < 14 * 24; hour++) {
        t->sources[0].unparsed_permille = hour % 2 == 0 ? PER_MILLE : 0;
        int64_t end_ns = t->now_ns + HOUR;
        while (t->now_ns < end_ns && live(t, end_ns - t->now_ns)) {
            for (size_t i = 0; i < t->run.finding_count; i++)
                begun += t->run.findings[i].ended;
            fake_run_clear(&t->run);
        }
    }
    assert_in_range(begun, 1, 5);
    t->sources[0].unparsed_permille = 0;
    (void)live_on(t, 30 * DAY);
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_true(live(t, 2 * DAY));
    (void)first_of(t, TEXT_DRIFTED);
}

/* Thousands of lines at one moment, as of a file whose times cannot be read: told all the same. */
static void test_many_lines_at_once(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    for (unsigned k = 0; k < 9000; k++)
        put(t, 0, true, 0);
    assert_int_equal(t->run.fired, 0);
    for (unsigned k = 0; k < 3000; k++)
        put(t, 0, true, 0);
    assert_int_equal(t->run.fired, EVIDENCE);
}

/* It goes on for a week: one alert, its evidence, and a word now and then. */
static void test_one_alert_for_a_long_drift(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_true(live(t, HOUR));
    for (unsigned i = 0; i < EVIDENCE; i++) {
        const struct finding *f = first_of(t, TEXT_DRIFTED);
        assert_non_null(f->flow);
        assert_true((f->flow->flags & FLOW_UNPARSED) != 0);
        fake_run_clear(&t->run);
        if (i + 1 < EVIDENCE)
            assert_true(live(t, HOUR));
    }
    size_t first_day = live_on(t, DAY);
    assert_in_range(first_day, 4, 6);
    assert_in_range(live_on(t, 6 * DAY), 5, 6);
}

static void test_state_can_be_moved(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_false(live(t, 5 * MINUTE));
    fake_run_move(&t->run);
    miss(t, HOUR, true); /* a restart of ours */
    assert_true(live(t, 15 * MINUTE));
    (void)first_of(t, TEXT_DRIFTED);
    fake_run_move(&t->run);
    t->sources[0].unparsed_permille = 5;
    fake_run_clear(&t->run);
    while (live(t, 3 * HOUR) && !t->run.findings[0].ended)
        fake_run_clear(&t->run);
    assert_true(first_of(t, TEXT_DRIFTED)->ended);
}

/* ----------------------------------------------------------------------- another format */

/* The firewall is replaced by another maker's: said once, and a day later it is the usual one. */
static void test_another_device(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].beta_permille = PER_MILLE;
    int64_t from_ns = t->now_ns;
    assert_true(live(t, HOUR));
    const struct finding *f = first_of(t, TEXT_CHANGED);
    assert_in_range(f->time_ns, from_ns + 10 * MINUTE, from_ns + 30 * MINUTE);
    assert_non_null(f->flow);
    assert_int_equal(f->flow->format, BETA);
    assert_string_equal(fake_item(f, "format"), "beta");
    assert_string_equal(fake_item(f, "usual_format"), "alpha");
    assert_int_equal(number_of(f, "changed"), number_of(f, "lines"));
    unsigned said = until_over(t, TEXT_CHANGED, 30 * HOUR);
    assert_in_range(said, EVIDENCE, EVIDENCE + 5);
    assert_in_range(t->now_ns, from_ns + 20 * HOUR, from_ns + 30 * HOUR);
    assert_false(live(t, 7 * DAY));
    /* Both are known now. */
    t->sources[0].beta_permille = 500;
    assert_false(live(t, 2 * DAY));
    t->sources[0].beta_permille = 0;
    assert_false(live(t, 2 * DAY));
}

/* The spare device for some hours: over when the usual one is back, and known the next time. */
static void test_a_device_for_some_hours(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].beta_permille = PER_MILLE;
    assert_true(live(t, HOUR));
    (void)first_of(t, TEXT_CHANGED);
    fake_run_clear(&t->run);
    assert_true(live_on(t, HOUR) >= EVIDENCE - 1);
    t->sources[0].beta_permille = 0;
    int64_t from_ns = t->now_ns;
    (void)until_over(t, TEXT_CHANGED, 3 * HOUR);
    assert_true(t->now_ns < from_ns + 2 * HOUR);
    assert_false(live(t, DAY));
    t->sources[0].beta_permille = PER_MILLE;
    assert_false(live(t, DAY));
}

/* A relay takes in a second device: its lines are a part, and learned. */
static void test_a_device_more(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].beta_permille = 100;
    assert_false(live(t, 2 * DAY));
    t->sources[0].beta_permille = 900;
    assert_false(live(t, 2 * DAY));
}

/* Odd lines of another format, as a probe may take one for it. */
static void test_odd_lines_of_another_format(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned k = 0; k < 100; k++)
            put(t, 0, false, BETA);
        assert_false(live(t, HOUR));
    }
}

/* Another device that cannot be read is a drift, not a change. */
static void test_another_device_that_cannot_be_read(void **state)
{
    struct town *t = *state;
    learn(t, 10);
    t->sources[0].unparsed_permille = PER_MILLE;
    assert_true(live(t, HOUR));
    (void)first_of(t, TEXT_DRIFTED);
    fake_run_clear(&t->run);
    (void)live_on(t, 2 * HOUR);
    /* Its parser is there now. */
    t->sources[0].unparsed_permille = 0;
    t->sources[0].beta_permille = PER_MILLE;
    bool over = false;
    bool changed = false;
    while (!(over && changed)) {
        assert_true(live(t, 2 * HOUR));
        for (size_t i = 0; i < t->run.finding_count; i++) {
            const struct finding *f = &t->run.findings[i];
            over = over || (f->text == TEXT_DRIFTED && f->ended);
            changed = changed || f->text == TEXT_CHANGED;
        }
        fake_run_clear(&t->run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_quiet_weeks, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_restart_of_the_device, begin, town_end),
        cmocka_unit_test_setup_teardown(test_drift_after_a_restart, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_few_broken_lines, begin, town_end),
        cmocka_unit_test_setup_teardown(test_chatter_at_night, begin, town_end),
        cmocka_unit_test_setup_teardown(test_drift, begin, town_end),
        cmocka_unit_test_setup_teardown(test_unreadable_from_the_start, begin, town_end),
        cmocka_unit_test_setup_teardown(test_first_lines, begin, town_end),
        cmocka_unit_test_setup_teardown(test_mixed_source, begin, town_end),
        cmocka_unit_test_setup_teardown(test_drift_of_a_chatty_source, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_part_of_the_lines, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_slow_source, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_source_that_comes_and_goes, begin, town_end),
        cmocka_unit_test_setup_teardown(test_many_lines_at_once, begin, town_end),
        cmocka_unit_test_setup_teardown(test_one_alert_for_a_long_drift, begin, town_end),
        cmocka_unit_test_setup_teardown(test_state_can_be_moved, begin, town_end),
        cmocka_unit_test_setup_teardown(test_another_device, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_device_for_some_hours, begin, town_end),
        cmocka_unit_test_setup_teardown(test_a_device_more, begin, town_end),
        cmocka_unit_test_setup_teardown(test_odd_lines_of_another_format, begin, town_end),
        cmocka_unit_test_setup_teardown(test_another_device_that_cannot_be_read, begin, town_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
