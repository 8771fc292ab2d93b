#include "app/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/learn.h"
#include "app/sender.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

#define DAY_NS   (86400 * CLOCK_NS_PER_SECOND)
#define LEARN_NS (20 * CLOCK_NS_PER_SECOND)
#define HOUR_NS  (60 * CLOCK_NS_PER_MINUTE)
/* Kinds that show themselves within half a minute. */
#define DEMO_CASES                                                                            \
    "scan,scan_vertical,scan_inbound,ioc_ip,ioc_domain,ioc_url,zone_lgwan:2,zone_mynumber:2," \
    "deny_burst,brute_force,flood,silence"

enum {
    LEARN_DAYS = 7,
    SILENCE_BEFORE_S =
        290, /* so long before the live part a source falls silent; D12's least is 300 s */
    LEARN_EVENTS = 3000000, /* of the whole run */
    LEARN_STEP = 20000,     /* lines between two calls of progress() */
    SEND_BURST = 20000,     /* lines of one demo_send_due() */
    SETTLE_MS = 20,
    NIGHT_HOURS = 9,   /* before the live part nobody is there to miss a few seconds */
    REST_PERCENT = 10, /* of what was learned until then is still to come, and more than that */
};

struct demo {
    struct gen *gen;
    struct kafka_mock *mock;
    struct config *config;
    struct environment environment;
    struct store *store;
    struct watch *watch;
    struct collector *collector;
    struct demo_alerts *alerts;
    struct sender *sender;
    struct gen_line next; /* not yet sent */
    bool has_next;
    uint64_t sent;
    int64_t live_ns;
    bool planned;       /* live_ns is what this machine needs */
    int64_t learned_ns; /* last tick of the past */
    struct buf topic;
};

static int make_topics(struct demo *d)
{
    for (uint32_t i = 0; i < gen_tenant_count(d->gen); i++) {
        const struct gen_tenant *t = gen_tenant(d->gen, i);
        for (uint32_t s = 0; s < t->source_count; s++) {
            buf_reset(&d->topic);
            buf_printf(&d->topic, "seclog.raw.%06u.%s", t->code, t->sources[s].name);
            int status = kafka_mock_topic(d->mock, buf_string(&d->topic), 1);
            if (status != 0)
                return status;
        }
    }
    return 0;
}

/* The generator's configuration with a place for the data and the broker in front. */
static int make_config(struct demo *d, const char *dir, struct diag *diag)
{
    struct buf path = {0};
    struct buf text = {0};
    buf_printf(&path, "%s/config.yaml", dir);
    buf_printf(&text,
               "data: store\nkafka:\n  brokers: %s\n  discover: 500ms\n  fetch_wait: 100ms\n",
               kafka_mock_brokers(d->mock));
    gen_print_config(&text, d->gen);
    int status = gen_write_support(d->gen, dir, diag);
    if (status == 0)
        status = file_write_atomic(buf_string(&path), buf_content(&text));
    if (status == 0)
        status = config_load(&d->config, buf_string(&path), diag);
    buf_release(&path);
    buf_release(&text);
    return status;
}

static int open_store(struct demo *d, struct diag *diag)
{
    struct store_options store = {.dir = config_path(d->config, "data")};
    int status = environment_open(&d->environment, d->config, NULL, diag);
    if (status == 0)
        status = store_open(&d->store, &store, diag);
    if (status != 0)
        return status;
    struct watch_options watch = {.config = d->config,
                                  .indicators = d->environment.indicators,
                                  .rules = d->environment.rules,
                                  .seed = watch_seed(store_id(d->store)),
                                  .rows_tick = true};
    return watch_new(&d->watch, &watch);
}

static int open_collector(struct demo *d, struct diag *diag)
{
    struct collector_options options = {.config = d->config,
                                        .environment = &d->environment,
                                        .store = d->store,
                                        .watch = d->watch,
                                        .ticked_ns = d->learned_ns};
    watch_go_live(d->watch);
    int status = collector_open(&d->collector, &options, diag);
    return status == 0 ? demo_alerts_open(&d->alerts, config_path(d->config, "data"), diag)
                       : status;
}

/*
 * In the last night of the past it is known how fast this machine learns. A live part that began
 * before the collector did would have begun with a time that nobody watched, in which D12 sees no
 * silence.
 */
static void plan_live(struct demo *d, int64_t begin_ns)
{
    int64_t now_ns = clock_now_ns();
    if (d->planned || d->next.time_ns < d->live_ns - NIGHT_HOURS * HOUR_NS)
        return;
    d->planned = true;
    int64_t ready_ns = now_ns + (now_ns - begin_ns) * REST_PERCENT / 100;
    if (ready_ns <= d->live_ns)
        return;
    int64_t by_ns = ready_ns - d->live_ns;
    gen_postpone(d->gen, by_ns);
    d->live_ns += by_ns;
}

