#include "app/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/sender.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    SEND_BURST = 20000, /* lines of one demo_send_due() */
    SETTLE_MS = 20,
};

struct demo {
    struct gen *gen;
    struct kafka_mock *mock;
    struct config *config;
    struct environment environment;
    struct store *store;
    struct collector *collector;
    struct sender *sender;
    struct gen_line next; /* not yet sent */
    bool has_next;
    uint64_t sent;
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

static int open_collector(struct demo *d, struct diag *diag)
{
    struct store_options store = {.dir = config_path(d->config, "data")};
    int status = environment_open(&d->environment, d->config, diag);
    if (status == 0)
        status = store_open(&d->store, &store, diag);
    struct collector_options options = {
        .config = d->config, .environment = &d->environment, .store = d->store};
    return status == 0 ? collector_open(&d->collector, &options, diag) : status;
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
    /* A Monday's morning, whatever the time is now: a demo at night would be silent. */
    gen.events = UINT64_MAX;
    gen.shift_ns = clock_now_ns() - GEN_START_WORK_NS;
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
        status = open_collector(d, diag);
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
    collector_observe(d->collector);
    return status;
}

uint64_t demo_sent(const struct demo *d)
{
    return d->sent;
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
    sender_close(d->sender);
    store_close(d->store);
    environment_close(&d->environment);
    config_free(d->config);
    kafka_mock_close(d->mock);
    gen_close(d->gen);
    buf_release(&d->topic);
    free(d);
}
