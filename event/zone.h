/*
 * event/zone.h - which of a tenant's networks an address lies in.
 *
 *   198.51.100.0/24  office         boundaries  .0 office  .64 servers  .80 office  next: none
 *   198.51.100.64/28 servers               a lookup is the last boundary at or below the address
 *
 * The networks, which nest but cannot otherwise overlap, are flattened into boundaries once, so a
 * lookup is one binary search and the longest prefix wins by construction. IPv4 and IPv6 have
 * separate tables: ::/0 holds no IPv4 address.
 *
 * Ownership: the table copies the networks.
 * Threads:   immutable, any number of readers.
 * Failures:  ERR_CONF, ERR_RANGE, ERR_NOMEM when made; after that none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/value.h"

enum zone_limits {
    ZONE_NETWORKS_MAX = 65534,
};

/* What is said about a network; ids are the caller's, 0 = none. */
struct zone_match {
    uint16_t zone;
    uint16_t asset; /* class */
    bool excluded;  /* not to be watched */
};

struct zone_network {
    struct network network;
    struct zone_match match;
};

struct zone_table;

/*
 * Make a table; `count` may be 0. ERR_CONF when two entries are the same network: *bad (untouched
 * otherwise) is the index of the later one. ERR_RANGE for more than ZONE_NETWORKS_MAX.
 */
int zone_table_new(struct zone_table **out, const struct zone_network *networks, size_t count,
                   size_t *bad);
/* NULL is allowed. */
void zone_table_free(struct zone_table *table);

/* What the narrowest network around the address says; all zero when there is none. */
struct zone_match zone_find(const struct zone_table *table, const struct ip *ip);
