/* Times as devices write them; the expected values are RFC 3339, read by base/clock.h. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "ingest/stamp.h"
#include "tests/ingest/padded.h"

enum {
    JST = 540,
    UNTOUCHED = 42
};

struct stamp_case {
    const char *text;
    const char *expected; /* RFC 3339, or NULL for ERR_FORMAT */
};

static int64_t ns_of(const char *text)
{
    int64_t ns = 0;
    assert_int_equal(clock_parse(&ns, slice_from(text)), 0);
    return ns;
}

static void check(const struct stamp_case *c, int32_t zone, int64_t reference,
                  struct stamp_cache *cache)
{
    struct slice text = padded_copy(slice_from(c->text));
    int64_t ns = UNTOUCHED;
    int err = stamp_parse(&ns, text, zone, reference, cache);
    if (c->expected == NULL) {
        if (err != ERR_FORMAT)
            print_error("accepted: %s\n", c->text);
        assert_int_equal(err, ERR_FORMAT);
        assert_int_equal(ns, UNTOUCHED);
    } else {
        if (err != 0 || ns != ns_of(c->expected))
            print_error("%s: %d, off by %lld ns\n", c->text, err,
                        (long long)(ns - ns_of(c->expected)));
        assert_int_equal(err, 0);
        assert_true(ns == ns_of(c->expected));
    }
    padded_free(text);
}

