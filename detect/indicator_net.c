#include "detect/indicator_net.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    V4_PREFIX_BITS = 96,
    MAP_BITS = 16,
};

/* An address as a number; IPv4 in the low 32 bits. */
struct key {
    uint64_t high;
    uint64_t low;
};

static struct key key_of(const struct ip *ip)
{
    if (ip_is_v4(ip))
        return (struct key){.low = ip_v4(ip)};
    return (struct key){.high = __builtin_bswap64(bytes_get64(ip->bytes)),
                        .low = __builtin_bswap64(bytes_get64(ip->bytes + 8))};
}

static bool is_v4_network(const struct network *net)
{
    return net->prefix_bits >= V4_PREFIX_BITS && ip_is_v4(&net->ip);
}

static bool starts_after(const struct indicator_net *n, struct key key)
{
    return n->high != key.high ? n->high > key.high : n->low > key.low;
}

static bool holds(const struct indicator_net *n, struct key key)
{
    unsigned bits = n->bits;
    uint64_t high = bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
    uint64_t low = bits <= 64 ? 0 : bits >= 128 ? UINT64_MAX : ~(UINT64_MAX >> (bits - 64));
    return ((n->high ^ key.high) & high) == 0 && ((n->low ^ key.low) & low) == 0;
}

/* Ascending start, the wider first. */
static int compare(const void *a, const void *b)
{
    const struct indicator_net *x = a;
    const struct indicator_net *y = b;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return x->bits < y->bits ? -1 : x->bits > y->bits;
}

/* Give each of the sorted networks of a family its parent; `base` is where the family starts. */
static void link_parents(struct indicator_net *items, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        struct key start = {.high = items[i].high, .low = items[i].low};
        uint32_t around = i == from ? INDICATOR_NET_NONE : (uint32_t)(i - 1);
        while (around != INDICATOR_NET_NONE && !holds(&items[around], start))
            around = items[around].parent;
        items[i].parent = around;
    }
}

static void mark(uint64_t *map, const struct indicator_net *n)
{
    unsigned bits = n->bits - (unsigned)V4_PREFIX_BITS;
    uint32_t first = (uint32_t)(n->low >> MAP_BITS);
    uint32_t count = bits >= MAP_BITS ? 1 : UINT32_C(1) << (MAP_BITS - bits);
    for (uint32_t i = first; i < first + count; i++)
        map[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Networks of one family to the end of `nets`. */
static void take_family(struct indicator_nets *nets, const struct network *networks,
                        const uint32_t *entries, size_t count, bool v4)
{
    size_t from = nets->count;
    for (size_t i = 0; i < count; i++) {
        if (is_v4_network(&networks[i]) != v4)
            continue;
        struct key key = key_of(&networks[i].ip);
        nets->items[nets->count++] = (struct indicator_net){
            .high = key.high,
            .low = key.low,
            .entry = entries[i],
            .bits = networks[i].prefix_bits,
        };
    }
    if (nets->count - from > 1)
        qsort(nets->items + from, nets->count - from, sizeof(*nets->items), compare);
    link_parents(nets->items, from, nets->count);
}

int indicator_nets_make(struct indicator_nets *out, const struct network *networks,
                        const uint32_t *entries, size_t count)
{
    struct indicator_nets nets = {0};
    if (count == 0) {
        *out = nets;
        return 0;
    }
    nets.items = calloc(count, sizeof(*nets.items));
    nets.map = calloc(INDICATOR_NET_MAP_WORDS, sizeof(*nets.map));
    if (nets.items == NULL || nets.map == NULL) {
        indicator_nets_release(&nets);
        return ERR_NOMEM;
    }
    take_family(&nets, networks, entries, count, true);
    nets.v4_count = nets.count;
    for (size_t i = 0; i < nets.v4_count; i++)
        mark(nets.map, &nets.items[i]);
    take_family(&nets, networks, entries, count, false);
    *out = nets;
    return 0;
}

void indicator_nets_release(struct indicator_nets *nets)
{
    free(nets->items);
    free(nets->map);
    *nets = (struct indicator_nets){0};
}

uint32_t indicator_nets_find(const struct indicator_nets *nets, const struct ip *ip)
{
    if (nets->count == 0)
        return INDICATOR_NET_NONE;
    bool v4 = ip_is_v4(ip);
    struct key key = key_of(ip);
    if (v4) {
        uint32_t block = (uint32_t)(key.low >> MAP_BITS);
        if ((nets->map[block / 64] >> (block % 64) & 1) == 0)
            return INDICATOR_NET_NONE;
    }
    size_t at = v4 ? 0 : nets->v4_count;
    size_t left = v4 ? nets->v4_count : nets->count - nets->v4_count;
    if (left == 0 || starts_after(&nets->items[at], key))
        return INDICATOR_NET_NONE;
    /* The network at `at` starts at or below the address; addresses are random, so no branches. */
    while (left > 1) {
        size_t half = left / 2;
        at += starts_after(&nets->items[at + half], key) ? 0 : half;
        left -= half;
    }
    uint32_t found = (uint32_t)at;
    while (found != INDICATOR_NET_NONE && !holds(&nets->items[found], key))
        found = nets->items[found].parent;
    return found;
}
