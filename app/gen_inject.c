#include "app/gen_inject.h"

#include <assert.h>
#include <stdlib.h>

#include "app/gen_calendar.h"
#include "base/err.h"

enum {
    DRAWS = 200,          /* attempts to find a moment within working hours */
    LONG_CASE_HOURS = 9,  /* longer ones cannot fit into a working day */
    TAKEN_APART_FROM = 4, /* with fewer municipalities one with a silence has other cases too */
};

#define MS INT64_C(1000000)

/*
 * A source of it is silent or cannot be read for a while: no place for other cases. Where silences are
 * short on order the whole run is, and a relay's restart takes as much of it.
 */
static bool is_taken(const struct gen_inject *g, uint32_t tenant)
{
    for (uint32_t i = 0; i < g->count && gen_case_of_source(g->cases[i].kind); i++)
        if (g->cases[i].flow.tenant == tenant && (!g->cases[i].look_alike || g->silence_ns[0] != 0))
            return true;
    return false;
}

/* A short silence on order: only where much is logged does it mean anything. */
static bool is_ordered(const struct gen_inject *g, const struct gen_case *c)
{
    return c->kind == GEN_SILENCE && !c->look_alike && g->silence_ns[0] != 0;
}

/* Cases go round the municipalities, each kind from another one on. */
static int choose_tenant(const struct gen_inject *g, struct gen_case *c)
{
    uint32_t count = g->world->tenant_count;
    uint32_t first = (uint32_t)(gen_mix(g->world->seed, 300U + c->kind) % count);
    if (is_ordered(g, c))
        first = count - c->number % count; /* the largest comes first */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tenant = (first + c->number + i) % count;
        if (!gen_case_fits(&g->world->tenants[tenant], (enum gen_case_kind)c->kind))
            continue;
        if (c->kind != GEN_SILENCE && count >= TAKEN_APART_FROM && is_taken(g, tenant) &&
            i + 1 < count)
            continue;
        c->flow.tenant = (uint16_t)tenant;
        return 0;
    }
    return ERR_NOTFOUND;
}

static bool working_hours(int64_t begin, int64_t end)
{
    int64_t day = gen_calendar_day(begin);
    int64_t midnight = gen_calendar_midnight(day);
    return gen_calendar_open(day) && begin >= midnight + 9 * GEN_HOUR_NS &&
           end <= midnight + 17 * GEN_HOUR_NS;
}

static int64_t choose_begin(struct gen_case *c, const int64_t span_ns[2])
{
    int64_t room = span_ns[1] - span_ns[0] - c->duration_ns - c->duration_ns / 8;
    if (room < 1)
        return span_ns[0];
    bool anytime = c->anytime || c->duration_ns > LONG_CASE_HOURS * GEN_HOUR_NS;
    int64_t begin = span_ns[0];
    for (int i = 0; i < DRAWS; i++) {
        uint64_t share = gen_random_next(&c->random) >> 40; /* of 2^24 */
        begin = span_ns[0] + (int64_t)(((uint64_t)room >> 20) * share >> 4);
        if (anytime || working_hours(begin, begin + c->duration_ns))
            break;
    }
    return begin;
}

static int plan(struct gen_inject *g, struct gen_case *c, const int64_t span_ns[2])
{
    int result = choose_tenant(g, c);
    if (result == 0)
        result = gen_case_plan(c, g->world, span_ns[1] - span_ns[0]);
    if (result != 0)
        return result;
    c->flow.time_ns = choose_begin(c, span_ns);
    if (is_ordered(g, c)) {
        c->flow.time_ns = g->silence_ns[0];
        c->duration_ns = g->silence_ns[1] - g->silence_ns[0];
    }
    c->flow.planted = (uint16_t)(c - g->cases);
    if (gen_case_of_source(c->kind)) {
        c->first_ns = c->flow.time_ns;
        c->last_ns = c->flow.time_ns + c->duration_ns;
        return 0;
    }
    return gen_queue_push(&g->queue, (struct gen_wake){c->flow.time_ns, c->flow.planted});
}

