#include "app/collector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/control.h"
#include "app/intake.h"
#include "app/options.h"
#include "app/prefecture.h"
#include "app/topic_streams.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    POLL_MS = 50,
    AHEAD_ITEMS = 2, /* whose bytes, written by another core, are on their way meanwhile */
    AHEAD_BYTES = 1024,
    AHEAD_LINE_BYTES = 64,
    PROPERTIES_MAX = 128,
};

#define STOP_WAIT_NS (2 * CLOCK_NS_PER_SECOND)

enum metric_id {
#define METRIC(id, name, type, label, help) METRIC_##id,
#include "app/metrics.def"
#undef METRIC
    METRICS_COUNT
};

static const struct metric_desc METRICS[] = {
#define METRIC(id, name, type, label, help) {name, METRIC_TYPE_##type, label, help},
#include "app/metrics.def"
#undef METRIC
};

struct collector_worker {
    struct collector *c;
    unsigned index;
    pthread_t thread;
    bool started;
    struct intake *intake;
    struct topic_streams streams;
    struct buf copy; /* the record at hand, padded */
    uint64_t mark;   /* number of the last one answered */
    int64_t tick_ns; /* of it */
    int64_t batch_age_ns;
    _Atomic int64_t cpu_ns;
};

/* What was counted for a source when the metrics were last brought up to date. */
struct collector {
    struct collector_options o;
    struct kafka *kafka;
    struct ward *prefecture; /* NULL: the rules have nothing for it */
    struct committer *committer;
    struct tally *tally;
    struct metric_set *metrics;
    struct collector_worker *workers;
    unsigned worker_count;
    struct frame_env envs[ENVIRONMENT_BLOBS];
    struct tally_row *rows;      /* scratch of collector_observe() */
    struct tally_alerts *alerts; /* likewise */
    struct tally_hidden *hidden; /* likewise */
    pthread_mutex_t ends_lock;
    _Atomic int error;
    _Atomic bool stopping;
};

static int emit(void *self, struct parcel *parcel)
{
    struct collector_worker *w = self;
    return committer_submit(w->c->committer, w->index, parcel);
}

/* Called on Kafka's control thread; the store's ends move only under the same lock. */
static int64_t resume(void *self, const char *topic, int32_t partition)
{
    struct collector *c = self;
    int64_t end = KAFKA_OFFSET_NONE;
    (void)pthread_mutex_lock(&c->ends_lock);
    if (store_end_offset(c->o.store, slice_from(topic), partition, &end) != 0)
        end = KAFKA_OFFSET_NONE;
    (void)pthread_mutex_unlock(&c->ends_lock);
    return end;
}

static void committed(void *self, const struct frame_entry *entries, size_t count)
{
    struct collector *c = self;
    for (size_t i = 0; i < count; i++)
        kafka_commit_hint(c->kafka, entries[i].topic.data, entries[i].partition,
                          entries[i].off_end);
}

static void released(void *self)
{
    const struct collector *c = self;
    outputs_wake(c->o.outputs);
}

static int take_message(struct collector_worker *w, const struct kafka_item *item)
{
    buf_reset(&w->copy);
    if (buf_reserve(&w->copy, item->value.len + 1) == NULL)
        return ERR_NOMEM;
    buf_slice(&w->copy, item->value);
    struct record record = {.partition = item->partition->partition,
                            .offset = item->offset,
                            .arrival_ns = item->arrival_ns,
                            .reference_ns = item->arrival_ns,
                            .value = buf_content(&w->copy),
                            .null_value = item->null_value,
                            .has_key = item->has_key,
                            .key = item->key,
                            .headers = item->headers};
    return intake_record(item->partition->user, &record);
}

static int take_range(const struct kafka_item *item)
{
    struct frame_range range = {.kind = item->kind == KAFKA_LOST ? FRAME_RANGE_LOST
                                                                 : FRAME_RANGE_QUARANTINE,
                                .start = item->offset,
                                .end = item->end,
                                .reason = slice_from(item->reason)};
    log_error("collect",
              item->kind == KAFKA_LOST ? "records were deleted by the broker before they were read"
                                       : "records cannot be read and stay with the broker",
              "topic=%s partition=%d start=%lld end=%lld reason=%s", item->partition->topic,
              item->partition->partition, (long long)item->offset, (long long)item->end,
              item->reason);
    return intake_range(item->partition->user, &range);
}

