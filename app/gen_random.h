/*
 * app/gen_random.h - random numbers that are the same on every machine.
 *
 * Integers alone: no libm, no floating point, so a seed gives the same bytes whatever the CPU, the
 * compiler and the library. Streams are SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state,
 * so every host and every planted case has its own and none disturbs another.
 *
 * Threads:   a stream has one owner; tables are immutable once made.
 * Failures:  gen_zipf_init() alone can fail, for memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gen_random {
    uint64_t state;
};

enum gen_random_limits {
    GEN_LN_STEPS = 1024,
    GEN_EXP2_STEPS = 256,
};

/* -ln(u) and 2^x as fixed point with 16 bits after the point, sampled over one period. */
struct gen_curves {
    uint32_t minus_ln[GEN_LN_STEPS];
    uint32_t exp2[GEN_EXP2_STEPS];
};

/* Walker's alias table over ranks 0..count-1 with weight 1 / (rank + 1). */
struct gen_zipf {
    uint32_t *alias;
    uint32_t *keep; /* of 2^32: the share of the slot that stays with its own rank */
    uint32_t count;
};

/* A well mixed function of two numbers; equal inputs give equal outputs for ever. */
static inline uint64_t gen_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + (b + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline uint64_t gen_random_next(struct gen_random *r)
{
    r->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0..bound-1; bound 0 gives 0. The bias is below bound / 2^32. */
static inline uint32_t gen_random_below(struct gen_random *r, uint32_t bound)
{
    return (uint32_t)(((gen_random_next(r) >> 32) * bound) >> 32);
}

/* low..high, both included; needs low <= high. */
static inline uint32_t gen_random_between(struct gen_random *r, uint32_t low, uint32_t high)
{
    return low + gen_random_below(r, high - low + 1);
}

static inline bool gen_random_permille(struct gen_random *r, uint32_t permille)
{
    return gen_random_below(r, 1000) < permille;
}

void gen_curves_init(struct gen_curves *c);
/* Exponentially distributed with that mean; at most about 7.6 times the mean. */
int64_t gen_random_exponential(struct gen_random *r, const struct gen_curves *c, int64_t mean);
/*
 * Lognormally distributed around `median`; `spread_256` is the standard deviation in doublings
 * times 256 (a spread of 512: two thirds lie between a quarter and four times the median).
 */
uint64_t gen_random_lognormal(struct gen_random *r, const struct gen_curves *c, uint64_t median,
                              uint32_t spread_256);

/* Needs 0 < count <= 2^24. Returns 0 or ERR_NOMEM. */
int gen_zipf_init(struct gen_zipf *z, uint32_t count);
void gen_zipf_release(struct gen_zipf *z);

static inline uint32_t gen_zipf_pick(const struct gen_zipf *z, uint64_t bits)
{
    uint32_t slot = (uint32_t)(((bits >> 32) * z->count) >> 32);
    return (uint32_t)bits < z->keep[slot] ? slot : z->alias[slot];
}
