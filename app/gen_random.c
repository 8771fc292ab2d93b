#include "app/gen_random.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

enum {
    FRACTION_BITS = 16,
    LN2_FIXED = 45426,       /* ln 2 with FRACTION_BITS */
    EXPONENT_MAX = 24 * 256, /* doublings times 256 */
};

/* log2(v) with FRACTION_BITS, by squaring; v > 0 is an integer. */
static uint32_t log2_fixed(uint32_t v)
{
    uint32_t whole = 31U - (uint32_t)__builtin_clz(v);
    uint64_t x = ((uint64_t)v << 31) >> whole; /* 1 <= x < 2 with 31 bits after the point */
    uint32_t result = whole << FRACTION_BITS;
    for (uint32_t bit = 1U << (FRACTION_BITS - 1); bit != 0; bit >>= 1) {
        x = x * x >> 31;
        if (x >= UINT64_C(2) << 31) {
            x >>= 1;
            result |= bit;
        }
    }
    return result;
}

static uint64_t square_root(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1) {
        uint64_t trial = root | bit;
        if (trial * trial <= v)
            root = trial;
    }
    return root;
}

void gen_curves_init(struct gen_curves *c)
{
    /* minus_ln[i] = ln(2 * steps / (2 i + 1)): the middle of each step of u. */
    uint32_t top = log2_fixed(2 * GEN_LN_STEPS);
    for (uint32_t i = 0; i < GEN_LN_STEPS; i++) {
        uint64_t log2 = top - log2_fixed(2 * i + 1);
        c->minus_ln[i] = (uint32_t)((log2 * LN2_FIXED) >> FRACTION_BITS);
    }
    /* 2^(i/256) as a product of the roots 2^(1/2), 2^(1/4), ... that the bits of i select. */
    uint64_t roots[8];
    uint64_t value = UINT64_C(2) << 30;
    for (uint32_t bit = 0; bit < 8; bit++) {
        value = square_root(value << 30);
        roots[bit] = value;
    }
    for (uint32_t i = 0; i < GEN_EXP2_STEPS; i++) {
        uint64_t product = UINT64_C(1) << 30;
        for (uint32_t bit = 0; bit < 8; bit++)
            if ((i >> (7 - bit) & 1) != 0)
                product = (product * roots[bit]) >> 30;
        c->exp2[i] = (uint32_t)(product >> (30 - FRACTION_BITS));
    }
}

int64_t gen_random_exponential(struct gen_random *r, const struct gen_curves *c, int64_t mean)
{
    uint64_t bits = gen_random_next(r);
    /* The low bits spread the value within its step, so that no two gaps are alike by rounding. */
    int64_t step = c->minus_ln[bits >> 54];
    int64_t unit = mean >> FRACTION_BITS;
    int64_t dither = (int64_t)(bits & 0xFFFFFFFF) * (mean >> 20) >> 22;
    return unit * step + ((mean - (unit << FRACTION_BITS)) * step >> FRACTION_BITS) + dither;
}

uint64_t gen_random_lognormal(struct gen_random *r, const struct gen_curves *c, uint64_t median,
                              uint32_t spread_256)
{
    /* Irwin-Hall: eight bytes summed are near enough to a normal; variance 8 * 65535 / 12. */
    uint64_t bits = gen_random_next(r);
    int64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum += (int64_t)(bits >> (8 * i) & 0xFF);
    int64_t centred = sum - 1020;
    int64_t exponent = centred * (int64_t)spread_256 / 209; /* doublings times 256 */
    if (exponent > EXPONENT_MAX)
        exponent = EXPONENT_MAX;
    if (exponent < -EXPONENT_MAX)
        exponent = -EXPONENT_MAX;
    int64_t whole = exponent >= 0 ? exponent / 256 : -((255 - exponent) / 256);
    uint64_t value = median * c->exp2[exponent - whole * 256] >> FRACTION_BITS;
    return whole >= 0 ? value << whole : value >> -whole;
}

int gen_zipf_init(struct gen_zipf *z, uint32_t count)
{
    assert(count > 0 && count <= UINT32_C(1) << 24);
    uint64_t *weight = calloc(count, sizeof(*weight));
    uint32_t *work = calloc(count, sizeof(*work));
    z->alias = calloc(count, sizeof(*z->alias));
    z->keep = calloc(count, sizeof(*z->keep));
    z->count = count;
    int result = ERR_NOMEM;
    if (weight == NULL || work == NULL || z->alias == NULL || z->keep == NULL)
        goto out;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        weight[i] = (UINT64_C(1) << 30) / (i + 1);
        total += weight[i];
    }
    /* Vose: slots below the mean take the rest of their room from one above it. */
    uint64_t mean = total / count;
    uint32_t small = 0;
    uint32_t large = count;
    for (uint32_t i = 0; i < count; i++)
        work[weight[i] < mean ? small++ : --large] = i;
    while (small > 0 && large < count) {
        uint32_t low = work[--small];
        uint32_t high = work[large];
        z->keep[low] = (uint32_t)((weight[low] << 32) / mean);
        z->alias[low] = high;
        weight[high] -= mean - weight[low];
        if (weight[high] < mean) {
            large++;
            work[small++] = high;
        }
    }
    for (; large < count; large++) {
        z->keep[work[large]] = UINT32_MAX;
        z->alias[work[large]] = work[large];
    }
    while (small > 0) {
        uint32_t low = work[--small];
        z->keep[low] = UINT32_MAX;
        z->alias[low] = low;
    }
    result = 0;
out:
    free(weight);
    free(work);
    if (result != 0)
        gen_zipf_release(z);
    return result;
}

void gen_zipf_release(struct gen_zipf *z)
{
    free(z->alias);
    free(z->keep);
    *z = (struct gen_zipf){0};
}
