#include "tests/detect/clean_days.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/err.h"
#include "detect/prevalence.h"
#include "ingest/feed.h"

enum {
    SEED = 4711,
    ROWS_AT_ONCE = 1024,
    ZONE_MINUTES = 540,
};

#define LATENESS_NS (120 * CLOCK_NS_PER_SECOND)

struct device {
    struct town *town;
    struct feed *feed;
    int64_t offset;
};

struct town {
    struct world *world;
    struct detect_tenant *tenant;
    struct detect_profile profile;
    struct zone_table *networks;
    struct network shared[GEN_SOURCES_MAX];
    struct device devices[GEN_SOURCES_MAX];
    uint32_t order; /* rows that wait */
    struct buf contribution;
};

struct world {
    const struct clean_days *days;
    struct gen *gen;
    struct town *towns;
    uint32_t town_count;
    struct detect_shared shared;
    struct prevalence_set *prevalence;
    struct domain_list *domains;
    struct feed_environment env;
    struct feed_bench *bench;
    struct buf line;
};

static int closed(void *self, struct batch *b)
{
    struct device *d = self;
    return detect_add(d->town->tenant, b, b->order);
}

static int alert(void *self, const struct detect_alert *alert)
{
    const struct world *w = self;
    if (w->days->alert != NULL)
        w->days->alert(w->days->self, w->gen, alert);
    return 0;
}

/* The networks of a municipality: one zone a network, excluded ones as in its configuration. */
static void open_networks(struct town *t, const struct gen_tenant *g)
{
    struct zone_network networks[GEN_NETWORKS_MAX] = {0};
    size_t bad = 0;
    for (uint8_t i = 0; i < g->network_count; i++) {
        char text[24 + SLICE_PADDING_BYTES] = {0};
        (void)snprintf(text, sizeof(text), "%s", g->networks[i].cidr);
        int status = network_parse(&networks[i].network, slice_from(text), NULL);
        assert(status == 0);
        networks[i].match.zone = (uint16_t)(i + 1);
        networks[i].match.excluded = g->networks[i].exclude;
    }
    int status = zone_table_new(&t->networks, networks, g->network_count, &bad);
    assert(status == 0);
}

static void open_devices(struct town *t, const struct gen_tenant *g)
{
    struct world *w = t->world;
    for (uint8_t i = 0; i < g->source_count; i++) {
        struct feed_options o = {.tenant = g->code,
                                 .topic = SLICE("file"),
                                 .source = slice_from(g->sources[i].name),
                                 .zone_minutes = ZONE_MINUTES,
                                 .rows_max = BATCH_LIVE_ROWS_MAX,
                                 .order = &t->order,
                                 .replay = true,
                                 .networks = t->networks,
                                 .closed = closed,
                                 .self = &t->devices[i]};
        struct slice name = slice_from(gen_format_name((enum gen_format)g->sources[i].format));
        o.format = parser_find(name)->format;
        t->devices[i].town = t;
        int status = feed_open(&t->devices[i].feed, w->bench, &o);
        assert(status == 0);
    }
}

static void open_town(struct world *w, struct town *t, const struct gen_tenant *g)
{
    struct detect_options o = {
        .shared = &w->shared, .profile = &t->profile, .rows_tick = true, .alert = alert, .self = w};
    t->world = w;
    open_networks(t, g);
    t->profile = (struct detect_profile){.tenant = g->code,
                                         .name = slice_from(g->name),
                                         .size = g->pcs <= 1000   ? DETECT_SMALL
                                                 : g->pcs <= 4000 ? DETECT_MEDIUM
                                                                  : DETECT_LARGE,
                                         .networks = t->networks,
                                         .shared = t->shared,
                                         .budget = DETECT_BUDGET_DEFAULT,
                                         .lateness_ns = LATENESS_NS};
    for (uint8_t i = g->firewalls; i < g->source_count; i++) {
        char text[16 + SLICE_PADDING_BYTES] = {0};
        uint32_t a = g->sources[i].address;
        (void)snprintf(text, sizeof(text), "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
                       a & 255);
        int bad = network_parse(&t->shared[t->profile.shared_count++], slice_from(text), NULL);
        assert(bad == 0);
    }
    int status = detect_tenant_new(&t->tenant, &o);
    assert(status == 0);
    open_devices(t, g);
}

