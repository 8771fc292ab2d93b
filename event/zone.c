#include "event/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    ZONE_BITS = 128,
    ZONE_V4_PREFIX_BITS = 96,
    ZONE_DEPTH_MAX = ZONE_BITS + 1, /* a chain of nested networks has at most one per prefix */
};

/* An address as a number. */
struct key {
    uint64_t high;
    uint64_t low;
};

struct boundary {
    struct key start;
    struct zone_match match; /* from here to the next boundary */
};

struct family {
    struct boundary *boundaries; /* ascending */
    size_t count;
};

struct zone_table {
    struct family v4;
    struct family v6;
};

/* A network while the table is made. */
struct interval {
    struct key start;
    struct key end; /* the last address */
    size_t index;   /* in the caller's list */
    uint8_t prefix_bits;
    struct zone_match match;
};

static struct key key_of(const struct ip *ip)
{
    return (struct key){.high = __builtin_bswap64(bytes_get64(ip->bytes)),
                        .low = __builtin_bswap64(bytes_get64(ip->bytes + 8))};
}

static bool key_before(struct key a, struct key b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static bool key_equal(struct key a, struct key b)
{
    return a.high == b.high && a.low == b.low;
}

static struct key key_next(struct key k)
{
    k.low++;
    k.high += k.low == 0 ? 1 : 0;
    return k;
}

/* Ones where a prefix of `bits` of 64 leaves host bits. */
static uint64_t host_mask(unsigned bits)
{
    return bits >= 64 ? 0 : UINT64_MAX >> bits;
}

static struct interval interval_of(const struct zone_network *entry, size_t index)
{
    unsigned bits = entry->network.prefix_bits;
    struct key base = key_of(&entry->network.ip);
    uint64_t high = host_mask(bits);
    uint64_t low = host_mask(bits > 64 ? bits - 64 : 0);
    return (struct interval){
        .start = {.high = base.high & ~high, .low = base.low & ~low},
        .end = {.high = base.high | high, .low = base.low | low},
        .index = index,
        .prefix_bits = entry->network.prefix_bits,
        .match = entry->match,
    };
}

static bool is_v4_network(const struct network *net)
{
    return net->prefix_bits >= ZONE_V4_PREFIX_BITS && ip_is_v4(&net->ip);
}

/* Ascending start, the wider network first, then the order of the list. */
static int compare(const void *a, const void *b)
{
    const struct interval *x = a;
    const struct interval *y = b;
    if (!key_equal(x->start, y->start))
        return key_before(x->start, y->start) ? -1 : 1;
    if (x->prefix_bits != y->prefix_bits)
        return x->prefix_bits < y->prefix_bits ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void add_boundary(struct family *family, struct key start, struct zone_match match)
{
    /* A network that starts where another one starts or ended replaces what was said there. */
    if (family->count > 0 && key_equal(family->boundaries[family->count - 1].start, start))
        family->count--;
    family->boundaries[family->count++] = (struct boundary){.start = start, .match = match};
}

/* The open networks around the place that flatten() has come to, widest first. */
struct nest {
    const struct interval *open[ZONE_DEPTH_MAX];
    size_t depth;
};

static void close_innermost(struct family *family, struct nest *nest)
{
    const struct interval *closed = nest->open[--nest->depth];
    struct key next = key_next(closed->end);
    struct zone_match around = {0};
    if (nest->depth > 0)
        around = nest->open[nest->depth - 1]->match;
    if (!key_equal(next, (struct key){0}))
        add_boundary(family, next, around);
}

/* Needs sorted intervals and room for two boundaries each. */
static int flatten(struct family *family, const struct interval *intervals, size_t count,
                   size_t *bad)
{
    struct nest nest = {0};
    for (size_t i = 0; i < count; i++) {
        const struct interval *here = &intervals[i];
        if (i > 0 && key_equal(here[-1].start, here->start) &&
            here[-1].prefix_bits == here->prefix_bits) {
            *bad = here->index;
            return ERR_CONF;
        }
        while (nest.depth > 0 && key_before(nest.open[nest.depth - 1]->end, here->start))
            close_innermost(family, &nest);
        add_boundary(family, here->start, here->match);
        nest.open[nest.depth++] = here;
    }
    while (nest.depth > 0)
        close_innermost(family, &nest);
    return 0;
}

static int family_make(struct family *family, const struct zone_network *networks, size_t count,
                       bool v4, size_t *bad)
{
    int err = 0;
    size_t used = 0;
    struct interval *intervals = calloc(count + 1, sizeof(*intervals));
    family->boundaries = calloc(2 * count + 1, sizeof(*family->boundaries));
    if (intervals == NULL || family->boundaries == NULL) {
        err = ERR_NOMEM;
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_v4_network(&networks[i].network) == v4)
            intervals[used++] = interval_of(&networks[i], i);
    }
    qsort(intervals, used, sizeof(*intervals), compare);
    err = flatten(family, intervals, used, bad);
out:
    free(intervals);
    return err;
}

int zone_table_new(struct zone_table **out, const struct zone_network *networks, size_t count,
                   size_t *bad)
{
    if (count > ZONE_NETWORKS_MAX)
        return ERR_RANGE;
    struct zone_table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return ERR_NOMEM;
    int err = family_make(&table->v4, networks, count, true, bad);
    if (err == 0)
        err = family_make(&table->v6, networks, count, false, bad);
    if (err != 0) {
        zone_table_free(table);
        return err;
    }
    *out = table;
    return 0;
}

void zone_table_free(struct zone_table *table)
{
    if (table == NULL)
        return;
    free(table->v4.boundaries);
    free(table->v6.boundaries);
    free(table);
}

struct zone_match zone_find(const struct zone_table *table, const struct ip *ip)
{
    const struct family *family = ip_is_v4(ip) ? &table->v4 : &table->v6;
    struct key key = key_of(ip);
    if (family->count == 0 || key_before(key, family->boundaries[0].start))
        return (struct zone_match){0};
    /* The boundary at `at` is at or below the address; addresses are random, so no branches. */
    const struct boundary *at = family->boundaries;
    size_t left = family->count;
    while (left > 1) {
        size_t half = left / 2;
        at += key_before(key, at[half].start) ? 0 : half;
        left -= half;
    }
    return at->match;
}
