#include "base/ring.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    RING_LINE_BYTES = 64, /* a cache line: each side writes its own */
};

/*
 * A sleeper stores 1 in its word, looks once more, and sleeps while the word is 1; whoever changes
 * the ring first publishes the index, then looks at the word. Both steps are sequentially
 * consistent, so one of the two always sees the other.
 */
struct ring {
    _Alignas(RING_LINE_BYTES) _Atomic size_t head;
    size_t tail_seen; /* the consumer's copy of tail */
    _Atomic uint32_t consumer_sleeps;
    _Alignas(RING_LINE_BYTES) _Atomic size_t tail;
    size_t head_seen; /* the producer's copy of head */
    _Atomic uint32_t producer_sleeps;
    _Alignas(RING_LINE_BYTES) size_t mask;
    void *slots[];
};

int ring_new(struct ring **out, size_t capacity)
{
    if (capacity == 0 || capacity > RING_CAPACITY_MAX || (capacity & (capacity - 1)) != 0)
        return ERR_RANGE;
    size_t bytes = sizeof(struct ring) + capacity * sizeof(void *);
    bytes = (bytes + RING_LINE_BYTES - 1) & ~(size_t)(RING_LINE_BYTES - 1);
    struct ring *r = aligned_alloc(RING_LINE_BYTES, bytes);
    if (r == NULL)
        return ERR_NOMEM;
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
    atomic_init(&r->consumer_sleeps, 0);
    atomic_init(&r->producer_sleeps, 0);
    r->tail_seen = 0;
    r->head_seen = 0;
    r->mask = capacity - 1;
    *out = r;
    return 0;
}

void ring_free(struct ring *r)
{
    free(r);
}

/* End the sleep on the word, if there is one. */
static void word_wake(_Atomic uint32_t *word)
{
    if (atomic_load(word) == 0)
        return;
    atomic_store(word, 0);
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Sleep until the word is 0 or the time is over; false when it is over. */
static bool word_wait(_Atomic uint32_t *word, int64_t until_ns)
{
    int64_t left_ns = until_ns - clock_monotonic_ns();
    if (left_ns <= 0)
        return false;
    struct timespec left = {.tv_sec = left_ns / CLOCK_NS_PER_SECOND,
                            .tv_nsec = left_ns % CLOCK_NS_PER_SECOND};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1, &left, NULL, 0);
    return true;
}

bool ring_push(struct ring *r, void *item)
{
    assert(item != NULL);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail - r->head_seen > r->mask) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (tail - r->head_seen > r->mask)
            return false;
    }
    r->slots[tail & r->mask] = item;
    atomic_store(&r->tail, tail + 1);
    word_wake(&r->consumer_sleeps);
    return true;
}

void *ring_pop(struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head == r->tail_seen) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head == r->tail_seen)
            return NULL;
    }
    void *item = r->slots[head & r->mask];
    atomic_store(&r->head, head + 1);
    word_wake(&r->producer_sleeps);
    return item;
}

size_t ring_capacity(const struct ring *r)
{
    return r->mask + 1;
}

size_t ring_count(struct ring *r)
{
    /* The head first: it cannot pass the tail that is read after it. */
    size_t head = atomic_load(&r->head);
    size_t count = atomic_load(&r->tail) - head;
    return count > r->mask + 1 ? r->mask + 1 : count;
}

static bool has_item(struct ring *r)
{
    return atomic_load(&r->tail) != atomic_load(&r->head);
}

static bool has_space(struct ring *r)
{
    return atomic_load(&r->tail) - atomic_load(&r->head) <= r->mask;
}

static bool side_wait(struct ring *r, _Atomic uint32_t *word, bool (*ready)(struct ring *),
                      int timeout_ms)
{
    if (ready(r))
        return true;
    int64_t until_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    atomic_store(word, 1);
    /* A word that became 0 was woken: by the other side, or by ring_wake(). */
    while (!ready(r) && atomic_load(word) == 1) {
        if (!word_wait(word, until_ns))
            break;
    }
    atomic_store(word, 0);
    return ready(r);
}

bool ring_wait(struct ring *r, int timeout_ms)
{
    return side_wait(r, &r->consumer_sleeps, has_item, timeout_ms);
}

bool ring_wait_space(struct ring *r, int timeout_ms)
{
    return side_wait(r, &r->producer_sleeps, has_space, timeout_ms);
}

void ring_wake(struct ring *r)
{
    word_wake(&r->consumer_sleeps);
    word_wake(&r->producer_sleeps);
}
