/*
 * app/demo.h - the whole path on one machine: broker in the process, generated traffic, collector.
 *
 *   gen -> learn (seven days, as fast as it goes) -> detectors' states
 *   gen -> sender -> mock Kafka -> collector -> store -> alerts   from then on, by the clock
 *
 * Ownership: the demo owns its broker, its generator and its collector.
 * Threads:   one owner; the collector's threads run below it.
 * Failures:  as of what it is made of, with findings.
 */
#pragma once

#include "app/collector.h"
#include "app/demo_alerts.h"
#include "app/gen.h"

struct demo;

struct demo_options {
    uint32_t tenants;
    uint64_t seed;
    uint32_t seconds; /* live; planted cases lie within them */
    const char *dir;  /* made by the caller; holds config.yaml, databases and the store */
};

int demo_open(struct demo **out, const struct demo_options *options, struct diag *diag);

/*
 * Show the past to the detectors, up to now; then the collector starts. Calls progress() with the
 * lines so far and the event time every so often; it returns false to give up (ERR_AGAIN).
 */
int demo_learn(struct demo *d, bool (*progress)(uint64_t lines, int64_t time_ns),
               struct diag *diag);

/* Send every line that is due by now (wall clock). */
int demo_send_due(struct demo *d);

/*
 * Wait until all that was sent is in the log, at most wait_ns; then end the input, so that what waits
 * for more is said, and bring the numbers up to date.
 */
int demo_settle(struct demo *d, int64_t wait_ns, struct diag *diag);

/* The wall clock at which the planned live part begins; learning is over before, as a rule. */
int64_t demo_live_ns(const struct demo *d);
uint64_t demo_sent(const struct demo *d);
const struct gen *demo_gen(const struct demo *d);
/* The alerts so far; valid once demo_learn() is done. */
struct demo_alerts *demo_alerts(struct demo *d);
struct collector *demo_collector(struct demo *d);
/* The municipality's name, "" when unknown. */
const char *demo_tenant_name(const struct demo *d, uint32_t tenant);

/* Stop the collector; what it committed stays in `dir`/store. */
int demo_stop(struct demo *d);
void demo_close(struct demo *d);
