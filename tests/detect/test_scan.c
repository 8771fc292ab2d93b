/* D3: what is a scan and what only resembles one; thresholds are what they say. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "detect/contact_set.h"
#include "detect/detector_scan.h"
#include "tests/detect/fake_run.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define START  (INT64_C(1790000000) * SECOND)

enum {
    TEXT_HOSTS,
    TEXT_PORTS,
    TEXT_MACHINES,
    TEXT_INBOUND,
};

enum how {
    ANSWERED,
    REFUSED,
    FAILED,
};

/* A town of PCs 10.1.x.y and the documentation's networks around it. */
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

static void town_begin(struct town *t)
{
    *t = (struct town){.random = 88172645463325252, .now_ns = START};
    fake_run_begin(&t->run, &detector_scan, DETECT_SMALL);
}

static void town_end(struct town *t)
{
    fake_run_end(&t->run);
}

static void set_outcome(struct flow *f, enum how how)
{
    if (how == ANSWERED)
        return;
    f->destination_bytes = 0;
    f->flags |= how == REFUSED ? FLOW_REFUSED : FLOW_FAILED;
    f->verdict = how == REFUSED ? 2 : 1;
}

static void meet(struct town *t, const char *source, const char *destination, uint16_t port,
                 enum how how)
{
    struct flow f = fake_flow(source, destination, port, t->now_ns);
    set_outcome(&f, how);
    fake_run_flow(&t->run, &f);
}

/* Address n of a network of 16 bits, "198.51". */
static const char *nth(char *out, size_t cap, const char *network, unsigned n)
{
    (void)snprintf(out, cap, "%s.%u.%u", network, n >> 8 & 255, n & 255);
    return out;
}

#define NTH(network, n) nth((char[48]){0}, 48, network, n)

/* Contacts until the first finding; 0 when there is none. */
static unsigned until_alarm(struct town *t, const char *network, uint16_t port, unsigned refused,
                            unsigned contacts)
{
    for (unsigned i = 1; i <= contacts; i++) {
        meet(t, "10.1.0.7", NTH(network, i), port, chance(t, refused) ? REFUSED : ANSWERED);
        t->now_ns += SECOND / 2;
        if (t->run.fired != 0)
            return i;
    }
    return 0;
}

/* ------------------------------------------------------------------- it is found */

static void test_horizontal(void **state)
{
    static const struct {
        const char *network;
        uint16_t port;
        unsigned refused;
        unsigned most;
    } CASES[] = {
        {"198.51", 445, 100, 14}, {"198.51", 22, 93, 40},   {"10.64", 445, 100, 14},
        {"10.64", 3389, 90, 50},  {"198.51", 443, 100, 29}, {"198.51", 443, 95, 80},
        {"10.64", 80, 95, 40},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct town t;
        town_begin(&t);
        unsigned n = until_alarm(&t, CASES[i].network, CASES[i].port, CASES[i].refused, 200);
        print_message("%s:%u, %u %% refused: after %u\n", CASES[i].network, CASES[i].port,
                      CASES[i].refused, n);
        assert_true(n >= 8 && n <= CASES[i].most);
        assert_int_equal(fake_count(&t.run, TEXT_HOSTS, "source.ip", "10.1.0.7"), 1);
        const struct finding *f = &t.run.findings[0];
        assert_false(f->scored);
        assert_int_equal(strtol(fake_item(f, "port"), NULL, 10), CASES[i].port);
        assert_non_null(f->flow);
        assert_int_equal(f->window_ns, DAY);
        town_end(&t);
    }
}

