/* The Kafka source and sender against librdkafka's mock cluster. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "ingest/kafka.h"
#include "ingest/kafka_mock.h"
#include "ingest/kafka_send.h"

#define TOPIC_A   "seclog.raw.131016.fortigate-main"
#define TOPIC_B   "seclog.raw.011002.squid"
#define TOPIC_BAD "seclog.raw.131017.squid"

enum {
    PARTITIONS_MAX = 64,
    WAIT_MS = 20000,
    POLL_MS = 50,
    NS_PER_MS = 1000000,
};

/* What came of one partition. */
struct seen {
    const struct kafka_partition *partition;
    int64_t next;
    uint64_t messages;
    uint64_t lost;
    uint64_t truncated;
    uint64_t quarantined;
    int64_t first;
    unsigned worker;
};

struct world {
    struct kafka_mock *mock;
    struct kafka_sender *sender;
    struct kafka *kafka;
    uint64_t delivered;
    uint64_t failed;
    int64_t last_offset[PARTITIONS_MAX];
    struct seen seen[PARTITIONS_MAX];
    size_t seen_count;
    int64_t resume; /* of every partition */
};

static void on_delivered(void *self, const struct kafka_delivery *d)
{
    struct world *w = self;
    if (d->error != NULL) {
        w->failed++;
        return;
    }
    w->delivered++;
    assert_true(d->partition >= 0 && d->offset >= 0);
}

static int64_t on_resume(void *self, const char *topic, int32_t partition)
{
    const struct world *w = self;
    (void)topic;
    (void)partition;
    return w->resume;
}

static unsigned on_owner(void *self, uint32_t tenant)
{
    (void)self;
    return tenant == 11002 ? 1 : 0;
}

static struct kafka_options options_of(struct world *w)
{
    return (struct kafka_options){
        .brokers = kafka_mock_brokers(w->mock),
        .workers = 2,
        .discover_ns = INT64_C(200) * NS_PER_MS,
        .fetch_wait_ms = 50,
        .stuck_ns = INT64_C(1000) * NS_PER_MS,
        .resume = on_resume,
        .owner = on_owner,
        .self = w,
    };
}

static void open_source(struct world *w)
{
    struct kafka_options options = options_of(w);
    struct diag diag = {0};
    assert_int_equal(kafka_open(&w->kafka, &options, &diag), 0);
    diag_release(&diag);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    log_set_severity(LOG_SEVERITY_ERROR);
    w->resume = KAFKA_OFFSET_NONE;
    assert_int_equal(kafka_mock_open(&w->mock, 1), 0);
    static const struct kafka_property PLAIN[] = {{"linger.ms", "5"}, {"compression.type", "none"}};
    struct kafka_send_options options = {
        .brokers = kafka_mock_brokers(w->mock),
        .properties = PLAIN,
        .property_count = 2,
        .delivered = on_delivered,
        .self = w,
    };
    struct diag diag = {0};
    assert_int_equal(kafka_sender_open(&w->sender, &options, &diag), 0);
    diag_release(&diag);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    kafka_close(w->kafka);
    kafka_sender_close(w->sender);
    kafka_mock_close(w->mock);
    free(w);
    return 0;
}

static void send_text(struct world *w, const char *topic, int32_t partition, const char *text)
{
    struct kafka_send_record record = {
        .topic = topic, .partition = partition, .value = slice_from(text)};
    assert_int_equal(kafka_send(w->sender, &record, -1), 0);
}

static void send_many(struct world *w, const char *topic, int32_t partition, size_t count,
                      size_t bytes)
{
    char *text = calloc(1, bytes + 1);
    assert_non_null(text);
    memset(text, 'x', bytes);
    for (size_t i = 0; i < count; i++)
        send_text(w, topic, partition, text);
    free(text);
    assert_int_equal(kafka_sender_flush(w->sender, WAIT_MS), 0);
}