static int take_item(struct collector_worker *w, const struct kafka_item *item)
{
    if (item->partition->user == NULL) {
        int status = topic_streams_part(&w->streams, w->intake, w->c->o.config, item->partition,
                                        item->partition->start);
        if (status != 0)
            return status;
    }
    switch (item->kind) {
    case KAFKA_MESSAGE:
        return take_message(w, item);
    case KAFKA_LOST:
    case KAFKA_QUARANTINED:
        return take_range(item);
    case KAFKA_TRUNCATED:
        log_error("collect", "the broker's log ends below ours: the partition stops",
                  "topic=%s partition=%d ours=%lld broker=%lld remedy=%s", item->partition->topic,
                  item->partition->partition, (long long)item->offset, (long long)item->end,
                  "find out why the topic was truncated or made anew; give it another name");
        return 0;
    }
    return 0;
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * CLOCK_NS_PER_SECOND + t.tv_nsec;
}

/* Answer the mark that was announced, if there is a new one. */
static int answer_mark(struct collector_worker *w)
{
    struct mark mark;
    if (!committer_mark(w->c->committer, &w->mark, &mark))
        return 0;
    w->tick_ns = mark.tick_ns;
    int status = intake_mark(w->intake, &mark);
    if (status == 0 && mark.day_ends)
        status = committer_wait_mark(w->c->committer, mark.tick_ns);
    return status;
}

/*
 * Close batches at multiples of their age behind the tick; the last multiple is left out where the
 * next tick, which closes them too, is near.
 */
static int close_batches(struct collector_worker *w)
{
    int64_t since = clock_now_ns() - w->tick_ns;
    int64_t to_tick = CLOCK_NS_PER_SECOND - since;
    if (since < 0 || (to_tick > 0 && to_tick < w->batch_age_ns / 2))
        return 0;
    return intake_tick(w->intake, since);
}

static void fetch_ahead(const struct kafka_batch *batch, size_t i)
{
    if (i >= batch->count)
        return;
    struct slice value = batch->items[i].value;
    size_t len = value.len < AHEAD_BYTES ? value.len : AHEAD_BYTES;
    for (size_t at = 0; at < len; at += AHEAD_LINE_BYTES)
        __builtin_prefetch(value.data + at);
}

static int worker_turn(struct collector_worker *w)
{
    struct kafka_batch batch;
    int status = kafka_poll(w->c->kafka, w->index, POLL_MS, &batch);
    if (status != 0)
        return status;
    for (size_t i = 0; i < batch.count && status == 0; i++) {
        fetch_ahead(&batch, i + AHEAD_ITEMS);
        status = take_item(w, &batch.items[i]);
    }
    kafka_release(w->c->kafka, w->index);
    if (status == 0)
        status = answer_mark(w);
    if (status == 0)
        status = close_batches(w);
    w->cpu_ns = thread_cpu_ns();
    return status;
}

static void *worker_main(void *arg)
{
    struct collector_worker *w = arg;
    int status = 0;
    while (status == 0 && !w->c->stopping)
        status = worker_turn(w);
    if (status == 0)
        status = answer_mark(w);
    if (status == 0)
        status = intake_flush(w->intake);
    int none = 0;
    if (status != 0)
        (void)atomic_compare_exchange_strong(&w->c->error, &none, status);
    return NULL;
}