int demo_learn(struct demo *d, bool (*progress)(uint64_t lines, int64_t time_ns), struct diag *diag)
{
    struct learn_options options = {
        .config = d->config, .environment = &d->environment.feed, .watch = d->watch};
    struct learn *l = NULL;
    uint64_t lines = 0;
    int64_t begin_ns = clock_now_ns();
    int status = learn_open(&l, &options);
    while (status == 0) {
        if (!d->has_next && gen_next(d->gen, &d->next) != 0)
            break;
        d->has_next = true;
        plan_live(d, begin_ns);
        /* On a machine that has become slow the live part begins late, but nothing planted is learned. */
        if (d->next.time_ns > clock_now_ns() || d->next.time_ns >= d->live_ns)
            break;
        status = learn_line(l, d->next.tenant, d->next.source, d->next.line, d->next.time_ns);
        d->has_next = false;
        if (++lines % LEARN_STEP == 0 && !progress(lines, d->next.time_ns))
            status = ERR_AGAIN;
    }
    if (status == 0)
        status = learn_finish(l, &d->learned_ns);
    learn_close(l);
    return status == 0 ? open_collector(d, diag) : status;
}

int demo_open(struct demo **out, const struct demo_options *options, struct diag *diag)
{
    struct demo *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return ERR_NOMEM;
    struct gen_options gen;
    gen_options_init(&gen);
    gen.seed = options->seed;
    gen.tenants = options->tenants;
    /*
     * A working day's morning after a week of learning, whatever the time is now: a demonstration at
     * night would be silent. Minutes are the clock's, so that hours of the past are hours of the
     * clock, as D12 learns them. The past takes about LEARN_NS to be read.
     */
    int64_t now_ns = clock_now_ns();
    int64_t live_ns =
        GEN_START_WORK_NS + LEARN_DAYS * DAY_NS + HOUR_NS + (now_ns + LEARN_NS) % HOUR_NS;
    gen.days = LEARN_DAYS + 2;
    gen.events = LEARN_EVENTS;
    gen.start_ns = GEN_START_NS;
    gen.open_daily = true;
    gen.shift_ns = now_ns + LEARN_NS - live_ns;
    d->live_ns = now_ns + LEARN_NS;
    gen.inject_from_ns = live_ns + 2 * CLOCK_NS_PER_SECOND;
    gen.inject_until_ns =
        live_ns + (int64_t)(options->seconds < 8 ? 4 : options->seconds - 4) * CLOCK_NS_PER_SECOND;
    gen.silence_from_ns = live_ns - SILENCE_BEFORE_S * CLOCK_NS_PER_SECOND;
    gen.silence_until_ns = gen.inject_until_ns;
    if (gen_options_inject(&gen, SLICE(DEMO_CASES), diag) != 0) {
        free(d);
        return ERR_CONF;
    }
    int status = gen_open(&d->gen, &gen, diag);
    if (status == 0)
        status = kafka_mock_open(&d->mock, 1);
    if (status == 0)
        status = make_topics(d);
    if (status == 0)
        status = make_config(d, options->dir, diag);
    struct sender_options sender = {.brokers = d->mock == NULL ? "" : kafka_mock_brokers(d->mock)};
    if (status == 0)
        status = sender_open(&d->sender, &sender, diag);
    if (status == 0)
        status = open_store(d, diag);
    if (status != 0) {
        demo_close(d);
        return status;
    }
    *out = d;
    return 0;
}

int demo_send_due(struct demo *d)
{
    int64_t now = clock_now_ns();
    for (unsigned i = 0; i < SEND_BURST; i++) {
        if (!d->has_next && gen_next(d->gen, &d->next) != 0)
            return 0;
        d->has_next = true;
        if (d->next.time_ns > now)
            break;
        buf_reset(&d->topic);
        buf_printf(&d->topic, "seclog.raw.%06u.%s", d->next.tenant, d->next.source);
        int status = sender_put(d->sender, buf_string(&d->topic), d->next.line);
        if (status != 0)
            return status;
        d->has_next = false;
        d->sent++;
    }
    sender_poll(d->sender);
    return collector_error(d->collector);
}

int demo_settle(struct demo *d, int64_t wait_ns, struct diag *diag)
{
    int64_t until = clock_monotonic_ns() + wait_ns;
    int status = sender_finish(d->sender, diag);
    while (status == 0 && clock_monotonic_ns() < until) {
        if (tally_total(collector_tally(d->collector)).rows >= d->sent)
            break;
        struct timespec wait = {.tv_nsec = SETTLE_MS * 1000000L};
        (void)nanosleep(&wait, NULL);
        status = collector_error(d->collector);
    }
    if (status == 0)
        status = collector_end_input(d->collector, clock_monotonic_ns() + wait_ns);
    collector_observe(d->collector);
    return status;
}

int64_t demo_live_ns(const struct demo *d)
{
    return d->live_ns;
}

uint64_t demo_sent(const struct demo *d)
{
    return d->sent;
}

const struct gen *demo_gen(const struct demo *d)
{
    return d->gen;
}

struct demo_alerts *demo_alerts(struct demo *d)
{
    return d->alerts;
}

struct collector *demo_collector(struct demo *d)
{
    return d->collector;
}

const char *demo_tenant_name(const struct demo *d, uint32_t tenant)
{
    return config_tenant_name(d->config, tenant);
}

int demo_stop(struct demo *d)
{
    return collector_stop(d->collector);
}

void demo_close(struct demo *d)
{
    if (d == NULL)
        return;
    collector_free(d->collector);
    demo_alerts_close(d->alerts);
    watch_free(d->watch);
    sender_close(d->sender);
    store_close(d->store);
    environment_close(&d->environment);
    config_free(d->config);
    kafka_mock_close(d->mock);
    gen_close(d->gen);
    buf_release(&d->topic);
    free(d);
}