static struct seen *seen_of(struct world *w, const struct kafka_partition *p)
{
    for (size_t i = 0; i < w->seen_count; i++)
        if (w->seen[i].partition == p)
            return &w->seen[i];
    assert_true(w->seen_count < PARTITIONS_MAX);
    struct seen *s = &w->seen[w->seen_count++];
    *s = (struct seen){.partition = p, .next = p->start};
    return s;
}

/* Poll a worker once and check that nothing is doubled or skipped. */
static void take(struct world *w, unsigned worker)
{
    struct kafka_batch batch;
    assert_int_equal(kafka_poll(w->kafka, worker, POLL_MS, &batch), 0);
    for (size_t i = 0; i < batch.count; i++) {
        const struct kafka_item *item = &batch.items[i];
        struct seen *s = seen_of(w, item->partition);
        assert_int_equal(item->partition->worker, worker);
        if (s->next == KAFKA_OFFSET_NONE)
            s->first = s->next = item->offset;
        assert_int_equal(item->offset, s->next);
        s->messages += item->kind == KAFKA_MESSAGE;
        s->lost += item->kind == KAFKA_LOST;
        s->truncated += item->kind == KAFKA_TRUNCATED;
        s->quarantined += item->kind == KAFKA_QUARANTINED;
        assert_true((item->reason == NULL) == (item->kind == KAFKA_MESSAGE));
        if (item->kind != KAFKA_TRUNCATED)
            s->next = item->end;
    }
    kafka_release(w->kafka, worker);
}

static uint64_t total(const struct world *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->seen_count; i++)
        sum += w->seen[i].messages;
    return sum;
}

static void take_until(struct world *w, uint64_t messages)
{
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * WAIT_MS * NS_PER_MS;
    while (total(w) < messages && clock_monotonic_ns() < end_ns) {
        take(w, 0);
        take(w, 1);
    }
    assert_int_equal(total(w), messages);
}

/* Wait for the first message of a worker and leave it unreleased in *batch. */
static const struct kafka_item *first_item(struct world *w, unsigned worker)
{
    struct kafka_batch batch = {0};
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * WAIT_MS * NS_PER_MS;
    while (clock_monotonic_ns() < end_ns) {
        assert_int_equal(kafka_poll(w->kafka, worker, POLL_MS, &batch), 0);
        if (batch.count > 0)
            return &batch.items[0];
        kafka_release(w->kafka, worker);
    }
    fail_msg("no item came");
    return NULL;
}

static void test_a_message_comes_whole(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    static const char HEADERS[] = "\x04name\x06value\0\0\x05other\x01";
    struct kafka_send_record record = {
        .topic = TOPIC_A,
        .partition = 0,
        .value = SLICE("a\0b\r\n"),
        .has_key = true,
        .key = SLICE("k"),
        .headers = {HEADERS, sizeof(HEADERS) - 1},
    };
    /* name = "value", "" = null, other = "" */
    assert_int_equal(kafka_send(w->sender, &record, -1), 0);
    assert_int_equal(kafka_sender_flush(w->sender, WAIT_MS), 0);
    assert_int_equal(w->delivered, 1);
    int64_t before_ns = clock_now_ns();
    open_source(w);
    const struct kafka_item *item = first_item(w, 0);
    assert_int_equal(item->kind, KAFKA_MESSAGE);
    assert_string_equal(item->partition->topic, TOPIC_A);
    assert_int_equal(item->partition->tenant, 131016);
    assert_true(slice_equal(item->partition->source, SLICE("fortigate-main")));
    assert_int_equal(item->partition->start, KAFKA_OFFSET_NONE);
    assert_null(item->partition->user);
    assert_int_equal(item->offset, 0);
    assert_int_equal(item->end, 1);
    assert_true(slice_equal(item->value, record.value));
    assert_false(item->null_value);
    assert_true(item->has_key);
    assert_true(slice_equal(item->key, record.key));
    assert_true(slice_equal(item->headers, record.headers));
    assert_true(item->arrival_ns >= before_ns && item->arrival_ns <= clock_now_ns());
    kafka_release(w->kafka, 0);
}

