/* Texts that tell a row's time: every layout, borders of days, years and 64 bits, and what is no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/time_text.h"

#define HOUR_NS (3600 * CLOCK_NS_PER_SECOND)
#define DAY_NS  (24 * HOUR_NS)

static int64_t at(const char *text)
{
    int64_t ns = 0;
    assert_int_equal(clock_parse(&ns, slice_from(text)), 0);
    return ns;
}

/* The text has this layout and distance from the time, and is printed from them as it is. */
static void tells(const char *text, const char *layout, int64_t time_ns, int64_t distance)
{
    struct time_text guessed;
    struct time_text read;
    struct buf out = {0};
    int64_t found = 0;
    assert_true(time_text_guess(&guessed, slice_from(text)));
    assert_string_equal(guessed.layout, layout);
    assert_true(time_text_layout(&read, slice_from(layout)));
    assert_int_equal(read.unit_ns, guessed.unit_ns);
    assert_true(time_text_distance(&read, slice_from(text), time_ns, &found));
    assert_int_equal(found, distance);
    assert_true(time_text_print(&read, time_ns, distance, &out));
    assert_true(slice_equal(buf_content(&out), slice_from(text)));
    buf_release(&out);
}

static void test_layouts(void **state)
{
    (void)state;
    int64_t t = at("2026-11-22T01:02:03.456789012Z");
    tells("2026-11-22T01:02:03", "%Y-%m-%dT%H:%M:%S", t, 0);
    tells("2026-11-22T10:02:03.4+09:00", "%Y-%m-%dT%H:%M:%S.%1N+09:00", t, INT64_C(324000));
    tells("2026-11-22T01:02:03.456789012Z", "%Y-%m-%dT%H:%M:%S.%9NZ", t, 0);
    tells("2026-11-22 01:02:04.000", "%Y-%m-%d %H:%M:%S.%3N", t, 544);
    tells("2026/11/22 10:02:02", "%Y/%m/%d %H:%M:%S", t, 32399);
    tells("Nov 22 01:02:03", "%b %d %H:%M:%S", t, 0);
    tells("Nov  2 01:02:03", "%b %e %H:%M:%S", t, INT64_C(-20) * 86400);
    tells("Nov 22 2026 01:02:03: tail", "%b %d %Y %H:%M:%S: tail", t, 0);
    tells("22/Nov/2026:10:02:03 +0900", "%d/%b/%Y:%H:%M:%S +0900", t, 32400);
    tells("01:02:03.123456", "%H:%M:%S.%6N", t, -333333);
}

static void test_borders(void **state)
{
    (void)state;
    tells("Dec 31 23:59:59", "%b %d %H:%M:%S", at("2027-01-01T00:00:01Z"), -2);
    tells("Jan 01 00:00:01", "%b %d %H:%M:%S", at("2026-12-31T23:59:59Z"), 2);
    tells("Feb 29 12:00:00", "%b %d %H:%M:%S", at("2028-03-01T12:00:00Z"), -86400);
    tells("23:59:59", "%H:%M:%S", at("2026-11-23T00:00:00.999Z"), -1);
    tells("00:00:00", "%H:%M:%S", at("2026-11-22T23:59:59Z"), 1);
    tells("1969-12-31 23:59:59.9", "%Y-%m-%d %H:%M:%S.%1N", -1, 0);
    tells("1969-12-31 23:59:59", "%Y-%m-%d %H:%M:%S", -CLOCK_NS_PER_SECOND, 0);
    tells("1970-01-01 00:00:00", "%Y-%m-%d %H:%M:%S", -1, 1);
    tells("1969-12-30 00:00:00", "%Y-%m-%d %H:%M:%S", -2 * DAY_NS - 1, 1);
    tells("2000-02-29T00:00:00", "%Y-%m-%dT%H:%M:%S", at("2000-02-28T23:59:59.5Z"), 1);
}

