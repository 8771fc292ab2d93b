/* Who stands behind a proxy or a translated address: one alone, and never another. */
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

#include "base/clock.h"
#include "detect/held.h"

enum {
    HOSTS = 300,
    SITES = 400,
    CONNECTIONS = 20000,
    WAIT_MS = HELD_NS / 1000000,
    LATE_MS = 2000,   /* a row comes so much after its time, at most */
    SKEW_MS = 900,    /* between the clocks of two devices, and what the connection takes */
    NAT_PORTS = 2000, /* few, so that they are used again and again */
};

#define SECOND CLOCK_NS_PER_SECOND

struct ties {
    struct origin_set *set;
};

static void ties_begin(struct ties *t)
{
    t->set = calloc(1, sizeof(*t->set) + origin_bytes(DETECT_MEDIUM));
    assert_non_null(t->set);
    origin_init(t->set, t->set + 1, DETECT_MEDIUM);
}

static void ties_end(struct ties *t)
{
    free(t->set);
}

static struct flow row_of(unsigned host, int64_t time_ns)
{
    struct flow f = {.time_ns = time_ns, .offset = (int64_t)host, .flags = FLOW_HAS_SOURCE};
    f.source = ip_from_v4(UINT32_C(0x0A000000) + host);
    return f;
}

static void note(struct ties *t, const struct origin_trace *trace, unsigned host, int64_t time_ns)
{
    const struct flow f = row_of(host, time_ns);
    origin_note(t->set, trace, &f, time_ns / SECOND * SECOND);
}

/* The number of the host that is found; -1: none. */
static int find(struct ties *t, const struct origin_trace *trace, int64_t time_ns)
{
    struct origin o;
    return origin_find(&o, t->set, trace, time_ns) ? (int)o.offset : -1;
}

static void test_translation(void **state)
{
    (void)state;
    const struct origin_trace one = {.translation = 11};
    const struct origin_trace other = {.translation = 13};
    struct ties t;
    ties_begin(&t);
    note(&t, &one, 5, 1000 * SECOND);
    assert_int_equal(find(&t, &one, 1000 * SECOND), 5);
    assert_int_equal(find(&t, &one, 1060 * SECOND), 5);
    assert_int_equal(find(&t, &one, 940 * SECOND), 5);
    assert_int_equal(find(&t, &one, 1061 * SECOND), -1);
    assert_int_equal(find(&t, &one, 939 * SECOND), -1);
    assert_int_equal(find(&t, &other, 1000 * SECOND), -1);
    ties_end(&t);
}

/* Two that asked for the same near a time are nobody; each alone where the other is far. */
static void test_several(void **state)
{
    (void)state;
    const struct origin_trace page = {.request = 11, .site = 13};
    struct ties t;
    ties_begin(&t);
    note(&t, &page, 5, 1000 * SECOND);
    note(&t, &page, 6, 1008 * SECOND);
    assert_int_equal(find(&t, &page, 1000 * SECOND), 5);
    assert_int_equal(find(&t, &page, 1009 * SECOND), 6);
    assert_int_equal(find(&t, &page, 1004 * SECOND), -1);
    note(&t, &page, 7, 1020 * SECOND); /* the first is forgotten: nobody stands for it */
    assert_int_equal(find(&t, &page, 1000 * SECOND), -1);
    assert_int_equal(find(&t, &page, 1004 * SECOND), -1);
    assert_int_equal(find(&t, &page, 1010 * SECOND), 6);
    assert_int_equal(find(&t, &page, 1020 * SECOND), 7);
    ties_end(&t);
}

/* A host that asks again and again stays known for all of its times, but not for those in between. */
static void test_again(void **state)
{
    (void)state;
    const struct origin_trace page = {.request = 11, .site = 11};
    struct ties t;
    ties_begin(&t);
    for (int64_t i = 0; i < 5; i++)
        note(&t, &page, 5, (1000 + 8 * i) * SECOND);
    note(&t, &page, 5, 998 * SECOND); /* a late one */
    assert_int_equal(find(&t, &page, 994 * SECOND), 5);
    assert_int_equal(find(&t, &page, 1020 * SECOND), 5);
    note(&t, &page, 5, 1100 * SECOND);
    assert_int_equal(find(&t, &page, 1066 * SECOND), -1);
    assert_int_equal(find(&t, &page, 1100 * SECOND), 5);
    ties_end(&t);
}

/* A tunnel's row has the host alone; a firewall's behind the proxy the address alone. */
static void test_less(void **state)
{
    (void)state;
    const struct origin_trace tunnel = {.request = 13, .site = 13, .destination = 17};
    const struct origin_trace page = {.request = 11, .site = 13};
    const struct origin_trace bare = {.destination = 17};
    struct ties t;
    ties_begin(&t);
    assert_false(origin_is_fed(t.set, 1000 * SECOND));
    note(&t, &tunnel, 5, 1000 * SECOND);
    assert_int_equal(find(&t, &page, 1001 * SECOND), 5);
    assert_int_equal(find(&t, &bare, 1120 * SECOND), 5);
    assert_int_equal(find(&t, &bare, 1121 * SECOND), -1);
    assert_true(origin_is_fed(t.set, 1000 * SECOND));
    assert_true(origin_is_fed(t.set, 4600 * SECOND));
    assert_false(origin_is_fed(t.set, 4601 * SECOND));
    ties_end(&t);
}

