#include "base/clock.h"
#include "ingest/kafka_state.h"

enum {
    NS_PER_MS = 1000000,
    BUSY_FACTOR = 6,    /* a partition may wait so much longer for its turn in a backlog */
    QUEUE_SHORT = 1000, /* messages: below it the worker keeps up */
    BEHIND_MIN = 10000, /* messages not yet polled: a backlog */
};

bool kafka_is_data_error(rd_kafka_resp_err_t code)
{
    static const rd_kafka_resp_err_t CODES[] = {
        RD_KAFKA_RESP_ERR__BAD_MSG,           RD_KAFKA_RESP_ERR__BAD_COMPRESSION,
        RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED,   RD_KAFKA_RESP_ERR__UNDERFLOW,
        RD_KAFKA_RESP_ERR_INVALID_MSG,        RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    };
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++)
        if (CODES[i] == code)
            return true;
    return false;
}

/* Start counting anew from `now_ns`. */
static void watch_reset(struct kafka_watch *w, int64_t next, int64_t now_ns)
{
    w->next = next;
    w->since_ns = now_ns;
    w->marked = false;
}

/*
 * Whether the partition has waited too long: its worker drains its queue, and everything that was
 * queued when the time was over has been taken, and still nothing of this partition came.
 */
static bool waited(struct kafka *k, struct kafka_part *p, int64_t now_ns)
{
    struct kafka_worker *w = &k->workers[p->shared.worker];
    size_t queued = kafka_queued(w);
    int64_t limit = queued < QUEUE_SHORT ? k->options.stuck_ns : k->options.stuck_ns * BUSY_FACTOR;
    if (now_ns - p->watch.since_ns < limit)
        return false;
    uint64_t taken = atomic_load(&w->taken);
    if (!p->watch.marked) {
        p->watch.marked = true;
        p->watch.mark = taken + queued;
    }
    return taken >= p->watch.mark;
}

static bool is_stuck(struct kafka *k, struct kafka_part *p, int64_t high, int64_t now_ns)
{
    struct kafka_watch *watch = &p->watch;
    struct kafka_worker *w = &k->workers[p->shared.worker];
    int64_t next = atomic_load_explicit(&p->next, memory_order_acquire);
    if (next != watch->next) {
        watch_reset(watch, next, now_ns);
        watch->readable = 0;
        watch->out_of_range = 0;
        return false;
    }
    if (atomic_load(&p->out_of_range) || atomic_load(&p->faulty))
        return now_ns >= watch->since_ns;
    bool empty = high >= 0 && (next == KAFKA_OFFSET_NONE ? high == 0 : high <= next);
    bool idle = now_ns - atomic_load(&w->poll_ns) > INT64_C(1) * KAFKA_IDLE_WORKER_MS * NS_PER_MS;
    if (empty || idle || (high >= 0 && high == watch->settled)) {
        watch_reset(watch, next, now_ns);
        return false;
    }
    return now_ns >= atomic_load(&k->rest_ns) && waited(k, p, now_ns);
}

void kafka_guard_tick(struct kafka *k, int64_t now_ns)
{
    int64_t behind = 0;
    (void)pthread_mutex_lock(&k->lock);
    for (struct kafka_part *p = k->parts; p != NULL; p = p->next_part) {
        int64_t low = -1;
        int64_t high = -1;
        if (atomic_load(&p->state) != KAFKA_RUNNING)
            continue;
        (void)rd_kafka_get_watermark_offsets(k->rk, p->shared.topic, p->shared.partition, &low,
                                             &high);
        int64_t next = atomic_load(&p->next);
        if (high > next && next >= 0)
            behind += high - next;
        if (!is_stuck(k, p, high, now_ns))
            continue;
        atomic_store(&p->state, KAFKA_RECOVERING);
        p->next_stuck = NULL;
        *k->stuck_last = p;
        k->stuck_last = &p->next_stuck;
        (void)pthread_cond_broadcast(&k->wake);
    }
    atomic_store(&k->behind, behind > BEHIND_MIN);
    if (behind > BEHIND_MIN)
        (void)pthread_cond_broadcast(&k->wake);
    (void)pthread_mutex_unlock(&k->lock);
}
