#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "ingest/kafka_state.h"

enum {
    NS_PER_MS = 1000000,
};

int kafka_workers_open(struct kafka *k)
{
    k->workers = calloc(k->options.workers, sizeof(*k->workers));
    if (k->workers == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < k->options.workers; i++) {
        struct kafka_worker *w = &k->workers[i];
        w->queue = rd_kafka_queue_new(k->rk);
        w->inbox.last = &w->inbox.first;
        (void)pthread_mutex_init(&w->inbox.lock, NULL);
    }
    return 0;
}

static void entries_free(struct kafka_entry *e)
{
    while (e != NULL) {
        struct kafka_entry *next = e->next;
        if (e->message != NULL)
            rd_kafka_message_destroy(e->message);
        free(e);
        e = next;
    }
}

static void worker_drop(struct kafka_worker *w)
{
    for (size_t i = 0; i < w->raw_count; i++)
        rd_kafka_message_destroy(w->raw[i]);
    w->raw_count = 0;
    w->item_count = 0;
    entries_free(w->held);
    w->held = NULL;
}

void kafka_workers_close(struct kafka *k)
{
    if (k->workers == NULL)
        return;
    for (unsigned i = 0; i < k->options.workers; i++) {
        struct kafka_worker *w = &k->workers[i];
        worker_drop(w);
        entries_free(w->inbox.first);
        buf_release(&w->headers);
        (void)pthread_mutex_destroy(&w->inbox.lock);
        if (w->queue != NULL)
            rd_kafka_queue_destroy(w->queue);
    }
    free(k->workers);
    k->workers = NULL;
}

int kafka_post(struct kafka *k, const struct kafka_entry *entry)
{
    struct kafka_worker *w = &k->workers[entry->part->shared.worker];
    struct kafka_entry *e = malloc(sizeof(*e));
    if (e == NULL)
        return ERR_NOMEM;
    *e = *entry;
    e->next = NULL;
    (void)pthread_mutex_lock(&w->inbox.lock);
    *w->inbox.last = e;
    w->inbox.last = &e->next;
    atomic_fetch_add(&w->inbox.count, 1);
    (void)pthread_mutex_unlock(&w->inbox.lock);
    rd_kafka_queue_yield(w->queue);
    return 0;
}

/* Append a message's headers to the worker's buffer as kafka.h writes them. */
static void encode_headers(struct kafka *k, struct kafka_worker *w, const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_resp_err_t code = rd_kafka_message_headers(m, &headers);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (code != RD_KAFKA_RESP_ERR__NOENT)
            atomic_fetch_add(&k->errors, 1);
        return;
    }
    const char *name = NULL;
    const void *value = NULL;
    size_t len = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &len) == 0; i++) {
        size_t name_len = strlen(name);
        buf_varint(&w->headers, name_len);
        buf_append(&w->headers, name, name_len);
        buf_varint(&w->headers, value == NULL ? 0 : (uint64_t)len + 1);
        if (value != NULL)
            buf_append(&w->headers, value, len);
    }
}

static int64_t arrival(struct kafka_part *p, const rd_kafka_message_t *m, int64_t now_ns)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    int64_t ns = 0;
    if (type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME || ms < 0 ||
        __builtin_mul_overflow(ms, NS_PER_MS, &ns))
        return now_ns;
    if (ns > atomic_load_explicit(&p->stamped_ns, memory_order_relaxed))
        atomic_store_explicit(&p->stamped_ns, ns, memory_order_relaxed);
    return ns;
}