/* Everything that is needed to compute the score again is said. */
static void test_explained(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    assert_true(until_alarm(&t, "198.51", 445, 85, 200) != 0);
    const struct finding *f = &t.run.findings[0];
    double up = strtod(fake_item(f, "score_per_refused"), NULL);
    double down = strtod(fake_item(f, "score_per_accepted"), NULL);
    double refused = strtod(fake_item(f, "refused_weighted"), NULL);
    double accepted = strtod(fake_item(f, "accepted_weighted"), NULL);
    double score = strtod(fake_item(f, "score"), NULL);
    double bound = strtod(fake_item(f, "bound"), NULL);
    assert_true(fabs(up * refused + down * accepted - score) < 1e-3);
    assert_true(score >= bound);
    double q0 = strtod(fake_item(f, "failure_normal"), NULL);
    double q1 = strtod(fake_item(f, "failure_scan"), NULL);
    assert_true(fabs(log(q1 / q0) - up) < 1e-4);
    assert_true(fabs(log((1 - q1) / (1 - q0)) - down) < 1e-4);
    town_end(&t);
}

/* Allowed but never answered, as through a firewall that lets everything out. */
static void test_failed_only(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 1; i <= 60 && t.run.fired == 0; i++) {
        meet(&t, "10.1.0.7", NTH("198.51", i), 22, FAILED);
        t.now_ns += SECOND;
    }
    assert_int_equal(fake_count(&t.run, TEXT_HOSTS, NULL, NULL), 1);
    /* Closed ports, where bytes are those of packets: SYN and RST. */
    fake_run_clear(&t.run);
    for (unsigned i = 1; i <= 60 && t.run.fired == 0; i++) {
        struct flow f = fake_flow("10.1.0.9", NTH("10.65", i), 445, t.now_ns);
        f.source_bytes = 156;
        f.destination_bytes = 120;
        fake_run_flow(&t.run, &f);
        t.now_ns += SECOND;
    }
    assert_int_equal(fake_count(&t.run, TEXT_HOSTS, "source.ip", "10.1.0.9"), 1);
    /* Echo requests without an answer. */
    fake_run_clear(&t.run);
    for (unsigned i = 1; i <= 60 && t.run.fired == 0; i++) {
        struct flow f = fake_flow("10.1.0.8", NTH("10.64", i), 0, t.now_ns);
        f.protocol = 1;
        f.destination_bytes = 0;
        fake_run_flow(&t.run, &f);
        t.now_ns += SECOND;
    }
    assert_int_equal(fake_count(&t.run, TEXT_HOSTS, "source.ip", "10.1.0.8"), 1);
    town_end(&t);
}

static void test_vertical(void **state)
{
    struct town t;
    unsigned contacts = 0;
    (void)state;
    town_begin(&t);
    for (unsigned i = 1; i <= 200 && t.run.fired == 0; i++, contacts++) {
        meet(&t, "10.1.0.7", "10.1.64.10", (uint16_t)(1 + i * 617 % 1021),
             i % 20 == 0 ? ANSWERED : REFUSED);
        t.now_ns += SECOND / 10;
    }
    assert_true(contacts >= 10 && contacts <= 25);
    assert_int_equal(fake_count(&t.run, TEXT_PORTS, "destination.ip", "10.1.64.10"), 1);
    assert_int_equal(fake_count(&t.run, TEXT_PORTS, "source.ip", "10.1.0.7"), 1);
    assert_int_equal(fake_count(&t.run, TEXT_HOSTS, NULL, NULL), 0);
    town_end(&t);
}

/* The ports of a whole network: a few alerts, not one a machine. */
static void test_sweep(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned host = 1; host <= 60; host++) {
        for (uint16_t port = 1; port <= 100; port++) {
            meet(&t, "10.1.0.7", NTH("10.64", host), port, REFUSED);
            t.now_ns += SECOND / 100;
        }
    }
    size_t machines = 0;
    for (unsigned host = 1; host <= 60; host++)
        machines += fake_count(&t.run, TEXT_PORTS, "destination.ip", NTH("10.64", host)) != 0;
    assert_int_equal(machines, 3);
    assert_int_equal(fake_count(&t.run, TEXT_MACHINES, "source.ip", "10.1.0.7"), 57);
    assert_int_equal(fake_count(&t.run, TEXT_MACHINES, "machines", "60"), 1);
    assert_true(fake_count(&t.run, TEXT_HOSTS, NULL, NULL) >= 1);
    town_end(&t);
}

