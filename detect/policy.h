/*
 * detect/policy.h - what may pass between the zones of a municipality, and who is to be told.
 *
 *   place   0 in no zone   1.. zones of the configuration   POLICY_PLACE_WORLD the Internet
 *
 *   line -> places of both ends -> the matrix's rule -> gateway? flow? named cloud? -> verdict
 *
 * The matrix has a rule for every two places: the model's, or one that the municipality wrote. What
 * a rule leaves open is opened by registered gateways (either end is one, and it joins the other
 * end's zone), registered flows (特定通信) and named clouds. Nothing opens the way between the
 * My-Number segment and the Internet.
 *
 * Ownership: policy_new() copies what it is given; names too.
 * Threads:   immutable once made.
 * Failures:  ERR_CONF after every fault was told, ERR_NOMEM; judging has none.
 */
#pragma once

#include "base/buf.h"
#include "detect/policy_hours.h"
#include "detect/policy_model.h"
#include "event/zone.h"

enum policy_limits {
    POLICY_ZONES_MAX = 62,
    POLICY_PLACE_WORLD = POLICY_ZONES_MAX + 1,
    POLICY_PLACES = POLICY_ZONES_MAX + 2,
    POLICY_GATEWAYS_MAX = 256,
    POLICY_FLOWS_MAX = 256,
    POLICY_CLOUDS_MAX = 1024,
    POLICY_CELLS_MAX = 1024,
    POLICY_PORTS_MAX = 8, /* ranges of one flow */
    POLICY_GATEWAY_ADDRESSES_MAX = 256,
    POLICY_GRACE_MINUTES = 10, /* a session's line comes when it is over */
};

/* One end of a registered flow, or a cloud. */
struct policy_end {
    enum {
        POLICY_END_PLACE,
        POLICY_END_NETWORK,
        POLICY_END_DOMAIN, /* with what is under it */
    } type;
    uint8_t place;
    struct network network;
    struct slice domain; /* lower case */
};

struct policy_zone {
    struct slice name;
    uint8_t kind; /* enum policy_kind */
};

struct policy_gateway {
    struct slice name;
    struct slice reason; /* needed where the model does not foresee its role */
    struct network network;
    uint64_t joins; /* bits of places */
    uint8_t role;   /* enum policy_role */
};

struct policy_ports {
    uint16_t first;
    uint16_t last;
};

/* 特定通信. */
struct policy_flow {
    struct slice name;
    struct slice reason; /* needed where the model foresees no such flow */
    struct policy_end from;
    struct policy_end to;
    struct policy_ports ports[POLICY_PORTS_MAX];
    uint8_t port_count; /* 0 = any */
    uint8_t protocol;   /* IANA number; 0 = any */
    struct policy_hours hours;
    int64_t until_ns; /* from then on it is over; INT64_MAX = never */
};

struct policy_cloud {
    struct slice name;
    struct policy_end to; /* a network or a domain */
};

/* A rule that the municipality wrote in place of the model's. */
struct policy_line {
    uint8_t from;
    uint8_t to;
    uint8_t rule;
    struct slice reason; /* needed where it allows more than the model */
};

/* Everything that was written down; arrays are borrowed for the call. */
struct policy_options {
    enum policy_model model;
    const struct policy_zone *zones; /* place = index + 1 */
    size_t zone_count;
    const struct zone_network *networks; /* as the zone table has them */
    size_t network_count;
    const struct policy_gateway *gateways;
    size_t gateway_count;
    const struct policy_flow *flows;
    size_t flow_count;
    const struct policy_cloud *clouds;
    size_t cloud_count;
    const struct policy_line *lines;
    size_t line_count;
};

/* Of which list a fault is. */
enum policy_part {
    POLICY_PART_ZONE,
    POLICY_PART_NETWORK,
    POLICY_PART_GATEWAY,
    POLICY_PART_FLOW,
    POLICY_PART_CLOUD,
    POLICY_PART_LINE,
};

/* Gets every fault: what is wrong with an item, and what would be right. */
struct policy_reader {
    void (*fault)(void *self, enum policy_part part, size_t index, const char *text);
    void *self;
};

struct policy;

/* Check for contradictions (detect/policy_check.h lists them) and make the matrix. */
int policy_new(struct policy **out, const struct policy_options *options,
               const struct policy_reader *reader);
/* NULL is allowed. */
void policy_free(struct policy *p);

/* What a line says. */
struct policy_facts {
    int64_t time_ns;
    const struct ip *source;      /* NULL = not said */
    const struct ip *destination; /* NULL = a name only, or nothing */
    struct slice domain;          /* lower case; empty = none */
    uint16_t source_zone;         /* id of the zone table; 0 = none */
    uint16_t destination_zone;
    uint16_t port; /* of the destination; 0 = not said */
    uint8_t protocol;
    bool source_inside; /* one of the municipality's addresses, in a zone or not */
    bool destination_inside;
    bool refused;
    bool lgwan; /* of a firewall before the LGWAN: what is in no zone is the LGWAN's */
};

enum policy_verdict {
    POLICY_UNJUDGED, /* not this municipality's, an address of no host, noise from outside */
    POLICY_PERMITTED,
    POLICY_AGAINST,  /* the device let it through, the policy does not */
    POLICY_ATTEMPT,  /* the policy does not, and the device refused it */
    POLICY_HOMELESS, /* an address in no zone */
};

/* Which rule decided. */
enum policy_cause {
    POLICY_BY_ZONE,    /* both ends in one zone */
    POLICY_BY_MODEL,   /* the matrix, as the model has it */
    POLICY_BY_LINE,    /* the matrix, as the municipality wrote it: `item` */
    POLICY_BY_GATEWAY, /* `item` */
    POLICY_BY_FLOW,    /* `item` */
    POLICY_BY_CLOUD,   /* `item` */
    POLICY_BY_EXPIRY,  /* flow `item` fits, but is over */
    POLICY_BY_HOURS,   /* flow `item` fits, but not at this hour */
    POLICY_BY_NOWHERE, /* an address in no zone */
};

struct policy_judgement {
    uint8_t verdict; /* enum policy_verdict */
    uint8_t cause;   /* enum policy_cause */
    uint8_t rule;    /* enum policy_rule between the two places */
    uint8_t from;    /* places */
    uint8_t to;
    uint8_t from_kind; /* enum policy_kind */
    uint8_t to_kind;
    uint16_t item;
};

struct policy_judgement policy_judge(const struct policy *p, const struct policy_facts *facts);

/* An address that no host has: unspecified, broadcast, multicast, loopback, link-local. */
bool policy_is_no_host(const struct ip *ip);

enum policy_model policy_model_of(const struct policy *p);
unsigned policy_zone_count(const struct policy *p);
enum policy_kind policy_place_kind(const struct policy *p, unsigned place);
/* A zone's name; "Internet" and "none" for the two places that are no zone. */
struct slice policy_place_name(const struct policy *p, unsigned place);
/* The rule between two places; *line (may be NULL) is the municipality's, or NULL. */
enum policy_rule policy_between(const struct policy *p, unsigned from, unsigned to,
                                const struct policy_line **line);
/* The lists as they were given. */
const struct policy_options *policy_lists(const struct policy *p);

/* Append the rule that decided, as a sentence without its end. */
void policy_explain(struct buf *out, const struct policy *p, const struct policy_judgement *j,
                    bool japanese);
