/* What the firewall before the LGWAN refuses: D3 and D4 count it apart, baselines leave it alone. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/detect/fake_run.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define START  (INT64_C(1790000000) * SECOND)

enum {
    SCAN_OWN = 4, /* texts of D3 */
    SCAN_FOREIGN,
    SLOW_LGWAN = 1, /* of D4 */
    SERVICES = 33,  /* that D3 asks for */
};

struct town {
    struct detect_run run;
    int64_t now_ns;
};

static void town_begin(struct town *t, const struct detector *d)
{
    *t = (struct town){.now_ns = START};
    fake_run_begin(&t->run, d, DETECT_SMALL);
}

/* 10.1.0.0/16 is the municipality's; who lies in zone 0 is the LGWAN's. */
static struct flow refusal(const struct town *t, const char *source, const char *destination,
                           uint16_t port)
{
    struct flow f = fake_flow(source, destination, port, t->now_ns);
    f.flags |= FLOW_REFUSED | FLOW_LGWAN;
    f.verdict = 2;
    f.source_bytes = -1;
    f.destination_bytes = -1;
    f.source_zone = strncmp(source, "10.1.", 5) == 0;
    f.destination_zone = strncmp(destination, "10.1.", 5) == 0;
    return f;
}

static void refuse(struct town *t, const char *source, const char *destination, uint16_t port)
{
    struct flow f = refusal(t, source, destination, port);
    fake_run_flow(&t->run, &f);
}

/* Address n of a network of 16 bits, "198.51". */
static const char *nth(char *out, size_t cap, const char *network, unsigned n)
{
    (void)snprintf(out, cap, "%s.%u.%u", network, n >> 8 & 255, n & 255);
    return out;
}

#define NTH(network, n) nth((char[48]){0}, 48, network, n)

/* Sweeps and scans of ports, from and to addresses of any range. */
static void test_scan(void **state)
{
    static const struct {
        const char *source;
        const char *network;
        bool ports; /* of one host, not hosts of one port */
        unsigned text;
    } CASES[] = {{"10.1.128.7", "198.51", false, SCAN_OWN},
                 {"10.1.128.7", "172.16", false, SCAN_OWN},
                 {"10.1.128.7", "172.16", true, SCAN_OWN},
                 {"172.16.0.9", "10.1", false, SCAN_FOREIGN},
                 {"198.51.100.9", "10.1", true, SCAN_FOREIGN}};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct town t;
        unsigned n = 0;
        bool ports = CASES[i].ports;
        town_begin(&t, &detector_scan);
        while (t.run.fired == 0 && n < 100) {
            n++;
            refuse(&t, CASES[i].source, NTH(CASES[i].network, ports ? 1 : n),
                   (uint16_t)(ports ? n : 445));
            t.now_ns += 200 * SECOND;
        }
        assert_int_equal(n, SERVICES);
        assert_int_equal(fake_count(&t.run, CASES[i].text, "source.ip", CASES[i].source), 1);
        assert_string_equal(fake_item(&t.run.findings[0], "refused"), "33");
        assert_string_equal(fake_item(&t.run.findings[0], "rule"), "lgwan");
        assert_false(t.run.findings[0].scored);
        fake_run_end(&t.run);
    }
}

/* A few dead services asked for all day, some that the whole office misses, what comes too late. */
static void test_no_scan(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, &detector_scan);
    for (unsigned n = 0; n < 2000; n++) {
        refuse(&t, "10.1.128.7", NTH("198.51", n % 20), 443);
        struct flow reply = refusal(&t, "172.16.0.9", NTH("10.1", n), (uint16_t)(50000 + n));
        reply.source_port = 443;
        fake_run_flow(&t.run, &reply);
        struct flow allowed = refusal(&t, "10.1.128.8", NTH("198.51", n), 443);
        allowed.flags &= (uint16_t)~FLOW_REFUSED;
        allowed.verdict = 1;
        fake_run_flow(&t.run, &allowed);
        t.now_ns += 20 * SECOND;
    }
    /* Fifty hosts, each of which asks for forty services that are gone, within an hour. */
    for (unsigned n = 0; n < 2000; n++) {
        refuse(&t, NTH("10.1", 512 + n % 50), NTH("172.16", n % 41), 8443);
        t.now_ns += 2 * SECOND;
    }
    assert_int_equal(t.run.fired, 0);
    fake_run_end(&t.run);
}

/* The same host at the Internet's border, answered there: neither convicts nor acquits here. */
static void test_apart(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t, &detector_scan);
    for (unsigned n = 0; n < SERVICES - 1; n++) {
        struct flow f = fake_flow("10.1.128.9", NTH("203.0", n), 443, t.now_ns);
        if (n % 4 == 0)
            f.flags |= FLOW_REFUSED;
        fake_run_flow(&t.run, &f);
        refuse(&t, "10.1.128.9", NTH("172.16", n), 445);
    }
    assert_int_equal(t.run.fired, 0);
    refuse(&t, "10.1.128.9", NTH("172.16", SERVICES), 445);
    assert_int_equal(fake_count(&t.run, SCAN_OWN, "source.ip", "10.1.128.9"), 1);
    fake_run_end(&t.run);
}

/* A refusal in 25 minutes, for a day and a half; half of them at another device are half as much. */
static void test_slow_scan(void **state)
{
    (void)state;
    for (unsigned apart = 0; apart < 2; apart++) {
        struct town t;
        town_begin(&t, &detector_slow_scan);
        for (unsigned n = 0; n < 60 && t.run.fired == 0; n++) {
            struct flow f = refusal(&t, "10.1.0.7", NTH("172.16", n), 445);
            if (apart == 1 && n % 2 == 1)
                f.flags &= (uint16_t)~FLOW_LGWAN;
            fake_run_flow(&t.run, &f);
            t.now_ns += 25 * MINUTE;
            fake_run_tick(&t.run, t.now_ns);
        }
        assert_int_equal(t.run.finding_count, apart == 0);
        if (apart == 0) {
            assert_int_equal(fake_count(&t.run, SLOW_LGWAN, "source.ip", "10.1.0.7"), 1);
            assert_string_equal(fake_item(&t.run.findings[0], "window"), "24h");
        }
        fake_run_end(&t.run);
    }
}

/* What learns places, ports and numbers of connections is not shown these rows. */
static void test_baselines(void **state)
{
    static const struct detector *const BLIND[] = {&detector_rare, &detector_burst, &detector_flood,
                                                   &detector_new_port};
    (void)state;
    for (size_t i = 0; i < sizeof(BLIND) / sizeof(BLIND[0]); i++)
        assert_true((BLIND[i]->avoids & FLOW_LGWAN) != 0);
    for (size_t i = 0; i < sizeof(BLIND) / sizeof(BLIND[0]); i++) {
        struct town t;
        town_begin(&t, BLIND[i]);
        void *before = test_malloc(t.run.state_bytes);
        memcpy(before, t.run.state, t.run.state_bytes);
        for (unsigned n = 0; n < 500; n++)
            refuse(&t, "10.1.0.7", NTH("172.16", n), (uint16_t)(n + 1));
        assert_memory_equal(before, t.run.state, t.run.state_bytes);
        test_free(before);
        fake_run_end(&t.run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),      cmocka_unit_test(test_no_scan),
        cmocka_unit_test(test_apart),     cmocka_unit_test(test_slow_scan),
        cmocka_unit_test(test_baselines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
