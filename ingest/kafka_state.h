/*
 * ingest/kafka_state.h - private to ingest/kafka*.c: what the source's threads share.
 *
 *   broker threads --> worker queue --\
 *                                      kafka_poll(): inbox first, then the queue --> items
 *   recovery --------> worker inbox --/
 *
 * An inbox entry of a partition is posted only while the partition is held: taken out of the
 * consumer and nothing of it left in the queue or in a poll. What is fetched after it is given back
 * is therefore younger than the entry, and "inbox first" keeps the order.
 *
 * Ownership: struct kafka owns all; topics and partitions live until it ends.
 * Threads:   a partition's `next` is written by its worker; `watch` belongs to the control thread
 *            while the state is RUNNING and to the recovery thread while it is RECOVERING.
 * Failures:  as each function says.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ingest/kafka.h"

enum kafka_state_limits {
    KAFKA_TOPIC_BUCKETS = 4096,
    KAFKA_RAW_MAX = 1024,           /* messages of the queue in one poll */
    KAFKA_INBOX_MAX = 1024,         /* entries waiting for a worker */
    KAFKA_TICK_MS = 100,            /* control thread */
    KAFKA_HINT_MS = 1000,           /* between two offset commits */
    KAFKA_DISCOVER_RETRY_MS = 1000, /* after a look for topics that failed */
    KAFKA_QUERY_MS = 2000,       /* the control and recovery threads wait so long for an answer */
    KAFKA_POLL_MS_MAX = 1000,    /* of one wait */
    KAFKA_IDLE_WORKER_MS = 2000, /* a worker that did not poll for so long is not draining */
    KAFKA_CLOSE_MS = 5000,       /* librdkafka may hang after losing its brokers: then it is left */
    KAFKA_REST_MS = 10000,       /* of the guard when brokers do not answer */
};

struct kafka_topic;

/* What the guard remembers of a partition. */
struct kafka_watch {
    int64_t next;     /* as seen last */
    int64_t since_ns; /* the same since */
    int64_t settled;  /* up to here there are no messages to come, only marks */
    uint64_t mark;    /* of the worker's count: what was queued has been taken */
    bool marked;
    unsigned readable;     /* times found stuck and readable */
    unsigned out_of_range; /* times without progress between */
};

struct kafka_part {
    struct kafka_partition shared; /* first: a pointer to it is a pointer to this */
    struct kafka_topic *topic;
    struct kafka_part *next_part; /* of all */
    struct kafka_part *next_stuck;
    _Atomic int64_t next;       /* after the last item given; KAFKA_OFFSET_NONE */
    _Atomic int64_t hint;       /* to be committed; KAFKA_OFFSET_NONE */
    int64_t hinted;             /* control: last committed */
    _Atomic int64_t stamped_ns; /* the latest LogAppendTime; 0: none */
    _Atomic int32_t leader;
    _Atomic int state;   /* enum kafka_state */
    _Atomic bool faulty; /* an answer could not be decoded: what follows it is not to be trusted */
    _Atomic bool out_of_range; /* the broker does not have what we asked for */
    struct kafka_watch watch;
};

/* Partitions of a topic by number; replaced when the topic grows, the older ones stay readable. */
struct kafka_table {
    struct kafka_table *older;
    int32_t count;
    struct kafka_part *parts[];
};

struct kafka_topic {
    struct kafka_topic *next_topic; /* of the bucket */
    char *name;
    bool refused;
    rd_kafka_topic_t *handle; /* its opaque is this */
    _Atomic(struct kafka_table *) table;
};

/* A range, or a message that was read aside. */
struct kafka_entry {
    struct kafka_entry *next;
    struct kafka_part *part;
    enum kafka_kind kind;
    int64_t offset;
    int64_t end;
    rd_kafka_message_t *message;
    char reason[KAFKA_REASON_BYTES_MAX];
};

struct kafka_inbox {
    pthread_mutex_t lock;
    struct kafka_entry *first;
    struct kafka_entry **last;
    _Atomic size_t count;
};