static const struct stamp_case LAYOUTS[] = {
    {"2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"},
    {"2026-11-21T10:00:00z", "2026-11-21T10:00:00Z"},
    {"2026-11-21t10:00:00Z", "2026-11-21T10:00:00Z"},
    {"2026-11-21T10:00:00+09:00", "2026-11-21T01:00:00Z"},
    {"2026-11-21T10:00:00+0900", "2026-11-21T01:00:00Z"},
    {"2026-11-21T10:00:00+09", "2026-11-21T01:00:00Z"},
    {"2026-11-21T10:00:00-03:30", "2026-11-21T13:30:00Z"},
    {"2026-11-21T10:00:00", "2026-11-21T01:00:00Z"},
    {"2026-11-21 10:00:00", "2026-11-21T01:00:00Z"},
    {"2026/11/21 10:00:00", "2026-11-21T01:00:00Z"},
    {"2026-11-21T10:00:00.1+09:00", "2026-11-21T01:00:00.1Z"},
    {"2026-11-21T10:00:00,123Z", "2026-11-21T10:00:00.123Z"},
    {"2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123456789Z"},
    {"2026-11-21T10:00:00.1234567891Z", "2026-11-21T10:00:00.123456789Z"},
    {"2026-11-21 10:00:00 UTC", "2026-11-21T10:00:00Z"},
    {"2026-11-21 10:00:00 GMT", "2026-11-21T10:00:00Z"},
    {"2026-11-21 10:00:00 JST", "2026-11-21T01:00:00Z"},
    {"2026-11-21 10:00:00 -0700", "2026-11-21T17:00:00Z"},
    {"2026-11-21T10: 02:03.129+09:00", "2026-11-21T01:02:03.129Z"},
    {"21/Nov/2026:10:00:00 +0900", "2026-11-21T01:00:00Z"},
    {"21/Nov/2026:10:00:00 +0000", "2026-11-21T10:00:00Z"},
    {"21/Nov/2026 10:00:00", "2026-11-21T01:00:00Z"},
    {"21/Nov/2026:10:00:4 +0900", "2026-11-21T01:00:04Z"},
    {"21-Nov-2026 10:00:00.123", "2026-11-21T01:00:00.123Z"},
    {"11/21/2026 10:00:00", "2026-11-21T01:00:00Z"},
    {"11/21/2026:10:00:00 GMT", "2026-11-21T10:00:00Z"},
    {"Nov 21 2026 10:00:00", "2026-11-21T01:00:00Z"},
    {"Nov  1 2026 10:00:00", "2026-11-01T01:00:00Z"},
    {"Nov 21 2026 10:00:00 GMT+09:00", "2026-11-21T01:00:00Z"},
    {"Nov 21 2026 10:00:00 GMT-01:30", "2026-11-21T11:30:00Z"},
    {"2026 Nov 21 10:00:00.5", "2026-11-21T01:00:00.5Z"},
    {"2025 Nov  1 10:00:00 UTC", "2025-11-01T10:00:00Z"},
    {"Nov 1 2026 10:00:00", "2026-11-01T01:00:00Z"},
    {"Nov 21 2026 10:00:00 UTC", "2026-11-21T10:00:00Z"},
    {"NOV 21 2026 10:00:00.5", "2026-11-21T01:00:00.5Z"},
    {"Nov 21 10:00:00", "2026-11-21T01:00:00Z"},
    {"Nov  1 10:00:00", "2026-11-01T01:00:00Z"},
    {"Nov 1 10:00:00", "2026-11-01T01:00:00Z"},
    {"Nov 21 10:00:00.044", "2026-11-21T01:00:00.044Z"},
    {"1795222800", "2026-11-21T01:00:00Z"},
    {"1795222800123", "2026-11-21T01:00:00.123Z"},
    {"1795222800123456", "2026-11-21T01:00:00.123456Z"},
    {"1795222800123456789", "2026-11-21T01:00:00.123456789Z"},
    {"1795222800.123", "2026-11-21T01:00:00.123Z"},
    {"1795222800.1", "2026-11-21T01:00:00.1Z"},
    {"1795222800.123456", "2026-11-21T01:00:00.123456Z"},
    {"Sat Nov 21 10:00:00 2026", "2026-11-21T01:00:00Z"},
    {"Sat Nov 21 10:00:00.902022 2026", "2026-11-21T01:00:00.902022Z"},
    {"Sun Nov  1 10:00:00 2026", "2026-11-01T01:00:00Z"},
    {"Nov 21 10:00:00 2026 GMT", "2026-11-21T10:00:00Z"},
    {"Sat, 21 Nov 2026 10:00:00 GMT", "2026-11-21T10:00:00Z"},
    {"21 Nov 2026 10:00:00", "2026-11-21T01:00:00Z"},
    {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
    {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
    {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
    {"1678-01-01T00:00:00Z", "1678-01-01T00:00:00Z"},
    {"2261-12-31T23:59:59Z", "2261-12-31T23:59:59Z"},
    {"2026-11-21T00:00:00+23:59", "2026-11-20T00:01:00Z"},
};

static const struct stamp_case REFUSED[] = {
    {"", NULL},
    {"2026-11-21", NULL},
    {"2026-11-21T", NULL},
    {"2026-11-21 10:00", NULL},
    {"2026-11-21x10:00:00", NULL},
    {"2026-11-21T10:00:00x", NULL},
    {"2026-11-21T10:00:00 ", NULL},
    {"2026-11-21T10:00:00.", NULL},
    {"2026-11-21T10:00:00+", NULL},
    {"2026-11-21T10:00:00+9", NULL},
    {"2026-11-21T10:00:00+09:", NULL},
    {"2026-11-21T10:00:00+09:0", NULL},
    {"2026-11-21T10:00:00+24:00", NULL},
    {"2026-11-21T10:00:00+09:60", NULL},
    {"2026-11-21T10:00:00 CEST", NULL},
    {"2026-11-21T10:00:00Z extra", NULL},
    {"2026-02-29T00:00:00Z", NULL},
    {"1900-02-29T00:00:00Z", NULL},
    {"2026-02-30T00:00:00Z", NULL},
    {"2026-13-01T00:00:00Z", NULL},
    {"2026-00-01T00:00:00Z", NULL},
    {"2026-01-00T00:00:00Z", NULL},
    {"2026-04-31T00:00:00Z", NULL},
    {"2026-11-21T24:00:00Z", NULL},
    {"2026-11-21T10:60:00Z", NULL},
    {"2026-11-21T10:00:61Z", NULL},
    {"1677-12-31T00:00:00Z", NULL},
    {"2262-01-01T00:00:00Z", NULL},
    {"0000-01-01T00:00:00Z", NULL},
    {"2o26-11-21T10:00:00Z", NULL},
    {"2026-1:-21T10:00:00Z", NULL},
    {"21/Foo/2026:10:00:00 +0900", NULL},
    {"31/Nov/2026:10:00:00 +0900", NULL},
    {"Nov 31 10:00:00", NULL},
    {"Foo 21 10:00:00", NULL},
    {"Nov 21", NULL},
    {"Nov 21 10:00:00 host", NULL},
    {"Nov 21 20x6 10:00:00", NULL},
    {"179522280", NULL},
    {"17952228001", NULL},
    {"9999999999", NULL},
    {"9999999999999", NULL},
    {"9999999999999999", NULL},
    {"9999999999999999999", NULL},
    {"9999999999.999", NULL},
    {"1795222800.", NULL},
    {"179522280x", NULL},
    {"-1795222800", NULL},
};

static void test_layouts(void **state)
{
    (void)state;
    int64_t reference = ns_of("2026-11-21T01:00:00Z");
    struct stamp_cache shared = {0};
    for (size_t i = 0; i < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); i++) {
        struct stamp_cache fresh = {0};
        check(&LAYOUTS[i], JST, reference, &fresh);
        check(&LAYOUTS[i], JST, reference, &fresh);
        check(&LAYOUTS[i], JST, reference, &shared);
    }
}

static void test_refused(void **state)
{
    (void)state;
    int64_t reference = ns_of("2026-11-21T01:00:00Z");
    struct stamp_cache cache = {0};
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++)
        check(&REFUSED[i], JST, reference, &cache);
    /* What was REFUSED must not have spoilt what is remembered. */
    check(&LAYOUTS[0], JST, reference, &cache);
}

struct year_case {
    const char *reference;
    int32_t zone;
    struct stamp_case stamp;
};

static const struct year_case YEARS[] = {
    /* both ways over the end of the year */
    {"2027-01-01T00:00:05Z", 0, {"Dec 31 23:59:59", "2026-12-31T23:59:59Z"}},
    {"2026-12-31T23:59:59Z", 0, {"Jan  1 00:00:01", "2027-01-01T00:00:01Z"}},
    {"2026-12-31T23:59:59Z", 0, {"Dec 31 23:59:59", "2026-12-31T23:59:59Z"}},
    {"2027-01-01T00:00:00Z", 0, {"Jan  1 00:00:00", "2027-01-01T00:00:00Z"}},
    /* the reference counts in the stamp's zone: 15:00 UTC is midnight in Japan */
    {"2026-12-31T15:00:00Z", JST, {"Jan  1 00:00:00", "2026-12-31T15:00:00Z"}},
    {"2026-12-31T15:00:00Z", JST, {"Dec 31 23:59:59", "2026-12-31T14:59:59Z"}},
    {"2026-12-31T14:59:59Z", JST, {"Jan  1 00:00:00", "2026-12-31T15:00:00Z"}},
    {"2027-01-01T04:00:00Z", -300, {"Dec 31 23:00:00", "2027-01-01T04:00:00Z"}},
    /* half a year away */
    {"2026-07-01T00:00:00Z", 0, {"Jan  1 00:00:00", "2026-01-01T00:00:00Z"}},
    {"2026-07-03T00:00:00Z", 0, {"Jan  1 00:00:00", "2027-01-01T00:00:00Z"}},
    {"2026-06-30T00:00:00Z", 0, {"Dec 31 00:00:00", "2025-12-31T00:00:00Z"}},
    {"2026-07-02T00:00:00Z", 0, {"Dec 31 00:00:00", "2026-12-31T00:00:00Z"}},
    /* 2 July of a leap year lies 183 days from both: the earlier */
    {"2028-07-02T00:00:00Z", 0, {"Jan  1 00:00:00", "2028-01-01T00:00:00Z"}},
    {"2028-07-03T00:00:00Z", 0, {"Jan  1 00:00:00", "2029-01-01T00:00:00Z"}},
    /* 29 February only where there is one */
    {"2024-02-29T12:00:00Z", 0, {"Feb 29 12:00:00", "2024-02-29T12:00:00Z"}},
    {"2024-03-01T12:00:00Z", 0, {"Feb 29 12:00:00", "2024-02-29T12:00:00Z"}},
    {"2023-12-31T12:00:00Z", 0, {"Feb 29 12:00:00", "2024-02-29T12:00:00Z"}},
    {"2025-01-05T12:00:00Z", 0, {"Feb 29 12:00:00", "2024-02-29T12:00:00Z"}},
    {"2025-12-31T12:00:00Z", 0, {"Feb 29 12:00:00", "2024-02-29T12:00:00Z"}},
    {"2026-02-28T12:00:00Z", 0, {"Feb 29 12:00:00", NULL}},
    {"2100-03-01T12:00:00Z", 0, {"Feb 29 12:00:00", NULL}},
    {"2000-03-01T12:00:00Z", 0, {"Feb 29 12:00:00", "2000-02-29T12:00:00Z"}},
    /* the text's own zone moves the reference's day too */
    {"2026-12-31T15:00:00Z", 0, {"Jan  1 00:00:00 JST", "2026-12-31T15:00:00Z"}},
    {"1969-12-31T23:00:00Z", 0, {"Jan  1 00:00:00", "1970-01-01T00:00:00Z"}},
};

static void test_nearest_year(void **state)
{
    (void)state;
    struct stamp_cache shared = {0};
    for (size_t i = 0; i < sizeof(YEARS) / sizeof(YEARS[0]); i++) {
        struct stamp_cache fresh = {0};
        check(&YEARS[i].stamp, YEARS[i].zone, ns_of(YEARS[i].reference), &fresh);
        check(&YEARS[i].stamp, YEARS[i].zone, ns_of(YEARS[i].reference), &shared);
    }
    const struct stamp_case no_reference = {"Nov 21 10:00:00", NULL};
    check(&no_reference, 0, CLOCK_NONE, &shared);
    /* no overflow at the ends of time */
    const struct stamp_case any = {"Nov 21 10:00:00", NULL};
    check(&any, 1440, INT64_MAX, &shared);
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        const char *clock;
        const char *expected;
    } CASES[] = {
        {"2026-11-21", "10:00:00", "2026-11-21T01:00:00Z"},
        {"2026/11/21", "10:00:00.5", "2026-11-21T01:00:00.5Z"},
        {"2026:11:21", "10:00:00", "2026-11-21T01:00:00Z"},
        {"21Nov2026", "10:00:00", "2026-11-21T01:00:00Z"},
        {"01Jan2027", "10:00:00", "2027-01-01T01:00:00Z"},
        {"2026-11-21", "10:00:00Z", "2026-11-21T10:00:00Z"},
        {"2026-11-21", "10:00:00 +0000", "2026-11-21T10:00:00Z"},
        {"2026-11-21 ", "10:00:00", NULL},
        {"2026-11-21", "10:00", NULL},
        {"2026-11-21", "", NULL},
        {"", "10:00:00", NULL},
        {"20261121", "10:00:00", NULL},
    };
    struct stamp_cache cache = {0};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct slice date = padded_copy(slice_from(CASES[i].date));
        struct slice clock = padded_copy(slice_from(CASES[i].clock));
        int64_t ns = UNTOUCHED;
        int err = stamp_parse_parts(&ns, date, clock, JST, &cache);
        assert_int_equal(err, CASES[i].expected == NULL ? ERR_FORMAT : 0);
        assert_true(ns == (CASES[i].expected == NULL ? UNTOUCHED : ns_of(CASES[i].expected)));
        padded_free(date);
        padded_free(clock);
    }
}

