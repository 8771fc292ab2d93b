/*
 * A partition that does not get on: hold it, read it aside, find where it can be read again.
 *
 *   next          bad batch            first readable
 *    |  good, read  |####################|  good, given back to the consumer
 *    |    aside     |     QUARANTINED    |
 *
 * The end is found by growing steps and then dividing: inside the bad batch every offset is
 * unreadable, behind it a message or the end of the partition answers. A step in a decompression
 * bomb takes as long as unpacking it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "ingest/kafka_probe.h"

enum {
    NS_PER_MS = 1000000,
    STEP_MS = 5,
    FIRST_ROUNDS = 2,
    SEARCH_ROUNDS = 1,
    HOLD_MS = 5000,         /* a worker that does not poll for so long is let be */
    ASIDE_BYTES = 16 << 20, /* read aside before the partition is given back */
    STEP_GROWTH = 16,
    SPLIT = 4,            /* divide nearer to the good end: a step on the bad side is dear */
    READABLE_MAX = 3,     /* times a partition may be found stuck and readable */
    OUT_OF_RANGE_MAX = 3, /* times past the end, before it is believed */
};

static void nap(void)
{
    static const struct timespec STEP = {.tv_nsec = INT64_C(1) * STEP_MS * NS_PER_MS};
    (void)nanosleep(&STEP, NULL);
}

static void rest(struct kafka *k)
{
    atomic_store(&k->rest_ns, clock_monotonic_ns() + INT64_C(1) * KAFKA_REST_MS * NS_PER_MS);
}