/* ---------------------------------------------------------------------- traffic of chance */

struct chance {
    uint64_t state;
};

/* Below `n`: the generator of tests/support/lines.h. */
static uint32_t below(struct chance *c, uint32_t n)
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((c->state >> 33) % n);
}

/* A row on its way: a host's own, or that of the shared address, or the end of its wait. */
struct coming {
    int64_t at_ms; /* it comes */
    int64_t time_ms;
    struct origin_trace trace;
    uint16_t host;
    enum {
        OWN,
        SHARED,
        WAITED
    } kind;
    uint32_t number; /* of the connection */
};

static int by_coming(const void *a, const void *b)
{
    const struct coming *x = a;
    const struct coming *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

struct score {
    unsigned right;
    unsigned wrong;
};

/* Shares of CONNECTIONS connections whose host is named rightly, and wrongly. */
static struct score play(struct coming *rows, size_t count)
{
    struct ties t;
    struct score score = {0};
    bool *done = calloc(CONNECTIONS, sizeof(*done));
    assert_non_null(done);
    qsort(rows, count, sizeof(*rows), by_coming);
    ties_begin(&t);
    for (size_t i = 0; i < count; i++) {
        const struct coming *c = &rows[i];
        struct origin o;
        int64_t time_ns = c->time_ms * 1000000;
        bool found = false;
        if (c->kind == OWN)
            note(&t, &c->trace, c->host, time_ns);
        else if (c->kind == SHARED)
            found = origin_of_translation(&o, t.set, &c->trace, time_ns);
        else if (!done[c->number])
            found = origin_find(&o, t.set, &c->trace, time_ns);
        if (!found)
            continue;
        done[c->number] = true;
        score.right += o.offset == c->host;
        score.wrong += o.offset != c->host;
    }
    ties_end(&t);
    free(done);
    return score;
}

/* The three of a connection: out[0] has its number, host, time and trace, which both rows share. */
static void connect_rows(struct coming out[3], struct chance *c)
{
    const struct coming own = out[0];
    int64_t own_ms = own.time_ms + below(c, SKEW_MS);
    int64_t shared_ms = own.time_ms + below(c, SKEW_MS);
    for (size_t i = 0; i < 3; i++) {
        out[i] = own;
        out[i].time_ms = shared_ms;
    }
    out[0].time_ms = own_ms;
    out[0].at_ms = own_ms + below(c, LATE_MS);
    out[1].at_ms = shared_ms + below(c, LATE_MS);
    out[1].kind = SHARED;
    out[2].at_ms = out[1].at_ms + WAIT_MS;
    out[2].kind = WAITED;
}

static void check(const char *what, struct score score)
{
    printf("%s: %.2f %% right, %.3f %% wrong of %d\n", what, 100.0 * score.right / CONNECTIONS,
           100.0 * score.wrong / CONNECTIONS, CONNECTIONS);
    assert_true(score.right >= CONNECTIONS * 95 / 100);
    assert_true(score.wrong <= CONNECTIONS / 200);
}

/* 20 connections a second through one address with few ports: a port comes again after 100 s. */
static void test_nat_traffic(void **state)
{
    (void)state;
    struct chance c = {.state = 7};
    struct coming *rows = calloc((size_t)CONNECTIONS * 3, sizeof(*rows));
    assert_non_null(rows);
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        uint16_t host = (uint16_t)below(&c, HOSTS);
        /* Few hosts of the Internet serve most. */
        uint64_t destination = below(&c, 1 + below(&c, SITES));
        const struct origin_trace trace = {.translation = detect_key(i % NAT_PORTS, destination)};
        rows[(size_t)i * 3] = (struct coming){.time_ms = INT64_C(1000000) + INT64_C(50) * i,
                                              .trace = trace,
                                              .host = host,
                                              .kind = OWN,
                                              .number = i};
        connect_rows(&rows[(size_t)i * 3], &c);
    }
    check("nat", play(rows, (size_t)CONNECTIONS * 3));
    free(rows);
}

/* 10 requests a second of 300 hosts through two proxies; most are tunnels to a site that many use. */
static void test_proxy_traffic(void **state)
{
    (void)state;
    struct chance c = {.state = 7};
    struct coming *rows = calloc((size_t)CONNECTIONS * 3, sizeof(*rows));
    assert_non_null(rows);
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        uint16_t host = (uint16_t)below(&c, HOSTS);
        uint64_t site = detect_key(1, below(&c, 1 + below(&c, SITES)));
        uint64_t request = below(&c, 10) < 7 ? site : detect_key(site, below(&c, 50));
        uint64_t bytes = 300 + below(&c, 1 + below(&c, 200000));
        const struct origin_trace trace = {
            .transfer = detect_key(request, bytes), .request = request, .site = site};
        rows[(size_t)i * 3] = (struct coming){.time_ms = INT64_C(1000000) + INT64_C(100) * i,
                                              .trace = trace,
                                              .host = host,
                                              .kind = OWN,
                                              .number = i};
        connect_rows(&rows[(size_t)i * 3], &c);
    }
    check("two proxies", play(rows, (size_t)CONNECTIONS * 3));
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translation), cmocka_unit_test(test_several),
        cmocka_unit_test(test_again),       cmocka_unit_test(test_less),
        cmocka_unit_test(test_nat_traffic), cmocka_unit_test(test_proxy_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
