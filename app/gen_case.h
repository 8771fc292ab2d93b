/*
 * app/gen_case.h - what one planted case consists of; every kind is one row of a table.
 *
 * A case is a template of a flow that is repeated: so many steps, so far apart, with one thing that
 * varies from step to step. Beside each case stands a look-alike, which resembles it in what a naive
 * detector counts and must not alert.
 *
 * Ownership: plain values; planted destinations belong to the world.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_NOTFOUND when no municipality has the devices that would see it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/gen_flow.h"
#include "app/gen_options.h"
#include "app/gen_random.h"
#include "app/gen_world.h"

enum gen_case_limits {
    GEN_KEYS_MAX = 3,
    GEN_INDICATORS_MAX = 1000,
};

enum gen_vary {
    GEN_VARY_NOTHING,
    GEN_VARY_SERVER,    /* server + step */
    GEN_VARY_PORT,      /* another port of the server */
    GEN_VARY_PUBLISHED, /* the eight published addresses and the usual ports */
    GEN_VARY_DEST,      /* the most popular destinations one after the other */
    GEN_VARY_CLIENT,    /* client + random */
    GEN_VARY_HOST,      /* `hosts` PCs from the first on, in turn */
    GEN_VARY_LOGIN,     /* another user each time */
    GEN_VARY_LGWAN,     /* hosts of the LGWAN segment, in turn */
    GEN_VARY_TENANT,    /* `hosts` municipalities from the first on, in turn, a host of each */
};

enum gen_indicator {
    GEN_INDICATOR_NONE,
    GEN_INDICATOR_IP,
    GEN_INDICATOR_DOMAIN,
    GEN_INDICATOR_URL,
    GEN_INDICATORS,
};

struct gen_key {
    const char *name; /* ECS */
    char value[96];
};

struct gen_case {
    struct gen_random random;
    struct gen_flow flow; /* template; its time is the beginning */
    int64_t gap_ns;       /* between steps */
    int64_t duration_ns;  /* planned, from the first step to the last */
    int64_t first_ns;     /* of the lines that came out; CLOCK_NONE before the first */
    int64_t last_ns;
    uint64_t lines;
    uint32_t steps;
    uint32_t done;
    uint32_t number; /* of its kind, from 1 */
    uint32_t gap_jitter_permille;
    uint32_t denied_permille; /* of the steps, where the template is no denial itself */
    uint32_t size_jitter_permille;
    uint16_t hosts;
    uint8_t kind;           /* enum gen_case_kind */
    uint8_t vary;           /* enum gen_vary */
    uint8_t at_source;      /* of a silence or a drift: which of the tenant's */
    uint8_t indicator_type; /* what stands on a list */
    bool web;               /* a request rather than a session */
    bool look_alike;
    bool fixed_salt; /* the same URL each time */
    bool anytime;    /* not bound to working hours */
    char indicator[96];
    struct gen_key keys[GEN_KEYS_MAX];
    uint8_t key_count;
};

/* The detector that has to speak up: alert.kind. */
const char *gen_case_detector(enum gen_case_kind kind);

/* Whether it is about a log source, and has no lines of its own. */
static inline bool gen_case_of_source(uint8_t kind)
{
    return kind == GEN_SILENCE || kind == GEN_DRIFT;
}

/* Lines that a case and its look-alike make together, about. */
uint32_t gen_case_lines(enum gen_case_kind kind);

/* Whether that municipality has the devices that see such a case. */
bool gen_case_fits(const struct gen_tenant *t, enum gen_case_kind kind);

/*
 * Fill in everything but the beginning: needs kind, number, look_alike, the random stream and
 * flow.tenant; `span_ns` is the time there is.
 */
int gen_case_plan(struct gen_case *c, struct gen_world *w, int64_t span_ns);