/* Accepted contacts before and between, on other ports, do not hide it; a hundred PCs at work go on. */
static void test_among_traffic(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 3000; i++) {
        meet(&t, NTH("10.1", i % 100), NTH("203.0", (unsigned)(draw(&t) % 900)), 443, ANSWERED);
        t.now_ns += SECOND / 10;
    }
    for (unsigned i = 1; i <= 40; i++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 445, REFUSED);
        for (unsigned k = 0; k < 3; k++)
            meet(&t, "10.1.0.7", NTH("203.0", i * 3 + k), 443, ANSWERED);
        t.now_ns += SECOND;
    }
    assert_int_equal(fake_count(&t.run, TEXT_HOSTS, "source.ip", "10.1.0.7"), t.run.finding_count);
    assert_true(t.run.finding_count >= 1);
    town_end(&t);
}

static unsigned inbound_until(struct town *t, unsigned addresses, unsigned ports, int64_t gap_ns)
{
    unsigned n = 0;
    for (unsigned p = 0; p < ports; p++) {
        for (unsigned a = 0; a < addresses && t->run.fired == 0; a++, n++) {
            meet(t, "203.0.113.99", NTH("10.200", a), (uint16_t)(20 + p * 7), REFUSED);
            t->now_ns += gap_ns;
        }
    }
    return t->run.fired == 0 ? 0 : n;
}

static void test_inbound(void **state)
{
    struct town t;
    (void)state;
    /* Fifty ports of one address over a day, as real scanners do. */
    town_begin(&t);
    unsigned n = inbound_until(&t, 1, 50, 28 * MINUTE);
    assert_true(n >= 30 && n <= 50);
    assert_int_equal(fake_count(&t.run, TEXT_INBOUND, "source.ip", "203.0.113.99"), 1);
    assert_int_equal(t.run.findings[0].severity_step, 0);
    town_end(&t);
    /* Eight addresses and the usual ports. */
    town_begin(&t);
    n = inbound_until(&t, 8, 13, 200 * SECOND / 1000);
    assert_true(n >= 30 && n <= 80);
    town_end(&t);
    /* One port of two hundred addresses is what the Internet does all day. */
    town_begin(&t);
    assert_int_equal(inbound_until(&t, 200, 1, SECOND), 0);
    town_end(&t);
    /* With some doors open it is worth more attention. */
    town_begin(&t);
    for (unsigned p = 1; p <= 120; p++) {
        meet(&t, "203.0.113.99", "10.200.0.2", (uint16_t)p,
             p == 40 || p == 25 ? ANSWERED : REFUSED);
        t.now_ns += SECOND;
    }
    assert_true(t.run.finding_count >= 2);
    const struct finding *last = &t.run.findings[t.run.finding_count - 1];
    assert_int_equal(last->severity_step, 1);
    /* One before the bound, one after it. */
    assert_string_equal(fake_item(&t.run.findings[0], "accepted"), "1");
    assert_string_equal(fake_item(last, "accepted"), "2");
    town_end(&t);
    /* A log of translated addresses, both outside. */
    town_begin(&t);
    for (unsigned p = 1; p <= 50; p++)
        meet(&t, "203.0.113.99", "198.51.100.2", (uint16_t)p, REFUSED);
    assert_int_equal(fake_count(&t.run, TEXT_INBOUND, NULL, NULL), 1);
    town_end(&t);
}

