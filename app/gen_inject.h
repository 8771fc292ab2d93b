/*
 * app/gen_inject.h - the planted cases of a run: where, when, and what came out of them.
 *
 * Ownership: owns the cases; borrows world and traffic, which outlive it.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_CONF with a message when no municipality can show a case.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/gen_case.h"
#include "app/gen_queue.h"
#include "app/gen_traffic.h"

struct gen_inject {
    struct gen_world *world;
    struct gen_traffic *traffic;
    struct gen_queue queue; /* tag: case */
    struct gen_case *cases;
    uint32_t count;
    uint32_t of_sources;   /* of them, silences and drifts; they come first */
    int64_t silence_ns[2]; /* where they begin and end; 0 = by chance */
};

/* Plan all cases of the options into from_ns..until_ns. */
int gen_inject_init(struct gen_inject *g, const struct gen_options *o, struct gen_world *world,
                    struct gen_traffic *traffic, const int64_t span_ns[2], struct diag *diag);
void gen_inject_release(struct gen_inject *g);

static inline int64_t gen_inject_time(const struct gen_inject *g)
{
    return gen_queue_time(&g->queue);
}

/* Do the next step of the case whose turn it is; needs one that is not over. */
int gen_inject_step(struct gen_inject *g);

/* Whether the flow's source says nothing then; whether its lines are of another layout. */
bool gen_inject_silent(const struct gen_inject *g, const struct gen_flow *f);
bool gen_inject_drifted(const struct gen_inject *g, const struct gen_flow *f);
/* A line of a case came out. */
void gen_inject_seen(struct gen_inject *g, uint16_t planted, int64_t time_ns);