static void no_stamp(void *self, const struct kafka_partition_stats *p)
{
    int *count = self;
    assert_int_equal(p->stamped_ns, CLOCK_NONE);
    ++*count;
}

/* The sender's CreateTime is nobody's stamp. */
static void test_create_time_is_no_stamp(void **state)
{
    struct world *w = *state;
    int count = 0;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    const struct kafka_send_record record = {.topic = TOPIC_A, .value = SLICE("line\n")};
    assert_int_equal(kafka_send(w->sender, &record, -1), 0);
    assert_int_equal(kafka_sender_flush(w->sender, WAIT_MS), 0);
    open_source(w);
    assert_int_equal(first_item(w, 0)->kind, KAFKA_MESSAGE);
    kafka_release(w->kafka, 0);
    kafka_each(w->kafka, no_stamp, &count);
    assert_int_equal(count, 1);
}

static void test_null_and_empty_differ(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    struct kafka_send_record none = {.topic = TOPIC_A, .null_value = true};
    struct kafka_send_record empty = {.topic = TOPIC_A, .has_key = true};
    assert_int_equal(kafka_send(w->sender, &none, -1), 0);
    assert_int_equal(kafka_sender_flush(w->sender, WAIT_MS), 0);
    assert_int_equal(kafka_send(w->sender, &empty, -1), 0);
    assert_int_equal(kafka_sender_flush(w->sender, WAIT_MS), 0);
    open_source(w);
    const struct kafka_item *item = first_item(w, 0);
    assert_true(item->null_value);
    assert_false(item->has_key);
    assert_int_equal(item->value.len, 0);
    assert_int_equal(item->headers.len, 0);
    if (item->partition->worker == 0 && item->end == 1) {
        kafka_release(w->kafka, 0);
        w->resume = 1;
        kafka_close(w->kafka);
        open_source(w);
        item = first_item(w, 0);
    }
    assert_int_equal(item->offset, 1);
    assert_false(item->null_value);
    assert_true(item->has_key);
    assert_int_equal(item->key.len, 0);
    kafka_release(w->kafka, 0);
}

static void test_partitions_of_a_tenant_have_one_worker(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 3), 0);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_B, 4), 0);
    for (int32_t p = 0; p < 3; p++)
        send_many(w, TOPIC_A, p, 500, 100);
    for (int32_t p = 0; p < 4; p++)
        send_many(w, TOPIC_B, p, 500, 100);
    open_source(w);
    take_until(w, 3500);
    assert_int_equal(w->seen_count, 7);
    struct kafka_stats stats;
    kafka_stats(w->kafka, &stats);
    assert_true(stats.up);
    assert_int_equal(stats.partitions, 7);
    assert_int_equal(stats.messages, 3500);
    assert_int_equal(stats.bytes, 350000);
    assert_int_equal(stats.errors, 0);
}

static void test_a_topic_made_later_is_found(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_A, 0, 10, 10);
    open_source(w);
    take_until(w, 10);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_B, 2), 0);
    send_many(w, TOPIC_B, 0, 10, 10);
    send_many(w, TOPIC_B, 1, 10, 10);
    send_many(w, TOPIC_A, 0, 5, 10);
    take_until(w, 35);
    assert_int_equal(w->seen_count, 3);
}

static void test_bad_topics_are_refused_and_counted_once(void **state)
{
    struct world *w = *state;
    log_set_severity(LOG_SEVERITY_COUNT);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_BAD, 1), 0);
    assert_int_equal(kafka_mock_topic(w->mock, "seclog.raw.131016.Upper", 1), 0);
    assert_int_equal(kafka_mock_topic(w->mock, "other.131016.squid", 1), 0);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_BAD, 0, 5, 10);
    send_many(w, TOPIC_A, 0, 5, 10);
    open_source(w);
    take_until(w, 5);
    for (int i = 0; i < 10; i++)
        take(w, 0);
    struct kafka_stats stats;
    kafka_stats(w->kafka, &stats);
    assert_int_equal(stats.topics_refused, 2);
    assert_int_equal(stats.partitions, 1);
    assert_int_equal(total(w), 5);
}

