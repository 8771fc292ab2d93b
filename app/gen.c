#include "app/gen.h"

#include <assert.h>
#include <stdlib.h>

#include "app/gen_calendar.h"
#include "app/gen_inject.h"
#include "app/gen_mess.h"
#include "app/gen_name.h"
#include "app/gen_session.h"
#include "app/gen_traffic.h"
#include "app/gen_writer.h"
#include "base/err.h"

enum {
    RATE_LEAST = 100, /* permille: rather fewer PCs than PCs that do hardly anything */
    LINE_FIRST_BYTES = 4096,
    DAY_REQUESTS = 5390, /* of a PC and an office day at the natural rate; measured */
    CLOSED_SHARE = 14,   /* an office day is so many closed ones; measured */
    WORK_SECONDS = 9 * 3600,
    LIST_BALLAST = 500, /* entries of a list that never occur */
    FULL_PERCENT = 92,  /* of the events asked for, so that the last day is whole */
};

#define SHARE_ALL (UINT64_C(1) << 32)

struct gen {
    struct gen_options options;
    struct gen_world world;
    struct gen_traffic traffic;
    struct gen_session session;
    struct gen_inject inject;
    struct gen_mess mess;
    struct gen_moment moment;
    struct gen_flow flow;
    struct gen_dest dest; /* one that is in no table */
    struct buf line;
    uint64_t left; /* lines; UINT64_MAX: until the end of the days */
    int64_t end_ns;
    int64_t now_ns;
    bool again; /* the last line comes once more */
};

/* Lines that the simulated PCs make in an office day at the natural rate, about. */
static uint64_t day_lines(const struct gen_world *w)
{
    uint64_t lines = 0;
    for (uint32_t i = 0; i < w->tenant_count; i++)
        lines +=
            (uint64_t)w->tenants[i].active * w->tenants[i].lines_permille * DAY_REQUESTS / 1000;
    return lines;
}

static uint32_t square_root(uint64_t v, uint32_t max)
{
    uint32_t root = 1;
    while (root < max && (root + UINT64_C(1)) * (root + 1) <= v)
        root++;
    return root;
}

/* The part of its natural lines, in 2^-32, that a run of so many events on so many days keeps. */
static uint64_t wanted_share(const struct gen_options *o, uint64_t natural_day)
{
    uint64_t natural = 1;
    uint64_t planted = 0;
    int64_t first = gen_calendar_day(o->start_ns);
    for (int64_t day = first; day < first + o->days; day++)
        natural += natural_day / (o->open_daily || gen_calendar_open(day) ? 1 : CLOSED_SHARE);
    for (uint32_t kind = 0; kind < GEN_CASE_KINDS; kind++)
        planted += (uint64_t)o->cases[kind] * gen_case_lines((enum gen_case_kind)kind);
    /* At least a fifth is background, whatever is planted. */
    uint64_t events = planted < o->events / 5 * 4 ? o->events - planted : o->events / 5;
    events = events / 100 * FULL_PERCENT;
    if (events >= natural)
        return SHARE_ALL;
    return events < UINT32_MAX ? (events << 32) / natural : (events / (natural >> 16)) << 16;
}

/*
 * Thin a run that has both: half by fewer PCs, half by PCs that do less. A municipality keeps eight
 * PCs, so the second half is taken from what is left after the first.
 */
static int thin(uint32_t *rate_permille, struct gen *g)
{
    const struct gen_options *o = &g->options;
    *rate_permille = 1000;
    if (o->events == 0 || o->days == 0)
        return 0;
    uint64_t natural = day_lines(&g->world);
    uint64_t share = wanted_share(o, natural);
    if (share == SHARE_ALL)
        return 0;
    uint64_t permillion = share * 1000000 >> 32;
    uint32_t root = square_root(permillion, 1000);
    uint64_t hosts = permillion * 1000 / (root < RATE_LEAST ? RATE_LEAST : root);
    gen_world_release(&g->world);
    int result = gen_world_init(&g->world, o, (uint32_t)hosts);
    if (result != 0)
        return result;
    uint64_t left = day_lines(&g->world) / 1000 + 1;
    uint64_t rate = (natural >> 8) * (share >> 8) / left >> 16;
    *rate_permille = rate < 1 ? 1 : rate > 1000 ? 1000 : (uint32_t)rate;
    return 0;
}

