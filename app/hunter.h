/*
 * app/hunter.h - a running collector's hunt: after an update of lists, the entries that are new are
 * looked for in the history, and who met them is reported.
 *
 *   hunter_plan(): before the log learns of the lists   hunter_start(): a thread of its own, idle class
 *     -> entries that are new -> app/hunt.h -> DIR/reports/prefecture/<name>.ndjson, all municipalities
 *                                              DIR/reports/<code6>/<name>.ndjson, its own
 *
 * The reports are no part of the log: they follow from it and from the lists that it names, so a
 * replay has nothing to repeat. A hunt that is stopped begins again at the next start.
 *
 * Ownership: configuration, suffixes and directory are borrowed until hunter_stop().
 * Threads:   all functions from one thread; the hunt runs on another, with the lowest priority for CPU
 *            and disk.
 * Failures:  plan: ERR_IO, ERR_NOMEM. What goes wrong later is said in the log of the program.
 */
#pragma once

#include "app/config.h"
#include "app/lists.h"
#include "base/metric.h"
#include "store/store.h"

struct hunter;

struct hunter_options {
    const struct config *config;
    const char *dir;
    const struct store *store;
    const struct lists *lists; /* with their contents' hashes; only until hunter_plan() returns */
    const struct domain_list *suffixes;
};

/* *out is NULL when no list changed, there is no history, or the configuration wants no hunts. */
int hunter_plan(struct hunter **out, const struct hunter_options *options);
/* NULL is allowed, here and below. */
int hunter_start(struct hunter *h);
/* Bring the metrics up to date. */
void hunter_observe(struct hunter *h, struct metric_set *metrics);
/* End it, soon; free it. */
void hunter_stop(struct hunter *h);
