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
    LATE_MS = 2000, /* a row comes so much after its time, at most */
    WAITING_MAX = 256,
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
    assert_false(origin_is_fed(t.set, ORIGIN_UNKNOWN, 1000 * SECOND));
    note(&t, &tunnel, 5, 1000 * SECOND);
    assert_int_equal(find(&t, &page, 1001 * SECOND), 5);
    assert_int_equal(find(&t, &bare, 1120 * SECOND), 5);
    assert_int_equal(find(&t, &bare, 1121 * SECOND), -1);
    assert_true(origin_is_fed(t.set, ORIGIN_UNKNOWN, 1000 * SECOND));
    assert_true(origin_is_fed(t.set, ORIGIN_UNKNOWN, 4600 * SECOND));
    assert_false(origin_is_fed(t.set, ORIGIN_UNKNOWN, 4601 * SECOND));
    assert_true(origin_is_fed(t.set, ORIGIN_REQUEST, 1000 * SECOND));
    assert_true(origin_is_fed(t.set, ORIGIN_DESTINATION, 1000 * SECOND));
    assert_false(origin_is_fed(t.set, ORIGIN_TRANSLATION, 1000 * SECOND));
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

/* A row on its way: a host's own, or that of the shared address. */
struct coming {
    int64_t at_ms; /* it comes */
    int64_t time_ms;
    struct origin_trace trace;
    uint16_t host;
    bool shared;
    uint32_t number; /* of the connection */
};

/* How rows of a kind of traffic come. */
struct custom {
    uint32_t late_ms;   /* after their time, at most */
    uint32_t behind_ms; /* the host's own row comes so much later than it would, at most */
    uint32_t unseen;    /* of 100 connections so many have no row of the host */
    bool other_bytes;   /* are counted at the other device */
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
    unsigned seen; /* connections with a host's own row */
    unsigned right;
    unsigned wrong;
    int64_t wait_ms; /* of all of them */
    int64_t most_ms; /* that was waited, in the second half */
};

/* Findings of all rows of the shared address that are not known at once, as detect/held.c has them. */
struct game {
    struct ties t;
    struct lag_set lags;
    struct score score;
    const struct coming *waiting[WAITING_MAX];
    int64_t due_ms[WAITING_MAX];
    size_t count;
    bool learns; /* how long to wait; else HELD_NS */
};

static bool named_at_once(struct origin *out, struct game *g, const struct coming *c)
{
    const struct origin_trace exact = {
        .translation = c->trace.translation,
        .transfer = g->learns && lag_is_exact(&g->lags) ? c->trace.transfer : 0};
    return origin_find(out, g->t.set, &exact, c->time_ms * 1000000);
}

static void settle(struct game *g, const struct coming *c, bool whole, int64_t waited_ms)
{
    struct origin o;
    const struct origin_trace trace = g->learns ? lag_trace(&g->lags, &c->trace) : c->trace;
    bool found =
        whole ? origin_find(&o, g->t.set, &trace, c->time_ms * 1000000) : named_at_once(&o, g, c);
    g->score.right += found && o.offset == c->host;
    g->score.wrong += found && o.offset != c->host;
    g->score.wait_ms += waited_ms;
    if (c->number > CONNECTIONS / 2 && waited_ms > g->score.most_ms)
        g->score.most_ms = waited_ms;
}

static void drop_waiting(struct game *g, size_t i)
{
    g->count--;
    memmove(&g->waiting[i], &g->waiting[i + 1], (g->count - i) * sizeof(struct coming *));
    memmove(&g->due_ms[i], &g->due_ms[i + 1], (g->count - i) * sizeof(g->due_ms[0]));
}

/* Those whose time is over, and those of which a row now tells at once. */
static void release(struct game *g, int64_t now_ms)
{
    for (size_t i = 0; i < g->count;) {
        const struct coming *c = g->waiting[i];
        struct origin o;
        bool over = g->due_ms[i] <= now_ms;
        if (!over && !named_at_once(&o, g, c)) {
            i++;
            continue;
        }
        settle(g, c, over, (over ? g->due_ms[i] : now_ms) - c->at_ms);
        drop_waiting(g, i);
    }
}

static int64_t wait_ms(const struct game *g, const struct origin_trace *trace)
{
    int64_t longest = 0;
    for (enum origin_way way = ORIGIN_TRANSLATION; way < ORIGIN_WAYS; way++) {
        int64_t wait = g->learns ? lag_wait(&g->lags, way) / 1000000 : HELD_NS / 1000000;
        if (origin_has_key(trace, way) && wait > longest)
            longest = wait;
    }
    return longest;
}

static void take_shared(struct game *g, const struct coming *c)
{
    struct origin o;
    lag_ask(&g->lags, g->t.set, &c->trace, c->time_ms * 1000000, c->at_ms * 1000000);
    int64_t wait = wait_ms(g, &c->trace);
    if (wait == 0 || named_at_once(&o, g, c)) {
        settle(g, c, wait == 0, 0);
        return;
    }
    assert_true(g->count < WAITING_MAX);
    g->waiting[g->count] = c;
    g->due_ms[g->count++] = c->at_ms + wait;
}

/* Shares of the connections whose host is named rightly, and wrongly. */
static struct score play(struct coming *rows, size_t count, bool learns)
{
    struct game *g = calloc(1, sizeof(*g));
    assert_non_null(g);
    g->learns = learns;
    qsort(rows, count, sizeof(*rows), by_coming);
    ties_begin(&g->t);
    for (size_t i = 0; i < count; i++) {
        const struct coming *c = &rows[i];
        release(g, c->at_ms);
        if (c->shared) {
            take_shared(g, c);
            continue;
        }
        g->score.seen++;
        note(&g->t, &c->trace, c->host, c->time_ms * 1000000);
        lag_answer(&g->lags, &c->trace, c->time_ms * 1000000, c->at_ms * 1000000);
        release(g, c->at_ms);
    }
    release(g, INT64_MAX);
    ties_end(&g->t);
    struct score score = g->score;
    free(g);
    return score;
}

