/*
 * app/demo.h - the whole path on one machine: broker in the process, generated traffic, collector.
 *
 *   gen -> sender -> mock Kafka -> collector -> store
 *
 * Ownership: the demo owns its broker, its generator and its collector.
 * Threads:   one owner; the collector's threads run below it.
 * Failures:  as of what it is made of, with findings.
 */
#pragma once

#include "app/collector.h"
#include "app/gen.h"

struct demo;

struct demo_options {
    uint32_t tenants;
    uint64_t seed;
    const char *dir; /* made by the caller; holds config.yaml, databases and the store */
};

int demo_open(struct demo **out, const struct demo_options *options, struct diag *diag);

/* Send every line that is due by now (wall clock). */
int demo_send_due(struct demo *d);

/* Wait until all that was sent is in the log, at most wait_ns; then bring the numbers up to date. */
int demo_settle(struct demo *d, int64_t wait_ns, struct diag *diag);

uint64_t demo_sent(const struct demo *d);
struct collector *demo_collector(struct demo *d);
/* The municipality's name, "" when unknown. */
const char *demo_tenant_name(const struct demo *d, uint32_t tenant);

/* Stop the collector; what it committed stays in `dir`/store. */
int demo_stop(struct demo *d);
void demo_close(struct demo *d);
