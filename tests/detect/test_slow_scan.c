/* D4: scans that are slow or mixed with successes, and traffic that only resembles them. */
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

#include "base/clock.h"
#include "tests/detect/fake_run.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define START  (INT64_C(1790000000) * SECOND)

struct town {
    struct detect_run run;
    uint64_t random;
    int64_t now_ns;
};

static uint64_t draw(struct town *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random;
}

static bool chance(struct town *t, unsigned percent)
{
    return draw(t) % 100 < percent;
}

static void town_begin(struct town *t, uint64_t seed)
{
    *t = (struct town){.random = 88172645463325252 + seed * 77, .now_ns = START};
    fake_run_begin(&t->run, &detector_slow_scan, DETECT_SMALL);
}

static void town_end(struct town *t)
{
    fake_run_end(&t->run);
}

static void meet(struct town *t, const char *source, const char *destination, uint16_t port,
                 bool refused)
{
    struct flow f = fake_flow(source, destination, port, t->now_ns);
    if (refused) {
        f.flags |= FLOW_REFUSED;
        f.verdict = 2;
        f.destination_bytes = 0;
    }
    fake_run_flow(&t->run, &f);
}

/* Address n of a network of 16 bits, "198.51". */
static const char *nth(char *out, size_t cap, const char *network, unsigned n)
{
    (void)snprintf(out, cap, "%s.%u.%u", network, n >> 8 & 255, n & 255);
    return out;
}

#define NTH(network, n) nth((char[48]){0}, 48, network, n)

static void pass(struct town *t, int64_t span_ns)
{
    t->now_ns += span_ns;
    fake_run_tick(&t->run, t->now_ns);
}

static void assert_quiet(const struct town *t)
{
    static const char *const SAID[] = {"source.ip", "services",    "window",
                                       "bound",     "refused_day", "answered_day"};
    for (size_t i = 0; i < sizeof(SAID) / sizeof(SAID[0]) && t->run.fired != 0; i++)
        print_message("fired: %s %s\n", SAID[i], fake_item(&t->run.findings[0], SAID[i]));
    assert_int_equal(t->run.fired, 0);
}

/* ------------------------------------------------------------------- it is found */

/* Half is let through, so that the walk of D3 stays undecided. */
static void test_mixed(void **state)
{
    (void)state;
    unsigned found = 0;
    unsigned contacts = 0;
    enum {
        TOWNS = 40
    };
    for (uint64_t seed = 0; seed < TOWNS; seed++) {
        struct town t;
        town_begin(&t, seed);
        for (unsigned i = 1; i <= 150 && t.run.fired == 0; i++) {
            meet(&t, "10.1.0.7", NTH("198.51", i), 445, chance(&t, 50));
            pass(&t, 160 * SECOND);
            contacts += t.run.fired != 0 ? i : 0;
        }
        found += t.run.fired != 0;
        if (t.run.fired != 0)
            assert_int_equal(fake_count(&t.run, 0, "port", "445"), 1);
        town_end(&t);
    }
    print_message("found %u of %d, after %u contacts\n", found, TOWNS,
                  found ? contacts / found : 0);
    assert_true(found >= TOWNS - 2);
}

/* One every quarter of an hour, through a week, with a PC's work around it. */
static void test_very_slow(void **state)
{
    struct town t;
    unsigned n = 0;
    (void)state;
    town_begin(&t, 1);
    for (unsigned i = 1; i <= 600 && t.run.fired == 0; i++, n++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 22, true);
        for (unsigned k = 0; k < 5; k++)
            meet(&t, "10.1.0.7", NTH("198.18", (unsigned)(draw(&t) % 500)), 443, false);
        pass(&t, 15 * MINUTE);
    }
    print_message("every 15 minutes: after %u\n", n);
    assert_true(n >= 30 && n <= 80);
    town_end(&t);
}