static int open_kafka(struct collector *c, struct diag *diag)
{
    const struct conf_node *root = config_root(c->o.config);
    struct kafka_property properties[PROPERTIES_MAX];
    size_t count = 0;
    const struct conf_node *given = conf_find(root, "kafka.properties");
    for (const struct conf_node *n = given == NULL ? NULL : given->first;
         n != NULL && count < PROPERTIES_MAX; n = n->next)
        properties[count++] = (struct kafka_property){.name = n->key, .value = n->text.data};
    const char *brokers = c->o.brokers != NULL ? c->o.brokers : conf_text(root, "kafka.brokers");
    if (brokers == NULL) {
        diag_add(diag, NULL, 0, 0, "kafka.brokers is missing: there is nothing to collect from");
        return ERR_CONF;
    }
    int64_t discover = conf_int(root, "kafka.discover");
    int64_t wait = conf_int(root, "kafka.fetch_wait");
    struct kafka_options options = {.brokers = brokers,
                                    .group = conf_text(root, "kafka.group"),
                                    .topic_prefix = conf_text(root, "kafka.prefix"),
                                    .start_latest = conf_int(root, "start") == 1,
                                    .workers = c->worker_count,
                                    .properties = properties,
                                    .property_count = count,
                                    .discover_ns = discover,
                                    .fetch_wait_ms = (int)(wait / 1000000),
                                    .resume = resume,
                                    .self = c};
    return kafka_open(&c->kafka, &options, diag);
}

/* Municipalities that the log knows tick from the start: silence is judged before any record. */
struct assignment {
    struct collector_worker *worker;
    int status;
};

static void assign(void *self, uint32_t tenant, struct detect_tenant *t)
{
    struct assignment *a = self;
    (void)t;
    if (a->status == 0 && tenant % a->worker->c->worker_count == a->worker->index)
        a->status = intake_watch(a->worker->intake, tenant);
}

static int open_workers(struct collector *c)
{
    const struct conf_node *root = config_root(c->o.config);
    for (unsigned i = 0; i < c->worker_count; i++) {
        struct collector_worker *w = &c->workers[i];
        w->c = c;
        w->index = i;
        struct intake_options intake = {
            .environment = &c->o.environment->feed,
            .batch_rows = (uint32_t)conf_int(root, "limits.batch_rows"),
            .batch_age_ns = conf_int(root, "limits.batch_age"),
            .open_bytes_max = (size_t)conf_int(root, "limits.open_bytes") / c->worker_count,
            .zstd_level = (int)conf_int(root, "limits.zstd_level"),
            .watch = c->o.watch,
            .emit = emit,
            .self = w};
        w->batch_age_ns = intake.batch_age_ns;
        int status = intake_open(&w->intake, &intake);
        struct assignment assignment = {.worker = w};
        if (status == 0 && c->o.watch != NULL)
            watch_each(c->o.watch, assign, &assignment);
        if (status != 0 || assignment.status != 0)
            return status != 0 ? status : assignment.status;
    }
    return 0;
}

static int start_workers(struct collector *c)
{
    for (unsigned i = 0; i < c->worker_count; i++) {
        struct collector_worker *w = &c->workers[i];
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            return ERR_NOMEM;
        w->started = true;
    }
    return 0;
}

static int midnight(void *self, struct slice contributions, int64_t tick_ns, struct buf *out)
{
    struct collector *c = self;
    return watch_midnight(c->o.watch, contributions, tick_ns, out);
}

static int read_control(void *self, struct slice json, struct detect_control *out)
{
    (void)self;
    return control_read(out, json);
}

int collector_control(struct collector *c, struct slice json)
{
    return committer_control(c->committer, json);
}

static int open_committer(struct collector *c)
{
    const struct conf_node *root = config_root(c->o.config);
    struct committer_options commit = {.store = c->o.store,
                                       .dir = config_path(c->o.config, "data"),
                                       .store_lock = &c->ends_lock,
                                       .workers = c->worker_count,
                                       .zstd_level = (int)conf_int(root, "limits.zstd_level"),
                                       .frame_bytes = (size_t)conf_int(root, "limits.frame_bytes"),
                                       .frame_age_ns = conf_int(root, "limits.frame_age"),
                                       .wall_ticks = true,
                                       .envs = c->envs,
                                       .ticked_ns = c->o.ticked_ns,
                                       .tally = c->tally,
                                       .committed = committed,
                                       .released = c->o.outputs == NULL ? NULL : released,
                                       .midnight = c->o.watch == NULL ? NULL : midnight,
                                       .read_control = read_control,
                                       .self = c};
    int status =
        environment_record(c->o.environment, c->o.store, c->o.config, c->envs, &commit.env_count);
    if (status == 0)
        status = prefecture_open(&c->prefecture, c->o.watch);
    commit.prefecture = c->prefecture;
    return status == 0 ? committer_open(&c->committer, &commit) : status;
}