static void test_it_resumes_where_the_log_ends(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 2), 0);
    send_many(w, TOPIC_A, 0, 100, 10);
    send_many(w, TOPIC_A, 1, 100, 10);
    w->resume = 40;
    open_source(w);
    take_until(w, 120);
    assert_int_equal(w->seen[0].partition->start, 40);
    assert_int_equal(w->seen[0].next, 100);
}

static void test_latest_is_for_what_was_there(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_A, 0, 100, 10);
    struct kafka_options options = options_of(w);
    options.start_latest = true;
    struct diag diag = {0};
    assert_int_equal(kafka_open(&w->kafka, &options, &diag), 0);
    for (int i = 0; i < 20; i++)
        take(w, 0);
    assert_int_equal(total(w), 0);
    send_many(w, TOPIC_A, 0, 3, 10);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_B, 1), 0);
    send_many(w, TOPIC_B, 0, 7, 10);
    take_until(w, 10);
}

/* The mock cluster drops the oldest past 5 MiB. */
static void test_retention_past_us_is_a_lost_range(void **state)
{
    struct world *w = *state;
    log_set_severity(LOG_SEVERITY_COUNT);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_B, 1), 0);
    for (int i = 0; i < 6; i++)
        send_many(w, TOPIC_A, 0, 20000, 100);
    send_many(w, TOPIC_B, 0, 10, 10);
    w->resume = 5;
    open_source(w);
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * WAIT_MS * NS_PER_MS;
    while (clock_monotonic_ns() < end_ns &&
           (w->seen_count < 2 || (w->seen[0].next != 120000 && w->seen[1].next != 120000))) {
        take(w, 0);
        take(w, 1);
    }
    const struct seen *s = w->seen[0].next == 120000 ? &w->seen[0] : &w->seen[1];
    assert_int_equal(s->next, 120000);
    assert_int_equal(s->lost, 1);
    assert_int_equal(s->quarantined, 0);
    assert_true(s->messages > 0 && s->messages < 119995);
    struct kafka_stats stats;
    kafka_stats(w->kafka, &stats);
    assert_int_equal(stats.lost, 1);
}

static void find_state(void *self, const struct kafka_partition_stats *p)
{
    enum kafka_state *found = self;
    *found = p->state;
}

static void test_a_truncated_partition_stops(void **state)
{
    struct world *w = *state;
    log_set_severity(LOG_SEVERITY_COUNT);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_A, 0, 100, 10);
    w->resume = 500;
    open_source(w);
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * WAIT_MS * NS_PER_MS;
    while ((w->seen_count == 0 || w->seen[0].truncated == 0) && clock_monotonic_ns() < end_ns)
        take(w, 0);
    assert_int_equal(w->seen[0].truncated, 1);
    send_many(w, TOPIC_A, 0, 1000, 10);
    for (int i = 0; i < 30; i++)
        take(w, 0);
    assert_int_equal(total(w), 0);
    enum kafka_state found = KAFKA_RUNNING;
    kafka_each(w->kafka, find_state, &found);
    assert_int_equal(found, KAFKA_STOPPED);
}

/* Worker 0 does not poll for longer than stuck_ns; worker 1 goes on. */
static void test_a_worker_without_room_keeps_its_messages(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 16), 0);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_B, 1), 0);
    for (int32_t p = 0; p < 16; p++)
        send_many(w, TOPIC_A, p, 40, 100000);
    send_many(w, TOPIC_B, 0, 10, 10);
    open_source(w);
    int64_t end_ns = clock_monotonic_ns() + INT64_C(5000) * NS_PER_MS;
    while (clock_monotonic_ns() < end_ns)
        take(w, 1);
    assert_int_equal(total(w), 10);
    struct kafka_stats stats;
    kafka_stats(w->kafka, &stats);
    assert_true(stats.queued * 100000 < KAFKA_QUEUE_BYTES);
    take_until(w, 650);
    kafka_stats(w->kafka, &stats);
    assert_int_equal(stats.quarantined, 0);
    assert_int_equal(stats.lost, 0);
}