static bool query(struct kafka *k, const struct kafka_part *p, int64_t *low, int64_t *high)
{
    return rd_kafka_query_watermark_offsets(k->rk, p->shared.topic, p->shared.partition, low, high,
                                            KAFKA_QUERY_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * Take the partition from the consumer and see its worker through a whole poll: after that nothing
 * of it is under way. False when the worker does not poll; then it was given back.
 */
static bool hold(struct kafka *k, struct kafka_part *p)
{
    struct kafka_worker *w = &k->workers[p->shared.worker];
    if (kafka_part_unassign(k, p) != 0)
        return false;
    uint64_t polls = atomic_load(&w->polls) + 2;
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * HOLD_MS * NS_PER_MS;
    while (atomic_load(&w->polls) < polls) {
        if (atomic_load(&k->stop) || clock_monotonic_ns() > end_ns) {
            (void)kafka_part_assign(k, p, atomic_load(&p->next));
            return false;
        }
        rd_kafka_queue_yield(w->queue);
        nap();
    }
    return true;
}

static int post(struct kafka *k, const struct kafka_entry *entry)
{
    struct kafka_worker *w = &k->workers[entry->part->shared.worker];
    while (atomic_load(&w->inbox.count) >= KAFKA_INBOX_MAX) {
        if (atomic_load(&k->stop))
            return ERR_AGAIN;
        nap();
    }
    return kafka_post(k, entry);
}

static int post_range(struct kafka *k, struct kafka_part *p, enum kafka_kind kind, int64_t offset,
                      int64_t end, const char *reason)
{
    struct kafka_entry entry = {.part = p, .kind = kind, .offset = offset, .end = end};
    (void)snprintf(entry.reason, sizeof(entry.reason), "%s", reason);
    int err = post(k, &entry);
    if (err != 0)
        return err;
    static const char *const NAMES[] = {"message", "lost", "quarantined", "truncated"};
    log_error("kafka", "offsets without messages",
              "topic=%s partition=%d kind=%s start=%lld end=%lld reason=%s", p->shared.topic,
              p->shared.partition, NAMES[kind], (long long)offset, (long long)end, reason);
    _Atomic uint64_t *counter = kind == KAFKA_LOST          ? &k->lost
                                : kind == KAFKA_QUARANTINED ? &k->quarantined
                                                            : &k->truncated;
    atomic_fetch_add(counter, 1);
    return 0;
}

/* What there is at an offset. Silence is what a batch that cannot be unpacked gives. */
static enum kafka_verdict look(struct kafka *k, const struct kafka_part *p, int64_t offset,
                               int rounds, struct kafka_finding *finding)
{
    if (kafka_probe_start(k->probe, &p->shared, offset) != 0)
        return KAFKA_REFUSED;
    enum kafka_verdict verdict = kafka_probe_next(k->probe, rounds, finding);
    if (finding->message != NULL)
        rd_kafka_message_destroy(finding->message);
    finding->message = NULL;
    return verdict == KAFKA_SILENT ? KAFKA_UNREADABLE : verdict;
}

/* Whether `offset` is still in the bad batch that begins at `batch` (-1: not known). */
static int is_bad(struct kafka *k, struct kafka_part *p, int64_t offset, int64_t batch)
{
    struct kafka_finding finding;
    enum kafka_verdict verdict = look(k, p, offset, SEARCH_ROUNDS, &finding);
    if (atomic_load(&k->stop) || verdict == KAFKA_REFUSED || verdict == KAFKA_NOT_THERE)
        return ERR_DOWN;
    if (verdict != KAFKA_UNREADABLE)
        return 0;
    return batch < 0 || finding.batch < 0 || finding.batch == batch ? 1 : 0;
}

/* The first offset after `bad` that is not in its batch, at most `high`. */
static int find_end(struct kafka *k, struct kafka_part *p, int64_t bad, int64_t high, int64_t batch,
                    int64_t *out)
{
    int64_t good = bad;
    int is = 1;
    for (int64_t step = 1; is == 1; step *= STEP_GROWTH) {
        if (good >= high)
            return ERR_DOWN; /* not even the end answers: it is not the batch */
        bad = good;
        good = high - good > step ? good + step : high;
        is = is_bad(k, p, good, batch);
    }
    while (is >= 0 && good - bad > 1) {
        int64_t middle = good - 1 - (good - bad - 1) / SPLIT;
        is = is_bad(k, p, middle, batch);
        if (is == 1)
            bad = middle;
        else
            good = middle;
    }
    if (is < 0)
        return is;
    *out = good;
    return 0;
}

/* Read on from *at and hand the messages over until something stops it; *at moves along. */
static enum kafka_verdict read_aside(struct kafka *k, struct kafka_part *p, int64_t *at,
                                     struct kafka_finding *finding)
{
    size_t bytes = 0;
    if (kafka_probe_start(k->probe, &p->shared, *at) != 0)
        return KAFKA_REFUSED;
    while (bytes < ASIDE_BYTES && !atomic_load(&k->stop)) {
        enum kafka_verdict verdict = kafka_probe_next(k->probe, FIRST_ROUNDS, finding);
        if (verdict != KAFKA_READABLE)
            return verdict;
        rd_kafka_message_t *m = finding->message;
        bytes += m->len + m->key_len;
        int64_t next = m->offset + 1;
        struct kafka_entry entry = {.part = p, .kind = KAFKA_MESSAGE, .message = m};
        if (post(k, &entry) != 0) {
            rd_kafka_message_destroy(m);
            return KAFKA_REFUSED;
        }
        *at = next;
    }
    return KAFKA_READABLE;
}

/*
 * Needs the partition held. Gives it back behind what cannot be read; `bad` is an offset already
 * found unreadable, with its finding, or -1.
 */
static void go_round(struct kafka *k, struct kafka_part *p, int64_t at, int64_t bad,
                     struct kafka_finding *finding)
{
    enum kafka_verdict verdict = KAFKA_UNREADABLE;
    int64_t low = 0;
    int64_t high = 0;
    int64_t end = at;
    if (bad != at)
        verdict = read_aside(k, p, &at, finding);
    /* A bad answer must be seen again at the same place: a third time, with the consumer's. */
    if (verdict == KAFKA_UNREADABLE && bad != at)
        verdict = look(k, p, at, FIRST_ROUNDS, finding);
    if (verdict == KAFKA_REFUSED || verdict == KAFKA_NOT_THERE)
        rest(k);
    if ((verdict == KAFKA_UNREADABLE || verdict == KAFKA_SILENT) && query(k, p, &low, &high)) {
        int64_t batch = finding->batch >= 0 && finding->batch <= at ? finding->batch : -1;
        char reason[KAFKA_REASON_BYTES_MAX];
        memcpy(reason, finding->text, sizeof(reason));
        if (find_end(k, p, at, high, batch, &end) == 0 &&
            post_range(k, p, KAFKA_QUARANTINED, at, end, reason) == 0)
            at = end;
        else
            rest(k);
    }
    kafka_probe_stop(k->probe);
    (void)kafka_part_assign(k, p, at);
}

/* Needs the partition held and its offset out of the broker's range. True when it goes on. */
static bool back_in_range(struct kafka *k, struct kafka_part *p, int64_t low, int64_t high)
{
    int64_t at = atomic_load(&p->next);
    if (at != KAFKA_OFFSET_NONE && at < low) {
        if (post_range(k, p, KAFKA_LOST, at, low, "deleted by the broker before it was read") == 0)
            at = low;
    } else if (at > high && ++p->watch.out_of_range >= OUT_OF_RANGE_MAX) {
        if (post_range(k, p, KAFKA_TRUNCATED, at, high,
                       "the partition ends before what was read from it") == 0)
            return false;
    }
    (void)kafka_part_assign(k, p, at);
    return true;
}

/*
 * A partition that is silent without an error may only be waiting behind others: look aside first
 * and leave it alone while it is readable. True when it has to be held; *bad is then the offset
 * found unreadable, if that was looked at.
 */
static bool must_hold(struct kafka *k, struct kafka_part *p, int64_t high, int64_t *bad,
                      struct kafka_finding *finding)
{
    int64_t at = *bad;
    *bad = -1;
    if (atomic_load(&p->out_of_range) || atomic_load(&p->faulty))
        return true;
    if (at >= high)
        return false;
    enum kafka_verdict verdict = look(k, p, at, FIRST_ROUNDS, finding);
    kafka_probe_stop(k->probe);
    if (verdict == KAFKA_AT_END)
        p->watch.settled = high;
    else if (verdict == KAFKA_REFUSED)
        rest(k);
    else if (verdict == KAFKA_READABLE)
        return ++p->watch.readable >= READABLE_MAX;
    else if (verdict == KAFKA_UNREADABLE)
        *bad = at;
    return verdict == KAFKA_UNREADABLE || verdict == KAFKA_NOT_THERE;
}

static int64_t next_of(struct kafka_part *p, int64_t low)
{
    int64_t next = atomic_load(&p->next);
    return next == KAFKA_OFFSET_NONE ? low : next;
}

/* Returns the state the partition is left in. */
static enum kafka_state recover(struct kafka *k, struct kafka_part *p)
{
    int64_t low = 0;
    int64_t high = 0;
    struct kafka_finding finding = {.batch = -1};
    if (!query(k, p, &low, &high)) {
        rest(k);
        return KAFKA_RUNNING;
    }
    int64_t bad = next_of(p, low);
    if (!must_hold(k, p, high, &bad, &finding) || !hold(k, p))
        return KAFKA_RUNNING;
    atomic_store(&p->out_of_range, false);
    atomic_store(&p->faulty, false);
    p->watch.readable = 0;
    int64_t at = next_of(p, low);
    if (at < low || at > high)
        return back_in_range(k, p, low, high) ? KAFKA_RUNNING : KAFKA_STOPPED;
    go_round(k, p, at, bad, &finding);
    return KAFKA_RUNNING;
}

static struct kafka_part *next_stuck(struct kafka *k)
{
    (void)pthread_mutex_lock(&k->lock);
    while (k->stuck_first == NULL && !atomic_load(&k->stop))
        (void)pthread_cond_wait(&k->wake, &k->lock);
    struct kafka_part *p = k->stuck_first;
    if (p != NULL)
        k->stuck_first = p->next_stuck;
    if (k->stuck_first == NULL)
        k->stuck_last = &k->stuck_first;
    (void)pthread_mutex_unlock(&k->lock);
    return p;
}

void *kafka_recover_run(void *self)
{
    struct kafka *k = self;
    while (!atomic_load(&k->stop)) {
        struct kafka_part *p = next_stuck(k);
        if (p == NULL)
            continue;
        enum kafka_state state = KAFKA_RUNNING;
        if (k->probe != NULL || kafka_probe_open(&k->probe, k) == 0)
            state = recover(k, p);
        /* In a second it may be looked at again. */
        p->watch.since_ns = clock_monotonic_ns() + INT64_C(1) * KAFKA_HINT_MS * NS_PER_MS;
        p->watch.marked = false;
        atomic_store(&p->state, (int)state);
    }
    return NULL;
}