/* The ports of one machine, one every ten minutes. */
static void test_slow_ports(void **state)
{
    struct town t;
    unsigned n = 0;
    (void)state;
    town_begin(&t, 2);
    for (unsigned i = 1; i <= 300 && t.run.fired == 0; i++, n++) {
        meet(&t, "10.1.0.7", "10.1.64.10", (uint16_t)(i * 3), true);
        pass(&t, 10 * MINUTE);
    }
    print_message("ports, every 10 minutes: after %u\n", n);
    assert_true(n >= 30 && n <= 70);
    town_end(&t);
}

/* Everything is said that the decision rests on. */
static void test_explained(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 3);
    for (unsigned i = 1; i <= 150 && t.run.fired == 0; i++) {
        meet(&t, "10.1.0.7", NTH("198.51", i), 445, true);
        pass(&t, 20 * MINUTE);
    }
    assert_int_equal(t.run.fired, 1);
    const struct finding *f = &t.run.findings[0];
    assert_true(strtod(fake_item(f, "services"), NULL) >= strtod(fake_item(f, "bound"), NULL));
    assert_string_equal(fake_item(f, "window"), "24h");
    assert_string_equal(fake_item(f, "floor"), "40");
    assert_false(f->scored);
    assert_int_equal(f->window_ns, DAY);
    town_end(&t);
}

/* ----------------------------------------------------------------- it is not one */

/* A fast scan with nothing but refusals is D3's: no second alert for it. */
static void test_burst(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 4);
    for (unsigned i = 1; i <= 250; i++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 445, true);
        pass(&t, SECOND / 2);
    }
    assert_quiet(&t);
    pass(&t, 3 * HOUR);
    for (unsigned i = 0; i < 10; i++)
        meet(&t, "10.1.0.7", NTH("198.51", i), 25, true);
    assert_quiet(&t);
    town_end(&t);
}

static void test_hammering(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 5);
    for (unsigned i = 0; i < 10000; i++) {
        meet(&t, "10.1.0.7", "198.51.100.40", 8081, true);
        meet(&t, "10.1.0.8", "198.51.100.41", (uint16_t)(49152 + draw(&t) % 16000), true);
        pass(&t, MINUTE);
    }
    assert_quiet(&t);
    town_end(&t);
}

/* Peers on one port or on many, a third of them unreachable: for three days. */
static void test_peers(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct town t;
        town_begin(&t, seed);
        for (unsigned i = 0; i < 8000; i++) {
            uint16_t port = seed % 2 == 0 ? 6881 : (uint16_t)(1024 + draw(&t) % 60000);
            unsigned peer = (unsigned)(draw(&t) % 65536);
            meet(&t, "10.1.0.7", NTH("198.18", peer), port, chance(&t, 35));
            pass(&t, 30 * SECOND);
        }
        assert_quiet(&t);
        town_end(&t);
    }
}

/* Two hundred PCs at work, every seventh to third request to somewhere fails: a week. */
static void test_failures_of_work(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 6);
    for (unsigned i = 0; i < 1000000; i++) {
        static const uint16_t PORTS[8] = {443, 443, 443, 443, 80, 993, 8443, 25};
        unsigned place = (unsigned)(draw(&t) % 60000);
        if (!chance(&t, 3))
            place %= 2000;
        meet(&t, NTH("10.1", (unsigned)(draw(&t) % 200)), NTH("198.18", place), PORTS[draw(&t) % 8],
             chance(&t, 30));
        t.now_ns += 600 * SECOND / 1000;
        if (i % 1000 == 0)
            pass(&t, 0);
    }
    assert_quiet(&t);
    town_end(&t);
}

/* A monitoring server polls three hundred devices, forty of which are gone: every day the same. */
static void test_monitoring(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 7);
    for (unsigned round = 0; round < 10 * 288; round++) {
        for (unsigned i = 1; i <= 300; i++)
            meet(&t, "10.1.64.40", NTH("10.1", i), 161, i % 8 == 0);
        pass(&t, 5 * MINUTE);
    }
    assert_quiet(&t);
    town_end(&t);
}