static void test_brokers_that_come_back(void **state)
{
    struct world *w = *state;
    log_set_severity(LOG_SEVERITY_COUNT);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_B, 1), 0);
    send_many(w, TOPIC_A, 0, 10, 10);
    open_source(w);
    take_until(w, 10);
    assert_int_equal(kafka_mock_set_up(w->mock, 1, false), 0);
    struct kafka_stats stats;
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * WAIT_MS * NS_PER_MS;
    do {
        take(w, 0);
        kafka_stats(w->kafka, &stats);
    } while (stats.up && clock_monotonic_ns() < end_ns);
    assert_false(stats.up);
    assert_int_equal(kafka_mock_set_up(w->mock, 1, true), 0);
    send_many(w, TOPIC_A, 0, 10, 10);
    send_many(w, TOPIC_B, 0, 10, 10);
    take_until(w, 30);
    kafka_stats(w->kafka, &stats);
    assert_true(stats.up);
    assert_int_equal(stats.quarantined, 0);
}

static void test_it_closes_without_brokers(void **state)
{
    struct world *w = *state;
    log_set_severity(LOG_SEVERITY_COUNT);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_A, 0, 10, 10);
    open_source(w);
    take_until(w, 10);
    kafka_commit_hint(w->kafka, TOPIC_A, 0, 10);
    assert_int_equal(kafka_mock_set_up(w->mock, 1, false), 0);
    int64_t start_ns = clock_monotonic_ns();
    kafka_close(w->kafka);
    w->kafka = NULL;
    assert_true(clock_monotonic_ns() - start_ns < INT64_C(10000) * NS_PER_MS);
}