/* A text that would be printed otherwise, or that is too far away. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *layout, *text, *time;
    } CASES[] = {
        {"%Y-%m-%dT%H:%M:%S", "2016-12-31T23:59:60", "2016-12-31T23:59:59Z"}, /* a leap second */
        {"%H:%M:%S", "23:59:60", "2016-12-31T23:59:59Z"},
        {"%b %d %H:%M:%S", "Dec 31 23:59:60", "2016-12-31T23:59:59Z"},
        {"%Y-%m-%dT%H:%M:%S", "2026-02-29T00:00:00", "2026-02-28T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "2026-11-22T24:00:00", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "2026-00-22T00:00:00", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "2024-11-22T00:00:00", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "1700-01-01T00:00:00", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S.%9N", "1700-01-01T00:00:00.000000000", "2200-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "0000-01-01T00:00:00", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "9999-01-01T00:00:00", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "2026-11-22T00:00:00 ", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "2026-11-22T00:00:0", "2026-11-22T00:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S", "", "2026-11-22T00:00:00Z"},
        {"%b %e %H:%M:%S", "Nov 02 00:00:00", "2026-11-02T00:00:00Z"},
        {"%b %d %H:%M:%S", "Feb 29 00:00:00", "2026-03-01T00:00:00Z"},
        {"%b %d %H:%M:%S", "nov 22 00:00:00", "2026-11-22T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct time_text t;
        int64_t distance = 17;
        assert_true(time_text_layout(&t, slice_from(CASES[i].layout)));
        assert_false(
            time_text_distance(&t, slice_from(CASES[i].text), at(CASES[i].time), &distance));
        assert_int_equal(distance, 17);
    }
}

static void test_no_layout(void **state)
{
    (void)state;
    static const char *const LAYOUTS[] = {
        "",     "%",
        "%q",   "%Y%",
        "%3",   "%3S",
        "%0N",  "%%",
        "%10N", "0123456789012345678901234567890123456789012345678901234567890123%Y"};
    static const char *const TEXTS[] = {
        "",
        "soon",
        "2026-11-22",
        "2026-11-22T00:00",
        "2026-11-22T00:00:00 100%",
        "2026-11-22T00:00:00 0123456789012345678901234567890123456789012345"};
    struct time_text t;
    for (size_t i = 0; i < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); i++)
        assert_false(time_text_layout(&t, slice_from(LAYOUTS[i])));
    assert_false(time_text_layout(&t, SLICE("%Y\0%m")));
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(time_text_guess(&t, slice_from(TEXTS[i])));
}

/* Times and distances that no calendar has. */
static void test_print_refused(void **state)
{
    (void)state;
    struct time_text t;
    struct buf out = {0};
    assert_true(time_text_layout(&t, SLICE("%Y-%m-%d %H:%M:%S")));
    static const int64_t TIMES[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - DAY_NS};
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++)
        assert_false(time_text_print(&t, TIMES[i], 0, &out));
    static const int64_t FAR[] = {INT64_MIN, INT64_MAX, INT64_C(400) * 86400 + 2,
                                  INT64_C(-400) * 86400 - 2};
    for (size_t i = 0; i < sizeof(FAR) / sizeof(FAR[0]); i++)
        assert_false(time_text_print(&t, 0, FAR[i], &out));
    assert_true(time_text_print(&t, 0, INT64_C(400) * 86400, &out));
    assert_true(slice_equal(buf_content(&out), SLICE("1971-02-05 00:00:00")));
    buf_release(&out);
}

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return *x * UINT64_C(2685821657736338717);
}

/*
 * What is printed at a distance tells that distance, and prints again the same. Without a year or a date the
 * nearest moment is meant: there only the text must come back.
 */
