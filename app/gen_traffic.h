/*
 * app/gen_traffic.h - which devices write which lines about one communication, and when.
 *
 *   PC -> proxy1 -> (upper1) -> firewall -> Internet      a web request where there are proxies
 *   PC -> firewall -> Internet                            otherwise, and everything that is not web
 *
 * A flow that is handed in carries the time of its beginning; its lines carry their own: a proxy
 * and a firewall write at the end, some firewalls also at the beginning, filters in between.
 *
 * Ownership: flows are copied; the pending lines belong to the struct.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM when more lines are pending than GEN_QUEUE_MAX or the heap hold.
 */
#pragma once

#include <stdint.h>

#include "app/gen_flow.h"
#include "app/gen_queue.h"
#include "app/gen_world.h"

struct gen_traffic {
    const struct gen_world *world;
    struct gen_queue queue; /* of lines to come; tags are (sequence << 24 | slot) */
    struct gen_flow *flows; /* by slot */
    uint32_t *unused;       /* slots */
    uint32_t unused_count;
    uint32_t slots;
    uint64_t sequence;
};

/* A zeroed struct with its world set is ready. */
void gen_traffic_release(struct gen_traffic *t);

/* Time of the next line; INT64_MAX when none is pending. */
static inline int64_t gen_traffic_time(const struct gen_traffic *t)
{
    return gen_queue_time(&t->queue);
}

/* Take the next line; needs one to be pending. */
void gen_traffic_take(struct gen_flow *out, struct gen_traffic *t);

/*
 * A web request: duration is the proxy's, kind is set here. `blocked` and the status say how it
 * ended; a failed one without a proxy becomes a failed session.
 */
int gen_traffic_web(struct gen_traffic *t, const struct gen_flow *f);
/*
 * A session through the firewall, of kind END, FAILED or DENY; nothing without a firewall. One of a
 * path of the LGWAN is a DENY of the firewall before it, which the municipality has.
 */
int gen_traffic_session(struct gen_traffic *t, const struct gen_flow *f);
/* One line of one kind by one source, if its format knows that kind. */
int gen_traffic_line(struct gen_traffic *t, const struct gen_flow *f, enum gen_flow_kind kind,
                     uint8_t source);

/* Firewall that serves a host. */
static inline uint8_t gen_traffic_firewall(const struct gen_tenant *t, uint16_t host)
{
    return t->firewalls == 0 ? 0 : (uint8_t)(host % t->firewalls);
}

static inline uint8_t gen_traffic_proxy(const struct gen_tenant *t, uint16_t host)
{
    return (uint8_t)(t->firewalls + (t->proxies == 0 ? 0 : host % t->proxies));
}
