/*
 * app/collector.h - Kafka to log: the worker threads, the committer, the numbers about them.
 *
 *   worker: kafka_poll -> intake_record -> parcels -> committer -> log -> kafka_commit_hint
 *
 * Ownership: the collector owns its threads and everything it opened; configuration, environment
 *            and store are borrowed.
 * Threads:   the functions below from one thread; the collector's own run between open and stop.
 * Failures:  ERR_CONF with a finding, ERR_NOMEM; what ended a running collector is collector_error().
 */
#pragma once

#include "app/committer.h"
#include "app/config.h"
#include "app/environment.h"
#include "app/output.h"
#include "app/watch.h"
#include "base/metric.h"

struct collector;

struct collector_options {
    const struct config *config;
    struct environment *environment;
    struct store *store;
    struct watch *watch;     /* with the states as of the log's end; NULL: nobody watches */
    struct outputs *outputs; /* woken when alerts are durable; or NULL */
    int64_t ticked_ns;       /* that the states have seen, where the log is empty; or 0 */
    const char *brokers;     /* in place of the configuration's; NULL = that */
};

int collector_open(struct collector **out, const struct collector_options *options,
                   struct diag *diag);

/* 0 while it runs, else why it ended. */
int collector_error(struct collector *c);

/* Bring the metrics up to date; call about once a second. */
void collector_observe(struct collector *c);
struct metric_set *collector_metrics(struct collector *c);
struct tally *collector_tally(struct collector *c);
struct committer_stats collector_committed(struct collector *c);

/* The last frame that is durable; any thread. */
struct log_end collector_log_end(struct collector *c);

/* Hand over what a person does to alerts; a JSON object of docs/alerts.md. ERR_FORMAT, ERR_AGAIN. */
int collector_control(struct collector *c, struct slice json);

/* What has come by the stamps of two partitions' brokers: trusted_time_witness(). Any thread. */
int64_t collector_witness_ns(struct collector *c);
/* As committer_pause(). */
void collector_pause(struct collector *c, bool paused);

/* As committer_retire(). */
void collector_retire(struct collector *c, uint64_t through_seq);

/*
 * Nothing more will be sent, and the store is not gone on with: say what is pending. As
 * committer_end_input(); collector_stop() comes next.
 */
int collector_end_input(struct collector *c, int64_t until_ns);
/*
 * Commit what was read and end, within a few seconds. What is pending stays in the state: who opens the
 * store next goes on with it. Returns collector_error().
 */
int collector_stop(struct collector *c);
void collector_free(struct collector *c);