/* It goes on: the episode grows with what doubles, and begins again the day after. */
static void test_goes_on(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 1; i <= 240; i++) {
        meet(&t, "10.1.0.7", NTH("10.64", i), 445, REFUSED);
        t.now_ns += SECOND;
    }
    assert_in_range(t.run.fired, 5, 9); /* 14, 28, 56, 112, 224, and once a minute */
    assert_true(t.run.findings[t.run.fired - 1].time_ns > t.now_ns - MINUTE);
    fake_run_move(&t.run);
    fake_run_clear(&t.run);
    t.now_ns += HOUR;
    for (unsigned i = 1; i <= 60; i++) { /* the same again: nothing new, but it is told */
        meet(&t, "10.1.0.7", NTH("10.64", i), 445, REFUSED);
        t.now_ns += SECOND;
    }
    assert_in_range(t.run.fired, 1, 2);
    fake_run_clear(&t.run);
    t.now_ns += 20 * MINUTE;
    for (unsigned i = 1; i <= 600; i++) { /* a few that are always tried are no scan */
        meet(&t, "10.1.0.7", NTH("10.64", i % 8), 445, REFUSED);
        t.now_ns += 10 * SECOND;
    }
    assert_int_equal(t.run.fired, 0);
    fake_run_tick(&t.run, t.now_ns);
    t.now_ns += 30 * HOUR;
    fake_run_tick(&t.run, t.now_ns);
    for (unsigned i = 1; i <= 60; i++)
        meet(&t, "10.1.0.7", NTH("10.64", i), 445, REFUSED);
    assert_int_equal(t.run.fired, 2); /* half the weight: known for long */
    town_end(&t);
}

/* ----------------------------------------------------------------- it is not one */

static void assert_quiet(struct town *t)
{
    static const char *const SAID[] = {"source.ip", "rule", "score", "refused", "accepted"};
    for (size_t i = 0; i < sizeof(SAID) / sizeof(SAID[0]) && t->run.fired != 0; i++)
        print_message("fired: %s %s\n", SAID[i], fake_item(&t->run.findings[0], SAID[i]));
    assert_int_equal(t->run.fired, 0);
}