static int plan_kind(struct gen_inject *g, enum gen_case_kind kind, uint32_t count,
                     const int64_t span_ns[2], struct diag *diag)
{
    for (uint32_t i = 0; i < count * 2; i++) {
        struct gen_case *c = &g->cases[g->count];
        uint32_t number = i / 2 + 1;
        *c = (struct gen_case){.kind = (uint8_t)kind, .number = number, .look_alike = i % 2 == 1};
        uint64_t use = UINT64_C(20000000) + kind * UINT64_C(10000) + i;
        c->random.state = gen_mix(g->world->seed, use);
        int result = plan(g, c, span_ns);
        if (result == ERR_NOTFOUND) {
            diag_add(diag, "--inject", 0, 0,
                     "no municipality of this run has the devices that see \"%s\"",
                     gen_case_name(kind));
            return ERR_CONF;
        }
        if (result != 0)
            return result;
        g->count++;
    }
    return 0;
}

int gen_inject_init(struct gen_inject *g, const struct gen_options *o, struct gen_world *world,
                    struct gen_traffic *traffic, const int64_t span_ns[2], struct diag *diag)
{
    *g = (struct gen_inject){.world = world,
                             .traffic = traffic,
                             .silence_ns = {o->silence_from_ns, o->silence_until_ns}};
    uint32_t total = 0;
    for (size_t kind = 0; kind < GEN_CASE_KINDS; kind++)
        total += o->cases[kind] * 2;
    if (total == 0)
        return 0;
    assert(total < GEN_CASE_NONE);
    g->cases = calloc(total, sizeof(*g->cases));
    if (g->cases == NULL)
        return ERR_NOMEM;
    /* Those of sources first: the others keep away from their municipalities. */
    int result = plan_kind(g, GEN_SILENCE, o->cases[GEN_SILENCE], span_ns, diag);
    if (result == 0)
        result = plan_kind(g, GEN_DRIFT, o->cases[GEN_DRIFT], span_ns, diag);
    g->of_sources = g->count;
    for (uint32_t kind = 0; result == 0 && kind < GEN_CASE_KINDS; kind++)
        if (!gen_case_of_source((uint8_t)kind))
            result = plan_kind(g, (enum gen_case_kind)kind, o->cases[kind], span_ns, diag);
    if (result != 0)
        gen_inject_release(g);
    return result;
}

void gen_inject_release(struct gen_inject *g)
{
    gen_queue_release(&g->queue);
    free(g->cases);
    *g = (struct gen_inject){0};
}

static void vary_host(struct gen_case *c, struct gen_flow *f, const struct gen_tenant *t)
{
    uint32_t first = c->number * 37 % t->active;
    f->host = (uint16_t)((first + c->done % c->hosts) % t->active);
    f->client = (struct gen_address){.value = gen_world_pc(t, f->host)};
}

/* What is different in this step. */
static void vary(struct gen_case *c, struct gen_flow *f, const struct gen_world *w)
{
    static const uint16_t USUAL[16] = {22,   23,   80,   443,  445,  1433, 3306,  3389,
                                       5900, 5985, 6379, 8080, 8443, 9200, 11211, 27017};
    const struct gen_tenant *t = &w->tenants[f->tenant];
    switch ((enum gen_vary)c->vary) {
    case GEN_VARY_SERVER:
        f->server.value += c->done;
        break;
    case GEN_VARY_PORT:
        /* Each port once, in an order that is not the numbers'. */
        f->server_port = (uint16_t)(1 + c->done * 617 % 1021);
        break;
    case GEN_VARY_PUBLISHED:
        f->server.value = t->published + c->done % 8;
        f->server_port = USUAL[c->done / 8 % 16];
        break;
    case GEN_VARY_DEST:
        f->dest = GEN_DEST_SERVICES + c->done;
        f->server = w->dests[f->dest].address;
        f->server.v6 = false;
        f->server.value = GEN_DEST_BASE + (f->server.value & 0xFFFF);
        break;
    case GEN_VARY_CLIENT:
        f->client.value += gen_random_below(&c->random, 32768);
        break;
    case GEN_VARY_HOST:
        vary_host(c, f, t);
        break;
    case GEN_VARY_LOGIN:
        f->host = (uint16_t)gen_random_below(&c->random, t->active);
        break;
    case GEN_VARY_LGWAN:
        f->client.value = gen_world_address(t->inside, 129, c->done % 40);
        break;
    case GEN_VARY_TENANT:
        f->tenant = (uint16_t)((c->flow.tenant + c->done % c->hosts) % w->tenant_count);
        f->server.value = gen_world_address(w->tenants[f->tenant].inside, 129, c->done % 40);
        break;
    case GEN_VARY_NOTHING:
        break;
    }
}

