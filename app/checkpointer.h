/*
 * app/checkpointer.h - a running collector signs a checkpoint every checkpoint.every: whoever keeps one can
 * tell later that nothing from before was changed.
 *
 * Each is told to the program's log with its number and hash, so that a log kept elsewhere is a witness.
 *
 * Ownership: options are copied; what they point to is borrowed until checkpointer_stop().
 * Threads:   all functions from one thread; the work is done in another.
 * Failures:  start: ERR_CONF for a key that is lost or not the store's, ERR_CORRUPT for checkpoints that
 *            are damaged, with the remedy in the diag; ERR_IO, ERR_NOMEM. What goes wrong later is
 *            said in the log of the program, counted, and tried again.
 */
#pragma once

#include "app/collector.h"
#include "app/config.h"
#include "base/metric.h"

struct checkpointer;

struct checkpointer_options {
    const struct config *config;
    const char *dir;
    const uint8_t *store_id;     /* STORE_ID_BYTES */
    struct collector *collector; /* whose log's end is signed */
};

/* *out is NULL where the configuration wants no checkpoints. */
int checkpointer_start(struct checkpointer **out, const struct checkpointer_options *options,
                       struct diag *diag);
/* Bring the metrics up to date. NULL is allowed, here and below. */
void checkpointer_observe(struct checkpointer *c, struct metric_set *metrics);
/* End it, soon; free it. */
void checkpointer_stop(struct checkpointer *c);
