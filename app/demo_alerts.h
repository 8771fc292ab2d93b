/*
 * app/demo_alerts.h - the alerts of a demonstration: read from the log as they become durable,
 * printed, and held against what was planted.
 *
 * Ownership: owns its reader and what it read; the generator is borrowed.
 * Threads:   one owner.
 * Failures:  as ledger_read(); ERR_NOMEM.
 */
#pragma once

#include "app/gen.h"
#include "base/diag.h"

struct demo_alerts;

int demo_alerts_open(struct demo_alerts **out, const char *store_dir, struct diag *diag);
void demo_alerts_close(struct demo_alerts *a);

/* Read what is new; with `show` each new alert is shown, worst first within what came together. */
int demo_alerts_poll(struct demo_alerts *a, bool show, bool japanese);

/* Planted and found, look-alikes, alerts per municipality, time from arrival to alert. */
void demo_alerts_summary(struct demo_alerts *a, const struct gen *gen);
/* Planted cases that are complete and were not found. */
unsigned demo_alerts_missed(const struct demo_alerts *a, const struct gen *gen);