int collector_open(struct collector **out, const struct collector_options *options,
                   struct diag *diag)
{
    struct collector *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->o = *options;
    int64_t workers = conf_int(config_root(options->config), "limits.workers");
    c->worker_count = workers != 0 ? (unsigned)workers : option_processors();
    if (c->worker_count > KAFKA_WORKERS_MAX)
        c->worker_count = KAFKA_WORKERS_MAX;
    (void)pthread_mutex_init(&c->ends_lock, NULL);
    c->workers = calloc(c->worker_count, sizeof(*c->workers));
    c->rows = calloc(TALLY_ROWS_MAX, sizeof(*c->rows));
    c->alerts = calloc(TALLY_TENANTS_MAX, sizeof(*c->alerts));
    c->hidden = calloc(TALLY_HIDDEN_MAX, sizeof(*c->hidden));
    if (c->workers == NULL)
        c->worker_count = 0;
    bool whole = c->workers != NULL && c->rows != NULL && c->alerts != NULL && c->hidden != NULL;
    int status = whole ? tally_new(&c->tally) : ERR_NOMEM;
    if (status == 0)
        status = metric_new(&c->metrics, METRICS, METRICS_COUNT);
    if (status == 0)
        status = open_kafka(c, diag);
    if (status == 0)
        status = open_committer(c);
    if (status == 0)
        status = open_workers(c);
    if (status == 0)
        status = start_workers(c);
    if (status != 0) {
        collector_free(c);
        return status;
    }
    *out = c;
    return 0;
}

int collector_error(struct collector *c)
{
    int committer = c->committer == NULL ? 0 : committer_error(c->committer);
    return committer != 0 ? committer : atomic_load(&c->error);
}

struct metric_set *collector_metrics(struct collector *c)
{
    return c->metrics;
}

struct tally *collector_tally(struct collector *c)
{
    return c->tally;
}

void collector_retire(struct collector *c, uint64_t through_seq)
{
    committer_retire(c->committer, through_seq);
}

/* The two latest stamps so far, and the one at hand. */
struct stamps {
    int64_t ns[3];
};

static void add_stamp(void *self, const struct kafka_partition_stats *p)
{
    struct stamps *s = self;
    s->ns[2] = p->stamped_ns;
    int64_t second = trusted_time_witness(s->ns, 3);
    int64_t first = s->ns[0] > s->ns[2] ? s->ns[0] : s->ns[2];
    *s = (struct stamps){.ns = {first, second, CLOCK_NONE}};
}

int64_t collector_witness_ns(struct collector *c)
{
    struct stamps s = {.ns = {CLOCK_NONE, CLOCK_NONE, CLOCK_NONE}};
    kafka_each(c->kafka, add_stamp, &s);
    return s.ns[1];
}

void collector_pause(struct collector *c, bool paused)
{
    committer_pause(c->committer, paused);
}

struct committer_stats collector_committed(struct collector *c)
{
    return committer_stats(c->committer);
}

struct log_end collector_log_end(struct collector *c)
{
    (void)pthread_mutex_lock(&c->ends_lock);
    struct log_end end = store_log_end(c->o.store);
    (void)pthread_mutex_unlock(&c->ends_lock);
    return end;
}

/* Lag of a source: the sum over its partitions. */
struct lag {
    struct collector *c;
    const char *topic;
    uint32_t tenant;
    struct slice source;
    int64_t records;
};

static void lag_put(struct lag *l)
{
    if (l->topic != NULL)
        tally_set_lag(l->c->tally, l->tenant, l->source, l->records);
}