static int64_t committed(struct world *w)
{
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", kafka_mock_brokers(w->mock), error, sizeof(error));
    rd_kafka_conf_set(conf, "group.id", "sekisho", error, sizeof(error));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    assert_non_null(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, TOPIC_A, 0);
    int64_t offset = -1;
    if (rd_kafka_committed(rk, list, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset;
}

static void test_the_offset_hint_reaches_the_broker(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_A, 0, 10, 10);
    open_source(w);
    take_until(w, 10);
    kafka_commit_hint(w->kafka, TOPIC_A, 0, 7);
    kafka_commit_hint(w->kafka, "seclog.raw.131016.unknown", 0, 7);
    kafka_commit_hint(w->kafka, TOPIC_A, 99, 7);
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * WAIT_MS * NS_PER_MS;
    while (committed(w) != 7 && clock_monotonic_ns() < end_ns)
        take(w, 0);
    assert_int_equal(committed(w), 7);
}

static void test_a_wait_can_be_ended(void **state)
{
    struct world *w = *state;
    open_source(w);
    struct kafka_batch batch;
    int64_t start_ns = clock_monotonic_ns();
    kafka_wake(w->kafka, 1);
    assert_int_equal(kafka_poll(w->kafka, 1, 900, &batch), 0);
    assert_int_equal(batch.count, 0);
    kafka_release(w->kafka, 1);
    assert_true(clock_monotonic_ns() - start_ns < INT64_C(500) * NS_PER_MS);
}

static void test_settings_that_delivery_depends_on_are_refused(void **state)
{
    struct world *w = *state;
    static const struct kafka_property BAD[] = {
        {"enable.auto.commit", "true"}, {"auto.offset.reset", "earliest"}, {"check.crcs", "false"},
        {"no.such.setting", "1"},       {"session.timeout.ms", "many"},
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct kafka_options options = options_of(w);
        options.properties = &BAD[i];
        options.property_count = 1;
        struct diag diag = {0};
        assert_int_equal(kafka_open(&w->kafka, &options, &diag), ERR_CONF);
        assert_null(w->kafka);
        assert_int_equal(diag.count, 1);
        diag_release(&diag);
    }
    struct kafka_property fine = {"client.id", "collector-1"};
    struct kafka_options options = options_of(w);
    options.properties = &fine;
    options.property_count = 1;
    struct diag diag = {0};
    assert_int_equal(kafka_open(&w->kafka, &options, &diag), 0);
    kafka_close(w->kafka);
    w->kafka = NULL;
    options.workers = 0;
    assert_int_equal(kafka_open(&w->kafka, &options, &diag), ERR_CONF);
    options = options_of(w);
    options.brokers = "";
    assert_int_equal(kafka_open(&w->kafka, &options, &diag), ERR_CONF);
    diag_release(&diag);
}

static void test_the_sender_refuses_what_cannot_be_sent(void **state)
{
    struct world *w = *state;
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    struct kafka_send_record record = {.topic = TOPIC_A, .value = SLICE("a")};
    static const char *const BAD[] = {"\x05name", "\x01n", "\x01n\x05v", "\xff\xff"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        record.headers = slice_from(BAD[i]);
        assert_int_equal(kafka_send(w->sender, &record, 0), ERR_FORMAT);
    }
    record.headers = (struct slice){0};
    record.value.len = (size_t)KAFKA_SEND_BYTES_MAX + 1;
    assert_int_equal(kafka_send(w->sender, &record, 0), ERR_RANGE);
    assert_int_equal(kafka_sender_pending(w->sender), 0);
    struct kafka_property bad = {"acks", "0"};
    struct kafka_send_options options = {
        .brokers = kafka_mock_brokers(w->mock), .properties = &bad, .property_count = 1};
    struct kafka_sender *sender = NULL;
    struct diag diag = {0};
    assert_int_equal(kafka_sender_open(&sender, &options, &diag), ERR_CONF);
    assert_int_equal(diag.count, 1);
    diag_release(&diag);
}

static void test_the_sender_reports_what_it_could_not_deliver(void **state)
{
    struct world *w = *state;
    log_set_severity(LOG_SEVERITY_COUNT);
    assert_int_equal(kafka_mock_topic(w->mock, TOPIC_A, 1), 0);
    send_many(w, TOPIC_A, 0, 5, 10);
    assert_int_equal(kafka_mock_set_up(w->mock, 1, false), 0);
    send_text(w, TOPIC_A, 0, "late");
    assert_int_equal(kafka_sender_flush(w->sender, 200), ERR_AGAIN);
    assert_int_equal(kafka_sender_pending(w->sender), 1);
    kafka_sender_close(w->sender);
    w->sender = NULL;
    assert_int_equal(w->delivered, 5);
    assert_int_equal(w->failed, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_message_comes_whole),
        CASE(test_create_time_is_no_stamp),
        CASE(test_null_and_empty_differ),
        CASE(test_partitions_of_a_tenant_have_one_worker),
        CASE(test_a_topic_made_later_is_found),
        CASE(test_bad_topics_are_refused_and_counted_once),
        CASE(test_it_resumes_where_the_log_ends),
        CASE(test_latest_is_for_what_was_there),
        CASE(test_retention_past_us_is_a_lost_range),
        CASE(test_a_truncated_partition_stops),
        CASE(test_a_worker_without_room_keeps_its_messages),
        CASE(test_brokers_that_come_back),
        CASE(test_it_closes_without_brokers),
        CASE(test_the_offset_hint_reaches_the_broker),
        CASE(test_a_wait_can_be_ended),
        CASE(test_settings_that_delivery_depends_on_are_refused),
        CASE(test_the_sender_refuses_what_cannot_be_sent),
        CASE(test_the_sender_reports_what_it_could_not_deliver),
    };
    return cmocka_run_group_tests_name("kafka", tests, NULL, NULL);
}
