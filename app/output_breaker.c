#include "app/output_breaker.h"

enum {
    NS_PER_MS = 1000000,
    DOUBLINGS_MAX = 16,
};

/* Steps of xorshift64 (Marsaglia 2003): spread, not secrecy, is wanted. */
static uint64_t next_random(struct breaker *b)
{
    uint64_t x = b->random == 0 ? 1 : b->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    b->random = x;
    return x;
}

int64_t breaker_fail(struct breaker *b, int64_t now_ns)
{
    unsigned doublings = b->failures < DOUBLINGS_MAX ? b->failures : DOUBLINGS_MAX;
    int64_t whole_ms = (int64_t)BREAKER_FIRST_MS << doublings;
    if (whole_ms > BREAKER_LAST_MS)
        whole_ms = BREAKER_LAST_MS;
    int64_t half_ns = whole_ms * NS_PER_MS / 2;
    int64_t wait_ns = half_ns + (int64_t)(next_random(b) % (uint64_t)(half_ns + 1));
    b->failures += b->failures != UINT32_MAX;
    b->next_ns = now_ns + wait_ns;
    return wait_ns;
}

void breaker_succeed(struct breaker *b)
{
    b->failures = 0;
    b->next_ns = 0;
}