/* The rows of a connection: out[0] has its number, host, time and trace, which both rows share. */
static size_t connect_rows(struct coming out[2], struct chance *c, const struct custom *how)
{
    const struct coming own = out[0];
    int64_t own_ms = own.time_ms + below(c, SKEW_MS);
    int64_t shared_ms = own.time_ms + below(c, SKEW_MS);
    out[0].time_ms = shared_ms;
    out[0].at_ms = shared_ms + below(c, how->late_ms);
    out[0].shared = true;
    if (below(c, 100) < how->unseen)
        return 1;
    out[1] = own;
    out[1].time_ms = own_ms;
    out[1].trace.transfer ^= how->other_bytes ? 1U << 20 : 0;
    out[1].at_ms = own_ms + below(c, how->late_ms) + below(c, 1 + how->behind_ms);
    return 2;
}

/* 20 connections a second through one address with few ports: a port comes again after 100 s. */
static struct coming nat_connection(struct chance *c, uint32_t i)
{
    uint16_t host = (uint16_t)below(c, HOSTS);
    /* Few hosts of the Internet serve most. */
    uint64_t destination = below(c, 1 + below(c, SITES));
    return (struct coming){.time_ms = INT64_C(1000000) + INT64_C(50) * i,
                           .trace = {.translation = detect_key(i % NAT_PORTS, destination)},
                           .host = host,
                           .number = i};
}

/* 10 requests a second of 300 hosts through two proxies; most are tunnels to a site that many use. */
static struct coming proxy_request(struct chance *c, uint32_t i)
{
    uint16_t host = (uint16_t)below(c, HOSTS);
    uint64_t site = detect_key(1, below(c, 1 + below(c, SITES)));
    uint64_t request = below(c, 10) < 7 ? site : detect_key(site, below(c, 50));
    uint64_t bytes = 300 + below(c, 1 + below(c, 200000));
    return (struct coming){
        .time_ms = INT64_C(1000000) + INT64_C(100) * i,
        .trace = {.transfer = detect_key(request, bytes), .request = request, .site = site},
        .host = host,
        .number = i};
}

/*
 * At least 95 % of what can be known is named, at most 0.5 % wrongly; what is learned costs one name in
 * LAG_LOST and what chance adds to it, and time less than nothing learned.
 */
static void check(const char *what, struct coming (*make)(struct chance *, uint32_t),
                  const struct custom *how)
{
    struct score scores[2];
    for (unsigned learns = 0; learns < 2; learns++) {
        struct chance c = {.state = 7};
        struct coming *rows = calloc((size_t)CONNECTIONS * 2, sizeof(*rows));
        size_t count = 0;
        assert_non_null(rows);
        for (uint32_t i = 0; i < CONNECTIONS; i++) {
            rows[count] = make(&c, i);
            count += connect_rows(&rows[count], &c, how);
        }
        unsigned seen = (unsigned)(count - CONNECTIONS);
        struct score *s = &scores[learns];
        *s = play(rows, count, learns != 0);
        printf(
            "%s, %s: %.2f %% right, %.3f %% wrong of %u; waited %.2f s in the mean, %.2f s most\n",
            what, learns != 0 ? "learned" : "3 s", 100.0 * s->right / seen, 100.0 * s->wrong / seen,
            seen, 1e-3 * (double)s->wait_ms / CONNECTIONS, 1e-3 * (double)s->most_ms);
        free(rows);
    }
    unsigned seen = scores[0].seen;
    /* Sites alone are what several ask for at a time. */
    assert_true(scores[1].right >= (uint64_t)seen * (how->other_bytes ? 75 : 95) / 100);
    assert_true(scores[1].wrong <= seen / 200);
    assert_true(scores[1].right + CONNECTIONS / 25 >= scores[0].right);
    assert_true(scores[1].wait_ms <= scores[0].wait_ms);
    assert_true(how->late_ms == LATE_MS || scores[1].most_ms <= how->behind_ms + SKEW_MS + 300);
}

/* Relays that keep rows for up to two seconds. */
static void test_late_traffic(void **state)
{
    (void)state;
    const struct custom how = {.late_ms = LATE_MS};
    check("nat, late", nat_connection, &how);
    check("two proxies, late", proxy_request, &how);
}

/* Rows come at once, the host's own with the other's, or up to half a second behind. */
static void test_quick_traffic(void **state)
{
    (void)state;
    const struct custom quick = {.late_ms = 50};
    const struct custom behind = {.late_ms = 50, .behind_ms = 500};
    const struct custom other = {.late_ms = 50, .other_bytes = true};
    const struct custom unseen = {.late_ms = 50, .unseen = 60};
    check("nat, quick", nat_connection, &quick);
    check("nat, behind", nat_connection, &behind);
    check("two proxies, quick", proxy_request, &quick);
    check("two proxies, behind", proxy_request, &behind);
    check("two proxies, other bytes", proxy_request, &other);
    check("two proxies, most unseen", proxy_request, &unseen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translation),  cmocka_unit_test(test_several),
        cmocka_unit_test(test_again),        cmocka_unit_test(test_less),
        cmocka_unit_test(test_late_traffic), cmocka_unit_test(test_quick_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
