/*
 * detect/flow.h - one row as detectors see it: who met whom, when, and what the device did.
 *
 * Made from a batch column by column (detect/flow_read.c), so that a detector never looks at
 * columns. A row that could not be parsed is a flow, too, with FLOW_UNPARSED and little else.
 *
 * Ownership: plain data; text ids are answered by detect_text() during the call that got the flow.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "event/batch.h"

/* Seen from the municipality's networks (configured ones, else the private ranges). */
enum flow_direction {
    FLOW_NOWHERE = 0, /* an address is missing */
    FLOW_OUT,         /* from inside to outside */
    FLOW_IN,          /* from outside to inside */
    FLOW_INSIDE,      /* both inside */
    FLOW_PASSING,     /* both outside: a log of translated addresses */
};

enum flow_flag {
    FLOW_HAS_SOURCE = 1 << 0,
    FLOW_HAS_DESTINATION = 1 << 1, /* an address; a proxy's line may have only a domain */
    FLOW_REFUSED = 1 << 2,         /* deny, drop, reset, block */
    FLOW_FAILED = 1 << 3,          /* let through, but nothing came back */
    FLOW_WEB = 1 << 4,             /* a request: it has url.domain or url.original */
    FLOW_SHARED_SOURCE = 1 << 5,   /* the source is a proxy, NAT or gateway: many people */
    FLOW_EXCLUDED = 1 << 6,        /* an address in a network nobody wants watched: never alert */
    FLOW_UNPARSED = 1 << 7,
    FLOW_LOGIN_FAILED = 1 << 8, /* at the device itself or a service that it guards */
    FLOW_LOGIN_DONE = 1 << 9,
    FLOW_NO_TIME = 1 << 10, /* the line had no time of its own: time_ns is arrival's */
    FLOW_LATE = 1 << 11,    /* its time is older than the tenant's watermark */
    FLOW_BEGINS = 1 << 12,  /* a session's beginning or middle: its bytes count at its end */
    FLOW_LGWAN = 1 << 13,   /* of a source of class lgwan_deny: event/source_class.h */
};

struct flow {
    int64_t time_ns;
    int64_t arrival_ns;
    uint64_t source_key;      /* keyed hash of source; 0 = none */
    uint64_t destination_key; /* of the registrable domain, else of the address; 0 = none */
    struct ip source;
    struct ip destination;
    int64_t source_bytes;      /* client to server; -1 = not said */
    int64_t destination_bytes; /* server to client; -1 = not said */
    int64_t offset;
    int32_t partition;
    uint32_t sub;
    uint32_t domain;     /* text ids; 0 = none: host as asked for */
    uint32_t registered; /* its registrable domain */
    uint32_t url;        /* only where an indicator hit it */
    uint32_t user;
    uint32_t hit; /* handle of detect_indicators(), live at time_ns; 0 = none */
    uint16_t flags;
    uint16_t source_port; /* 0 = none */
    uint16_t destination_port;
    uint16_t source_zone; /* id of the tenant's zone; 0 = in none */
    uint16_t destination_zone;
    uint16_t log_source; /* of the tenant, from 0: detect_source_name() */
    uint8_t protocol;    /* IANA number; 0 = not said */
    uint8_t verdict;     /* enum verdict */
    uint8_t direction;   /* enum flow_direction */
    uint8_t format;      /* batch.format: detect_format_name() */
    uint8_t important;   /* steps by which an asset class at either end raises severity */
};
