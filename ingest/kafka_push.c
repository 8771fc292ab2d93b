/*
 * A consumer that reached its byte limit looks at its queue again only about a second later, and
 * throughput falls to a third. Any request wakes the thread of a broker; so while there is a
 * backlog and a queue runs low, ask each leader for the ends of one partition.
 */
#include <time.h>

#include "base/clock.h"
#include "ingest/kafka_state.h"

enum {
    LEADERS_MAX = 32,
    PUSH_INTERVAL_MS = 15,
    PUSH_QUERY_MS = 1000,
    LOW_MESSAGES_MAX = 8000,
    NS_PER_MS = 1000000,
};

size_t kafka_queued(const struct kafka_worker *w)
{
    return rd_kafka_queue_length(w->queue);
}

/* A queue is low at a quarter of its bytes, or at 8,000 messages where they are small. */
static bool runs_low(struct kafka *k)
{
    for (unsigned i = 0; i < k->options.workers; i++) {
        struct kafka_worker *w = &k->workers[i];
        uint64_t messages = atomic_load_explicit(&w->messages, memory_order_relaxed) + 1;
        uint64_t mean = atomic_load_explicit(&w->bytes, memory_order_relaxed) / messages + 1;
        uint64_t low = KAFKA_QUEUE_BYTES / 4 / k->options.workers / mean + 1;
        if (kafka_queued(w) < (low < LOW_MESSAGES_MAX ? low : LOW_MESSAGES_MAX))
            return true;
    }
    return false;
}

/* One partition of each leader; returns how many. */
static size_t pick(struct kafka *k, struct kafka_part *picked[LEADERS_MAX])
{
    size_t count = 0;
    (void)pthread_mutex_lock(&k->lock);
    for (struct kafka_part *p = k->parts; p != NULL && count < LEADERS_MAX; p = p->next_part) {
        int32_t leader = atomic_load(&p->leader);
        size_t at = 0;
        while (at < count && atomic_load(&picked[at]->leader) != leader)
            at++;
        if (at == count && leader >= 0)
            picked[count++] = p;
    }
    (void)pthread_mutex_unlock(&k->lock);
    return count;
}

static void push(struct kafka *k)
{
    struct kafka_part *picked[LEADERS_MAX];
    size_t count = pick(k, picked);
    for (size_t i = 0; i < count && !atomic_load(&k->stop); i++) {
        int64_t low = 0;
        int64_t high = 0;
        (void)rd_kafka_query_watermark_offsets(k->rk, picked[i]->shared.topic,
                                               picked[i]->shared.partition, &low, &high,
                                               PUSH_QUERY_MS);
    }
}

void *kafka_push_run(void *self)
{
    struct kafka *k = self;
    static const struct timespec INTERVAL = {.tv_nsec = INT64_C(1) * PUSH_INTERVAL_MS * NS_PER_MS};
    while (!atomic_load(&k->stop)) {
        (void)pthread_mutex_lock(&k->lock);
        while (!atomic_load(&k->behind) && !atomic_load(&k->stop))
            (void)pthread_cond_wait(&k->wake, &k->lock);
        (void)pthread_mutex_unlock(&k->lock);
        if (!atomic_load(&k->stop) && runs_low(k))
            push(k);
        (void)nanosleep(&INTERVAL, NULL);
    }
    return NULL;
}
