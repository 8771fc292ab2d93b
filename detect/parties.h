/*
 * detect/parties.h - private to detect/: which municipalities took part in the groups of the
 * prefecture's correlations, and where their first row stands.
 *
 *   parties_join(group, flow)    a row joined the group
 *   parties_next(group, ...)     everybody with a row in the window, in the order of first sight
 *
 * One flat block; where places run out, the party that was not met for longest gives up its own.
 *
 * Ownership: the caller's block, parties_bytes() long.
 * Threads:   one owner.
 * Failures:  a topic that finds no place is counted in `lost`; evictions of the table are counted.
 */
#pragma once

#include "detect/flow.h"
#include "detect/table.h"

enum party_limits {
    PARTY_TOPICS_MAX = 4096, /* sources of all municipalities */
    PARTY_TENANTS_MAX = 2048,
    PARTY_TOPIC_BYTES_MAX = 250,
    PARTY_TOPIC_NONE = UINT16_MAX,
};

struct party {
    uint64_t key; /* of group and tenant */
    int64_t last_ns;
    int64_t arrival_ns; /* of the row below: the first since the window was empty */
    int64_t time_ns;
    int64_t offset;
    int32_t partition;
    uint32_t sub;
    uint32_t tenant;
    uint16_t topic;
    uint8_t important;
    uint8_t told; /* it has an alert of its own since then */
};

struct party_topic {
    uint32_t tenant;
    uint16_t len;
    char text[PARTY_TOPIC_BYTES_MAX];
};

struct parties {
    struct table table;
    uint64_t lost;
    uint32_t tenant_count;
    uint32_t topic_count;
    uint32_t tenants[PARTY_TENANTS_MAX];
    struct party_topic topics[PARTY_TOPICS_MAX];
};

/* For so many parties; 0 = no block at all. */
size_t parties_bytes(uint32_t parties);
void parties_init(struct parties *p, uint32_t parties);
void parties_gaps(const struct parties *p, struct gaps *out);

/* The number of a municipality's topic, a flow's log_source; PARTY_TOPIC_NONE: counted as lost. */
uint16_t parties_topic(struct parties *p, uint32_t tenant, struct slice topic);
struct slice parties_topic_text(const struct parties *p, uint32_t topic);

/* The party of a row that joined a group at `now_ns`; the window begins behind `from_ns`. */
struct party *parties_join(struct parties *p, uint64_t group, const struct flow *flow,
                           int64_t now_ns, int64_t from_ns);
/* Parties that gave up their place, topics and signals that found none. */
uint64_t parties_losses(const struct parties *p);
/* *at starts at 0; NULL at the end. */
struct party *parties_next(struct parties *p, uint64_t group, int64_t from_ns, uint32_t *at);
