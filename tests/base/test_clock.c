#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"

static void knows_the_calendar(void **state)
{
    (void)state;
    assert_int_equal(clock_days(1970, 1, 1), 0);
    assert_int_equal(clock_days(2000, 3, 1), 11017);
    assert_int_equal(clock_days(1969, 12, 31), -1);
    int64_t expected = clock_days(1678, 1, 1);
    for (int32_t year = 1678; year <= 2261; year++) {
        for (int32_t month = 1; month <= 12; month++) {
            struct clock_civil c = {.year = year, .month = month, .day = 1};
            for (; clock_civil_valid(&c); c.day++) {
                assert_int_equal(clock_days(year, month, c.day), expected);
                struct clock_civil back;
                clock_to_civil(&back, clock_from_civil(&c) + 86399999999999);
                assert_int_equal(back.year, year);
                assert_int_equal(back.month, month);
                assert_int_equal(back.day, c.day);
                assert_int_equal(back.second, 59);
                assert_int_equal(back.nanosecond, 999999999);
                expected++;
            }
        }
    }
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    static const struct clock_civil WRONG[] = {
        {2026, 0, 1, 0, 0, 0, 0},  {2026, 13, 1, 0, 0, 0, 0}, {2026, 2, 29, 0, 0, 0, 0},
        {1900, 2, 29, 0, 0, 0, 0}, {2026, 4, 31, 0, 0, 0, 0}, {2026, 1, 0, 0, 0, 0, 0},
        {2026, 1, 1, 24, 0, 0, 0}, {2026, 1, 1, 0, 60, 0, 0}, {2026, 1, 1, 0, 0, 61, 0},
        {2026, 1, 1, -1, 0, 0, 0}, {2026, 1, 1, 0, 0, 0, -1}, {2026, 1, 1, 0, 0, 0, 1000000000},
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_false(clock_civil_valid(&WRONG[i]));
    struct clock_civil leap = {2000, 2, 29, 23, 59, 60, 0};
    assert_true(clock_civil_valid(&leap));
}

static void prints(void **state)
{
    (void)state;
    struct buf b = {0};
    clock_print(&b, 0);
    buf_byte(&b, ' ');
    clock_print(&b, 1500000000);
    buf_byte(&b, ' ');
    clock_print(&b, 1000);
    buf_byte(&b, ' ');
    clock_print(&b, -1);
    buf_byte(&b, ' ');
    clock_print_ms(&b, 1999999999);
    assert_string_equal(buf_string(&b),
                        "1970-01-01T00:00:00Z 1970-01-01T00:00:01.500Z "
                        "1970-01-01T00:00:00.000001Z 1969-12-31T23:59:59.999999999Z "
                        "1970-01-01T00:00:01.999Z");
    buf_reset(&b);
    clock_print_zone(&b, 0, 540);
    buf_byte(&b, ' ');
    clock_print_zone(&b, 0, -210);
    buf_byte(&b, ' ');
    clock_print_zone(&b, INT64_MAX, 1439);
    assert_string_equal(buf_string(&b), "1970-01-01T09:00:00+09:00 1969-12-31T20:30:00-03:30 "
                                        "2262-04-12T23:46:16.854775807+23:59");
    buf_release(&b);
}

static void reads_rfc3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t09:00:00.5+09:00", 500000000},
        {"1970-01-01 00:00:01", 1000000000},
        {"1970-01-01T00:00:00.1234567891Z", 123456789},
        {"1969-12-31T23:59:60Z", 0},
        {"1970-01-01T00:00:00-0130", INT64_C(5400000000000)},
        {"2026-11-21T01:00:00.001Z", INT64_C(1795222800001000000)},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        int64_t ns = 1;
        assert_int_equal(clock_parse(&ns, slice_from(CASES[i].text)), 0);
        assert_int_equal(ns, CASES[i].ns);
    }
}

static void refuses_broken_times(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",
        "1970",
        "1970-01-01",
        "1970-01-01T00:00",
        "1970-01-01T00:00:00.",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00X",
        "1970-01-01T00:00:00+9",
        "1970-01-01T00:00:00+09:0",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00Z ",
        "1970-02-30T00:00:00Z",
        "1600-01-01T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "+970-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        int64_t ns = 77;
        assert_int_equal(clock_parse(&ns, slice_from(WRONG[i])), ERR_FORMAT);
        assert_int_equal(ns, 77);
    }
    struct slice whole = SLICE("2026-11-21T01:00:00.001+09:00");
    for (size_t len = 0; len < whole.len; len++) {
        int64_t ns = 0;
        (void)clock_parse(&ns, slice_of(whole.data, len));
    }
}

