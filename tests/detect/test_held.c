/* Findings that wait for who is behind a shared address: how long, how many, and that none is lost. */
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
#include "detect/detectors.h"
#include "detect/row_origin.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MS     INT64_C(1000000)
#define START  (INT64_C(1790521200) * SECOND)

enum {
    SAID_MAX = 4096,
    FLOOD = 1000,
    TENANT = 990001,
    NAME_MAX_BYTES = 48,
    SAMPLES = 200,
};

/* The first revision of an alert. */
struct said {
    char domain[NAME_MAX_BYTES];
    char source[NAME_MAX_BYTES];
    char via[NAME_MAX_BYTES];
};

struct town {
    struct detect_shared shared;
    struct detect_profile profile;
    struct detect_tenant *tenant;
    struct detect_run *run;
    struct said *said;
    size_t count;
    int64_t offset;
};

/* The text of a key of the line; "" without one. */
static void text_of(char out[NAME_MAX_BYTES], struct slice line, const char *key)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "\"%s\":\"", key);
    const char *at = memmem(line.data, line.len, text, strlen(text));
    out[0] = '\0';
    for (size_t i = 0; at != NULL && i + 1 < NAME_MAX_BYTES; i++) {
        out[i] = at[strlen(text) + i];
        if (out[i] == '"') {
            out[i] = '\0';
            return;
        }
        out[i + 1] = '\0';
    }
}

static int take(void *self, const struct detect_alert *alert)
{
    struct town *t = self;
    if (alert->record.revision != 1)
        return 0;
    assert_true(t->count < SAID_MAX);
    struct said *s = &t->said[t->count++];
    text_of(s->domain, alert->record.line, "url.domain");
    text_of(s->source, alert->record.line, "source.ip");
    text_of(s->via, alert->record.line, "explain.via");
    return 0;
}

static void tenant_open(struct town *t)
{
    const struct detect_options o = {
        .shared = &t->shared, .profile = &t->profile, .alert = take, .self = t};
    assert_int_equal(detect_tenant_new(&t->tenant, &o), 0);
    t->run = &t->tenant->run;
}

static void town_open(struct town *t)
{
    *t = (struct town){.shared = {.seed = 7},
                       .profile = {.tenant = TENANT,
                                   .name = SLICE("Example town"),
                                   .size = DETECT_SMALL,
                                   .budget = DETECT_BUDGET_DEFAULT,
                                   .lateness_ns = 120 * SECOND},
                       .said = calloc(SAID_MAX, sizeof(struct said))};
    assert_non_null(t->said);
    tenant_open(t);
    t->tenant->state->source_count = 1;
    assert_int_equal(detect_tick(t->tenant, START, 0), 0);
}

static void town_close(struct town *t)
{
    detect_tenant_free(t->tenant);
    free(t->said);
}

static struct flow row_of(struct town *t, unsigned host, int64_t arrival_ns)
{
    struct flow f = {.time_ns = arrival_ns,
                     .arrival_ns = arrival_ns,
                     .offset = t->offset++,
                     .flags = FLOW_HAS_SOURCE};
    f.source = ip_from_v4(UINT32_C(0x0A000000) + host);
    return f;
}

static struct origin_trace request(unsigned number)
{
    uint64_t site = detect_key(number, 1);
    return (struct origin_trace){.request = site, .site = site};
}

/* A host's own row asks for it. */
static void own_row(struct town *t, unsigned number, unsigned host, int64_t arrival_ns)
{
    struct flow f = row_of(t, host, arrival_ns);
    const struct origin_trace trace = request(number);
    row_origin_meet(t->run, &f, &trace);
    row_origin_leave(t->run);
}

/* A row of the proxy 10.255.0.1 asks for it, and a detector has something to say of that. */
static void shared_row(struct town *t, unsigned number, int64_t arrival_ns)
{
    struct flow flow = row_of(t, 0xFF0001, arrival_ns);
    const struct origin_trace trace = request(number);
    struct finding f;
    char domain[NAME_MAX_BYTES];
    flow.flags |= FLOW_SHARED_SOURCE;
    row_origin_meet(t->run, &flow, &trace);
    finding_begin(&f, 0, &flow, SECOND);
    f.severity_step = ALERT_CRITICAL; /* or the hour's cap would keep most back */
    (void)snprintf(domain, sizeof(domain), "n%u.example", number);
    finding_key_ip(&f, "source.ip", &flow.source);
    finding_key_text(&f, "url.domain", slice_from(domain));
    detectors_enter(t->run, &detector_scan);
    detect_fire(t->run, &f);
    assert_int_equal(t->run->status, 0);
    row_origin_leave(t->run);
}