struct kafka_worker {
    rd_kafka_queue_t *queue;
    struct kafka_inbox inbox;
    struct kafka_entry *held; /* entries in the batch given out */
    rd_kafka_message_t *raw[KAFKA_RAW_MAX];
    size_t raw_count;
    struct kafka_item items[KAFKA_BATCH_ITEMS_MAX];
    size_t header_at[KAFKA_BATCH_ITEMS_MAX];
    size_t item_count;
    struct buf headers;
    _Atomic uint64_t polls;  /* ended */
    _Atomic uint64_t taken;  /* from the queue */
    int64_t now_ns;          /* wall clock of the poll */
    _Atomic int64_t poll_ns; /* its end, monotonic */
    _Atomic uint64_t messages;
    _Atomic uint64_t bytes;
};

struct kafka_probe;

struct kafka {
    struct kafka_options options; /* defaults filled in; texts are copies */
    struct arena texts;
    rd_kafka_t *rk;
    struct kafka_probe *probe; /* recovery's second consumer, NULL until needed */
    struct kafka_worker *workers;

    pthread_mutex_t lock; /* of topics, parts and stuck */
    pthread_cond_t wake;  /* of recovery and the pusher */
    struct kafka_topic *topics[KAFKA_TOPIC_BUCKETS];
    struct kafka_part *parts;
    struct kafka_part *stuck_first;
    struct kafka_part **stuck_last;
    uint32_t part_count;
    uint64_t seed;

    pthread_t control;
    pthread_t recovery;
    pthread_t pusher;
    unsigned threads; /* started, in this order */
    _Atomic bool stop;
    _Atomic bool up;
    _Atomic bool behind;     /* a backlog: fetching must not pause */
    _Atomic int64_t rest_ns; /* the guard looks again after this */
    bool discovered;         /* once */

    _Atomic uint32_t refused;
    _Atomic uint64_t lost;
    _Atomic uint64_t quarantined;
    _Atomic uint64_t truncated;
    _Atomic uint64_t errors;
    _Atomic uint64_t hint_errors;
};

/* kafka.c: librdkafka's log lines become ours. */
void kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

/* kafka_settings.c */
/* A consumer's settings; `aside` for the one that reads a batch at a time. */
int kafka_settings_consumer(rd_kafka_conf_t **out, const struct kafka_options *options, bool aside,
                            struct diag *diag);
/* Set one; on failure a diagnosis and ERR_CONF. */
int kafka_settings_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                       struct diag *diag);
/* Set the user's; those in `ours`, which ends with NULL, are refused. */
int kafka_settings_user(rd_kafka_conf_t *conf, const struct kafka_property *properties,
                        size_t count, const char *const *ours, struct diag *diag);

/* kafka_discover.c */
/* Look for topics once; new partitions are assigned. ERR_DOWN, ERR_NOMEM. */
int kafka_discover(struct kafka *k);
struct kafka_part *kafka_part_find(struct kafka *k, const char *topic, int32_t partition);
struct kafka_part *kafka_part_of(const rd_kafka_message_t *m);
void kafka_topics_free(struct kafka *k);
/* Give a partition to the consumer again, from an offset; take it away. */
int kafka_part_assign(struct kafka *k, struct kafka_part *p, int64_t offset);
int kafka_part_unassign(struct kafka *k, struct kafka_part *p);

/* kafka_poll.c */
int kafka_workers_open(struct kafka *k);
void kafka_workers_close(struct kafka *k);
/* Post an entry, which is copied but for its message, and wake the worker. */
int kafka_post(struct kafka *k, const struct kafka_entry *entry);

/* kafka_guard.c */
/* Control thread: look at every partition's progress, queue the stuck ones. */
void kafka_guard_tick(struct kafka *k, int64_t now_ns);
/* Whether the error says that bytes could not be decoded. */
bool kafka_is_data_error(rd_kafka_resp_err_t code);

/* kafka_recover.c */
/* The recovery thread. */
void *kafka_recover_run(void *self);

/* kafka_push.c: the thread that keeps the fetching going */
void *kafka_push_run(void *self);
/* Messages that wait for a worker. */
size_t kafka_queued(const struct kafka_worker *w);
