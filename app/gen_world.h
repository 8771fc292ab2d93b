/*
 * app/gen_world.h - the invented prefecture 99: municipalities, networks, devices, destinations.
 *
 *   tenant  10.X.0.0/18    インターネット接続系   PCs from 10.X.1.2
 *           10.X.64.0/24   DMZ                    web .10, mail .20, dns .53, proxies .80-.81
 *           10.X.128.0/18  LGWAN接続系            update gateway 10.X.128.10
 *           10.X.192.0/18  学校 (excluded)
 *           192.168.0.0/16 マイナンバー利用事務系
 *           198.51.100.0/24 one address that the inside is translated to
 *           192.0.2.0/24   eight addresses of published servers
 *
 * X repeats among municipalities, as private networks do. The Internet is 198.18.0.0/15:
 *
 *           198.18.0.0/16 destinations   198.19.0.0/17 visitors   198.19.128.0/18 noise
 *           198.19.192.0/18 and 203.0.113.0/24 what is planted
 *
 * Ownership: the world owns everything it returns pointers to, until gen_world_release().
 * Threads:   immutable once made, but for gen_world_plant().
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/gen_calendar.h"
#include "app/gen_flow.h"
#include "app/gen_options.h"
#include "app/gen_random.h"
#include "base/slice.h"

enum gen_world_limits {
    GEN_SOURCES_MAX = 7, /* of a tenant */
    GEN_NETWORKS_MAX = 6,
    GEN_DEST_SERVICES = 16,  /* the first ones: machines' own destinations, enum gen_service_dest */
    GEN_DESTS = 20000,       /* then those that people visit, the most popular first */
    GEN_DEST_TAIL = 1 << 24, /* from here on: computed from the number, never in the table */
    GEN_DEST_PLANTED = 1 << 30,
    GEN_PLANTED_MAX = 20000,
};

#define GEN_DEST_BASE    UINT32_C(0xC6120000) /* 198.18.0.0/16 */
#define GEN_VISITOR_BASE UINT32_C(0xC6130000) /* 198.19.0.0/17 */
#define GEN_NOISE_BASE   UINT32_C(0xC6138000) /* 198.19.128.0/18 */
#define GEN_PLANTED_BASE UINT32_C(0xC613C000) /* 198.19.192.0/18 */
#define GEN_LGWAN_BASE   UINT32_C(0x0AF00000) /* 10.240.0.0/23: the LGWAN's other members */
#define GEN_ATTACK_BASE  UINT32_C(0xCB007100) /* 203.0.113.0/24 */
#define GEN_NUMBER_BASE  UINT32_C(0xC0A80000) /* 192.168.0.0/16 */

/* Destinations of machines: fixed numbers below GEN_DEST_SERVICES. */
enum gen_service_dest {
    GEN_DEST_ANTIVIRUS,
    GEN_DEST_CRL,
    GEN_DEST_OCSP,
    GEN_DEST_UPDATE,
    GEN_DEST_WEATHER,
    GEN_DEST_PUSH,
    GEN_DEST_TELEMETRY,
    GEN_DEST_GROUPWARE,
    GEN_DEST_NTP,
    GEN_DEST_RESOLVER_1,
    GEN_DEST_RESOLVER_2,
    GEN_DEST_MAIL,
    GEN_DEST_BACKUP,
    GEN_DEST_PLATFORM, /* update platform of the LGWAN segment */
    GEN_DEST_OWN_SITE, /* the municipality's own web server, for inbound traffic */
    GEN_DEST_NAMELESS, /* an address without a name */
};

struct gen_source {
    char name[16];   /* as in topics and files: fw1, proxy1, upper1 */
    char device[32]; /* as in lines */
    uint32_t serial;
    uint32_t address; /* inside */
    uint8_t format;   /* enum gen_format */
    bool upper;       /* the second of two proxies in series: sees only the first */
    bool lgwan;       /* the firewall before the LGWAN: of class lgwan_deny */
};

struct gen_network {
    char cidr[24];
    const char *zone;
    const char *asset; /* class */
    bool exclude;      /* nobody watches it */
};

