/*
 * detect/lag.h - private to detect/: how far hosts' own rows come behind those of a shared address.
 *
 *   row of a shared address    host found by its finest key  -> nothing is to come
 *                              not, or not yet               -> a probe, LAG_MOST_NS at most
 *   a host's own row           of a probe's keys             -> so far behind it came
 *
 * lag_wait() is how long waiting is worth it: of the rows of shared addresses, one in LAG_LOST at most
 * would be told of their host only later. What never comes is not waited for.
 *
 * Two more things are learned of requests. Where both devices count the same bytes of a response, the
 * transfer alone is what names, and names at once. And where many requests are of hosts whose own rows
 * never come, who else asked for the same is not whose request it was: only a transfer names then.
 *
 * Time here is that of arrival, which rows measure finer than ticks (struct tenant_state, heard_ns).
 *
 * Ownership: plain data without pointers or padding; zeroes are nothing learned.
 * Threads:   the tenant's owner.
 * Failures:  none: while all probes are out no more are sent.
 */
#pragma once

#include "detect/origin.h"

enum lag_limits {
    LAG_PROBES = 8,
    LAG_KEYS = 3,
    LAG_STEPS = 32,          /* not behind at all; then each LAG_STEP_NS */
    LAG_SAMPLES_LEAST = 100, /* before they mean anything */
    LAG_SAMPLES_MOST = 1000, /* then all count half */
    LAG_LOST = 40,
    LAG_INEXACT = 20, /* of requests that were found, one in so many at most without their bytes */
    LAG_UNSEEN = 40,  /* of rows of shared addresses, one in so many at most is of nobody's row */
};

#define LAG_STEP_NS (INT64_C(100) * 1000000)
#define LAG_MOST_NS ((LAG_STEPS - 2) * LAG_STEP_NS)

/* A row of a shared address whose host is not known yet, or not for sure. */
struct lag_probe {
    uint64_t keys[LAG_KEYS]; /* of the way; all 0: the place is free */
    int64_t time_ns;
    int64_t heard_ns;
    uint64_t coarse; /* somebody was found, by less than the transfer: 0 or 1 */
};

/* Of one way. */
struct lag {
    uint32_t behind[LAG_STEPS];
    uint32_t never;
    uint32_t samples; /* all of these */
    uint32_t out;     /* probes */
    uint32_t exact;   /* of those found that have a transfer: by it */
    uint32_t inexact;
    uint32_t spare;
    int64_t sampled_ns;
    struct lag_probe probes[LAG_PROBES];
};

struct lag_set {
    struct lag ways[ORIGIN_WAYS]; /* by enum origin_way; those of a row alone stay empty */
};

/* A row of a shared address that came at `heard_ns`, after it was looked for in `origins`. */
void lag_ask(struct lag_set *set, struct origin_set *origins, const struct origin_trace *trace,
             int64_t time_ns, int64_t heard_ns);
/* A host's own row. */
void lag_answer(struct lag_set *set, const struct origin_trace *trace, int64_t time_ns,
                int64_t heard_ns);
/* Whether the same bytes stand in both rows of a request. */
bool lag_is_exact(const struct lag_set *set);
/* What names: a trace without the keys that do not. */
struct origin_trace lag_trace(const struct lag_set *set, const struct origin_trace *trace);
/* 0 to LAG_MOST_NS; the latter, too, while little is known. */
int64_t lag_wait(const struct lag_set *set, enum origin_way way);
