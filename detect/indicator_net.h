/*
 * detect/indicator_net.h - private to detect/: which networks of a few thousand hold an address.
 *
 *   sorted by first address, the wider first; each knows the narrowest one around it (parent)
 *
 *   192.0.2.0/24  parent none        The last network that starts at or below the address is the
 *   192.0.2.64/26 parent 0           narrowest one that holds it, or one around that one is, or
 *   198.51.100.0/24 parent none      none: networks nest and cannot overlap otherwise.
 *
 * One binary search and a walk of at most as many steps as networks nest. For IPv4 a bitmap of the
 * 65,536 /16s answers most addresses that are in none.
 *
 * Ownership: the index owns its arrays; a zeroed struct is an empty one.
 * Threads:   immutable once made.
 * Failures:  ERR_NOMEM when made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/value.h"

enum indicator_net_limits {
    INDICATOR_NET_MAP_WORDS = 65536 / 64,
};

#define INDICATOR_NET_NONE UINT32_MAX

struct indicator_net {
    uint64_t high; /* of the first address; IPv4: 0 */
    uint64_t low;
    uint32_t entry;  /* the caller's */
    uint32_t parent; /* place in the array, or INDICATOR_NET_NONE */
    uint8_t bits;    /* prefix of 0..128 */
};

struct indicator_nets {
    struct indicator_net *items;
    size_t count;
    size_t v4_count; /* they come first */
    uint64_t *map;   /* /16s of IPv4 with a network; NULL without any */
};

/* Make the index of `count` networks that are all different; entries[i] goes with networks[i]. */
int indicator_nets_make(struct indicator_nets *out, const struct network *networks,
                        const uint32_t *entries, size_t count);
void indicator_nets_release(struct indicator_nets *nets);

/* The place of the narrowest network around the address, or INDICATOR_NET_NONE; then .parent. */
uint32_t indicator_nets_find(const struct indicator_nets *nets, const struct ip *ip);
