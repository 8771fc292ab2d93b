/* detect/correlate.h: windows, groups, values, orders, negations, memory. */
#include "tests/detect/correlate_trial.h"

static void windows_are_half_open(void **state)
{
    (void)state;
    static const char *const TWO = C("c", "type: event_count, condition: {gte: 2}");
    CHECK_TOLD(TWO, "c 1@10=2", {.second = 1, .rules = 1}, {.second = 10, .rules = 1});
    CHECK_TOLD(TWO, "", {.second = 1, .rules = 1}, {.second = 11, .rules = 1});
    CHECK_TOLD(TWO, "c 2@12=2", {.second = 1, .rules = 1}, {.second = 11, .rules = 1},
               {.second = 12, .rules = 1});
    CHECK_TOLD(TWO, "c 1@0=2", {.second = 0, .rules = 1}, {.second = 0, .rules = 1});
    CHECK_TOLD(TWO, "", {.second = 0, .rules = 0}, {.second = 0, .rules = 1});
}

/* An alert an episode: again only after the window has emptied. */
static void groups_fire_once_an_episode(void **state)
{
    (void)state;
    static const char *const TWO = C("c", "type: event_count, condition: {gte: 2}");
    struct buf many = {0};
    CHECK_TOLD(TWO, "c 1@1=2", {.second = 0, .rules = 1}, {.second = 1, .rules = 1},
               {.second = 9, .rules = 1}, {.second = 18, .rules = 1}, {.second = 27, .rules = 1});
    CHECK_TOLD(TWO, "c 1@1=2, c 3@12=2", {.second = 0, .rules = 1}, {.second = 1, .rules = 1},
               {.second = 11, .rules = 1}, {.second = 12, .rules = 1});
    CHECK_TOLD(C("c", "type: event_count, condition: {gte: -1}"), "c 0@0=1, c 3@20=1",
               {.second = 0, .rules = 1}, {.second = 5, .rules = 1}, {.second = 10, .rules = 1},
               {.second = 20, .rules = 1});
    CHECK_TOLD(C("c", "type: event_count, condition: {eq: 2}"), "c 1@1=2",
               {.second = 0, .rules = 1}, {.second = 1, .rules = 1}, {.second = 2, .rules = 1});
    CHECK_TOLD(C("c", "type: event_count, condition: {gt: 1, lt: 3}"), "c 1@1=2",
               {.second = 0, .rules = 1}, {.second = 1, .rules = 1}, {.second = 2, .rules = 1});
    buf_release(&many);
}

