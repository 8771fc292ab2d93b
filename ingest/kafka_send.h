/*
 * ingest/kafka_send.h - the other direction: records into Kafka, each confirmed.
 *
 * Ownership: a record is borrowed for the call; the sender copies it.
 * Threads:   one owner; callbacks run inside its calls.
 * Failures:  a record that could not be delivered is reported through the callback, never dropped
 *            in silence. Within a partition confirmed records lie in the order of sending.
 */
#pragma once

#include "ingest/kafka.h"

enum kafka_send_limits {
    KAFKA_SEND_BYTES_MAX = 72 << 20,    /* of a record */
    KAFKA_SEND_QUEUE_BYTES = 256 << 20, /* taken and not yet confirmed */
    KAFKA_SEND_HEADERS_MAX = 1000,      /* of a record */
};

/* What became of a record. */
struct kafka_delivery {
    const char *topic;
    int32_t partition; /* -1 when it never got one */
    int64_t offset;    /* -1 when it failed */
    size_t bytes;      /* of the value */
    void *opaque;      /* the record's */
    const char *error; /* NULL = it is in Kafka, on all in-sync replicas */
};

struct kafka_send_options {
    const char *brokers;
    const struct kafka_property
        *properties; /* "linger.ms" 100 and "compression.type" lz4 unless set */
    size_t property_count;
    void (*delivered)(void *self, const struct kafka_delivery *delivery);
    void *self;
};

struct kafka_send_record {
    const char *topic;
    int32_t partition; /* -1 = by the hash of the key, else any */
    struct slice value;
    bool null_value;
    bool has_key;
    struct slice key;
    struct slice headers; /* as in struct kafka_item */
    void *opaque;
};

struct kafka_sender;

/* ERR_CONF with a diagnosis, also for a property that confirmation depends on; ERR_NOMEM. */
int kafka_sender_open(struct kafka_sender **out, const struct kafka_send_options *options,
                      struct diag *diag);
/*
 * Take a record. While the queue is full it waits, up to timeout_ms (-1 = as long as it takes), then
 * ERR_AGAIN. ERR_RANGE for a record that is too large, ERR_FORMAT for headers that are no headers,
 * ERR_NOTFOUND for a partition that the topic has not, ERR_IO for any other refusal; then nothing was
 * taken and nothing will be reported.
 */
int kafka_send(struct kafka_sender *s, const struct kafka_send_record *record, int timeout_ms);
/* Report what has become known. */
void kafka_sender_poll(struct kafka_sender *s, int timeout_ms);
/* Wait until every record is reported. ERR_AGAIN when the time is over. */
int kafka_sender_flush(struct kafka_sender *s, int timeout_ms);
/* Records taken and not yet reported. */
size_t kafka_sender_pending(struct kafka_sender *s);
/* Reports what is pending as failed. NULL is fine. */
void kafka_sender_close(struct kafka_sender *s);