/* Some row that has nothing to do with it. */
static void any_row(struct town *t, int64_t arrival_ns)
{
    struct flow f = row_of(t, 1, arrival_ns);
    row_origin_meet(t->run, &f, NULL);
    row_origin_leave(t->run);
}

static void tick(struct town *t, int64_t tick_ns, unsigned flags)
{
    assert_int_equal(detect_tick(t->tenant, tick_ns, flags), 0);
}

static uint64_t waiting(const struct town *t)
{
    return t->tenant->state->held.count;
}

/* The i-th alert is of request `number`, told of the host, or of the proxy where it is -1. */
static void assert_said(const struct town *t, size_t i, unsigned number, int host)
{
    char domain[NAME_MAX_BYTES];
    char source[NAME_MAX_BYTES] = "10.255.0.1";
    (void)snprintf(domain, sizeof(domain), "n%u.example", number);
    if (host >= 0)
        (void)snprintf(source, sizeof(source), "10.0.%d.%d", host / 256, host % 256);
    assert_true(i < t->count);
    assert_string_equal(t->said[i].domain, domain);
    assert_string_equal(t->said[i].source, source);
    assert_string_equal(t->said[i].via, host < 0 ? "" : "10.255.0.1");
}

/* --------------------------------------------------------------------------------- how long */

/* With nothing learned 3 s: by ticks, or by the arrival of any row. */
static void test_unlearned(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    shared_row(&t, 1, START);
    assert_said(&t, 0, 1, -1); /* hosts' own rows never came: nothing to wait for */
    own_row(&t, 2, 7, START + 100 * MS);
    shared_row(&t, 2, START + 200 * MS);
    shared_row(&t, 3, START + 300 * MS);
    assert_int_equal(waiting(&t), 2);
    tick(&t, START + SECOND, 0);
    tick(&t, START + 2 * SECOND, 0);
    any_row(&t, START + 2900 * MS);
    tick(&t, START + 3 * SECOND, 0);
    any_row(&t, START + 3199 * MS);
    assert_int_equal(waiting(&t), 2);
    any_row(&t, START + 3200 * MS);
    assert_said(&t, 1, 2, 7);
    assert_int_equal(waiting(&t), 1);
    tick(&t, START + 4 * SECOND, 0);
    assert_said(&t, 2, 3, -1);
    assert_int_equal(t.count, 3);
    town_close(&t);
}

/* Hosts' own rows come 250 ms behind, as a rule. */
static int64_t learn(struct town *t, int64_t behind_ns)
{
    int64_t now_ns = START;
    for (unsigned i = 0; i < SAMPLES; i++, now_ns += SECOND) {
        struct flow f = row_of(t, 0xFF0001, now_ns);
        const struct origin_trace trace = request(100000 + i);
        f.flags |= FLOW_SHARED_SOURCE;
        tick(t, now_ns, 0);
        row_origin_meet(t->run, &f, &trace);
        row_origin_leave(t->run);
        own_row(t, 100000 + i, 9, now_ns + behind_ns);
    }
    tick(t, now_ns, 0);
    return now_ns;
}

static void test_learned(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    int64_t now_ns = learn(&t, 250 * MS);
    shared_row(&t, 1, now_ns + 10 * MS);
    own_row(&t, 1, 7, now_ns + 260 * MS);
    any_row(&t, now_ns + 309 * MS);
    assert_int_equal(waiting(&t), 1);
    any_row(&t, now_ns + 310 * MS);
    assert_said(&t, 0, 1, 7);
    shared_row(&t, 2, now_ns + 400 * MS);
    tick(&t, now_ns + SECOND, 0);
    assert_said(&t, 1, 2, -1);
    town_close(&t);
}

/* Where hosts' own rows come first, nothing waits. */
static void test_before(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    int64_t now_ns = START;
    for (unsigned i = 0; i < SAMPLES; i++, now_ns += SECOND) {
        tick(&t, now_ns, 0);
        own_row(&t, i, 9, now_ns);
        struct flow f = row_of(&t, 0xFF0001, now_ns + MS);
        const struct origin_trace trace = request(i);
        f.flags |= FLOW_SHARED_SOURCE;
        row_origin_meet(t.run, &f, &trace);
        row_origin_leave(t.run);
    }
    own_row(&t, 1000, 7, now_ns - 10 * MS);
    shared_row(&t, 1000, now_ns - 9 * MS);
    shared_row(&t, 1001, now_ns - 8 * MS);
    assert_int_equal(waiting(&t), 0);
    assert_said(&t, 0, 1000, 7);
    assert_said(&t, 1, 1001, -1);
    town_close(&t);
}

