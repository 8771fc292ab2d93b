#include "detect/hyperloglog.h"

#include <assert.h>
#include <stddef.h>

enum {
    REGISTER_BITS = 6,
    REGISTER_MAX = 63,
    INDEX_BITS = 6,
    GROUP = 4, /* registers that fill whole bytes */
    GROUP_BYTES = 3,
};

static_assert(HYPERLOGLOG_REGISTERS == 1 << INDEX_BITS, "the index picks a register");
static_assert(HYPERLOGLOG_REGISTERS * REGISTER_BITS == HYPERLOGLOG_BYTES * 8, "no bit is wasted");

/* 64 ln(64 / empty registers): linear counting. The first is never asked for. */
static const double LINEAR[HYPERLOGLOG_REGISTERS + 1] = {
    0.0,
    266.168517335019,
    221.8070977791825,
    195.85733086025996,
    177.445678223346,
    163.16449093923657,
    151.4959113044235,
    141.63026779547894,
    133.0842586675095,
    125.54614438550095,
    118.80307138340008,
    112.70321987592328,
    107.13449174858698,
    102.01175845748065,
    97.26884823964244,
    92.85330446447756,
    88.722839111673,
    84.84286331542117,
    81.18472482966446,
    77.7244226683668,
    74.44165182756358,
    71.31908132071992,
    68.34180032008679,
    65.49688751555341,
    62.773072192750476,
    60.160464543454154,
    57.650338901644155,
    55.23495791074193,
    52.907428683805946,
    50.66158421588466,
    48.491884908641055,
    46.393336247969636,
    44.3614195558365,
    42.39203340116426,
    40.48144375958467,
    38.62624139969652,
    36.823305273827955,
    35.06977092578864,
    33.36300311253031,
    31.700571982721627,
    30.08023227172708,
    28.499905065943302,
    26.957661764883422,
    25.451709930631004,
    23.980380764250285,
    22.542117989718538,
    21.135467959716916,
    19.759070825575247,
    18.411652636913974,
    17.09201825593889,
    15.799044987617652,
    14.531676840662149,
    13.28891934580765,
    12.069834867683198,
    10.873538354905435,
    9.699193480140856,
    8.546009127969445,
    7.413236193607785,
    6.300164660048161,
    5.206120925052954,
    4.1304653528045545,
    3.0725900279270824,
    2.0319166921331373,
    1.0078948459609032,
    0.0,
};

#define LINEAR_UP_TO (2.5 * HYPERLOGLOG_REGISTERS)
#define ALPHA        0.709 /* corrects the bias of 64 registers */

static uint32_t group_get(const struct hyperloglog *h, unsigned group)
{
    const uint8_t *p = h->bytes + (size_t)group * GROUP_BYTES;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void group_set(struct hyperloglog *h, unsigned group, uint32_t value)
{
    uint8_t *p = h->bytes + (size_t)group * GROUP_BYTES;
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
}

static unsigned register_of(uint32_t group, unsigned place)
{
    return group >> place * REGISTER_BITS & REGISTER_MAX;
}

static uint32_t with_register(uint32_t group, unsigned place, unsigned value)
{
    unsigned shift = place * REGISTER_BITS;
    return (group & ~((uint32_t)REGISTER_MAX << shift)) | (uint32_t)value << shift;
}

bool hyperloglog_add(struct hyperloglog *h, uint64_t hash)
{
    unsigned index = (unsigned)(hash >> (64 - INDEX_BITS));
    uint64_t rest = hash << INDEX_BITS | UINT64_C(1) << (INDEX_BITS - 1);
    unsigned rank = (unsigned)__builtin_clzll(rest) + 1;
    uint32_t group = group_get(h, index / GROUP);
    if (register_of(group, index % GROUP) >= rank)
        return false;
    group_set(h, index / GROUP, with_register(group, index % GROUP, rank));
    return true;
}

void hyperloglog_merge(struct hyperloglog *h, const struct hyperloglog *from)
{
    for (unsigned g = 0; g < HYPERLOGLOG_REGISTERS / GROUP; g++) {
        uint32_t into = group_get(h, g);
        uint32_t other = group_get(from, g);
        for (unsigned place = 0; place < GROUP; place++) {
            if (register_of(other, place) > register_of(into, place))
                into = with_register(into, place, register_of(other, place));
        }
        group_set(h, g, into);
    }
}

double hyperloglog_count(const struct hyperloglog *h)
{
    double sum = 0;
    unsigned empty = 0;
    for (unsigned g = 0; g < HYPERLOGLOG_REGISTERS / GROUP; g++) {
        uint32_t group = group_get(h, g);
        for (unsigned place = 0; place < GROUP; place++) {
            unsigned value = register_of(group, place);
            sum += 1.0 / (double)(UINT64_C(1) << value);
            empty += value == 0;
        }
    }
    double m = HYPERLOGLOG_REGISTERS;
    double raw = ALPHA * m * m / sum;
    return raw <= LINEAR_UP_TO && empty != 0 ? LINEAR[empty] : raw;
}