/* Where the run ends if nothing else says so: by the lines that working hours make. */
static int64_t expected_end(const struct gen_options *o, uint64_t natural_day)
{
    if (o->days > 0)
        return o->start_ns + o->days * GEN_DAY_NS;
    uint64_t a_second = natural_day / WORK_SECONDS + 1;
    return o->start_ns + (int64_t)(o->events / a_second + 1) * CLOCK_NS_PER_SECOND;
}

static int start(struct gen *g, struct diag *diag)
{
    const struct gen_options *o = &g->options;
    uint32_t rate = 0;
    int result = gen_world_init(&g->world, o, 1000000);
    if (result != 0)
        return result;
    int64_t end = expected_end(o, day_lines(&g->world));
    result = thin(&rate, g);
    if (result != 0)
        return result;
    g->traffic.world = &g->world;
    result = gen_session_init(&g->session, &g->world, &g->traffic, o->start_ns, rate);
    if (result != 0)
        return result;
    g->end_ns = o->days > 0 ? end : INT64_MAX;
    g->now_ns = o->start_ns;
    g->left = o->events > 0 ? o->events : UINT64_MAX;
    int64_t span[2] = {o->start_ns, o->start_ns + (end - o->start_ns) / 10 * 9};
    span[0] += o->inject_after_days * GEN_DAY_NS;
    if (o->inject_from_ns > 0)
        span[0] = o->inject_from_ns;
    if (o->inject_until_ns > 0)
        span[1] = o->inject_until_ns;
    g->mess = (struct gen_mess){.random = {gen_mix(g->world.seed, 31)},
                                .permille = o->mess_permille,
                                .huge_permillion = o->huge_permillion};
    return gen_inject_init(&g->inject, o, &g->world, &g->traffic, span, diag);
}

int gen_open(struct gen **out, const struct gen_options *options, struct diag *diag)
{
    int result = gen_options_check(options, diag);
    if (result != 0)
        return result;
    struct gen *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ERR_NOMEM;
    g->options = *options;
    if (g->options.start_ns == 0)
        g->options.start_ns = options->days > 0 ? GEN_START_NS : GEN_START_WORK_NS;
    g->moment.second = -1;
    result = buf_reserve(&g->line, LINE_FIRST_BYTES) == NULL ? ERR_NOMEM : start(g, diag);
    if (result != 0) {
        gen_close(g);
        return result;
    }
    *out = g;
    return 0;
}

void gen_close(struct gen *g)
{
    if (g == NULL)
        return;
    gen_inject_release(&g->inject);
    gen_session_release(&g->session);
    gen_traffic_release(&g->traffic);
    gen_world_release(&g->world);
    buf_release(&g->line);
    free(g);
}

/* Let actors act until the earliest pending line can no longer be overtaken; take it. */
static int next_flow(struct gen *g)
{
    for (;;) {
        int64_t line = gen_traffic_time(&g->traffic);
        int64_t people = gen_session_time(&g->session);
        int64_t planted = gen_inject_time(&g->inject);
        int64_t actor = people < planted ? people : planted;
        int64_t first = line <= actor ? line : actor;
        if (first >= g->end_ns || first == INT64_MAX)
            return ERR_NOTFOUND;
        if (line <= actor) {
            gen_traffic_take(&g->flow, &g->traffic);
            return 0;
        }
        int result =
            planted <= people ? gen_inject_step(&g->inject) : gen_session_step(&g->session);
        if (result != 0)
            return result;
    }
}

static void write_line(struct gen *g)
{
    const struct gen_flow *f = &g->flow;
    const struct gen_tenant *t = &g->world.tenants[f->tenant];
    struct gen_context c = {
        .world = &g->world,
        .tenant = t,
        .source = &t->sources[f->source],
        .flow = f,
        .dest = gen_world_dest(&g->world, f->dest, &g->dest),
        .route = gen_route(f->path),
        .moment = &g->moment,
    };
    buf_reset(&g->line);
    gen_moment_set(&g->moment, f->time_ns);
    gen_writer((enum gen_format)c.source->format)->write(&g->line, &c);
    if (f->planted != GEN_CASE_NONE) {
        gen_inject_seen(&g->inject, f->planted, f->time_ns);
        return;
    }
    enum gen_mess_kind mess = gen_mess_draw(&g->mess);
    if (mess == GEN_MESS_NONE)
        return;
    g->again = mess == GEN_MESS_TWICE;
    gen_mess_apply(&g->mess, &g->line, mess, t->code, f->host);
}

