#include "app/gen_traffic.h"

#include <assert.h>
#include <stdlib.h>

#include "app/gen_calendar.h"
#include "app/gen_writer.h"
#include "base/err.h"

enum {
    SLOT_BITS = 24,
    SLOTS_FIRST = 1024,
    KEEP_ALIVE_MS = 15000, /* a proxy keeps a connection open at most so long */
};

#define MS INT64_C(1000000)

static_assert(GEN_QUEUE_MAX <= 1 << SLOT_BITS, "a slot fits in a tag");

void gen_traffic_release(struct gen_traffic *t)
{
    gen_queue_release(&t->queue);
    free(t->flows);
    free(t->unused);
    *t = (struct gen_traffic){0};
}

static int grow(struct gen_traffic *t)
{
    uint32_t slots = t->slots == 0 ? SLOTS_FIRST : t->slots * 2;
    if (slots > GEN_QUEUE_MAX)
        return ERR_NOMEM;
    struct gen_flow *flows = realloc(t->flows, slots * sizeof(*flows));
    if (flows == NULL)
        return ERR_NOMEM;
    t->flows = flows;
    uint32_t *unused = realloc(t->unused, slots * sizeof(*unused));
    if (unused == NULL)
        return ERR_NOMEM;
    t->unused = unused;
    for (uint32_t slot = slots; slot-- > t->slots;)
        t->unused[t->unused_count++] = slot;
    t->slots = slots;
    return 0;
}

static int add(struct gen_traffic *t, const struct gen_flow *f)
{
    int result = t->unused_count == 0 ? grow(t) : 0;
    if (result != 0)
        return result;
    uint32_t slot = t->unused[t->unused_count - 1];
    uint64_t tag = t->sequence++ << SLOT_BITS | slot;
    result = gen_queue_push(&t->queue, (struct gen_wake){f->time_ns, tag});
    if (result != 0)
        return result;
    t->unused_count--;
    t->flows[slot] = *f;
    return 0;
}

void gen_traffic_take(struct gen_flow *out, struct gen_traffic *t)
{
    struct gen_wake wake = gen_queue_pop(&t->queue);
    uint32_t slot = (uint32_t)(wake.tag & ((UINT64_C(1) << SLOT_BITS) - 1));
    *out = t->flows[slot];
    t->unused[t->unused_count++] = slot;
}

int gen_traffic_line(struct gen_traffic *t, const struct gen_flow *f, enum gen_flow_kind kind,
                     uint8_t source)
{
    const struct gen_tenant *tenant = &t->world->tenants[f->tenant];
    assert(source < tenant->source_count);
    if (!gen_writer_knows((enum gen_format)tenant->sources[source].format, kind))
        return 0;
    struct gen_flow line = *f;
    line.kind = (uint8_t)kind;
    line.source = source;
    return add(t, &line);
}

int gen_traffic_session(struct gen_traffic *t, const struct gen_flow *f)
{
    const struct gen_tenant *tenant = &t->world->tenants[f->tenant];
    if (gen_path_is_lgwan(f->path)) {
        assert(tenant->lgwan && f->kind == GEN_FLOW_DENY);
        return gen_traffic_line(t, f, GEN_FLOW_DENY, gen_world_sources(tenant));
    }
    if (tenant->firewalls == 0)
        return 0;
    uint8_t source = gen_traffic_firewall(tenant, f->host == GEN_HOST_NONE ? 0 : f->host);
    if (f->kind == GEN_FLOW_DENY)
        return gen_traffic_line(t, f, GEN_FLOW_DENY, source);
    struct gen_flow line = *f;
    int result = gen_traffic_line(t, &line, GEN_FLOW_START, source);
    line.time_ns += f->duration_ms * MS;
    if (result == 0)
        result = gen_traffic_line(t, &line, (enum gen_flow_kind)f->kind, source);
    return result;
}