/* What joins a group after it has fired is told, until its window is empty. */
static void further_events_amend(void **state)
{
    (void)state;
    static const struct {
        const char *correlation;
        const char *amended;
    } CASES[] = {
        {"type: event_count, condition: {gte: 2}", " 2=3 3=2 5=2"},
        {"type: event_count, condition: {gte: 2, lt: 3}", " 2=? 3=2 5=2"},
        {"type: value_sum, condition: {field: n, gte: 3}", " 2=5 3=? 5=?"},
        {"type: value_sum, condition: {field: n, gte: 2.5}", " 2=5 3=? 5=?"},
        {"type: value_median, condition: {field: n, gte: 1.5}", " 2=? 3=? 5=?"},
        {"type: temporal, condition: {gte: 1}", " 1=? 2=? 3=? 5=?"},
        {"type: temporal, condition: r1 and not r2", ""},
    };
    static const struct sent EVENTS[] = {
        {.second = 0, .rules = 1, .n = "1"},  {.second = 1, .rules = 1, .n = "2"},
        {.second = 2, .rules = 1, .n = "2"},  {.second = 11, .rules = 1, .n = "0"},
        {.second = 12, .rules = 0, .n = "9"}, {.second = 20, .rules = 1, .n = "0"},
        {.second = 30, .rules = 1, .n = "0"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        buf_printf(&text,
                   "title: t\nid: c\ncorrelation: {rules: [r1, r2, r3], timespan: 10s, %s}\n",
                   CASES[i].correlation);
        struct trial *run = run_new(buf_string(&text), 0);
        for (size_t k = 0; k < sizeof(EVENTS) / sizeof(EVENTS[0]); k++)
            push(run, EVENTS[k]);
        if (strcmp(run->amended, CASES[i].amended) != 0)
            fail_msg("%s: %s", CASES[i].correlation, run->amended);
        run_free(run);
        buf_release(&text);
    }
}

static void an_event_counts_once(void **state)
{
    (void)state;
    CHECK_TOLD(C("c", "type: event_count, condition: {gte: 2}"), "c 1@1=2",
               {.second = 0, .rules = 7}, {.second = 1, .rules = 3});
    CHECK_TOLD(C("c", "type: temporal"), "c 0@0=3", {.second = 0, .rules = 7});
    CHECK_TOLD(C("c", "type: temporal_ordered"), "", {.second = 0, .rules = 7});
    CHECK_TOLD(C("c", "type: temporal_ordered"), "c 2@0=3", {.second = 0, .rules = 7},
               {.second = 0, .rules = 7}, {.second = 0, .rules = 7});
}

static void groups_are_apart(void **state)
{
    (void)state;
    static const char *const TWO =
        C("c", "type: event_count, group-by: [u, v], condition: {gte: 2}");
    CHECK_TOLD(TWO, "c 2@2=2 a|b|", {.second = 0, .rules = 1, .u = "a", .v = "b"},
               {.second = 1, .rules = 1, .u = "ab", .v = ""},
               {.second = 2, .rules = 1, .u = "a", .v = "b"});
    CHECK_TOLD(TWO, "", {.second = 0, .rules = 1, .u = "A", .v = "b"},
               {.second = 1, .rules = 1, .u = "a", .v = "b"});
    CHECK_TOLD(TWO, "c 1@1=2 ||", {.second = 0, .rules = 1, .u = "", .v = ""},
               {.second = 1, .rules = 1, .u = "", .v = ""});
    struct trial *run = run_new(TWO, 0);
    push(run, (struct sent){.second = 0, .rules = 1, .u = "a"});
    push(run, (struct sent){.second = 0, .rules = 1, .v = "a"});
    push(run, (struct sent){.second = 0, .rules = 1, .u = "a"});
    assert_int_equal(run->alert_count, 0);
    assert_int_equal(correlate_ungrouped(run->state), 3);
    run_free(run);
}

static void aliases_join_fields(void **state)
{
    (void)state;
    CHECK_TOLD(C("c", "type: temporal, group-by: [w], aliases: {w: {r1: u, r2: v, r3: n}}"),
               "c 3@3=3 x|", {.second = 0, .rules = 1, .u = "x", .v = "y", .n = "y"},
               {.second = 1, .rules = 2, .u = "y", .v = "x", .n = "y"},
               {.second = 2, .rules = 4, .u = "x", .v = "x", .n = "z"},
               {.second = 3, .rules = 4, .u = "y", .v = "y", .n = "x"});
}

static void values_are_counted_as_tuples(void **state)
{
    (void)state;
    static const char *const TWO = C("c", "type: value_count, condition: {gte: 3, field: [u, v]}");
    CHECK_TOLD(TWO, "c 3@3=3", {.second = 0, .rules = 1, .u = "a", .v = "bc"},
               {.second = 1, .rules = 1, .u = "ab", .v = "c"},
               {.second = 2, .rules = 1, .u = "a", .v = "bc"},
               {.second = 3, .rules = 1, .u = "A", .v = "bc"});
    CHECK_TOLD(TWO, "", {.second = 0, .rules = 1, .u = "a", .v = "b"},
               {.second = 1, .rules = 1, .u = "a"}, {.second = 2, .rules = 1, .v = "b"},
               {.second = 3, .rules = 1, .u = "b", .v = "a"});
    CHECK_TOLD(C("c", "type: value_count, condition: {gte: 2, field: u}"), "c 1@1=2",
               {.second = 0, .rules = 1, .u = "a"}, {.second = 1, .rules = 1, .u = "b", .v = ""},
               {.second = 1, .rules = 1, .u = ""}, {.second = 11, .rules = 1, .u = "a"});
}

static void numbers_are_aggregated(void **state)
{
    (void)state;
    CHECK_TOLD(C("c", "type: value_sum, condition: {gte: 10, field: n}"), "c 3@3=10.5",
               {.second = 0, .rules = 1, .n = "4"}, {.second = 1, .rules = 1, .n = "x"},
               {.second = 2, .rules = 1, .n = "5.5"}, {.second = 3, .rules = 1, .n = "1"});
    CHECK_TOLD(C("c", "type: value_avg, condition: {gt: 2, field: n}"), "c 2@2=2.5",
               {.second = 0, .rules = 1, .n = "1"}, {.second = 1, .rules = 1},
               {.second = 2, .rules = 1, .n = "4"});
    CHECK_TOLD(C("c", "type: value_median, condition: {gte: 5, field: n}"), "c 2@2=5",
               {.second = 0, .rules = 1, .n = "1"}, {.second = 1, .rules = 1, .n = "5"},
               {.second = 2, .rules = 1, .n = "1e3"});
    CHECK_TOLD(C("c", "type: value_percentile, condition: {gte: 8, field: n, percentile: 75}"),
               "c 3@3=8.5", {.second = 0, .rules = 1, .n = "1"},
               {.second = 1, .rules = 1, .n = "3"}, {.second = 2, .rules = 1, .n = "7"},
               {.second = 3, .rules = 1, .n = "13"});
    /* what has left the window has left nothing behind */
    CHECK_TOLD(C("c", "type: value_sum, condition: {gte: 10, field: n}"), "c 2@11=10",
               {.second = 0, .rules = 1, .n = "-1e18"}, {.second = 5, .rules = 1, .n = "5"},
               {.second = 11, .rules = 1, .n = "5"});
    CHECK_TOLD(C("c", "type: value_sum, condition: {lt: 3, field: n}"), "c 2@13=1",
               {.second = 0, .rules = 1, .n = "5"}, {.second = 9, .rules = 1},
               {.second = 13, .rules = 1, .n = "1"});
}

static void negations_wait_for_the_end(void **state)
{
    (void)state;
    static const char *const NOT = C("c", "type: temporal, condition: r1 and not r2");
    struct trial *run = run_new(NOT, 0);
    struct buf out = {0};
    push(run, (struct sent){.second = 0, .rules = 1});
    end(run, 9);
    assert_string_equal(told(run, &out), "");
    end(run, 10);
    assert_string_equal(told(run, &out), "c 0@10=1");
    run_free(run);
    run = run_new(NOT, 0);
    push(run, (struct sent){.second = 0, .rules = 1});
    push(run, (struct sent){.second = 9, .rules = 2});
    end(run, 100);
    assert_string_equal(told(run, &out), "");
    run_free(run);
    run = run_new(NOT, 0);
    push(run, (struct sent){.second = 0, .rules = 2});
    push(run, (struct sent){.second = 1, .rules = 1});
    push(run, (struct sent){.second = 11, .rules = 2});
    end(run, 100);
    assert_string_equal(told(run, &out), "c 1@11=1");
    run_free(run);
    buf_release(&out);
}

static void chains_feed_on(void **state)
{
    (void)state;
    static const char *const CHAIN = CORRELATION(
        "outer",
        "type: event_count, rules: inner, group-by: [v], timespan: 1m, "
        "condition: {gte: 2}") "---\n" CORRELATION("inner",
                                                   "type: event_count, rules: r1, group-by: [u], timespan: 10s, "
                                                   "condition: {gte: 2}");
    CHECK_TOLD(CHAIN, "inner 1@1=2 a|, inner 4@4=2 b|, outer 4@4=2 x|",
               {.second = 0, .rules = 1, .u = "a", .v = "y"},
               {.second = 1, .rules = 1, .u = "a", .v = "x"},
               {.second = 2, .rules = 1, .u = "a", .v = "x"},
               {.second = 3, .rules = 1, .u = "b", .v = "x"},
               {.second = 4, .rules = 1, .u = "b", .v = "x"});
}

/* What the callback returns ends the call, and the state stays usable. */
static void the_callback_may_stop(void **state)
{
    (void)state;
    struct trial *run = run_new(C("c", "type: event_count, group-by: [u], condition: {gte: 1}"), 0);
    run->stop = ERR_IO;
    push(run, (struct sent){.second = 0, .rules = 1, .u = "a"});
    run->stop = 0;
    push(run, (struct sent){.second = 0, .rules = 1, .u = "b"});
    assert_int_equal(run->alert_count, 2);
    run_free(run);
}

/* A naive engine: all events of a group, looked at anew for every event */

/* Whatever comes, nothing but the oldest groups of the fullest correlation is lost. */
static void full_memory_takes_the_quiet_groups(void **state)
{
    (void)state;
    static const char *const BOTH = CORRELATION(
        "many",
        "type: event_count, rules: r1, group-by: [u], timespan: 1d, "
        "condition: {gte: 2}") "---\n" CORRELATION("few",
                                                   "type: event_count, rules: r2, group-by: [u], timespan: 1d, "
                                                   "condition: {gte: 2}");
    struct trial *run = run_new(BOTH, 4096);
    for (int i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "kept-%d", i);
        push(run, (struct sent){.second = 1, .rules = 2, .u = name});
    }
    for (int i = 0; i < 50000; i++) {
        char name[400];
        (void)snprintf(name, sizeof(name), "%d-%0*d", i, 1 + i % 300, 7);
        push(run, (struct sent){.second = 2, .rules = 1, .u = name});
    }
    assert_int_equal(run->alert_count, 0);
    uint64_t evicted = correlate_evictions(run->state);
    assert_true(evicted > 40000 && evicted < 50000);
    for (int i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "kept-%d", i);
        push(run, (struct sent){.second = 3, .rules = 2, .u = name});
    }
    assert_int_equal(run->alert_count, 20);
    push(run, (struct sent){.second = 3,
                            .rules = 1,
                            .u = "49999-0000000000000000000000000000000000"
                                 "000000000000000000000000000000000000000"
                                 "000000000000000000000000000000000000007"});
    run_free(run);
}