/* A whole zone is denied much: what is usual in the zone is no alert, what is far beyond it is. */
static void test_class(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 8);
    /* Thirty-five refused services a half day each, new ones, for five days: below every floor. */
    for (unsigned half = 0; half < 10; half++) {
        for (unsigned pc = 0; pc < 60; pc++) {
            for (unsigned i = 0; i < 16; i++)
                meet(&t, NTH("10.1", pc), NTH("10.64", (unsigned)(draw(&t) % 30000)), 445, true);
        }
        pass(&t, 12 * HOUR);
    }
    assert_quiet(&t);
    /* One of them does fifty: a lot, but not three times the others. */
    for (unsigned i = 0; i < 50; i++) {
        meet(&t, "10.1.0.200", NTH("10.64", (unsigned)(draw(&t) % 30000)), 445, true);
        pass(&t, 10 * MINUTE);
    }
    assert_quiet(&t);
    for (unsigned i = 0; i < 250; i++) {
        meet(&t, "10.1.0.201", NTH("10.64", (unsigned)(draw(&t) % 30000)), 445, true);
        pass(&t, 4 * MINUTE);
    }
    assert_true(fake_count(&t.run, 0, "source.ip", "10.1.0.201") >= 1);
    town_end(&t);
}

/* From outside it is D3 that counts; what is shared or excluded nobody does. */
static void test_left_out(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 9);
    for (unsigned i = 0; i < 500; i++) {
        struct flow f = fake_flow("10.1.0.7", NTH("10.64", i), 445, t.now_ns);
        f.flags |= FLOW_REFUSED | (i % 2 == 0 ? FLOW_SHARED_SOURCE : FLOW_EXCLUDED);
        fake_run_flow(&t.run, &f);
        meet(&t, "203.0.113.7", "10.200.0.1", (uint16_t)(i + 1), true);
        pass(&t, 5 * MINUTE);
    }
    assert_quiet(&t);
    town_end(&t);
}

/* ------------------------------------------------------------------ bounded, movable */

static void test_clock_jumps(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 10);
    for (unsigned i = 1; i <= 30; i++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 22, true);
        pass(&t, 15 * MINUTE);
    }
    int64_t now_ns = t.now_ns;
    t.now_ns += 4000 * DAY; /* one line of a broken clock */
    meet(&t, "10.1.0.7", "10.64.9.9", 22, true);
    t.now_ns = now_ns;
    for (unsigned i = 100; i <= 160 && t.run.fired == 0; i++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 22, true);
        pass(&t, 15 * MINUTE);
    }
    assert_int_equal(t.run.fired, 1);
    town_end(&t);
}

static void test_flood_and_move(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, 11);
    unsigned n = 0;
    for (unsigned i = 1; i <= 150 && t.run.fired == 0; i++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 22, true);
        for (unsigned k = 0; k < 100; k++, n++) {
            struct flow f = fake_flow("10.2.0.1", "198.51.100.1", (uint16_t)(n | 1), t.now_ns);
            f.source_key = detect_key(n / 2, 5);
            f.flags |= FLOW_REFUSED;
            fake_run_flow(&t.run, &f);
        }
        pass(&t, 10 * MINUTE);
        fake_run_move(&t.run);
    }
    assert_int_equal(fake_count(&t.run, 0, "source.ip", "10.1.0.7"), 1);
    assert_true(detector_slow_scan.evictions(t.run.state) > 1000);
    town_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed),          cmocka_unit_test(test_very_slow),
        cmocka_unit_test(test_slow_ports),     cmocka_unit_test(test_explained),
        cmocka_unit_test(test_burst),          cmocka_unit_test(test_hammering),
        cmocka_unit_test(test_peers),          cmocka_unit_test(test_failures_of_work),
        cmocka_unit_test(test_monitoring),     cmocka_unit_test(test_class),
        cmocka_unit_test(test_left_out),       cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_flood_and_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
