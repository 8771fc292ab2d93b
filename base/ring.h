/*
 * base/ring.h - a bounded queue of pointers from one thread to one other.
 *
 *     head (consumer)      tail (producer)        both only grow; slot = index & mask
 *        v                    v
 *   [ . | x | x | x | x | . | . | . ]
 *
 * Ownership: a pushed pointer and all it leads to belong to the consumer once it is popped.
 * Threads:   one producer, one consumer; lock-free unless one of them sleeps in a wait.
 * Failures:  a full or empty ring is an answer, not an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum ring_limits {
    RING_CAPACITY_MAX = 1 << 20, /* pointers */
};

struct ring;

/* `capacity` is a power of two from 1 to RING_CAPACITY_MAX (else ERR_RANGE). */
int ring_new(struct ring **out, size_t capacity);
/* Needs both sides done; pointers still inside are not freed. NULL is allowed. */
void ring_free(struct ring *r);

/* Producer: false when full (the item stays the caller's). `item` is not NULL. */
bool ring_push(struct ring *r, void *item);
/* Consumer: the oldest item, or NULL when empty. */
void *ring_pop(struct ring *r);

/* Consumer: sleep until there is an item, ring_wake() or the timeout. True when there is one. */
bool ring_wait(struct ring *r, int timeout_ms);
/* Producer: sleep until there is room, ring_wake() or the timeout. True when there is room. */
bool ring_wait_space(struct ring *r, int timeout_ms);
/* Any thread: end a running wait of either side, to tell it to look around (a stop flag). */
void ring_wake(struct ring *r);

/* Any thread: items inside, at some moment during the call. */
size_t ring_count(struct ring *r);
size_t ring_capacity(const struct ring *r);