struct gen_tenant {
    uint32_t code;  /* six digits with its check digit */
    char name[32];  /* Japanese, UTF-8 */
    char label[24]; /* the same in Latin letters */
    const char *model;
    uint32_t index;
    uint32_t pcs;        /* that it has */
    uint32_t active;     /* of them, that are simulated: numbers 0..active-1 */
    uint32_t inside;     /* 10.X.0.0 */
    uint32_t translated; /* what the Internet sees of PCs and proxies */
    uint32_t published;  /* first of eight */
    uint32_t failure_permille;
    struct gen_source sources[GEN_SOURCES_MAX];
    struct gen_network networks[GEN_NETWORKS_MAX];
    uint8_t source_count;
    uint8_t network_count;
    uint8_t firewalls;         /* sources 0..firewalls-1 */
    uint8_t proxies;           /* the next ones */
    bool series;               /* one source is an upper proxy: gen_world_upper() */
    bool lgwan;                /* the last source is the firewall before the LGWAN */
    uint32_t session_permille; /* of proxied requests: those the firewall writes a session for */
    uint32_t filter_permille;  /* and those its web filter writes a line for */
    uint32_t machine_permille; /* of what does not pass the proxy: what is there at all */
    uint32_t lines_permille;   /* lines of all sources per 1,000 requests of PCs, about */
};

struct gen_dest {
    char name[64];
    uint32_t number;
    struct gen_address address;
    uint8_t name_len;
    uint8_t category; /* row of gen_category() */
    bool tls;
    bool service; /* a machine's destination: its path is the same each time */
};

struct gen_category {
    uint16_t fortiguard;
    uint16_t i_filter;
    const char *fortinet;
    const char *panos;
};

struct gen_world {
    uint64_t seed;
    uint32_t tenant_count;
    struct gen_tenant *tenants;
    struct gen_dest *dests;
    struct gen_dest *planted;
    uint32_t planted_count;
    struct gen_zipf zipf; /* over what people visit: rank 0 is GEN_DEST_SERVICES */
    struct gen_curves curves;
    uint32_t share[GEN_FORMATS];
    bool open_daily; /* no weekends, no holidays */
};

/* Whether people work on that day. */
static inline bool gen_world_open(const struct gen_world *w, int64_t day)
{
    return w->open_daily || gen_calendar_open(day);
}

/* `hosts_permillion` of the PCs are simulated, at least eight a municipality. */
int gen_world_init(struct gen_world *w, const struct gen_options *o, uint32_t hosts_permillion);
void gen_world_release(struct gen_world *w);

/* The destination of that number; `scratch` is filled and returned for those in no table. */
const struct gen_dest *gen_world_dest(const struct gen_world *w, uint32_t dest,
                                      struct gen_dest *scratch);
/*
 * Add a destination under a name and an address of its own; *out is its number. ERR_NOMEM past
 * GEN_PLANTED_MAX.
 */
int gen_world_plant(uint32_t *out, struct gen_world *w, struct slice name, uint32_t address);
const struct gen_category *gen_world_category(uint8_t category);

/* Address of PC number `host` in a network whose third octets start at `octet`. */
static inline uint32_t gen_world_address(uint32_t network, uint32_t octet, uint32_t host)
{
    return network + ((octet + host / 250) << 8) + host % 250 + 2;
}

static inline uint32_t gen_world_pc(const struct gen_tenant *t, uint32_t host)
{
    return gen_world_address(t->inside, 1, host);
}

/* Sources before the Internet; behind them stands the firewall before the LGWAN, if there is one. */
static inline uint8_t gen_world_sources(const struct gen_tenant *t)
{
    return (uint8_t)(t->source_count - t->lgwan);
}

/* The upper of two proxies in series. */
static inline uint8_t gen_world_upper(const struct gen_tenant *t)
{
    return (uint8_t)(gen_world_sources(t) - 1);
}

/* The six digits of a municipality, from five. */
uint32_t gen_world_code(uint32_t five);
