/*
 * app/watch.h - detection as the collector, a replay and a rebuild use it: what the configuration
 * says of each municipality, what all of them look into, and the states.
 *
 * Ownership: the watch owns states and profiles; configuration is borrowed.
 * Threads:   watch_tenant() from any thread; a state then belongs to its worker. watch_midnight() by
 *            one thread while every worker waits.
 * Failures:  ERR_NOMEM; ERR_CORRUPT for a damaged snapshot of prevalence.
 */
#pragma once

#include "app/config.h"
#include "detect/detect.h"

struct watch;

typedef int watch_alert(void *self, const struct detect_alert *alert);

struct watch_options {
    const struct config *config;
    const struct indicator_set *indicators; /* or NULL */
    const struct rule_set *rules;           /* or NULL */
    uint64_t seed;                          /* of keyed hashes: watch_seed() */
    bool rows_tick;                         /* a replay */
    watch_alert *tap; /* sees every alert, from several threads; NULL = none */
    void *tap_self;
};

/* The seed that belongs to a store. */
uint64_t watch_seed(const uint8_t store_id[16]);

int watch_new(struct watch **out, const struct watch_options *options);
void watch_free(struct watch *w);

/* What rows are judged with. */
struct watch_sets {
    const struct config *config;
    const struct indicator_set *indicators; /* or NULL */
    const struct rule_set *rules;           /* or NULL */
};
/*
 * Go on with these sets, as detect_tenant_change() says; those before must still be there. The state
 * of the prefecture goes where they have nothing for it. Nothing happens where they are in use already. ERR_NOMEM: the watch is of no more use.
 */
int watch_change(struct watch *w, const struct watch_sets *sets);
/* Are there correlations over municipalities? Their state is that of tenant 0. */
bool watch_has_prefecture(const struct watch *w);

/* Forget every state and what the prefecture knew. */
void watch_forget(struct watch *w);

/* The state of a municipality, made at the first call; its alerts go to `alert` from now on. */
int watch_tenant(struct detect_tenant **out, struct watch *w, uint32_t tenant, watch_alert *alert,
                 void *self);

/* What the prefecture knew at the last midnight, as bytes; empty = nothing yet. */
int watch_load_prevalence(struct watch *w, struct slice bytes);
/*
 * The day ends: a new snapshot from the workers' contributions (as in struct parcel, one behind
 * the other) takes the place of the old one, and is appended to `out`. Nothing happens where the day
 * is before the last one's: somebody set the clock back.
 */
int watch_midnight(struct watch *w, struct slice contributions, int64_t tick_ns, struct buf *out);

/* From now on the clock ticks, for every municipality: after learning from a replay. */
void watch_go_live(struct watch *w);

/* Each municipality's state, in ascending order of codes. */
void watch_each(struct watch *w,
                void (*visit)(void *self, uint32_t tenant, struct detect_tenant *t), void *self);

/* Whether a day ends between two ticks. */
bool watch_day_ends(int64_t before_ns, int64_t tick_ns);
