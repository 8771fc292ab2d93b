/*
 * app/gen_flow.h - one thing that happened, before any device has written a line about it.
 *
 * Ownership: plain values; names are found through the world by number.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * IPv4 in host order; or, with `v6`, 2001:db8:HHHH:LLLL::1 where HHHHLLLL is the value.
 */
struct gen_address {
    uint32_t value;
    bool v6;
};

enum gen_flow_kind {
    GEN_FLOW_END,        /* a session that was allowed, at its end */
    GEN_FLOW_START,      /* the same at its beginning, where devices write that */
    GEN_FLOW_FAILED,     /* allowed, but nobody answered or the peer refused */
    GEN_FLOW_DENY,       /* refused by the firewall */
    GEN_FLOW_WEB,        /* the firewall's web filter saw a URL */
    GEN_FLOW_APP,        /* the firewall recognised an application */
    GEN_FLOW_DNS,        /* the firewall's DNS filter saw a query */
    GEN_FLOW_IPS,        /* the firewall's signatures matched */
    GEN_FLOW_LOGIN_FAIL, /* a login to the VPN of the firewall */
    GEN_FLOW_LOGIN,
    GEN_FLOW_HTTP, /* a request at a proxy */
    GEN_FLOW_KINDS,
};

/* The way through the firewall; gen_text.c knows the interfaces, zones and rules of each. */
enum gen_path {
    GEN_PATH_OUT,        /* PC to the Internet */
    GEN_PATH_PROXY,      /* proxy to the Internet */
    GEN_PATH_SERVER,     /* DMZ to the Internet: DNS, NTP, mail */
    GEN_PATH_IN,         /* Internet to a published server */
    GEN_PATH_INSIDE,     /* PC to the DMZ */
    GEN_PATH_LGWAN,      /* LGWAN segment to the Internet */
    GEN_PATH_NUMBER,     /* My-Number segment to the Internet */
    GEN_PATH_SCHOOL,     /* school network to the Internet */
    GEN_PATH_TO_LGWAN,   /* LGWAN segment to another member of the LGWAN */
    GEN_PATH_FROM_LGWAN, /* another member to the LGWAN segment */
    GEN_PATHS,
};

/* Seen by the firewall before the LGWAN, not by that before the Internet. */
static inline bool gen_path_is_lgwan(uint8_t path)
{
    return path == GEN_PATH_TO_LGWAN || path == GEN_PATH_FROM_LGWAN;
}

/* Whether the far end is no address of the Internet. */
static inline bool gen_path_stays_inside(uint8_t path)
{
    return path == GEN_PATH_INSIDE || gen_path_is_lgwan(path);
}

enum gen_flow_limits {
    GEN_HOST_NONE = UINT16_MAX, /* no PC and no person behind it */
    GEN_CASE_NONE = UINT16_MAX,
};

struct gen_flow {
    int64_t time_ns; /* of the line */
    uint64_t salt;   /* random bits that choose what the writers make up: paths, ids */
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint32_t duration_ms;
    uint32_t dest; /* destination in the world (name, category) */
    struct gen_address client;
    struct gen_address server;
    uint16_t client_port;
    uint16_t server_port;
    uint16_t tenant;
    uint16_t host;    /* PC of the tenant, or GEN_HOST_NONE */
    uint16_t planted; /* case, or GEN_CASE_NONE */
    uint16_t status;  /* HTTP status */
    uint8_t source;   /* of the tenant */
    uint8_t kind;     /* enum gen_flow_kind */
    uint8_t path;     /* enum gen_path */
    uint8_t protocol; /* IANA number */
    uint8_t agent;    /* which browser the person has */
    bool blocked;     /* refused by a content filter */
    bool tls;
    bool upload; /* the request carries a body: POST */
};