static void test_round_trip(void **state)
{
    (void)state;
    static const char *const LAYOUTS[] = {"%Y-%m-%dT%H:%M:%S",     "%Y-%m-%d %H:%M:%S.%3N",
                                          "%Y/%m/%d %H:%M:%S.%9N", "%b %d %H:%M:%S",
                                          "%b %e %H:%M:%S",        "%b %d %Y %H:%M:%S",
                                          "%d/%b/%Y:%H:%M:%S",     "%H:%M:%S",
                                          "%H:%M:%S.%6N",          "%d/%b %H:%M"};
    uint64_t random = 4711;
    uint32_t told = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        struct time_text t;
        struct buf text = {0};
        struct buf again = {0};
        assert_true(time_text_layout(&t, slice_from(LAYOUTS[i % 10])));
        int64_t time_ns = (int64_t)next_random(&random) >> (random % 40);
        int64_t distance = (int64_t)next_random(&random) >> (20 + random % 44);
        int64_t found = 0;
        if (time_text_print(&t, time_ns, distance, &text)) {
            bool tells_it = time_text_distance(&t, buf_content(&text), time_ns, &found);
            if (t.has_year && t.has_date && i % 10 != 9 &&
                llabs(distance) < 300 * DAY_NS / t.unit_ns &&
                llabs(time_ns) < INT64_C(250) * 365 * DAY_NS)
                assert_true(tells_it && found == distance);
            if (tells_it) {
                told++;
                assert_true(time_text_print(&t, time_ns, found, &again));
                assert_true(slice_equal(buf_content(&text), buf_content(&again)));
            }
        }
        buf_release(&text);
        buf_release(&again);
    }
    assert_true(told > 50000);
}

/* One text by a pen that wrote others before; whether its distance was found. */
static bool check_pen(struct time_pen *pen, int64_t time_ns, int64_t distance, int64_t guess)
{
    const struct time_text *t = pen->layout;
    struct buf text = {0};
    int64_t found = 0;
    bool any = time_text_print(t, time_ns, distance, &text);
    bool tells_it = false;
    assert_int_equal(time_pen_write(pen, time_ns, distance), any);
    if (any) {
        struct slice whole = buf_content(&text);
        assert_true(slice_equal(whole, slice_of(pen->text, pen->len)));
        tells_it = time_pen_distance(pen, whole, time_ns, guess, &found);
        if (tells_it) {
            assert_true(time_pen_write(pen, time_ns, found));
            assert_true(slice_equal(whole, slice_of(pen->text, pen->len)));
        } else {
            assert_false(time_text_distance(t, whole, time_ns, &found));
        }
    }
    buf_release(&text);
    return tells_it;
}

/* A pen writes what time_text_print() does, and finds what time_text_distance() does. */
static void test_pen(void **state)
{
    (void)state;
    static const char *const LAYOUTS[] = {"%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S.%9N",
                                          "%b %e %H:%M:%S",    "%H:%M:%S.%3N",
                                          "%S%S %M %H %d",     "%d/%b %Y",
                                          "%9N%1N %e%e%Y%b"};
    uint64_t random = 99;
    uint32_t told = 0;
    for (size_t l = 0; l < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); l++) {
        struct time_text t;
        assert_true(time_text_layout(&t, slice_from(LAYOUTS[l])));
        struct time_pen pen = time_pen_of(&t);
        int64_t time_ns = at("2026-02-27T22:00:00Z");
        int64_t distance = 0;
        for (uint32_t i = 0; i < 20000; i++) {
            time_ns = next_random(&random) % 500 == 0
                          ? (int64_t)next_random(&random) >> (random % 4)
                          : time_ns + ((int64_t)next_random(&random) >> (16 + random % 30));
            /* The same time of another day. */
            if (next_random(&random) % 20 == 0)
                time_ns = (int64_t)((uint64_t)time_ns + 86400 * UINT64_C(1000000000));
            if (next_random(&random) % 20 == 0)
                distance = (int64_t)next_random(&random) >> (30 + random % 34);
            told += check_pen(&pen, time_ns, distance, i % 2 == 0 ? distance : 3600);
        }
    }
    assert_true(told > 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pen),        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_borders),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_layout),  cmocka_unit_test(test_print_refused),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
