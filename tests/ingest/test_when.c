/* Event time of a row: which part of a line wins, in which zone. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/buf.h"
#include "base/clock.h"
#include "ingest/when.h"
#include "tests/ingest/padded.h"

enum {
    PARTS_MAX = 8
};

struct part {
    uint16_t field;
    const char *text;
};

struct when_case {
    const char *expected; /* RFC 3339 */
    uint8_t source;
    int32_t zone;
    struct part parts[PARTS_MAX]; /* ends with an empty one */
};

#define ARRIVAL "2026-11-21T12:00:00Z"

static const struct when_case CASES[] = {
    {ARRIVAL, TIME_SOURCE_ARRIVAL, 540, {{0}}},
    {ARRIVAL, TIME_SOURCE_ARRIVAL, 540, {{FIELD_SOURCE_IP, "198.51.100.7"}, {FIELD_MESSAGE, "x"}}},
    /* an epoch is UTC whatever the zones say, and goes before everything */
    {"2026-11-21T01:00:00.123456789Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_DATE, "2026-11-21"},
      {FIELD_TIME_CLOCK, "03:00:00"},
      {FIELD_TIME_EPOCH, "1795222800123456789"},
      {FIELD_TIME_ZONE, "-0700"}}},
    {"2026-11-21T01:00:00.123Z", TIME_SOURCE_DEVICE, 540, {{FIELD_TIME_EPOCH, "1795222800.123"}}},
    /* an epoch that is none is passed over */
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_EPOCH, "0"}, {FIELD_TIME_DATE, "2026-11-21"}, {FIELD_TIME_CLOCK, "10:00:00"}}},
    /* date and clock: the device's zone, else the source's */
    {"2026-11-21T17:00:00Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_DATE, "2026-11-21"}, {FIELD_TIME_CLOCK, "10:00:00"}, {FIELD_TIME_ZONE, "-0700"}}},
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_DATE, "2026-11-21"}, {FIELD_TIME_CLOCK, "10:00:00"}}},
    {"2026-11-21T10:00:00Z",
     TIME_SOURCE_DEVICE,
     0,
     {{FIELD_TIME_DATE, "2026-11-21"}, {FIELD_TIME_CLOCK, "10:00:00"}}},
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_DATE, "2026-11-21"}, {FIELD_TIME_CLOCK, "10:00:00"}, {FIELD_TIME_ZONE, "CEST"}}},
    /* a relay's offset says nothing about the device's local time */
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_SYSLOG, "2026-11-21T03:00:00+02:00"},
      {FIELD_TIME_DATE, "2026-11-21"},
      {FIELD_TIME_CLOCK, "10:00:00"}}},
    /* half of a time is none */
    {"2026-11-21T01:00:05Z",
     TIME_SOURCE_SYSLOG,
     540,
     {{FIELD_TIME_SYSLOG, "Nov 21 10:00:05"}, {FIELD_TIME_CLOCK, "10:00:00"}}},
    {ARRIVAL, TIME_SOURCE_ARRIVAL, 540, {{FIELD_TIME_DATE, "2026-11-21"}}},
    /* high resolution goes before the stamp, the stamp before the generated time */
    {"2026-11-21T01:00:00.129Z",
     TIME_SOURCE_DEVICE,
     0,
     {{FIELD_TIME_GENERATED, "2026/11/21 10:00:02"},
      {FIELD_TIME_STAMP, "2026/11/21 10:00:01"},
      {FIELD_TIME_HIGH, "2026-11-21T10:00:00.129+09:00"}}},
    {"2026-11-21T10:00:01Z",
     TIME_SOURCE_DEVICE,
     0,
     {{FIELD_TIME_GENERATED, "2026/11/21 10:00:02"},
      {FIELD_TIME_STAMP, "2026/11/21 10:00:01"},
      {FIELD_TIME_HIGH, ""}}},
    {"2026-11-21T01:00:02Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_GENERATED, "2026/11/21 10:00:02"}, {FIELD_TIME_STAMP, "1,2"}}},
    /* a stamp's own offset, then TIME_ZONE, then the source's zone */
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     0,
     {{FIELD_TIME_STAMP, "21/Nov/2026:10:00:00 +0900"}, {FIELD_TIME_ZONE, "-0700"}}},
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     0,
     {{FIELD_TIME_STAMP, "21/Nov/2026:10:00:00"}, {FIELD_TIME_ZONE, "+0900"}}},
    {"2026-11-21T10:00:00Z", TIME_SOURCE_DEVICE, 0, {{FIELD_TIME_STAMP, "21/Nov/2026:10:00:00"}}},
    /* the first of a repeated part; the last of several headers */
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_DEVICE,
     540,
     {{FIELD_TIME_STAMP, "2026/11/21 10:00:00"}, {FIELD_TIME_STAMP, "2026/11/21 11:00:00"}}},
    {"2026-11-21T01:00:00Z",
     TIME_SOURCE_SYSLOG,
     540,
     {{FIELD_TIME_SYSLOG, "Nov 21 10:00:07"}, {FIELD_TIME_SYSLOG, "Nov 21 10:00:00"}}},
    /* the header's own offset counts for its own time */
    {"2026-11-21T08:00:00Z",
     TIME_SOURCE_SYSLOG,
     540,
     {{FIELD_TIME_SYSLOG, "2026-11-21T10:00:00+02:00"}}},
    {ARRIVAL, TIME_SOURCE_ARRIVAL, 540, {{FIELD_TIME_SYSLOG, "Feb 29 10:00:00"}}},
};