/* One group that takes all it can get: the others of its kind and of other kinds go on. */
static void a_flood_of_one_group_harms_no_other(void **state)
{
    (void)state;
    static const char *const KINDS[] = {
        "type: value_sum, condition: {gte: 1e12, field: n}",
        "type: value_count, condition: {gte: 9000, field: n}",
        "type: value_median, condition: {gte: 1e12, field: n}",
        "type: temporal, condition: r1 and r2 and r3",
        "type: temporal, condition: r1 and not r2",
        "type: temporal_ordered",
        "type: event_count, condition: {gte: 9000}",
    };
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        struct buf text = {0};
        buf_printf(&text,
                   "title: c\nid: flood\ncorrelation: {rules: [r1, r2, r3], group-by: u, timespan: "
                   "1d, %s}\n---\n%s",
                   KINDS[i],
                   CORRELATION("other", "type: event_count, rules: r3, group-by: u, timespan: 1d, "
                                        "condition: {gte: 2}"));
        struct trial *run = run_new(buf_string(&text), 1 << 18);
        for (int k = 0; k < 50; k++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "o%d", k);
            push(run, (struct sent){.second = 1, .rules = 4, .u = name, .n = "1"});
        }
        for (int k = 0; k < 60000; k++)
            push(run, (struct sent){.second = 2 + k / 10, .rules = 1, .u = "noise", .n = "3"});
        uint32_t before = run->alert_count;
        for (int k = 0; k < 50; k++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "o%d", k);
            push(run, (struct sent){.second = 9000, .rules = 4, .u = name, .n = "1"});
        }
        if (run->alert_count - before != 50)
            fail_msg("%s: %u", KINDS[i], run->alert_count - before);
        assert_int_equal(correlate_evictions(run->state), 0);
        run_free(run);
        buf_release(&text);
    }
}