/* What the firewall's filters say in the middle of a request. */
static int filter_line(struct gen_traffic *t, const struct gen_flow *f)
{
    const struct gen_tenant *tenant = &t->world->tenants[f->tenant];
    uint8_t source = gen_traffic_firewall(tenant, f->host == GEN_HOST_NONE ? 0 : f->host);
    struct gen_flow line = *f;
    line.time_ns += (int64_t)(f->salt & 63) * MS;
    bool application =
        (f->salt >> 6 & 3) == 0 && !f->blocked && f->planted == GEN_CASE_NONE &&
        gen_writer_knows((enum gen_format)tenant->sources[source].format, GEN_FLOW_APP);
    return gen_traffic_line(t, &line, application ? GEN_FLOW_APP : GEN_FLOW_WEB, source);
}

/* Background requests leave only their share of lines at the firewall; planted ones all. */
static bool chosen(const struct gen_flow *f, uint32_t permille, uint32_t use)
{
    return f->planted != GEN_CASE_NONE || gen_mix(f->salt, use) % 1000 < permille;
}

static int direct_web(struct gen_traffic *t, const struct gen_flow *f)
{
    const struct gen_tenant *tenant = &t->world->tenants[f->tenant];
    struct gen_flow session = *f;
    /* A browser keeps its connection for a while. */
    session.duration_ms += (uint32_t)(gen_mix(f->salt, 1) % KEEP_ALIVE_MS);
    bool failed = f->status == 0 || f->status >= 502;
    session.kind = failed ? GEN_FLOW_FAILED : GEN_FLOW_END;
    if (failed)
        session.received_bytes = 0;
    int result = 0;
    if (!failed && (f->blocked || chosen(f, tenant->filter_permille, 2)))
        result = filter_line(t, f);
    return result == 0 ? gen_traffic_session(t, &session) : result;
}

/* The request of the last proxy, as the firewall sees it. */
static int proxy_session(struct gen_traffic *t, const struct gen_flow *f, uint8_t proxy)
{
    const struct gen_tenant *tenant = &t->world->tenants[f->tenant];
    struct gen_flow line = *f;
    if (tenant->firewalls == 0 || f->blocked || f->status == 407 || f->status == 503)
        return 0;
    line.client = (struct gen_address){.value = tenant->sources[proxy].address};
    line.client_port = (uint16_t)(32768 + gen_mix(f->salt, 3) % 28000);
    line.host = GEN_HOST_NONE;
    line.path = GEN_PATH_PROXY;
    line.duration_ms += (uint32_t)(gen_mix(f->salt, 4) % KEEP_ALIVE_MS);
    line.kind = f->status == 0 || f->status == 504 ? GEN_FLOW_FAILED : GEN_FLOW_END;
    if (f->server.v6) /* the proxy has an address of either kind */
        line.client = (struct gen_address){
            .value = UINT32_C(0xF0000000) | (uint32_t)f->tenant << 16 | 0xFF00 | proxy, .v6 = true};
    int result = 0;
    if (chosen(f, tenant->filter_permille, 5))
        result = filter_line(t, &line);
    if (result == 0 && chosen(f, tenant->session_permille, 6))
        result = gen_traffic_session(t, &line);
    return result;
}

int gen_traffic_web(struct gen_traffic *t, const struct gen_flow *f)
{
    const struct gen_tenant *tenant = &t->world->tenants[f->tenant];
    if (tenant->proxies == 0)
        return direct_web(t, f);
    uint8_t proxy = gen_traffic_proxy(tenant, f->host == GEN_HOST_NONE ? 0 : f->host);
    uint8_t last = tenant->series ? gen_world_upper(tenant) : proxy;
    struct gen_flow line = *f;
    line.time_ns += f->duration_ms * MS;
    int result = gen_traffic_line(t, &line, GEN_FLOW_HTTP, proxy);
    if (result == 0 && last != proxy && !f->blocked && f->status != 407) {
        /* The upper proxy ends a little earlier and knows only the lower one. */
        line.time_ns -= f->duration_ms * MS / 16;
        line.duration_ms -= f->duration_ms / 8;
        line.client = (struct gen_address){.value = tenant->sources[proxy].address};
        line.host = GEN_HOST_NONE;
        result = gen_traffic_line(t, &line, GEN_FLOW_HTTP, last);
    }
    return result == 0 ? proxy_session(t, f, last) : result;
}