static void test_zones(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t minutes; /* UNTOUCHED: REFUSED */
    } CASES[] = {
        {"+0900", 540},
        {"+09:00", 540},
        {"+09", 540},
        {"-0700", -420},
        {"-03:30", -210},
        {"Z", 0},
        {"UTC", 0},
        {"GMT", 0},
        {"JST", 540},
        {"+00:00", 0},
        {"", UNTOUCHED},
        {"0900", UNTOUCHED},
        {"+9", UNTOUCHED},
        {"CEST", UNTOUCHED},
        {"+2400", UNTOUCHED},
        {"+0960", UNTOUCHED},
        {"+09000", UNTOUCHED},
        {"JSTX", UNTOUCHED},
        {"--5:00", UNTOUCHED},
        {"Zulu", UNTOUCHED},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct slice text = padded_copy(slice_from(CASES[i].text));
        int32_t minutes = UNTOUCHED;
        int err = stamp_parse_zone(&minutes, text);
        assert_int_equal(err, CASES[i].minutes == UNTOUCHED ? ERR_FORMAT : 0);
        assert_int_equal(minutes, CASES[i].minutes);
        padded_free(text);
    }
}

static void test_every_day_of_400_years(void **state)
{
    (void)state;
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct stamp_cache cache = {0};
    for (int64_t day = -36524; day < 106488; day++) {
        struct clock_civil civil;
        char texts[4][32];
        clock_to_civil(&civil, day * 86400 * CLOCK_NS_PER_SECOND);
        const char *month = MONTHS + (ptrdiff_t)3 * (civil.month - 1);
        (void)snprintf(texts[0], sizeof(texts[0]), "%04d-%02d-%02dT00:00:00Z", civil.year,
                       civil.month, civil.day);
        (void)snprintf(texts[1], sizeof(texts[1]), "%02d/%.3s/%04d:00:00:00 +0000", civil.day,
                       month, civil.year);
        (void)snprintf(texts[2], sizeof(texts[2]), "%.3s %2d %04d 00:00:00 UTC", month, civil.day,
                       civil.year);
        (void)snprintf(texts[3], sizeof(texts[3]), "%.3s %2d 00:00:00", month, civil.day);
        for (size_t i = 0; i < 4; i++) {
            char padded[128] = {0};
            size_t len = strlen(texts[i]);
            memcpy(padded, texts[i], len);
            int64_t ns = 0;
            int64_t expected = day * 86400 * CLOCK_NS_PER_SECOND;
            assert_int_equal(stamp_parse(&ns, slice_of(padded, len), 0, expected, &cache), 0);
            assert_true(ns == expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nearest_year), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_zones),        cmocka_unit_test(test_every_day_of_400_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