/* The smallest memory, every type, values of every length: nothing but what is counted is lost. */
static void the_smallest_memory_survives(void **state)
{
    (void)state;
    static const char *const ALL =
        C("c1", "type: value_count, group-by: [u, v], condition: {gte: 5, field: n}") "---\n" C("c2", "type: temporal, group-by: [v, u], condition: r1 and not r2") "---\n" C(
            "c3",
            "type: temporal_ordered, group-by: u") "---\n" C("c4",
                                                             "type: value_percentile, group-by: u, condition: {gte: 3, field: n, percentile: 9}") "---\n" CORRELATION("c5",
                                                                                                                                                                      "type: event_count, rules: c3, group-by: u, timespan: 1m, condition: {gte: 2}");
    struct trial *run = run_new(ALL, 1);
    uint64_t seed = 21;
    for (int i = 0; i < 30000; i++) {
        struct buf u = {0};
        struct buf v = {0};
        char n[16];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t dice = seed >> 20;
        for (uint64_t k = dice % 40; k > 0; k--)
            buf_text(&u, (dice >> k & 1) != 0 ? "abcdefghijklmnop" : "x");
        for (uint64_t k = (dice >> 9) % 600; (dice >> 20) % 8 == 0 && k > 0; k--)
            buf_byte(&v, 'v');
        (void)snprintf(n, sizeof(n), "%d", (int)(dice >> 30) % 40);
        if (run->alert_count > ALERTS_MAX - 100)
            run->alert_count = 0;
        push(run, (struct sent){.second = i / 40,
                                .rules = (uint32_t)(dice >> 24) % 8,
                                .u = buf_string(&u),
                                .v = buf_string(&v),
                                .n = n});
        buf_release(&u);
        buf_release(&v);
    }
    end(run, 100000);
    assert_true(correlate_evictions(run->state) > 0);
    run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_half_open),
        cmocka_unit_test(groups_fire_once_an_episode),
        cmocka_unit_test(further_events_amend),
        cmocka_unit_test(an_event_counts_once),
        cmocka_unit_test(groups_are_apart),
        cmocka_unit_test(aliases_join_fields),
        cmocka_unit_test(values_are_counted_as_tuples),
        cmocka_unit_test(numbers_are_aggregated),
        cmocka_unit_test(negations_wait_for_the_end),
        cmocka_unit_test(chains_feed_on),
        cmocka_unit_test(the_callback_may_stop),
        cmocka_unit_test(full_memory_takes_the_quiet_groups),
        cmocka_unit_test(a_flood_of_one_group_harms_no_other),
        cmocka_unit_test(the_smallest_memory_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