static uint64_t vary_size(struct gen_case *c, uint64_t bytes)
{
    if (c->size_jitter_permille == 0)
        return bytes;
    uint64_t share = 1000 - c->size_jitter_permille +
                     gen_random_below(&c->random, 2 * c->size_jitter_permille + 1);
    return bytes * share / 1000;
}

static int send(struct gen_inject *g, struct gen_case *c, const struct gen_flow *f)
{
    const struct gen_tenant *t = &g->world->tenants[f->tenant];
    if (f->kind == GEN_FLOW_LOGIN_FAIL) {
        int result = gen_traffic_line(g->traffic, f, GEN_FLOW_LOGIN_FAIL, 0);
        if (result != 0 || !c->look_alike || c->done + 1 < c->steps)
            return result;
        struct gen_flow right = *f;
        right.time_ns += 5000 * MS;
        return gen_traffic_line(g->traffic, &right, GEN_FLOW_LOGIN, 0);
    }
    /* Through the firewall that the PC is behind, also where there are proxies. */
    return c->web && (t->proxies > 0 || t->firewalls > 0) ? gen_traffic_web(g->traffic, f)
                                                          : gen_traffic_session(g->traffic, f);
}

int gen_inject_step(struct gen_inject *g)
{
    struct gen_wake wake = g->queue.items[0];
    struct gen_case *c = &g->cases[wake.tag];
    struct gen_flow f = c->flow;
    f.time_ns = wake.time_ns;
    uint64_t salt = gen_random_next(&c->random);
    if (!c->fixed_salt)
        f.salt = salt;
    f.client_port = (uint16_t)gen_random_between(&c->random, 49152, 65535);
    f.sent_bytes = vary_size(c, f.sent_bytes);
    f.received_bytes = vary_size(c, f.received_bytes);
    vary(c, &f, g->world);
    if (f.kind == GEN_FLOW_DENY && c->denied_permille > 0 &&
        !gen_random_permille(&c->random, c->denied_permille)) {
        f.kind = GEN_FLOW_END;
        f.sent_bytes = 900;
        f.received_bytes = 3100;
        f.duration_ms = 400;
    }
    int result = send(g, c, &f);
    c->done++;
    int64_t jitter = c->gap_ns / 1000 * (int64_t)c->gap_jitter_permille;
    int64_t gap = c->gap_ns - jitter;
    if (jitter > 0)
        gap += (int64_t)(((uint64_t)jitter >> 15) * (salt >> 47)) >> 1;
    if (c->done == c->steps) {
        (void)gen_queue_pop(&g->queue);
    } else {
        wake.time_ns += gap > 0 ? gap : 1;
        gen_queue_replace(&g->queue, wake);
    }
    return result;
}

/* Whether a case of that kind is about the source then. */
static bool is_at(const struct gen_inject *g, uint8_t kind, const struct gen_flow *f)
{
    for (uint32_t i = 0; i < g->of_sources; i++) {
        const struct gen_case *c = &g->cases[i];
        if (c->kind == kind && c->flow.tenant == f->tenant && c->at_source == f->source &&
            f->time_ns >= c->first_ns && f->time_ns < c->last_ns)
            return true;
    }
    return false;
}

bool gen_inject_silent(const struct gen_inject *g, const struct gen_flow *f)
{
    return is_at(g, GEN_SILENCE, f);
}

bool gen_inject_drifted(const struct gen_inject *g, const struct gen_flow *f)
{
    return is_at(g, GEN_DRIFT, f);
}

void gen_inject_seen(struct gen_inject *g, uint16_t planted, int64_t time_ns)
{
    struct gen_case *c = &g->cases[planted];
    if (c->first_ns == CLOCK_NONE || time_ns < c->first_ns)
        c->first_ns = time_ns;
    if (c->last_ns == CLOCK_NONE || time_ns > c->last_ns)
        c->last_ns = time_ns;
    c->lines++;
}
