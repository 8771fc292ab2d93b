/* The rule of retention, against one that looks at every pair of segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/retention.h"

enum {
    SEGMENTS = 60,
    HOUR = 489700,
};

static uint64_t draw(uint64_t *x, uint64_t below)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*x >> 33) % below;
}

static void test_hours(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint64_t x = seed;
        struct segment_info infos[SEGMENTS] = {0};
        struct catalog c = {.segments = infos};
        int64_t hours[SEGMENTS];
        int64_t now_ns = (HOUR + SEGMENTS) * SEGMENT_HOUR_NS;
        uint64_t leaf = 0;
        for (uint64_t i = 0; i < SEGMENTS; i++) {
            struct segment_info *s = &infos[c.segment_count];
            if (draw(&x, 4) == 0)
                continue;
            s->name.hour = HOUR + (int64_t)i + (draw(&x, 30) == 0 ? 100000 : 0);
            if (draw(&x, 30) == 0)
                s->name.hour = -(int64_t)draw(&x, 3);
            s->leaf_min = leaf;
            leaf += 1 + draw(&x, 100);
            s->leaf_max = leaf - 1 + (draw(&x, 5) == 0 ? draw(&x, 500) : 0);
            c.segment_count++;
        }
        assert_int_equal(retention_hours(hours, &c, now_ns), 0);
        for (size_t i = 0; i < c.segment_count; i++) {
            int64_t wanted = infos[i].name.hour;
            for (size_t k = 0; k < c.segment_count; k++) {
                if (infos[k].leaf_min <= infos[i].leaf_max && infos[k].name.hour > wanted &&
                    infos[k].name.hour <= now_ns / SEGMENT_HOUR_NS)
                    wanted = infos[k].name.hour;
            }
            assert_int_equal(hours[i], wanted);
            assert_true(hours[i] >= infos[i].name.hour);
        }
    }
}

static void test_due(void **state)
{
    (void)state;
    const int64_t day = 24 * SEGMENT_HOUR_NS;
    assert_int_equal(retention_due_ns(10, 0, day), 11 * SEGMENT_HOUR_NS + day);
    assert_int_equal(retention_due_ns(10, 100 * day, day), 101 * day);
    assert_int_equal(retention_due_ns(-5, 7, day), 7 + day);
    assert_int_equal(retention_due_ns(INT64_MIN, 7, day), 7 + day);
    assert_int_equal(retention_due_ns(INT64_MAX, 0, day), INT64_MAX);
    assert_int_equal(retention_due_ns(INT64_MAX / SEGMENT_HOUR_NS - 1, 0, INT64_MAX), INT64_MAX);
}

static void test_classes(void **state)
{
    (void)state;
    assert_int_equal(retention_class_of(FORMAT_FORTIGATE), RETENTION_FIREWALL);
    assert_int_equal(retention_class_of(FORMAT_IPTABLES), RETENTION_FIREWALL);
    assert_int_equal(retention_class_of(FORMAT_SQUID), RETENTION_PROXY);
    assert_int_equal(retention_class_of(FORMAT_D_SPA), RETENTION_PROXY);
    assert_int_equal(retention_class_of(FORMAT_ROUTEROS), RETENTION_FIREWALL);
    assert_int_equal(retention_class_of(FORMAT_BARRACUDA), RETENTION_FIREWALL);
    assert_int_equal(retention_class_of(FORMAT_AWS_FLOW), RETENTION_FIREWALL);
    assert_int_equal(retention_class_of(FORMAT_CEF), RETENTION_FIREWALL);
    assert_int_equal(retention_class_of(FORMAT_ZSCALER), RETENTION_PROXY);
    assert_int_equal(retention_class_of(FORMAT_INTERSAFE), RETENTION_PROXY);
    assert_int_equal(retention_class_of(FORMAT_MENLO), RETENTION_PROXY);
    assert_int_equal(retention_class_of(FORMAT_JSON), RETENTION_OTHER);
    assert_int_equal(retention_class_of(FORMAT_COMBINED), RETENTION_OTHER);
    assert_int_equal(retention_class_of(FORMAT_BIND), RETENTION_OTHER);
    assert_int_equal(retention_class_of(FORMAT_AUTO), RETENTION_OTHER);
    assert_int_equal(retention_class_of(FORMAT_TEMPLATE), RETENTION_OTHER);
    for (unsigned i = 0; i < RETENTION_CLASSES; i++) {
        struct slice name = slice_from(retention_class_name((enum retention_class)i));
        assert_int_equal(retention_class_find(name), i);
    }
    assert_int_equal(retention_class_find(SLICE("fire")), RETENTION_CLASSES);
    assert_int_equal(retention_class_find(SLICE(HOLD_CLASS_ALL)), RETENTION_CLASSES);
}

static void assert_days(const struct config *c, uint32_t tenant, int64_t firewall, int64_t proxy,
                        int64_t other)
{
    const int64_t day = 24 * SEGMENT_HOUR_NS;
    struct retention_keeps k;
    retention_keeps(&k, c, tenant);
    assert_int_equal(k.ns[RETENTION_FIREWALL], firewall * day);
    assert_int_equal(k.ns[RETENTION_PROXY], proxy * day);
    assert_int_equal(k.ns[RETENTION_OTHER], other * day);
    int64_t least = firewall < proxy ? firewall : proxy;
    assert_int_equal(retention_least(&k), (least < other ? least : other) * day);
}

static void test_keeps(void **state)
{
    (void)state;
    static const char TEXT[] = "data: /nowhere\n"
                               "retention:\n"
                               "  keep: 400d\n"
                               "  classes: {proxy: 800d}\n"
                               "tenants:\n"
                               "  \"052027\": {retention: {classes: {firewall: 30d}}}\n"
                               "  \"131016\": {retention: {keep: 90d, classes: {other: 10d}}}\n"
                               "  \"272272\": {name: Osaka}\n";
    struct config *c = NULL;
    struct diag diag = {0};
    assert_int_equal(config_load(&c, NULL, &diag), 0);
    assert_days(c, 52027, 365, 365, 365);
    config_free(c);
    c = NULL;
    assert_int_equal(config_load_past(&c, slice_from(TEXT), &diag), 0);
    assert_days(c, 990001, 400, 800, 400);
    assert_days(c, 272272, 400, 800, 400);
    assert_days(c, 52027, 30, 800, 400);
    assert_days(c, 131016, 90, 90, 10);
    config_free(c);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