/* An item of a message, unless it is older than what the worker has. */
static void add_message(struct kafka *k, struct kafka_worker *w, struct kafka_part *p,
                        const rd_kafka_message_t *m)
{
    int64_t next = atomic_load_explicit(&p->next, memory_order_relaxed);
    if (next != KAFKA_OFFSET_NONE && m->offset < next)
        return;
    size_t at = w->item_count++;
    size_t header_at = w->headers.len;
    encode_headers(k, w, m);
    w->header_at[at] = header_at;
    w->items[at] = (struct kafka_item){
        .kind = KAFKA_MESSAGE,
        .partition = &p->shared,
        .offset = m->offset,
        .end = m->offset + 1,
        .arrival_ns = arrival(p, m, w->now_ns),
        .value = {.data = m->payload, .len = m->len},
        .null_value = m->payload == NULL,
        .has_key = m->key != NULL,
        .key = {.data = m->key, .len = m->key_len},
        .headers = {.len = w->headers.len - header_at},
    };
    atomic_store_explicit(&p->next, m->offset + 1, memory_order_release);
    atomic_store_explicit(&w->messages,
                          atomic_load_explicit(&w->messages, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&w->bytes, atomic_load_explicit(&w->bytes, memory_order_relaxed) + m->len,
                          memory_order_relaxed);
}

/* A range begins where the worker is, whatever was thought when it was posted. */
static void add_range(struct kafka_worker *w, const struct kafka_entry *e)
{
    int64_t next = atomic_load_explicit(&e->part->next, memory_order_relaxed);
    int64_t offset = next != KAFKA_OFFSET_NONE && next > e->offset ? next : e->offset;
    if (e->kind != KAFKA_TRUNCATED && offset >= e->end)
        return;
    w->items[w->item_count++] = (struct kafka_item){
        .kind = e->kind,
        .partition = &e->part->shared,
        .offset = offset,
        .end = e->end,
        .reason = e->reason,
    };
    if (e->kind != KAFKA_TRUNCATED)
        atomic_store_explicit(&e->part->next, e->end, memory_order_release);
}

static void take_inbox(struct kafka *k, struct kafka_worker *w)
{
    if (atomic_load(&w->inbox.count) == 0)
        return;
    size_t left = KAFKA_BATCH_ITEMS_MAX - KAFKA_RAW_MAX;
    size_t taken = 0;
    struct kafka_entry **tail = &w->held;
    (void)pthread_mutex_lock(&w->inbox.lock);
    while (w->inbox.first != NULL && taken < left) {
        struct kafka_entry *e = w->inbox.first;
        w->inbox.first = e->next;
        e->next = NULL;
        *tail = e;
        tail = &e->next;
        taken++;
    }
    if (w->inbox.first == NULL)
        w->inbox.last = &w->inbox.first;
    assert(w->inbox.first == NULL); /* KAFKA_INBOX_MAX is what fits */
    atomic_fetch_sub(&w->inbox.count, taken);
    (void)pthread_mutex_unlock(&w->inbox.lock);
    for (struct kafka_entry *e = w->held; e != NULL; e = e->next) {
        if (e->message != NULL)
            add_message(k, w, e->part, e->message);
        else
            add_range(w, e);
    }
}

static void on_error(struct kafka *k, const rd_kafka_message_t *m)
{
    struct kafka_part *p = m->rkt == NULL ? NULL : kafka_part_of(m);
    rd_kafka_resp_err_t code = m->err;
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    atomic_fetch_add(&k->errors, 1);
    if (p == NULL) {
        log_warn("kafka", "consumer error", "error=%s", rd_kafka_err2name(code));
        return;
    }
    log_warn("kafka", "partition error", "topic=%s partition=%d error=%s text=%s", p->shared.topic,
             p->shared.partition, rd_kafka_err2name(code), rd_kafka_message_errstr(m));
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        atomic_store(&p->out_of_range, true);
    else if (kafka_is_data_error(code))
        atomic_store(&p->faulty, true);
}

/*
 * After a batch that fails its checksum, librdkafka goes on at a wrong place or past the batch.
 * So nothing of that partition counts until recovery has gone there itself.
 */
static void take_raw(struct kafka *k, struct kafka_worker *w)
{
    for (size_t i = 0; i < w->raw_count; i++) {
        const rd_kafka_message_t *m = w->raw[i];
        struct kafka_part *p = NULL;
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            on_error(k, m);
        else if ((p = kafka_part_of(m)) != NULL && !atomic_load(&p->faulty))
            add_message(k, w, p, m);
    }
}

int kafka_poll(struct kafka *k, unsigned worker, int timeout_ms, struct kafka_batch *batch)
{
    assert(worker < k->options.workers);
    struct kafka_worker *w = &k->workers[worker];
    assert(w->raw_count == 0 && w->held == NULL);
    buf_reset(&w->headers);
    int wait_ms = timeout_ms < KAFKA_POLL_MS_MAX ? timeout_ms : KAFKA_POLL_MS_MAX;
    if (atomic_load(&w->inbox.count) > 0)
        wait_ms = 0;
    ssize_t n = rd_kafka_consume_batch_queue(w->queue, wait_ms, w->raw, 1);
    if (n == 1) {
        ssize_t more = rd_kafka_consume_batch_queue(w->queue, 0, w->raw + 1, KAFKA_RAW_MAX - 1);
        n += more > 0 ? more : 0;
    }
    w->raw_count = n > 0 ? (size_t)n : 0;
    w->now_ns = clock_now_ns();
    atomic_store_explicit(&w->poll_ns, clock_monotonic_ns(), memory_order_relaxed);
    if (w->raw_count > 0)
        atomic_store_explicit(&k->up, true, memory_order_relaxed);
    take_inbox(k, w);
    take_raw(k, w);
    atomic_fetch_add(&w->taken, w->raw_count);
    atomic_fetch_add(&w->polls, 1);
    if (!buf_ok(&w->headers))
        return ERR_NOMEM;
    for (size_t i = 0; i < w->item_count; i++)
        if (w->items[i].headers.len > 0)
            w->items[i].headers.data = w->headers.data + w->header_at[i];
    *batch = (struct kafka_batch){.items = w->items, .count = w->item_count};
    return 0;
}

void kafka_release(struct kafka *k, unsigned worker)
{
    assert(worker < k->options.workers);
    worker_drop(&k->workers[worker]);
}

void kafka_wake(struct kafka *k, unsigned worker)
{
    assert(worker < k->options.workers);
    rd_kafka_queue_yield(k->workers[worker].queue);
}
