#include "ingest/kafka.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "ingest/kafka_probe.h"

enum {
    NS_PER_MS = 1000000,
    MS_PER_SECOND = 1000,
    ERROR_BYTES = 512,
    DISCOVER_DEFAULT_MS = 5000,
    STUCK_DEFAULT_MS = 10000,
    WAIT_DEFAULT_MS = 300,
    FETCH_MIN_DEFAULT = 100000000,
    SYSLOG_ERROR = 3,
    SYSLOG_WARNING = 4,
    SYSLOG_INFO = 6,
};

static int64_t ns_of_ms(int64_t ms)
{
    return ms * NS_PER_MS;
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka *k = opaque;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        atomic_store(&k->up, false);
    log_warn("kafka", "broker error", "error=%s reason=%s",
             rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

void kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= SYSLOG_ERROR)
        log_warn("kafka", "librdkafka", "facility=%s text=%s", facility, text);
    else if (level <= SYSLOG_WARNING)
        log_info("kafka", "librdkafka", "facility=%s text=%s", facility, text);
    else if (level <= SYSLOG_INFO)
        log_debug("kafka", "librdkafka", "facility=%s text=%s", facility, text);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    struct kafka *k = opaque;
    (void)rk;
    (void)offsets;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    atomic_fetch_add(&k->hint_errors, 1);
    log_warn("kafka", "offset hint not taken", "error=%s", rd_kafka_err2name(code));
}