/* PCs meet hundreds of destinations a day and a third of them fails: for a week. */
static void test_failures_of_work(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 1000000; i++) {
        static const uint16_t PORTS[8] = {443, 443, 443, 80, 993, 8443, 25, 5000};
        unsigned pc = (unsigned)(draw(&t) % 200);
        meet(&t, NTH("10.1", pc), NTH("198.18", (unsigned)(draw(&t) % 60000)), PORTS[draw(&t) % 8],
             chance(&t, 35) ? (chance(&t, 50) ? REFUSED : FAILED) : ANSWERED);
        t.now_ns += 600 * SECOND / 1000;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* Peers everywhere, high ports, a third unreachable. */
static void test_peers(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 20000; i++) {
        meet(&t, "10.1.0.7", NTH("198.18", i), (uint16_t)(1024 + draw(&t) % 60000),
             chance(&t, 35) ? FAILED : ANSWERED);
        t.now_ns += SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

static void test_monitoring_and_crawlers(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 1; i <= 150; i++) /* answered, but for a few that are off */
            meet(&t, "10.1.64.40", NTH("10.1", i), 161, i % 20 == 0 ? FAILED : ANSWERED);
        meet(&t, "203.0.113.10", "10.200.0.2", 443, ANSWERED);
        t.now_ns += 5 * MINUTE;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* One dead server, one printer that is off, with a hundred attempts an hour. */
static void test_hammering(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 20000; i++) {
        meet(&t, "10.1.0.7", "198.51.100.40", 8080, i % 2 == 0 ? FAILED : REFUSED);
        meet(&t, "10.1.0.8", "10.1.64.60", 9100, FAILED);
        meet(&t, "10.1.0.8", "10.1.64.60", 515, FAILED);
        meet(&t, "10.1.0.8", "10.1.64.60", 631, FAILED);
        t.now_ns += 36 * SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* Single probes, thousands of sources; each comes a few times a day. */
static void test_noise_from_outside(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 200000; i++) {
        static const uint16_t PORTS[12] = {23,   22,   445,  3389, 80,   8080,
                                           1433, 5900, 2323, 81,   6379, 7547};
        meet(&t, NTH("203.0", (unsigned)(draw(&t) % 16384)),
             NTH("10.200", (unsigned)(draw(&t) % 8)), PORTS[draw(&t) % 12], REFUSED);
        t.now_ns += 4 * SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* Browsers try QUIC first, where it is blocked; the answer comes over TCP. */
static void test_quic_blocked(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 5000; i++) {
        const char *site = NTH("198.18", i);
        struct flow f = fake_flow("10.1.0.7", site, 443, t.now_ns);
        f.protocol = 17;
        set_outcome(&f, REFUSED);
        fake_run_flow(&t.run, &f);
        if (i % 2 == 0) /* every second site is not reached at all by TCP logs */
            meet(&t, "10.1.0.7", site, 443, ANSWERED);
        t.now_ns += SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* An answer after a refusal (a proxy's challenge, another port) takes the refusal back. */
static void test_refused_then_answered(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 500; i++) {
        const char *site = NTH("198.18", i);
        meet(&t, "10.1.0.7", site, 5001, REFUSED);
        t.now_ns += SECOND;
        meet(&t, "10.1.0.7", site, 5002, ANSWERED);
        t.now_ns += SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* PCs without Internet whose programs ask for updates: denied everywhere, but the same for all. */
static void test_denied_updates(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 400000; i++) {
        unsigned pc = (unsigned)(draw(&t) % 100);
        unsigned place = (unsigned)(draw(&t) % 40) + i / 4000 * 10; /* addresses rotate */
        meet(&t, NTH("10.1", pc), NTH("198.18", place), 443, REFUSED);
        t.now_ns += SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* Late replies of web servers to ports that the firewall has closed. */
static void test_late_replies(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 2000; i++) {
        struct flow f = fake_flow("203.0.113.5", "10.200.0.1", (uint16_t)(20000 + i * 7), t.now_ns);
        f.source_port = 443;
        set_outcome(&f, REFUSED);
        fake_run_flow(&t.run, &f);
        f = fake_flow("10.1.64.20", NTH("10.1", i), (uint16_t)(49152 + i), t.now_ns);
        f.source_port = 445;
        set_outcome(&f, REFUSED);
        fake_run_flow(&t.run, &f);
        t.now_ns += SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

static void test_left_out(void **state)
{
    static const uint16_t FLAGS[] = {FLOW_SHARED_SOURCE, FLOW_EXCLUDED, FLOW_UNPARSED,
                                     FLOW_LOGIN_FAILED};
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 400; i++) {
        struct flow f = fake_flow("10.1.0.7", NTH("10.64", i), 445, t.now_ns);
        set_outcome(&f, REFUSED);
        f.flags |= FLAGS[i / 100];
        fake_run_flow(&t.run, &f);
        f = fake_flow("10.1.0.7", "239.255.255.250", (uint16_t)(1900 + i), t.now_ns);
        set_outcome(&f, REFUSED);
        fake_run_flow(&t.run, &f);
        f = fake_flow("10.1.0.7", "198.51.100.9", (uint16_t)(33434 + i % 100), t.now_ns);
        f.protocol = 17;
        set_outcome(&f, REFUSED);
        fake_run_flow(&t.run, &f);
        f = fake_flow("10.1.0.7", NTH("198.51", i), 443, t.now_ns);
        f.flags |= FLOW_BEGINS; /* a device that logs the beginnings of sessions, too */
        f.destination_bytes = 0;
        fake_run_flow(&t.run, &f);
        t.now_ns += SECOND;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* A client of passive FTP whose data connections are blocked tries a new high port each time. */
static void test_blocked_data_ports(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 300; i++) {
        meet(&t, "10.1.0.7", "198.51.100.21", 21, ANSWERED);
        meet(&t, "10.1.0.7", "198.51.100.21", (uint16_t)(49152 + draw(&t) % 16000), REFUSED);
        t.now_ns += 5 * MINUTE;
    }
    assert_quiet(&t);
    town_end(&t);
}

/* ------------------------------------------------------------------ the numbers */

static void test_logarithms(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SCAN_KINDS; k++) {
        const struct scan_rule *r = scan_rule_of((enum scan_kind)k);
        assert_true(fabs(log(r->failure_scan / r->failure_normal) - r->up) < 1e-12);
        assert_true(fabs(-log((1 - r->failure_scan) / (1 - r->failure_normal)) - r->down) < 1e-12);
        assert_true(fabs(log(r->detection / r->false_alarm) - r->bound) < 1e-12);
    }
}

/* The probability that a walk, begun by a refused contact, reaches the bound: all walks summed. */
static double nominal_of(const struct scan_rule *r)
{
    enum {
        REFUSED_MAX = 400,
        ACCEPTED_MAX = 200
    };
    static double p[ACCEPTED_MAX][REFUSED_MAX];
    double reached = 0;
    memset(p, 0, sizeof(p));
    p[0][1] = 1;
    /* Each place is reached from fewer refused or fewer accepted: one pass by rows suffices. */
    for (unsigned a = 0; a + 1 < ACCEPTED_MAX; a++) {
        for (unsigned n = 1; n + 1 < REFUSED_MAX; n++) {
            double here = p[a][n];
            if (r->up * (n + 1) - r->down * a >= r->bound)
                reached += here * r->failure_normal;
            else
                p[a][n + 1] += here * r->failure_normal;
            if (r->up * n - r->down * (a + 1) >= 0)
                p[a + 1][n] += here * (1 - r->failure_normal);
        }
    }
    return reached;
}

/* One walk over contacts of which failing / 2^32 are refused: whether it reached the bound. */
static bool random_walk(enum scan_kind kind, uint64_t *random, uint64_t failing)
{
    struct scan_walk w = {.kind = (uint8_t)kind};
    scan_walk_refuse(&w, SCAN_WHOLE, 445, START);
    for (;;) {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        if (*random >> 32 < failing)
            scan_walk_refuse(&w, SCAN_WHOLE, 445, START);
        else if (scan_walk_accept(&w, SCAN_WHOLE))
            return false;
        if (scan_walk_alarms(&w))
            return true;
    }
}

/* Realised against nominal false alarms, at least 30 expected: the interval lies within [0.5, 2]. */
static void test_nominal(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SCAN_KINDS; k++) {
        const struct scan_rule *r = scan_rule_of((enum scan_kind)k);
        assert_true(fabs(nominal_of(r) / r->nominal - 1) < 1e-3);
        uint64_t random = 88172645463325252 + k;
        uint64_t walks = (uint64_t)(60 / r->nominal);
        uint64_t alarms = 0;
        uint64_t failing = (uint64_t)(r->failure_normal * 4294967296.0);
        for (uint64_t i = 0; i < walks; i++)
            alarms += random_walk((enum scan_kind)k, &random, failing);
        double expected = r->nominal * (double)walks;
        double ratio = (double)alarms / expected;
        print_message("%-8s nominal %.3g a walk: %lu walks, expected %.0f, realised %lu (%.2f)\n",
                      r->name, r->nominal, (unsigned long)walks, expected, (unsigned long)alarms,
                      ratio);
        assert_true(ratio - 1.96 * sqrt((double)alarms) / expected > 0.5);
        assert_true(ratio + 1.96 * sqrt((double)alarms) / expected < 2);
    }
}

/* The detector's own account of the same. */
static void test_counts(void **state)
{
    struct town t;
    struct scan_count counts[SCAN_KINDS];
    (void)state;
    town_begin(&t);
    unsigned sources = 6000;
    for (unsigned i = 0; i < sources; i++) {
        for (unsigned p = 0; p < 12; p++) {
            meet(&t, NTH("203.0", i), "10.200.0.2", (uint16_t)(1 + p),
                 chance(&t, 75) ? REFUSED : ANSWERED);
            t.now_ns += SECOND / 10;
        }
    }
    detector_scan_counts(t.run.state, counts);
    assert_true(counts[SCAN_INBOUND].walks > sources / 2);
    assert_int_equal(counts[SCAN_INBOUND].alarms, 0); /* twelve are too few to reach the bound */
    until_alarm(&t, "10.64", 445, 100, 100);
    detector_scan_counts(t.run.state, counts);
    assert_int_equal(counts[SCAN_INSIDE].alarms, 1);
    assert_int_equal(counts[SCAN_INSIDE].walks, 1);
    town_end(&t);
}

/* ------------------------------------------------------------------ bounded memory */

/* A flood of sources and destinations from outside: no growth, and an inside scan is still found. */
static void test_flood(void **state)
{
    struct town t;
    (void)state;
    town_begin(&t);
    for (unsigned i = 0; i < 2000000; i++) {
        struct flow f = fake_flow("203.0.113.1", "10.200.0.2", (uint16_t)(i & 1023), t.now_ns);
        f.source_key = detect_key(i / 3, 1);
        set_outcome(&f, REFUSED);
        fake_run_flow(&t.run, &f);
        t.now_ns += SECOND / 1000;
    }
    assert_true(detector_scan.evictions(t.run.state) > 1000);
    assert_quiet(&t);
    assert_true(until_alarm(&t, "10.64", 445, 100, 30) != 0);
    town_end(&t);
}

/* Who was met a week ago is forgotten; what is asked for again is not. */
static void test_contact_set(void **state)
{
    struct {
        struct contact_set set;
        unsigned char memory[4096 * sizeof(uint32_t)];
    } *box = calloc(1, sizeof(*box)), *untouched = calloc(1, sizeof(*untouched));
    (void)state;
    assert_non_null(box);
    assert_non_null(untouched);
    assert_int_equal(contact_set_bytes(4096), sizeof(box->memory));
    contact_set_init(&box->set, box->memory, 4096);
    for (uint64_t i = 0; i < 1000; i++) {
        unsigned age = 0;
        contact_note_set(contact_take(&box->set, detect_key(i, 0), START, &age), i % 1024);
        assert_int_equal(age, CONTACT_NEVER);
    }
    for (int day = 1; day <= 20; day++) {
        unsigned age = 0;
        assert_non_null(contact_take(&box->set, detect_key(0, 0), START + day * DAY, &age));
        assert_int_equal(age, 8);
        const uint32_t *other =
            contact_find(&box->set, detect_key((uint64_t)day, 0), START + day * DAY);
        assert_int_equal(other != NULL, day <= 7);
        if (other != NULL)
            assert_int_equal(contact_note(other), day);
    }
    struct gaps gaps = {0};
    contact_set_gaps(&box->set, &gaps);
    assert_int_equal(gaps.count, 0); /* a thousand keys were everywhere */
    contact_set_init(&untouched->set, untouched->memory, 4096);
    assert_null(contact_find(&untouched->set, detect_key(1, 0), START));
    contact_set_gaps(&untouched->set, &gaps);
    assert_int_equal(gaps.count, 1);
    assert_int_equal(gaps.items[0].len, sizeof(untouched->memory));
    (void)contact_take(&untouched->set, detect_key(1, 0), START, NULL);
    assert_non_null(contact_find(&untouched->set, detect_key(1, 0), START));
    gaps.count = 0;
    contact_set_gaps(&untouched->set, &gaps);
    size_t left = 0;
    for (size_t i = 0; i < gaps.count; i++)
        left += gaps.items[i].len;
    assert_int_equal(left, sizeof(untouched->memory) - CONTACT_BLOCK_BYTES);
    free(untouched);
    size_t known = 0;
    for (uint64_t i = 5000; i < 25000; i++)
        known += contact_find(&box->set, detect_key(i, 0), START) != NULL;
    assert_true(known < 40); /* of 20,000 that were never there */
    for (uint64_t i = 0; i < 100000; i++)
        (void)contact_take(&box->set, detect_key(i, 9), START + 40 * DAY, NULL);
    assert_true(box->set.evictions > 90000);
    free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_horizontal),
        cmocka_unit_test(test_explained),
        cmocka_unit_test(test_failed_only),
        cmocka_unit_test(test_vertical),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_among_traffic),
        cmocka_unit_test(test_inbound),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_failures_of_work),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_monitoring_and_crawlers),
        cmocka_unit_test(test_hammering),
        cmocka_unit_test(test_noise_from_outside),
        cmocka_unit_test(test_quic_blocked),
        cmocka_unit_test(test_refused_then_answered),
        cmocka_unit_test(test_denied_updates),
        cmocka_unit_test(test_late_replies),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_blocked_data_ports),
        cmocka_unit_test(test_logarithms),
        cmocka_unit_test(test_nominal),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_contact_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