static void reads_durations_and_zones(void **state)
{
    (void)state;
    int64_t ns = 0;
    int32_t minutes = 0;
    assert_int_equal(clock_parse_duration(&ns, SLICE("500ms")), 0);
    assert_int_equal(ns, 500000000);
    assert_int_equal(clock_parse_duration(&ns, SLICE("7d")), 0);
    assert_int_equal(ns, INT64_C(604800000000000));
    assert_int_equal(clock_parse_duration(&ns, SLICE("2h")), 0);
    assert_int_equal(ns, INT64_C(7200000000000));
    static const char *const WRONG[] = {
        "", "s", "10", "-1s", "1.5s", "10 s", "1x", "200000d", "99999999999999999999s"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(clock_parse_duration(&ns, slice_from(WRONG[i])), ERR_FORMAT);
    assert_int_equal(clock_parse_zone(&minutes, SLICE("-03:30")), 0);
    assert_int_equal(minutes, -210);
    assert_int_equal(clock_parse_zone(&minutes, SLICE("Z")), 0);
    assert_int_equal(minutes, 0);
    assert_int_equal(clock_parse_zone(&minutes, SLICE("0900")), ERR_FORMAT);
    assert_int_equal(clock_parse_zone(&minutes, SLICE("+0960")), ERR_FORMAT);
}

static void goes_forward(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_ns();
    assert_true(clock_now_ns() > INT64_C(1600000000000000000));
    assert_true(clock_cpu_ns() > 0);
    assert_true(clock_monotonic_ns() >= before);
}

/* Against a count from the Monday of the week that holds 4 January. */
static void counts_iso_weeks(void **state)
{
    (void)state;
    static const struct {
        struct clock_civil day;
        int32_t week;
    } CASES[] = {
        {{.year = 2026, .month = 1, .day = 1}, 1},    {{.year = 2027, .month = 1, .day = 1}, 53},
        {{.year = 2027, .month = 1, .day = 3}, 53},   {{.year = 2027, .month = 1, .day = 4}, 1},
        {{.year = 2024, .month = 12, .day = 29}, 52}, {{.year = 2024, .month = 12, .day = 30}, 1},
        {{.year = 2023, .month = 1, .day = 1}, 52},   {{.year = 2021, .month = 1, .day = 3}, 53},
        {{.year = 2020, .month = 12, .day = 31}, 53}, {{.year = 1970, .month = 1, .day = 1}, 1},
        {{.year = 1969, .month = 12, .day = 28}, 52}, {{.year = 1969, .month = 12, .day = 29}, 1},
        {{.year = 2000, .month = 2, .day = 29}, 9},   {{.year = 1900, .month = 12, .day = 31}, 1},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_int_equal(clock_week(&CASES[i].day), CASES[i].week);
    for (int64_t day = clock_days(1895, 1, 1); day < clock_days(2105, 1, 1); day++) {
        struct clock_civil c;
        clock_to_civil(&c, day * 86400 * CLOCK_NS_PER_SECOND);
        int64_t monday = 0;
        for (int32_t year = c.year + 1; year >= c.year - 1; year--) {
            int64_t fourth = clock_days(year, 1, 4);
            monday = fourth - ((fourth + 3) % 7 + 7) % 7;
            if (monday <= day)
                break;
        }
        assert_int_equal(clock_week(&c), (day - monday) / 7 + 1);
    }
}

static void reads_times_as_written(void **state)
{
    (void)state;
    static const char *const SAME[] = {
        "2026-12-31T23:30:00+09:00", "2026-12-31T23:30:00Z",       "2026-12-31 23:30:00",
        "2026-12-31t23:30:00-11:30", "2026-12-31T23:30:00.0+0900",
    };
    struct clock_civil c;
    for (size_t i = 0; i < sizeof(SAME) / sizeof(SAME[0]); i++) {
        int64_t ns = 0;
        assert_int_equal(clock_parse_written(&ns, slice_from(SAME[i])), 0);
        clock_to_civil(&c, ns);
        assert_int_equal(c.year, 2026);
        assert_int_equal(c.day, 31);
        assert_int_equal(c.hour, 23);
        assert_int_equal(c.minute, 30);
    }
    static const char *const WRONG[] = {
        "",           "2026-12-31",           "2026-13-31T00:00:00Z", "2026-02-29T00:00:00Z",
        "1700000000", "2026-12-31T24:00:00Z", "2026-12-31T23:30:00x", "2026-12-31T23:30:00+25:00"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        int64_t ns = 77;
        assert_int_equal(clock_parse_written(&ns, slice_from(WRONG[i])), ERR_FORMAT);
        assert_int_equal(ns, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_calendar),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(prints),
        cmocka_unit_test(reads_rfc3339),
        cmocka_unit_test(refuses_broken_times),
        cmocka_unit_test(reads_durations_and_zones),
        cmocka_unit_test(counts_iso_weeks),
        cmocka_unit_test(reads_times_as_written),
        cmocka_unit_test(goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