/* Commit what has moved since the last time. */
static void flush_hints(struct kafka *k)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
    (void)pthread_mutex_lock(&k->lock);
    for (struct kafka_part *p = k->parts; p != NULL; p = p->next_part) {
        int64_t hint = atomic_load(&p->hint);
        if (hint == p->hinted)
            continue;
        p->hinted = hint;
        rd_kafka_topic_partition_list_add(list, p->shared.topic, p->shared.partition)->offset =
            hint;
    }
    (void)pthread_mutex_unlock(&k->lock);
    if (list->cnt > 0)
        (void)rd_kafka_commit(k->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

static void *control_run(void *self)
{
    struct kafka *k = self;
    int64_t discover_ns = 0;
    int64_t hint_ns = 0;
    while (!atomic_load(&k->stop)) {
        int64_t now_ns = clock_monotonic_ns();
        if (now_ns >= discover_ns) {
            bool found = kafka_discover(k) == 0;
            now_ns = clock_monotonic_ns();
            discover_ns =
                now_ns + (found ? k->options.discover_ns : ns_of_ms(KAFKA_DISCOVER_RETRY_MS));
        }
        if (now_ns >= hint_ns) {
            flush_hints(k);
            hint_ns = now_ns + ns_of_ms(KAFKA_HINT_MS);
        }
        kafka_guard_tick(k, now_ns);
        (void)rd_kafka_poll(k->rk, KAFKA_TICK_MS);
    }
    return NULL;
}

static int check_options(const struct kafka_options *o, struct diag *diag)
{
    const char *wrong = NULL;
    if (o->brokers == NULL || o->brokers[0] == '\0')
        wrong = "no brokers given";
    else if (o->workers == 0 || o->workers > KAFKA_WORKERS_MAX)
        wrong = "the number of workers is out of range";
    else if (o->discover_ns < 0 || o->stuck_ns < 0 || o->fetch_wait_ms < 0 ||
             o->fetch_min_bytes < 0)
        wrong = "a negative time or size";
    if (wrong == NULL)
        return 0;
    diag_add(diag, "kafka", 0, 0, "%s", wrong);
    return ERR_CONF;
}

static const char *copy_text(struct kafka *k, const char *text, const char *none)
{
    return arena_copy(&k->texts, slice_from(text == NULL ? none : text));
}

/* Keep the options beyond the caller's call: recovery opens its consumer later. */
static int keep_options(struct kafka *k, const struct kafka_options *o)
{
    struct kafka_options *own = &k->options;
    struct kafka_property *properties =
        arena_array(&k->texts, o->property_count + 1, sizeof(*properties));
    if (properties == NULL)
        return ERR_NOMEM;
    *own = *o;
    own->properties = properties;
    own->brokers = copy_text(k, o->brokers, "");
    own->group = copy_text(k, o->group, "sekisho");
    own->topic_prefix = copy_text(k, o->topic_prefix, "seclog.raw.");
    bool failed = own->brokers == NULL || own->group == NULL || own->topic_prefix == NULL;
    for (size_t i = 0; i < o->property_count; i++) {
        properties[i].name = copy_text(k, o->properties[i].name, "");
        properties[i].value = copy_text(k, o->properties[i].value, "");
        failed = failed || properties[i].name == NULL || properties[i].value == NULL;
    }
    own->discover_ns = o->discover_ns > 0 ? o->discover_ns : ns_of_ms(DISCOVER_DEFAULT_MS);
    own->stuck_ns = o->stuck_ns > 0 ? o->stuck_ns : ns_of_ms(STUCK_DEFAULT_MS);
    own->fetch_wait_ms = o->fetch_wait_ms > 0 ? o->fetch_wait_ms : WAIT_DEFAULT_MS;
    own->fetch_min_bytes = o->fetch_min_bytes > 0 ? o->fetch_min_bytes : FETCH_MIN_DEFAULT;
    return failed ? ERR_NOMEM : 0;
}

static void kafka_free(struct kafka *k)
{
    arena_release(&k->texts);
    (void)pthread_cond_destroy(&k->wake);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

static int consumer_new(struct kafka *k, struct diag *diag)
{
    rd_kafka_conf_t *conf = NULL;
    char error[ERROR_BYTES];
    int err = kafka_settings_consumer(&conf, &k->options, false, diag);
    if (err != 0)
        return err;
    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, kafka_log);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    k->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    if (k->rk != NULL)
        return 0;
    rd_kafka_conf_destroy(conf);
    diag_add(diag, "kafka", 0, 0, "%s", error);
    return ERR_CONF;
}

static int start_threads(struct kafka *k)
{
    if (pthread_create(&k->control, NULL, control_run, k) != 0)
        return ERR_IO;
    k->threads = 1;
    if (pthread_create(&k->recovery, NULL, kafka_recover_run, k) != 0)
        return ERR_IO;
    k->threads = 2;
    if (pthread_create(&k->pusher, NULL, kafka_push_run, k) != 0)
        return ERR_IO;
    k->threads = 3;
    return 0;
}

int kafka_open(struct kafka **out, const struct kafka_options *options, struct diag *diag)
{
    int err = check_options(options, diag);
    if (err != 0)
        return err;
    struct kafka *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return ERR_NOMEM;
    (void)pthread_mutex_init(&k->lock, NULL);
    clock_cond_init(&k->wake);
    k->seed = hash_seed();
    k->stuck_last = &k->stuck_first;
    err = keep_options(k, options);
    if (err == 0)
        err = consumer_new(k, diag);
    if (err == 0)
        err = kafka_workers_open(k);
    if (err == 0)
        err = start_threads(k);
    if (err != 0) {
        kafka_close(k);
        return err;
    }
    *out = k;
    return 0;
}

/* The last hints, as far as the brokers take them in a second. */
static void last_hints(struct kafka *k)
{
    flush_hints(k);
    for (int i = 0; i < MS_PER_SECOND / KAFKA_TICK_MS && rd_kafka_outq_len(k->rk) > 0; i++)
        (void)rd_kafka_poll(k->rk, KAFKA_TICK_MS);
}

/* All that may wait for librdkafka; on a thread of its own. */
static void *teardown(void *self)
{
    struct kafka *k = self;
    kafka_workers_close(k);
    kafka_topics_free(k);
    kafka_probe_close(k->probe);
    if (k->rk != NULL)
        rd_kafka_destroy_flags(k->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

void kafka_close(struct kafka *k)
{
    if (k == NULL)
        return;
    (void)pthread_mutex_lock(&k->lock);
    atomic_store(&k->stop, true);
    (void)pthread_cond_broadcast(&k->wake);
    (void)pthread_mutex_unlock(&k->lock);
    if (k->threads > 0)
        (void)pthread_join(k->control, NULL);
    if (k->threads > 1)
        (void)pthread_join(k->recovery, NULL);
    if (k->threads > 2)
        (void)pthread_join(k->pusher, NULL);
    if (k->threads > 0)
        last_hints(k);
    pthread_t thread;
    if (pthread_create(&thread, NULL, teardown, k) != 0) {
        (void)teardown(k);
        kafka_free(k);
        return;
    }
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += KAFKA_CLOSE_MS / MS_PER_SECOND;
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) == 0) {
        kafka_free(k);
        return;
    }
    log_warn("kafka", "the consumer does not end: left behind", LOG_NO_VALUES);
    (void)pthread_detach(thread);
}

void kafka_commit_hint(struct kafka *k, const char *topic, int32_t partition, int64_t offset)
{
    struct kafka_part *p = kafka_part_find(k, topic, partition);
    if (p != NULL && offset >= 0)
        atomic_store(&p->hint, offset);
}

void kafka_stats(struct kafka *k, struct kafka_stats *out)
{
    struct kafka_stats s = {
        .up = atomic_load(&k->up),
        .topics_refused = atomic_load(&k->refused),
        .lost = atomic_load(&k->lost),
        .quarantined = atomic_load(&k->quarantined),
        .truncated = atomic_load(&k->truncated),
        .errors = atomic_load(&k->errors),
        .hint_errors = atomic_load(&k->hint_errors),
    };
    (void)pthread_mutex_lock(&k->lock);
    s.partitions = k->part_count;
    (void)pthread_mutex_unlock(&k->lock);
    for (unsigned i = 0; i < k->options.workers; i++) {
        s.messages += atomic_load(&k->workers[i].messages);
        s.bytes += atomic_load(&k->workers[i].bytes);
        s.queued += kafka_queued(&k->workers[i]);
    }
    *out = s;
}

void kafka_each(struct kafka *k, void (*visit)(void *self, const struct kafka_partition_stats *p),
                void *self)
{
    (void)pthread_mutex_lock(&k->lock);
    for (struct kafka_part *p = k->parts; p != NULL; p = p->next_part) {
        struct kafka_partition_stats s = {
            .partition = &p->shared,
            .state = (enum kafka_state)atomic_load(&p->state),
            .next = atomic_load(&p->next),
            .low = -1,
            .high = -1,
            .stamped_ns = atomic_load_explicit(&p->stamped_ns, memory_order_relaxed),
        };
        s.stamped_ns = s.stamped_ns == 0 ? CLOCK_NONE : s.stamped_ns;
        (void)rd_kafka_get_watermark_offsets(k->rk, p->shared.topic, p->shared.partition, &s.low,
                                             &s.high);
        s.low = s.low < 0 ? -1 : s.low;
        s.high = s.high < 0 ? -1 : s.high;
        visit(self, &s);
    }
    (void)pthread_mutex_unlock(&k->lock);
}
