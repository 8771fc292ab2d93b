/* app/rule_source.c - raw lines as batches, through the parsers and the enrichment of the collector. */
#include "app/rule_source.h"

#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "base/clock.h"
#include "base/err.h"
#include "ingest/ingest.h"

enum {
    TEST_TENANT = 999997,
    JAPAN_MINUTES = 9 * 60,
};

static const struct slice ZONES[] = {{"internet", 8}, {"lgwan", 5}, {"mynumber", 8}, {"dmz", 3}};
static const struct slice ASSETS[] = {{"public_server", 13}};

static const struct {
    const char *network;
    uint16_t zone;
    uint16_t asset;
} NETWORKS[] = {
    {"198.18.0.0/20", 1, 0},
    {"198.18.16.0/20", 2, 0},
    {"198.18.32.0/20", 3, 0},
    {"198.18.48.0/24", 4, 1},
};

struct rule_source {
    struct config *config;
    struct feed_environment environment; /* the bench borrows it */
    struct feed_bench *bench;
    struct domain_list *domains;
    struct zone_table *networks;
    int64_t offset; /* of the next line */
    int64_t reference_ns;
};

/* The lines of one call. */
struct feeding {
    rule_source_batch *take;
    void *self;
    uint32_t unparsed;
};

static int batch_take(void *self, struct batch *b)
{
    struct feeding *f = self;
    for (uint32_t i = 0; i < b->row_count; i++)
        f->unparsed += b->reason[i] != REASON_NONE;
    return f->take(f->self, b);
}

static int networks_make(struct zone_table **out)
{
    struct zone_network items[sizeof(NETWORKS) / sizeof(NETWORKS[0])] = {0};
    size_t count = sizeof(NETWORKS) / sizeof(NETWORKS[0]);
    for (size_t i = 0; i < count; i++) {
        bool host_bits = false;
        (void)network_parse(&items[i].network, slice_from(NETWORKS[i].network), &host_bits);
        items[i].match.zone = NETWORKS[i].zone;
        items[i].match.asset = NETWORKS[i].asset;
    }
    return zone_table_new(out, items, count, NULL);
}

int rule_source_open(struct rule_source **out, struct diag *diag)
{
    struct rule_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    int err = config_load(&s->config, NULL, diag);
    if (err == 0)
        err = networks_make(&s->networks);
    if (err == 0 && domain_open(&s->domains, NULL) == 0)
        s->environment.domains = s->domains;
    if (err == 0)
        err = feed_bench_new(&s->bench, &s->environment);
    (void)clock_parse(&s->reference_ns, SLICE("2026-11-21T00:00:00+09:00"));
    if (err != 0) {
        rule_source_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void rule_source_close(struct rule_source *s)
{
    if (s == NULL)
        return;
    feed_bench_free(s->bench);
    domain_close(s->domains);
    zone_table_free(s->networks);
    config_free(s->config);
    free(s);
}

static int lines_feed(struct rule_source *s, struct feed *feed, struct slice lines)
{
    struct feed_result result;
    int err = 0;
    for (size_t at = 0; at < lines.len && err == 0;) {
        const char *from = lines.data + at;
        const char *newline = memchr(from, '\n', lines.len - at);
        size_t len = newline == NULL ? lines.len - at : (size_t)(newline - from) + 1;
        at += len;
        if (len == 1 && newline != NULL)
            continue;
        struct buf copy = {0}; /* with padding */
        buf_append(&copy, from, len);
        (void)buf_string(&copy);
        struct record record = {.offset = s->offset++,
                                .arrival_ns = s->reference_ns,
                                .reference_ns = s->reference_ns,
                                .value = buf_content(&copy)};
        err = buf_ok(&copy) ? feed_record(feed, &record, &result) : ERR_NOMEM;
        buf_release(&copy);
    }
    return err;
}

int rule_source_feed(struct rule_source *s, const struct rule_source_lines *lines,
                     uint32_t *unparsed, struct diag *diag)
{
    struct feeding self = {.take = lines->take, .self = lines->self};
    struct feed_options options = {.tenant = lines->tenant != 0 ? lines->tenant : TEST_TENANT,
                                   .topic = SLICE("seclog.raw.999997.test"),
                                   .source = SLICE("test"),
                                   .zone_minutes = JAPAN_MINUTES,
                                   .encoding = CHARSET_AUTO,
                                   .class = lines->class,
                                   .rows_max = BATCH_LIVE_ROWS_MAX,
                                   .split = SPLIT_LINES,
                                   .networks = s->networks,
                                   .names = {.zones = ZONES, .assets = ASSETS},
                                   .closed = batch_take,
                                   .self = &self};
    struct feed *feed = NULL;
    int err = config_format(s->config, lines->format, &options.format, &options.layout, diag);
    if (err == 0)
        err = feed_open(&feed, s->bench, &options);
    if (err == 0)
        err = lines_feed(s, feed, lines->lines);
    if (err == 0)
        err = feed_close(feed);
    feed_free(feed);
    if (err == 0)
        *unparsed = self.unparsed;
    return err;
}
