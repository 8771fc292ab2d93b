/*
 * app/output.h - delivers alerts to the receivers that the configuration names.
 *
 *   log --+--> thread "kafka" --> topic          each reads the log from its own cursor,
 *         +--> thread "file"  --> NDJSON         DIR/state/output-<name>, and moves it when
 *         +--> thread "redis" ...                its receiver has the alerts
 *
 * An output is a follower of the log: rows and alerts do not depend on it, a backlog needs no
 * memory, what could not be delivered is delivered after a restart, and a slow receiver makes
 * nobody wait.
 *
 * Ownership: outputs_start() gives a handle that outputs_stop() takes back. Nothing is borrowed
 *            beyond a call.
 * Threads:   start, observe and stop from one thread; outputs_wake() from any.
 * Failures:  start: ERR_CONF with a finding (a value, or a damaged cursor), ERR_IO, ERR_NOMEM. A
 *            receiver that fails is tried again for ever, said once a minute, and counted.
 */
#pragma once

#include "app/config.h"
#include "app/tally.h"
#include "base/metric.h"
#include "store/store.h"

struct outputs;
struct output_driver;

enum outputs_limits {
    OUTPUTS_MAX = 5,
    OUTPUTS_LOOK_MS = 500,       /* between two looks at the log, unless woken */
    OUTPUTS_SAVE_MS = 10000,     /* a cursor that moved without alerts is kept so late */
    OUTPUTS_SAY_MS = 60000,      /* between two lines about the same output */
    OUTPUTS_SAY_OTHER_MS = 5000, /* if it fails for another reason */
    OUTPUTS_DRAIN_MS = 1000,     /* at the end, to deliver what stands in the log already */
    OUTPUTS_JOIN_MS = 1500,      /* after that a thread that hangs is left behind, and logged */
};

struct outputs_options {
    const struct config *config;
    const char *dir;     /* of the store; its log exists */
    const char *brokers; /* in place of the configuration's; NULL = that */
    uint64_t last_seq;   /* store_last_seq(); the log may not grow before start has returned */
    const struct output_driver *const *drivers; /* kinds of receivers; NULL = all of them */
    size_t driver_count;                        /* at most OUTPUTS_MAX */
};

struct output_stats {
    const char *name; /* static */
    uint64_t delivered;
    uint64_t failed;  /* tries that failed: a connection, a delivery */
    uint64_t retries; /* alerts that were tried again */
    uint64_t behind;  /* frames of the log that are not delivered; see outputs_observe() */
    bool open;        /* the circuit breaker is open: only now and then a try */
};

/* What the outputs see of the collector, about once a second. */
struct outputs_look {
    struct tally *tally;        /* for the live counters in Redis; or NULL */
    struct metric_set *metrics; /* of app/metrics.def, gets the counters of the outputs; or NULL */
    uint64_t last_seq;          /* of the log */
};

/* Start a thread for each output that is configured; none is fine. */
int outputs_start(struct outputs **out, const struct outputs_options *options, struct diag *diag);
/* Bring numbers up to date, both ways. */
void outputs_observe(struct outputs *o, const struct outputs_look *look);
/* Look at the log now: a frame with alerts is durable. */
void outputs_wake(struct outputs *o);
/* The outputs' numbers; returns how many. */
size_t outputs_stats(struct outputs *o, struct output_stats *out, size_t cap);
/*
 * Needs a log that does not grow any more. Delivers what stands in it, as far as that succeeds
 * within OUTPUTS_DRAIN_MS, keeps the cursors and ends the threads. NULL is fine.
 */
void outputs_stop(struct outputs *o);
