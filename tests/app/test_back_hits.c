/* app/back_hits.h - hits of a back-test: days, alerts, differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/back_hits.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    HOUR_SECONDS = 3600,
};

static int64_t at(const char *time)
{
    int64_t ns = 0;
    assert_int_equal(clock_parse(&ns, slice_from(time)), 0);
    return ns;
}

static void add(struct back_hits *h, uint32_t tenant, uint64_t key, uint64_t identity,
                const char *time)
{
    const struct back_hit hit = {
        .tenant = tenant, .key = key, .identity = identity, .time_ns = at(time)};
    assert_int_equal(back_hits_add(h, &hit), 0);
}

/* Days are Japan's; what is nearer than the window is one alert, of the day on which it began. */
static void counts_days_and_alerts(void **state)
{
    (void)state;
    struct back_hits h = {0};
    struct back_day *days = NULL;
    size_t count = 0;
    add(&h, 2, 1, 1, "2026-11-20T14:59:00Z"); /* 23:59 in Japan */
    add(&h, 2, 1, 2, "2026-11-20T15:01:00Z"); /* 00:01, the same alert */
    add(&h, 2, 1, 3, "2026-11-20T16:01:00Z"); /* a window later: another one */
    add(&h, 2, 9, 4, "2026-11-20T15:02:00Z"); /* another key */
    add(&h, 1, 1, 5, "2026-11-20T15:02:00Z"); /* another municipality */
    assert_int_equal(back_hits_days(&h, HOUR_SECONDS * CLOCK_NS_PER_SECOND, &days, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(days[0].tenant, 1);
    assert_int_equal(days[0].hits, 1);
    assert_int_equal(days[0].alerts, 1);
    assert_int_equal(days[1].tenant, 2);
    assert_int_equal(days[1].hits, 1);
    assert_int_equal(days[1].alerts, 1);
    assert_int_equal(days[2].day, days[1].day + 1);
    assert_int_equal(days[2].hits, 3);
    assert_int_equal(days[2].alerts, 2);
    free(days);
    back_hits_release(&h);
}

static void compares_versions(void **state)
{
    (void)state;
    struct back_hits now = {0};
    struct back_hits before = {0};
    struct back_difference d = back_hits_compare(&now, &before);
    assert_true(d.added == 0 && d.lost == 0 && d.same == 0);
    add(&now, 1, 1, 30, "2026-11-20T00:00:00Z");
    add(&now, 1, 1, 10, "2026-11-20T00:00:01Z");
    add(&now, 1, 1, 20, "2026-11-20T00:00:02Z");
    add(&before, 1, 1, 20, "2026-11-20T00:00:02Z");
    add(&before, 1, 1, 40, "2026-11-20T00:00:03Z");
    d = back_hits_compare(&now, &before);
    assert_int_equal(d.added, 2);
    assert_int_equal(d.lost, 1);
    assert_int_equal(d.same, 1);
    assert_int_equal(back_hits_join(&now, &before), 0);
    assert_int_equal(now.count, 5);
    back_hits_release(&now);
    back_hits_release(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_days_and_alerts),
        cmocka_unit_test(compares_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