/* A backlog's rows, or those of a broker whose clock is ahead, tell nothing of time. */
static void test_untimely(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    int64_t now_ns = learn(&t, 250 * MS);
    shared_row(&t, 1, now_ns - 20 * SECOND);
    any_row(&t, now_ns - 10 * SECOND);
    any_row(&t, now_ns + 30 * SECOND);
    tick(&t, now_ns + 2 * SECOND, 0);
    assert_int_equal(waiting(&t), 1);
    own_row(&t, 1, 7, now_ns - 19 * SECOND);
    tick(&t, now_ns + 3 * SECOND, 0);
    assert_said(&t, 0, 1, 7);
    town_close(&t);
}

/* At the end of the input nothing more comes. */
static void test_end(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    own_row(&t, 1, 7, START);
    shared_row(&t, 1, START + MS);
    shared_row(&t, 2, START + 2 * MS);
    assert_int_equal(t.count, 0);
    tick(&t, START, DETECT_TICK_END);
    assert_said(&t, 0, 1, 7);
    assert_said(&t, 1, 2, -1);
    assert_int_equal(waiting(&t), 0);
    town_close(&t);
}

/* After a restart what hosts' rows came meanwhile is read first. */
static void test_pause(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    own_row(&t, 2, 7, START);
    shared_row(&t, 1, START + 100 * MS);
    tick(&t, START + SECOND, 0);
    tick(&t, START + 60 * SECOND, DETECT_TICK_GAP);
    tick(&t, START + 61 * SECOND, 0);
    assert_int_equal(waiting(&t), 1);
    own_row(&t, 1, 7, START + SECOND);
    tick(&t, START + 62 * SECOND, 0);
    assert_said(&t, 0, 1, 7);
    town_close(&t);
}

/* ---------------------------------------------------------------------------------- how many */

static int host_of(unsigned number)
{
    return number % 2 == 0 ? (int)(number % 200 + 2) : -1;
}

/* FLOOD findings within a second, from `first` on; every other one has a host's own row. */
static void flood(struct town *t, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        int64_t arrival_ns = START + i * (900 * MS / FLOOD);
        if (host_of(i) >= 0)
            own_row(t, i, (unsigned)host_of(i), arrival_ns);
        else
            own_row(t, 500000 + i, 3, arrival_ns);
        shared_row(t, i, arrival_ns);
    }
}

/* None is lost, each is told once, of its host where that is known; in the order of the rows. */
static void test_flood(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    own_row(&t, 900000, 3, START);
    flood(&t, 0, FLOOD);
    assert_int_equal(waiting(&t), HELD_MAX);
    assert_int_equal(t.count, FLOOD - HELD_MAX);
    for (int i = 1; i <= 4; i++)
        tick(&t, START + i * SECOND, 0);
    assert_int_equal(t.count, FLOOD);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_said(&t, i, i, host_of(i));
    town_close(&t);
}

static void reopen(struct town *t)
{
    struct buf image = {0};
    assert_int_equal(detect_tenant_image(t->tenant, &image), 0);
    detect_tenant_free(t->tenant);
    tenant_open(t);
    assert_int_equal(detect_tenant_load(t->tenant, buf_content(&image)), 0);
    buf_release(&image);
}

/* A process that takes the state over goes on with those that wait. */
static void test_image(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    own_row(&t, 900000, 3, START);
    for (unsigned i = 0; i < FLOOD; i += 50) {
        flood(&t, i, i + 50);
        reopen(&t);
    }
    assert_int_equal(waiting(&t), HELD_MAX);
    for (int i = 1; i <= 4; i++)
        tick(&t, START + i * SECOND, 0);
    assert_int_equal(t.count, FLOOD);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_said(&t, i, i, host_of(i));
    town_close(&t);
}

/* A municipality that has grown begins anew, but what it has not said yet is said. */
static void test_class(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    own_row(&t, 900000, 3, START);
    flood(&t, 0, 20);
    t.profile.size = DETECT_MEDIUM;
    assert_int_equal(detect_tenant_change(t.tenant), 0);
    assert_int_equal(waiting(&t), 20);
    for (int i = 1; i <= 4; i++)
        tick(&t, START + i * SECOND, 0);
    assert_int_equal(t.count, 20);
    for (unsigned i = 0; i < 20; i++)
        assert_said(&t, i, i, -1); /* who asked was forgotten with the rest */
    town_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unlearned), cmocka_unit_test(test_learned),
        cmocka_unit_test(test_before),    cmocka_unit_test(test_untimely),
        cmocka_unit_test(test_end),       cmocka_unit_test(test_pause),
        cmocka_unit_test(test_flood),     cmocka_unit_test(test_image),
        cmocka_unit_test(test_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
