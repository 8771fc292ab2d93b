/*
 * app/output_driver.h - what one kind of receiver is to the thread that delivers alerts to it.
 *
 *   open -> (connect -> place? -> prepare -> deliver ... tick ... -> disconnect)* -> close
 *
 * The log is the queue: a batch is delivered until every alert of it is done, then the place behind
 * it is kept with the driver's state, in one file, atomically. Between the two a crash makes the
 * same batch come again; how a driver then avoids a second copy is its own business.
 *
 * Ownership: open() gives the driver's self, close() takes it back. Hosts and batches are borrowed.
 *            What a driver needs of the configuration it copies in open().
 * Threads:   open() and close() on the main thread, the rest on the output's own.
 * Failures:  any negative value but those named below: the host calls disconnect(), waits as
 *            app/output_breaker.h says and begins with connect() again. output_why() says why.
 */
#pragma once

#include <stdatomic.h>

#include "app/config.h"
#include "app/tally.h"
#include "event/alert.h"
#include "store/store.h"

enum output_limits {
    OUTPUT_BATCH_ALERTS_MAX = 1024,
    OUTPUT_BATCH_BYTES_MAX = 1 << 20, /* of lines, but a batch always takes one */
    OUTPUT_WHY_BYTES_MAX = 320,
    OUTPUT_STATE_BYTES_MAX = 64 << 20, /* of a driver */
};

/* A place in the log: frame `seq` is the next, and its first `skip` alerts are done. */
struct output_place {
    uint64_t seq;
    uint64_t skip;
};

/* What the thread offers its driver. */
struct output_host {
    const struct config *config; /* during open() only */
    const char *brokers;         /* likewise; of the collector */
    uint8_t store_id[STORE_ID_BYTES];
    _Atomic int64_t end_ns; /* monotonic: nothing may take longer than this; INT64_MAX = no end */
    char why[OUTPUT_WHY_BYTES_MAX];
};

struct output_batch {
    const struct alert_record *alerts;
    bool *done; /* of each: its receiver has it; set by the driver, kept over retries */
    size_t count;
    struct output_place from;
    struct output_place end; /* behind the last alert */
    int64_t now_ns;          /* wall clock */
};

struct output_rows {
    const struct tally_row *rows;
    size_t count;
};

struct output_driver {
    const char *name;
    bool from_now; /* the first time it begins at the log's end: people are not told old news */

    bool (*configured)(const struct config *config);
    /* ERR_CONF with a finding. `state` is what save() wrote, or empty. */
    int (*open)(void **out, struct output_host *host, struct slice state, struct diag *diag);
    void (*close)(void *self);

    /* The functions from here on may be NULL, but for deliver(). */
    int (*connect)(void *self);
    void (*disconnect)(void *self);
    /* After connect(): where the receiver itself says it stands. It is believed. */
    void (*place)(void *self, struct output_place *place);
    /* Before a batch is delivered; what it changes is saved first when dirty() says so. */
    int (*prepare)(void *self, const struct output_batch *batch);
    /* 0 when all are done. ERR_RANGE: the receiver stands elsewhere, ask place(). */
    int (*deliver)(void *self, struct output_batch *batch);
    /* About once a second, and again at once when it left the driver dirty. ERR_RANGE as above. */
    int (*tick)(void *self, int64_t now_ns, const struct output_rows *rows);
    bool (*dirty)(const void *self);
    /* Append what open() wants back after a restart; not dirty from then on. */
    void (*save)(void *self, struct buf *state);
};

extern const struct output_driver OUTPUT_KAFKA;
extern const struct output_driver OUTPUT_FILE;
extern const struct output_driver OUTPUT_REDIS;
extern const struct output_driver OUTPUT_SYSLOG;
extern const struct output_driver OUTPUT_MAIL;

/* Note why a call is about to fail, for the log. */
void output_why(struct output_host *host, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether what waits should give up: the collector ends. */
bool output_stopping(const struct output_host *host);
/* The moment, monotonic, at which a wait of `ms` from now ends, the end of the collector included. */
int64_t output_until(const struct output_host *host, int64_t ms);