/* Partitions of one topic come one behind the other. */
static void lag_add(void *self, const struct kafka_partition_stats *p)
{
    struct lag *l = self;
    if (l->topic != p->partition->topic) {
        lag_put(l);
        l->topic = p->partition->topic;
        l->tenant = p->partition->tenant;
        l->source = p->partition->source;
        l->records = 0;
    }
    if (p->high < 0)
        return;
    int64_t next = p->next >= 0 ? p->next : p->low;
    l->records += p->high > next ? p->high - next : 0;
}

static int64_t resident_bytes(void)
{
    struct buf text = {0};
    unsigned long long pages = 0;
    unsigned long long resident = 0;
    if (file_read_all(&text, "/proc/self/statm", 4096) == 0) {
        char *end = NULL;
        pages = strtoull(buf_string(&text), &end, 10);
        resident = strtoull(end, NULL, 10);
    }
    buf_release(&text);
    (void)pages;
    return (int64_t)resident * 4096;
}

static void observe_sources(struct collector *c)
{
    struct lag lag = {.c = c};
    kafka_each(c->kafka, lag_add, &lag);
    lag_put(&lag);
    size_t count = tally_copy(c->tally, c->rows, TALLY_ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct tally_row *r = &c->rows[i];
        char name[64];
        int len = snprintf(name, sizeof(name), "%06u/%s", r->tenant, r->source);
        struct slice label = slice_of(name, (size_t)len);
        metric_cell_set(metric_cell(c->metrics, METRIC_EVENTS, label), (int64_t)r->rows);
        metric_cell_set(metric_cell(c->metrics, METRIC_UNPARSED, label), (int64_t)r->unparsed);
        metric_cell_set(metric_cell(c->metrics, METRIC_RAW_BYTES, label), (int64_t)r->raw_bytes);
        metric_cell_set(metric_cell(c->metrics, METRIC_STORED_BYTES, label),
                        (int64_t)r->stored_bytes);
        metric_cell_set(metric_cell(c->metrics, METRIC_LAG_RECORDS, label), r->lag_records);
        metric_cell_set(metric_cell(c->metrics, METRIC_LAST_ARRIVAL, label), r->last_arrival_ns);
        struct config_source source;
        config_source(c->o.config, r->tenant, slice_from(r->source), &source);
        if (source.class == SOURCE_CLASS_LGWAN_DENY)
            metric_cell_set(metric_cell(c->metrics, METRIC_LGWAN_DENY, label), 1);
    }
}

static void observe_alerts(struct collector *c)
{
    size_t count = tally_copy_alerts(c->tally, c->alerts, TALLY_TENANTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct tally_alerts *a = &c->alerts[i];
        for (unsigned s = 0; s < ALERT_SEVERITY_COUNT; s++) {
            char name[64];
            int len = snprintf(name, sizeof(name), "%06u/%s", a->tenant, alert_severity_name(s));
            if (a->by[s] != 0)
                metric_cell_set(metric_cell(c->metrics, METRIC_ALERTS, slice_of(name, (size_t)len)),
                                (int64_t)a->by[s]);
        }
    }
}

