/*
 * app/gen_session.h - what people and machines of a municipality do from hour to hour.
 *
 * Every PC has working hours of its own, a browser that loads pages in bursts, and up to four
 * periodic services; every municipality has visitors, noise from the Internet and servers. An
 * actor is woken, hands its communications to gen_traffic, and says when to be woken again.
 *
 * Ownership: owns the actors; borrows world and traffic, which outlive it.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdint.h>

#include "app/gen_queue.h"
#include "app/gen_random.h"
#include "app/gen_traffic.h"
#include "app/gen_world.h"

enum gen_session_limits {
    GEN_HOST_SERVICES = 4,
};

struct gen_host {
    struct gen_random random;
    int64_t browse_ns;
    int64_t service_ns[GEN_HOST_SERVICES]; /* INT64_MAX: no such service */
    int64_t until_ns;                      /* end of the present working hours */
    uint32_t site;                         /* of the page that is loading */
    uint16_t tenant;
    uint16_t number; /* in its municipality */
    uint8_t service[GEN_HOST_SERVICES];
    uint8_t burst; /* requests that the page still needs */
    uint8_t role;
};

/* A municipality's own activity: visitors, noise, servers. */
struct gen_background {
    struct gen_random random;
    uint16_t tenant;
    uint8_t kind;
};

struct gen_session {
    const struct gen_world *world;
    struct gen_traffic *traffic;
    struct gen_queue queue; /* tag: host, or hosts + background */
    struct gen_host *hosts;
    struct gen_background *backgrounds;
    uint32_t host_count;
    uint32_t background_count;
    uint32_t rate_permille; /* of the natural rate */
};

int gen_session_init(struct gen_session *s, const struct gen_world *world,
                     struct gen_traffic *traffic, int64_t start_ns, uint32_t rate_permille);
void gen_session_release(struct gen_session *s);

/* When the next actor wakes; INT64_MAX never happens, there is always noise. */
static inline int64_t gen_session_time(const struct gen_session *s)
{
    return gen_queue_time(&s->queue);
}

/* Wake it. All lines it causes are at that time or later. */
int gen_session_step(struct gen_session *s);

/* The first nanosecond at or after `from` at which that PC is on, and the end of those hours. */
void gen_session_hours(const struct gen_world *w, uint16_t tenant, uint16_t host, int64_t from,
                       int64_t hours[2]);