static int64_t ns_of(const char *text)
{
    int64_t ns = 0;
    assert_int_equal(clock_parse(&ns, slice_from(text)), 0);
    return ns;
}

static void check(const struct when_case *c, struct when_cache *cache)
{
    struct slots *slots = calloc(1, sizeof(*slots));
    struct buf text = {0};
    assert_non_null(slots);
    for (size_t i = 0; i < PARTS_MAX && c->parts[i].text != NULL; i++) {
        uint32_t offset = (uint32_t)text.len;
        buf_text(&text, c->parts[i].text);
        assert_true(
            slots_add(slots, offset, (uint32_t)text.len - offset, c->parts[i].field, SLOT_PLAIN));
        buf_byte(&text, ' ');
    }
    struct slice line = padded_copy(buf_content(&text));
    uint8_t source = TIME_SOURCE_COUNT;
    int64_t arrival = ns_of(ARRIVAL);
    int64_t ns = when_row(cache, line, slots, arrival, arrival, &source);
    assert_int_equal(source, c->source);
    assert_true(ns == ns_of(c->expected));
    padded_free(line);
    buf_release(&text);
    free(slots);
}

static void test_what_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct when_cache cache;
        when_init(&cache, CASES[i].zone);
        check(&CASES[i], &cache);
        check(&CASES[i], &cache);
    }
}

static void test_cache_is_never_believed_wrongly(void **state)
{
    (void)state;
    struct when_cache cache;
    when_init(&cache, WHEN_ZONE_DEFAULT_MINUTES);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
            if (CASES[i].zone == WHEN_ZONE_DEFAULT_MINUTES)
                check(&CASES[i], &cache);
        }
    }
}

static void test_reference_gives_the_year(void **state)
{
    (void)state;
    struct when_cache cache;
    when_init(&cache, 0);
    struct slice line = padded_copy(SLICE("Dec 31 23:59:59"));
    struct slots *slots = calloc(1, sizeof(*slots));
    uint8_t source = 0;
    assert_non_null(slots);
    assert_true(slots_add(slots, 0, (uint32_t)line.len, FIELD_TIME_STAMP, SLOT_PLAIN));
    int64_t arrival = ns_of(ARRIVAL);
    int64_t ns = when_row(&cache, line, slots, arrival, ns_of("2020-01-01T00:00:00Z"), &source);
    assert_true(ns == ns_of("2019-12-31T23:59:59Z"));
    ns = when_row(&cache, line, slots, arrival, ns_of("2019-12-31T00:00:00Z"), &source);
    assert_true(ns == ns_of("2019-12-31T23:59:59Z"));
    ns = when_row(&cache, line, slots, arrival, arrival, &source);
    assert_true(ns == ns_of("2026-12-31T23:59:59Z"));
    free(slots);
    padded_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_wins),
        cmocka_unit_test(test_cache_is_never_believed_wrongly),
        cmocka_unit_test(test_reference_gives_the_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