/* OpenMetrics wants the last bucket to hold all. */
static void observe_latency(struct collector *c)
{
    static const struct {
        const char *le; /* seconds */
        int64_t top_ms;
    } BUCKETS[] = {
        {"0.05", 50},
        {"0.1", 100},
        {"0.15", 150},
        {"0.2", 200},
        {"0.25", 250},
        {"0.3", 300},
        {"0.35", 350},
        {"0.4", 400},
        {"0.45", 450},
        {"0.5", 500},
        {"0.6", 600},
        {"0.7", 700},
        {"0.8", 800},
        {"0.9", 900},
        {"1.0", 1000},
        {"1.25", 1250},
        {"1.5", 1500},
        {"2.0", 2000},
        {"4.0", 4000},
        {"8.0", 8000},
        {"16.0", 16000},
        {"32.0", 32000},
        {"+Inf", INT64_MAX / 1000000},
    };
    enum {
        COUNT = sizeof(BUCKETS) / sizeof(BUCKETS[0])
    };
    int64_t tops_ns[COUNT];
    uint64_t counts[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        tops_ns[i] = BUCKETS[i].top_ms * 1000000;
    tally_latency_counts(c->tally, tops_ns, counts, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        metric_cell_set(metric_cell(c->metrics, METRIC_LATENCY, slice_from(BUCKETS[i].le)),
                        (int64_t)counts[i]);
}

static void observe_filters(struct collector *c)
{
    size_t count = tally_copy_hidden(c->tally, c->hidden, TALLY_HIDDEN_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct tally_hidden *h = &c->hidden[i];
        char name[TALLY_FILTER_BYTES_MAX + 16];
        int len = snprintf(name, sizeof(name), "%06u/%s", h->tenant, h->filter);
        metric_cell_set(metric_cell(c->metrics, METRIC_FILTER_HIDDEN, slice_of(name, (size_t)len)),
                        (int64_t)h->rows);
    }
}

void collector_observe(struct collector *c)
{
    struct kafka_stats k;
    kafka_stats(c->kafka, &k);
    struct committer_stats s = committer_stats(c->committer);
    observe_sources(c);
    observe_alerts(c);
    observe_filters(c);
    observe_latency(c);
    int64_t workers = 0;
    for (unsigned i = 0; i < c->worker_count; i++)
        workers += c->workers[i].cpu_ns;
    const struct {
        enum metric_id id;
        int64_t value;
    } values[] = {
        {METRIC_FRAMES, (int64_t)s.frames},
        {METRIC_LOG_BYTES, (int64_t)s.log_bytes},
        {METRIC_LOG_WAITING, s.waiting_for_room},
        {METRIC_LATENCY_P50, tally_latency_share(c->tally, 0.5)},
        {METRIC_LATENCY_P99, tally_latency_share(c->tally, 0.99)},
        {METRIC_KAFKA_UP, k.up},
        {METRIC_KAFKA_PARTITIONS, k.partitions},
        {METRIC_KAFKA_TOPICS_REFUSED, k.topics_refused},
        {METRIC_KAFKA_RANGES_LOST, (int64_t)k.lost},
        {METRIC_KAFKA_RANGES_QUARANTINED, (int64_t)k.quarantined},
        {METRIC_KAFKA_TRUNCATED, (int64_t)k.truncated},
        {METRIC_KAFKA_QUEUED, (int64_t)k.queued},
        {METRIC_CPU, clock_cpu_ns()},
        {METRIC_CPU_COMMIT, s.cpu_ns},
        {METRIC_CPU_WORKERS, workers},
        {METRIC_RESIDENT, resident_bytes()},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        metric_set_value(c->metrics, values[i].id, values[i].value);
}

int collector_end_input(struct collector *c, int64_t until_ns)
{
    return committer_end_input(c->committer, until_ns);
}

int collector_stop(struct collector *c)
{
    if (c->committer != NULL)
        committer_quiet(c->committer);
    c->stopping = true;
    for (unsigned i = 0; i < c->worker_count; i++) {
        struct collector_worker *w = &c->workers[i];
        if (!w->started)
            continue;
        kafka_wake(c->kafka, i);
        (void)pthread_join(w->thread, NULL);
        w->started = false;
    }
    if (c->committer != NULL)
        (void)committer_finish(c->committer, STOP_WAIT_NS);
    return collector_error(c);
}

void collector_free(struct collector *c)
{
    if (c == NULL)
        return;
    (void)collector_stop(c);
    committer_free(c->committer);
    ward_free(c->prefecture);
    for (unsigned i = 0; c->workers != NULL && i < c->worker_count; i++) {
        struct collector_worker *w = &c->workers[i];
        intake_close(w->intake);
        buf_release(&w->copy);
        topic_streams_release(&w->streams);
    }
    kafka_close(c->kafka);
    metric_free(c->metrics);
    tally_free(c->tally);
    (void)pthread_mutex_destroy(&c->ends_lock);
    free(c->workers);
    free(c->rows);
    free(c->alerts);
    free(c->hidden);
    free(c);
}