int gen_next(struct gen *g, struct gen_line *out)
{
    if (g->left == 0)
        return ERR_NOTFOUND;
    if (g->again) {
        g->again = false;
    } else {
        do {
            int result = next_flow(g);
            if (result != 0)
                return result;
            g->now_ns = g->flow.time_ns;
        } while (gen_inject_silent(&g->inject, &g->flow));
        bool drifted = gen_inject_drifted(&g->inject, &g->flow);
        g->flow.time_ns += g->options.shift_ns;
        write_line(g);
        if (drifted)
            gen_mess_layout(&g->line, g->flow.time_ns);
    }
    if (!buf_ok(&g->line))
        return ERR_NOMEM;
    const struct gen_tenant *t = &g->world.tenants[g->flow.tenant];
    const struct gen_source *s = &t->sources[g->flow.source];
    if (g->left != UINT64_MAX)
        g->left--;
    *out = (struct gen_line){
        .line = buf_content(&g->line),
        .time_ns = g->flow.time_ns,
        .tenant = t->code,
        .source = s->name,
        .format = gen_format_name((enum gen_format)s->format),
        .tenant_index = g->flow.tenant,
        .source_index = g->flow.source,
        .planted = g->flow.planted == GEN_CASE_NONE ? -1 : (int32_t)g->flow.planted,
    };
    return 0;
}

void gen_postpone(struct gen *g, int64_t by_ns)
{
    assert(by_ns >= 0);
    g->options.shift_ns += by_ns;
}

int64_t gen_time(const struct gen *g)
{
    return g->now_ns + g->options.shift_ns;
}

uint32_t gen_tenant_count(const struct gen *g)
{
    return g->world.tenant_count;
}

const struct gen_tenant *gen_tenant(const struct gen *g, uint32_t index)
{
    assert(index < g->world.tenant_count);
    return &g->world.tenants[index];
}

uint32_t gen_label_count(const struct gen *g)
{
    return g->inject.count;
}

void gen_label(struct gen_label *out, const struct gen *g, uint32_t index)
{
    assert(index < g->inject.count);
    const struct gen_case *c = &g->inject.cases[index];
    bool of_source = gen_case_of_source(c->kind); /* it has no lines */
    int64_t shift = of_source ? g->options.shift_ns : 0;
    bool over = of_source ? c->last_ns <= g->now_ns : c->done == c->steps && c->lines > 0;
    *out = (struct gen_label){
        .name = gen_case_name((enum gen_case_kind)c->kind),
        .kind = gen_case_detector((enum gen_case_kind)c->kind),
        .expect_alert = !c->look_alike,
        .number = c->number,
        .tenant = g->world.tenants[c->flow.tenant].code,
        .first_ns = c->first_ns + shift,
        .last_ns = c->last_ns + shift,
        .lines = c->lines,
        .complete = over,
        .keys = c->keys,
        .key_count = c->key_count,
    };
}

void gen_print_list(struct buf *out, const struct gen *g, enum gen_indicator type)
{
    for (uint32_t i = 0; i < LIST_BALLAST; i++) {
        if (type == GEN_INDICATOR_IP) {
            text_ip4(out, GEN_PLANTED_BASE + 0x3E00 + i);
        } else {
            if (type == GEN_INDICATOR_URL)
                buf_text(out, "http://");
            gen_name_odd(out, UINT64_C(10000000) + type * UINT64_C(1000000) + i);
            if (type == GEN_INDICATOR_URL)
                buf_text(out, "/gate/beef.php");
        }
        buf_byte(out, '\n');
    }
    for (uint32_t i = 0; i < g->inject.count; i++) {
        const struct gen_case *c = &g->inject.cases[i];
        if (c->indicator_type != type)
            continue;
        buf_text(out, c->indicator);
        buf_byte(out, '\n');
    }
}
