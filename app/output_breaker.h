/*
 * app/output_breaker.h - when to try again what failed.
 *
 *   closed --failure--> closed, next try after 0.2 s, 0.4 s, ... --BREAKER_FAILURES--> open
 *   open   --after up to 30 s, one try--> closed when it succeeds, else open again
 *
 * Each wait is drawn between half of its nominal length and the whole, so that several collectors
 * do not return to a server at the same moment.
 *
 * Ownership: plain data; the zeroed struct with a seed is closed.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum breaker_limits {
    BREAKER_FIRST_MS = 200,
    BREAKER_LAST_MS = 30000,
    BREAKER_FAILURES = 5, /* in a row until it is open */
};

struct breaker {
    uint64_t random;   /* seed, not 0 */
    unsigned failures; /* in a row */
    int64_t next_ns;   /* no try before this, monotonic */
};

/* Note a failure; returns how long to wait, in ns. */
int64_t breaker_fail(struct breaker *b, int64_t now_ns);
void breaker_succeed(struct breaker *b);

static inline bool breaker_open(const struct breaker *b)
{
    return b->failures >= BREAKER_FAILURES;
}

/* How long until the next try, in ns; 0 = now. */
static inline int64_t breaker_wait(const struct breaker *b, int64_t now_ns)
{
    return b->failures != 0 && b->next_ns > now_ns ? b->next_ns - now_ns : 0;
}