static void flush(struct town *t)
{
    for (size_t i = 0; i < GEN_SOURCES_MAX; i++) {
        int status = t->devices[i].feed == NULL ? 0 : feed_close(t->devices[i].feed);
        assert(status == 0);
    }
    int status = detect_run_rows(t->tenant);
    assert(status == 0);
    t->order = 0;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Everybody stands at the tick that ends the day. */
static void end_day(struct world *w, int64_t day)
{
    struct prevalence_contribution *all = calloc(w->town_count, sizeof(*all));
    struct prevalence_set *next = NULL;
    assert(all != NULL);
    for (uint32_t i = 0; i < w->town_count; i++) {
        struct town *t = &w->towns[i];
        flush(t);
        int status = detect_tick(t->tenant, calendar_midnight(day + 1), 0);
        assert(status == 0);
        buf_reset(&t->contribution);
        status = detect_tenant_contribution(t->tenant, &t->contribution);
        assert(status == 0);
        size_t count = t->contribution.len / sizeof(uint64_t);
        uint64_t *keys = calloc(count + 1, sizeof(*keys));
        assert(keys != NULL);
        if (count != 0)
            memcpy(keys, t->contribution.data, count * sizeof(*keys));
        qsort(keys, count, sizeof(*keys), by_value);
        all[i] = (struct prevalence_contribution){
            .tenant = t->profile.tenant, .keys = keys, .count = count};
    }
    int status = prevalence_next(&next, w->prevalence, all, w->town_count, (uint32_t)day);
    assert(status == 0);
    for (uint32_t i = 0; i < w->town_count; i++)
        detect_tenant_prevalence(w->towns[i].tenant, next);
    prevalence_free(w->prevalence);
    w->prevalence = next;
    for (uint32_t i = 0; i < w->town_count; i++) {
        uint64_t *keys = NULL;
        memcpy(&keys, &all[i].keys, sizeof(keys));
        free(keys);
    }
    free(all);
}

static void take(struct world *w, const struct gen_line *line)
{
    struct town *t = &w->towns[line->tenant_index];
    struct device *d = &t->devices[line->source_index];
    buf_reset(&w->line);
    buf_slice(&w->line, line->line);
    buf_byte(&w->line, '\n');
    struct record record = {.partition = (int32_t)line->source_index,
                            .offset = d->offset++,
                            .arrival_ns = line->time_ns,
                            .reference_ns = line->time_ns,
                            .value = buf_content(&w->line)};
    struct feed_result result;
    int status = feed_record(d->feed, &record, &result);
    assert(status == 0);
    if (t->order >= ROWS_AT_ONCE)
        flush(t);
}

static void finish(struct world *w)
{
    for (uint32_t i = 0; i < w->town_count; i++) {
        struct town *t = &w->towns[i];
        flush(t);
        int status = detect_tick(t->tenant, gen_time(w->gen), DETECT_TICK_END);
        assert(status == 0);
        if (w->days->done != NULL)
            w->days->done(w->days->self, t->tenant);
        for (size_t d = 0; d < GEN_SOURCES_MAX; d++)
            feed_free(t->devices[d].feed);
        detect_tenant_free(t->tenant);
        zone_table_free(t->networks);
        buf_release(&t->contribution);
    }
    for (uint32_t i = 0; w->days->label != NULL && i < gen_label_count(w->gen); i++) {
        struct gen_label label;
        gen_label(&label, w->gen, i);
        w->days->label(w->days->self, &label);
    }
}

uint64_t clean_days_run(const struct clean_days *days)
{
    struct world w = {.days = days, .shared = {.seed = SEED, .indicators = days->indicators}};
    struct diag diag = {0};
    struct gen_line line;
    uint64_t lines = 0;
    int status = gen_open(&w.gen, &days->gen, &diag);
    if (status != 0)
        (void)fprintf(stderr, "%s\n", diag_text(&diag));
    assert(status == 0);
    status = domain_open(&w.domains, NULL);
    assert(status == 0);
    w.env.domains = w.domains;
    status = feed_bench_new(&w.bench, &w.env);
    assert(status == 0);
    w.town_count = gen_tenant_count(w.gen);
    w.towns = calloc(w.town_count, sizeof(*w.towns));
    assert(w.towns != NULL);
    for (uint32_t i = 0; i < w.town_count; i++)
        open_town(&w, &w.towns[i], gen_tenant(w.gen, i));
    int64_t day = calendar_day(gen_time(w.gen));
    while ((status = gen_next(w.gen, &line)) == 0) {
        for (; calendar_day(line.time_ns) > day; day++)
            end_day(&w, day);
        take(&w, &line);
        lines++;
    }
    assert(status == ERR_NOTFOUND);
    finish(&w);
    free(w.towns);
    prevalence_free(w.prevalence);
    feed_bench_free(w.bench);
    domain_close(w.domains);
    buf_release(&w.line);
    gen_close(w.gen);
    diag_release(&diag);
    return lines;
}
