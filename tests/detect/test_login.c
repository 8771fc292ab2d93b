/* D5: passwords that are tried out, and people who mistype theirs. */
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

enum {
    TEXT_SPREAD,
    TEXT_BRUTE,
    TEXT_SPRAY,
    TEXT_GUESSED,
};

static int begin(void **state)
{
    struct detect_run *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    fake_run_begin(r, &detector_login, DETECT_SMALL);
    *state = r;
    return 0;
}

static int end(void **state)
{
    fake_run_end(*state);
    free(*state);
    return 0;
}

/* A login at the VPN, whose lines name no destination. */
static void login(struct detect_run *r, const char *source, unsigned user, unsigned flags,
                  int64_t time_ns)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "user%u", user);
    struct flow f = fake_flow(source, "192.0.2.10", 443, time_ns);
    f.flags = (uint16_t)(FLOW_HAS_SOURCE | flags);
    f.user = fake_run_text(r, name);
    f.destination_key = 0;
    f.direction = strncmp(source, "10.", 3) == 0 ? FLOW_OUT : FLOW_NOWHERE;
    fake_run_flow(r, &f);
}

static void test_brute_force(void **state)
{
    struct detect_run *r = *state;
    for (int i = 0; i < 200; i++)
        login(r, "203.0.113.5", 1, FLOW_LOGIN_FAILED, START + i * SECOND / 2);
    assert_int_equal(fake_count(r, TEXT_BRUTE, "source.ip", "203.0.113.5"), r->fired);
    assert_true(r->fired >= 1 && r->fired <= 3);
    assert_true(r->findings[0].flow->time_ns <= START + 15 * SECOND);
    assert_false(r->findings[0].scored);
    fake_run_move(r);
    /* It gets in. */
    login(r, "203.0.113.5", 1, FLOW_LOGIN_DONE, START + 110 * SECOND);
    assert_int_equal(fake_count(r, TEXT_GUESSED, "user", "user1"), 1);
    /* Hours later the same address means nothing. */
    login(r, "203.0.113.5", 1, FLOW_LOGIN_DONE, START + 5 * HOUR);
    assert_int_equal(fake_count(r, TEXT_GUESSED, NULL, NULL), 1);
}

static void test_spraying(void **state)
{
    struct detect_run *r = *state;
    for (unsigned i = 0; i < 40; i++)
        login(r, "203.0.113.6", i, FLOW_LOGIN_FAILED, START + 10 * SECOND * i);
    assert_true(fake_count(r, TEXT_SPRAY, "source.ip", "203.0.113.6") >= 1);
    assert_int_equal(fake_count(r, TEXT_SPRAY, NULL, NULL), r->fired);
    assert_true(r->findings[0].flow->time_ns <= START + 200 * SECOND);
}

static void test_look_alikes(void **state)
{
    struct detect_run *r = *state;
    /* Somebody mistypes a new password, then gets it right. */
    for (int i = 0; i < 5; i++)
        login(r, "198.51.100.20", 3, FLOW_LOGIN_FAILED, START + 12 * SECOND * i);
    login(r, "198.51.100.20", 3, FLOW_LOGIN_DONE, START + 70 * SECOND);
    /* A multifunction printer keeps its old password all day, every twenty seconds. */
    for (int i = 0; i < 24 * 180; i++)
        login(r, "10.1.0.9", 4, FLOW_LOGIN_FAILED, START + 20 * SECOND * i);
    /* At half past eight an office logs in through one address, and one in ten mistypes. */
    for (unsigned i = 0; i < 400; i++) {
        int64_t at = START + 8 * HOUR + 30 * MINUTE + i * SECOND;
        if (i % 10 == 0)
            login(r, "198.51.100.30", i, FLOW_LOGIN_FAILED, at);
        login(r, "198.51.100.30", i, FLOW_LOGIN_DONE, at + 5 * SECOND);
    }
    /* The same through a declared address of many, whose successes are not logged. */
    for (unsigned i = 0; i < 60; i++) {
        struct flow f =
            fake_flow("198.51.100.31", "192.0.2.10", 443, START + 9 * HOUR + 8 * SECOND * i);
        f.flags |= FLOW_LOGIN_FAILED | FLOW_SHARED_SOURCE;
        f.user = fake_run_text(r, i % 2 == 0 ? "sato" : "suzuki");
        fake_run_flow(r, &f);
    }
    /* Excluded networks never count. */
    for (int i = 0; i < 500; i++) {
        struct flow f =
            fake_flow("198.51.100.32", "192.0.2.10", 443, START + 9 * HOUR + i * SECOND);
        f.flags |= FLOW_LOGIN_FAILED | FLOW_EXCLUDED;
        fake_run_flow(r, &f);
    }
    assert_int_equal(r->fired, 0);
}

static void from_anywhere(struct detect_run *r, unsigned number, unsigned user, int64_t time_ns)
{
    char source[32];
    (void)snprintf(source, sizeof(source), "198.19.%u.%u", number / 250 % 250, number % 250 + 1);
    login(r, source, user, FLOW_LOGIN_FAILED, time_ns);
}

static void test_many_sources_at_once(void **state)
{
    struct detect_run *r = *state;
    for (unsigned i = 0; i < 300; i++)
        from_anywhere(r, i * 7, i, START + i * SECOND);
    assert_true(fake_count(r, TEXT_SPREAD, "sekisho.source", "source") >= 1);
    assert_int_equal(fake_count(r, TEXT_SPREAD, NULL, NULL), r->fired);
    assert_string_equal(fake_item(&r->findings[0], "basis"), "fixed bound");
}

/* Ten days of people who mistype: nothing; then three times the failures of a busy hour. */
static void test_unusual_for_here(void **state)
{
    struct detect_run *r = *state;
    uint64_t random = 9;
    for (int64_t m = START; m < START + 10 * DAY; m += MINUTE) {
        int64_t hour = (m - START) % DAY / HOUR;
        bool morning = hour == 8 && calendar_open(calendar_day(m));
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned failures =
            (random >> 33) % 10 < (morning ? 9U : 1U) ? 1 + (unsigned)(random >> 50) % 3 : 0;
        for (unsigned i = 0; i < failures; i++)
            from_anywhere(r, (unsigned)(random >> 40) + i * 77, i, m + i * SECOND);
    }
    assert_int_equal(r->fired, 0);
    int64_t night = START + 10 * DAY + 2 * HOUR;
    for (unsigned i = 0; i < 60; i++)
        from_anywhere(r, i % 12, i % 20, night + 9 * SECOND * i);
    assert_int_equal(fake_count(r, TEXT_SPREAD, "basis", "baseline"), r->fired);
    assert_true(r->fired >= 1);
}

static void test_key_flood(void **state)
{
    struct detect_run *r = *state;
    struct flow f = fake_flow("203.0.113.5", "192.0.2.10", 443, START);
    f.flags = FLOW_HAS_SOURCE | FLOW_LOGIN_FAILED;
    for (unsigned i = 0; i < 100000; i++) {
        f.source_key = detect_key(i, 1);
        f.time_ns = START + i * MINUTE; /* slow enough to be nobody's flood */
        fake_run_flow(r, &f);
    }
    assert_int_equal(r->fired, 0);
    assert_true(detector_login.evictions(r->state) > 90000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_brute_force, begin, end),
        cmocka_unit_test_setup_teardown(test_spraying, begin, end),
        cmocka_unit_test_setup_teardown(test_look_alikes, begin, end),
        cmocka_unit_test_setup_teardown(test_many_sources_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_unusual_for_here, begin, end),
        cmocka_unit_test_setup_teardown(test_key_flood, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
