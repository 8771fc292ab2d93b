/*
 * ingest/kafka.h - the Kafka source: every partition of the topics with a prefix, each offset once.
 *
 *   brokers -> fetch -> queue of worker 0 -> kafka_poll(0) -> items, in order per partition
 *                   \-> queue of worker 1 -> kafka_poll(1)
 *   control thread: finds topics, assigns partitions at resume(), watches progress, hints offsets
 *
 * Nothing is skipped in silence. For each partition the items are contiguous up to what Kafka itself
 * leaves out: a message, or a range that says why its offsets gave none. A jump between messages
 * (compaction, transaction marks, aborted transactions) is for the caller to see.
 *
 * Back-pressure: a worker that has no room does not call kafka_poll(). Fetching then stops at
 * KAFKA_QUEUE_BYTES for all workers together, nothing is dropped, and partitions of a worker that
 * does not poll are never taken for stuck. (Pausing partitions would throw fetched messages away.)
 *
 * Ownership: partitions live until kafka_close(); their `user` belongs to the worker. Items and all
 *            they point to are borrowed until kafka_release().
 * Threads:   kafka_poll() and kafka_release() of one worker from one thread, that worker's; the rest
 *            from any thread. Callbacks run on the control thread. Three threads of its own: control,
 *            recovery of stuck partitions, and one that keeps the fetching going in a backlog.
 * Failures:  brokers that do not answer are waited for; see kafka_stats().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"

enum kafka_limits {
    KAFKA_WORKERS_MAX = 64,
    KAFKA_PARTITIONS_MAX = 65536, /* more are not consumed, and logged */
    KAFKA_BATCH_ITEMS_MAX = 2048, /* of one kafka_poll() */
    KAFKA_QUEUE_BYTES = 48 << 20, /* fetched and not yet polled, all workers */
    KAFKA_FETCH_BYTES = 4 << 20,  /* of one answer of a broker; one larger batch still comes */
    KAFKA_PARTITION_FETCH_BYTES = 12 << 20, /* of one partition in it: one alone may fill it */
    KAFKA_RECEIVE_BYTES_MAX = 100 << 20, /* of one batch of messages, packed or (zstd) unpacked */
    KAFKA_REASON_BYTES_MAX = 256,
};

#define KAFKA_OFFSET_NONE INT64_C(-1)

struct kafka_property {
    const char *name;
    const char *value;
};

struct kafka_options {
    const char *brokers;      /* "host:port,..." */
    const char *group;        /* for the offset hint; NULL = "sekisho" */
    const char *topic_prefix; /* NULL = "seclog.raw." */
    bool start_latest;        /* where a partition never seen starts; false: earliest */
    unsigned workers;         /* 1..KAFKA_WORKERS_MAX */
    const struct kafka_property *properties; /* further settings of librdkafka: SASL, TLS, ... */
    size_t property_count;
    int64_t discover_ns;     /* between two looks for new topics; 0 = 5 s */
    int fetch_wait_ms;       /* a broker holds an answer so long to fill it; 0 = 300 */
    int64_t fetch_min_bytes; /* and at most until it has so much; 0 = 100 MB: the wait decides */
    int64_t stuck_ns;        /* without progress before a partition is looked into; 0 = 10 s */
    /* The offset after the last one in the log, or KAFKA_OFFSET_NONE for a partition never seen. */
    int64_t (*resume)(void *self, const char *topic, int32_t partition);
    /* The worker of a tenant, below `workers`; always the same. NULL: tenant modulo workers. */
    unsigned (*owner)(void *self, uint32_t tenant);
    void *self;
};

struct kafka;

struct kafka_partition {
    const char *topic;
    int32_t partition;
    uint32_t tenant;
    struct slice source; /* lies in topic */
    unsigned worker;
    int64_t start; /* from resume(), or KAFKA_OFFSET_NONE */
    void *user;    /* the worker's own, NULL at first */
};

enum kafka_kind {
    KAFKA_MESSAGE,
    KAFKA_LOST,        /* retention deleted [offset, end) before we came */
    KAFKA_QUARANTINED, /* [offset, end) cannot be read: see reason */
    KAFKA_TRUNCATED,   /* the partition now ends at `end`, below our `offset`; it stops here, until
                          a restart */
};

struct kafka_item {
    enum kafka_kind kind;
    struct kafka_partition *partition;
    int64_t offset;
    int64_t end;        /* of a message offset + 1 */
    const char *reason; /* a sentence, NULL for a message */
    /* Of a message. */
    int64_t arrival_ns; /* LogAppendTime, else when it was polled; never the sender's CreateTime */
    struct slice value; /* no padding behind it: copy it */
    bool null_value;    /* no value at all */
    bool has_key;
    struct slice key;
    struct slice headers; /* repeated: varint name length, name, varint value length + 1 (0 = null),
                             value; empty when there are none */
};

struct kafka_batch {
    const struct kafka_item *items;
    size_t count;
};

/*
 * Check the options, create the consumer and start its threads; no broker need be up. ERR_CONF with
 * a diagnosis (also for a property that only we set), ERR_NOMEM, ERR_IO (no thread).
 */
int kafka_open(struct kafka **out, const struct kafka_options *options, struct diag *diag);

/*
 * Stop. Needs every worker done and its batch released. At most 10 s, brokers up or not: a consumer
 * that hangs after losing its brokers is left behind with its memory, and logged.
 */
void kafka_close(struct kafka *k);

/*
 * Wait up to timeout_ms (at most 1 s) for one item, then take what is there. Returns 0 with the
 * batch, which may be empty, or ERR_NOMEM; then messages are missing and the source must be closed.
 * The worker's batch before must have been released.
 */
int kafka_poll(struct kafka *k, unsigned worker, int timeout_ms, struct kafka_batch *batch);
void kafka_release(struct kafka *k, unsigned worker);
/* End a running or the next kafka_poll() of that worker early. */
void kafka_wake(struct kafka *k, unsigned worker);

/* `offset` is the next one after what is durable. Sent later, in batches; a failure is only logged. */
void kafka_commit_hint(struct kafka *k, const char *topic, int32_t partition, int64_t offset);

enum kafka_state {
    KAFKA_RUNNING,
    KAFKA_RECOVERING, /* stuck, being looked into */
    KAFKA_STOPPED,    /* truncated, or gone */
};

struct kafka_partition_stats {
    const struct kafka_partition *partition;
    enum kafka_state state;
    int64_t next;       /* offset after the last one polled; KAFKA_OFFSET_NONE before the first */
    int64_t low;        /* as of the last fetch; -1 = not known yet */
    int64_t high;       /* lag = high - next */
    int64_t stamped_ns; /* the latest LogAppendTime of its records; CLOCK_NONE: it has none */
};

struct kafka_stats {
    bool up; /* some broker answered since all were down */
    uint32_t partitions;
    uint32_t topics_refused; /* with the prefix and without a valid municipality code or source */
    uint64_t messages;
    uint64_t bytes; /* of values */
    uint64_t lost;  /* ranges */
    uint64_t quarantined;
    uint64_t truncated;
    uint64_t errors;      /* that librdkafka reported for partitions */
    uint64_t hint_errors; /* offset commits that failed */
    size_t queued;        /* messages fetched and not polled */
};

void kafka_stats(struct kafka *k, struct kafka_stats *out);
/* Calls visit() for every partition; it must not call back into k. */
void kafka_each(struct kafka *k, void (*visit)(void *self, const struct kafka_partition_stats *p),
                void *self);
