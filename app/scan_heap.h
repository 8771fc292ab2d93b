/*
 * app/scan_heap.h - private to app/scan*.c: stretches whose turn has come, the one with the next hit
 * on top.
 *
 *   top --> | next hit 7  | next hit 9  | next hit 9000 | next hit 12000 |
 *           | decoded     | decoded     | laid aside    | laid aside     |
 *
 * Any number may be open. When the decoded ones hold more than the bytes allowed, those whose next
 * hits are farthest are laid aside: what is left of them is their place, and they are decoded again
 * when they come to the top.
 *
 * Ownership: borrows the scan, whose stretches the items name; the rest is its own until released.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM. A damaged batch is named and counted by scan_lose(), and left out.
 */
#pragma once

#include "app/scan_state.h"

struct opened {
    struct sieve *sieve; /* NULL: laid aside */
    const struct stretch *stretch;
    int64_t offset; /* of the next hit */
    uint32_t sub;
    uint32_t at;       /* in sieve->rows: the next hit of the stretch's partition */
    uint64_t decoding; /* another number each time */
    size_t bytes;      /* held by the sieve */
};

struct scan_heap {
    struct scan *scan;
    struct opened *items; /* a heap by offset, sub, place of the stretch */
    size_t count;
    size_t cap;
    struct sieve *spare; /* the one used last; NULL: none */
    size_t held_bytes;   /* of those that are decoded */
    uint64_t decodings;
};

void scan_heap_release(struct scan_heap *h);

/* Decode a stretch's batch by its head and put it where it belongs. */
int scan_heap_open(struct scan_heap *h, const struct stretch *stretch,
                   const struct batch_head *head);
/* The top, decoded; NULL in *out when it was lost: then another one is on top, or none. Needs one. */
int scan_heap_top(struct scan_heap *h, const struct opened **out);
/* Go to the next hit of the top; without one the stretch is gone. */
void scan_heap_next(struct scan_heap *h);
