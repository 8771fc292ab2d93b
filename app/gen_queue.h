/*
 * app/gen_queue.h - the earliest of many moments: a heap with four children a node.
 *
 * Moments are ordered by time, then by tag, so that equal times come out the same way always.
 *
 * Ownership: the queue owns its array.
 * Threads:   one owner.
 * Failures:  gen_queue_push() returns ERR_NOMEM past GEN_QUEUE_MAX or the heap.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    GEN_QUEUE_MAX = 1 << 24,
};

struct gen_wake {
    int64_t time_ns;
    uint64_t tag; /* the caller's: who wants to be woken */
};

/* A zeroed struct is a valid, empty queue. */
struct gen_queue {
    struct gen_wake *items;
    size_t count;
    size_t cap;
};

void gen_queue_release(struct gen_queue *q);
int gen_queue_push(struct gen_queue *q, struct gen_wake item);
/* Remove the first; needs count > 0. */
struct gen_wake gen_queue_pop(struct gen_queue *q);
/* Put another in the place of the first; needs count > 0. */
void gen_queue_replace(struct gen_queue *q, struct gen_wake item);

/* Time of the first; INT64_MAX when empty. */
static inline int64_t gen_queue_time(const struct gen_queue *q)
{
    return q->count == 0 ? INT64_MAX : q->items[0].time_ns;
}
