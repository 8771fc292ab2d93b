/*
 * app/sender.h - records to Kafka with a journal of what was acknowledged.
 *
 *   {"topic":"seclog.raw.990019.fw1","partition":0,"offset":17,"bytes":598,"sha256":"..."}
 *
 * Ownership: a record is copied.
 * Threads:   one owner.
 * Failures:  ERR_DOWN for a record that no broker took, with a finding; the rest go on.
 */
#pragma once

#include <stdio.h>

#include "base/diag.h"
#include "ingest/ingest.h"

struct sender;

struct sender_options {
    const char *brokers;
    const struct kafka_property *properties;
    size_t property_count;
    FILE *journal; /* NULL = none; borrowed */
};

int sender_open(struct sender **out, const struct sender_options *options, struct diag *diag);

/* Waits while the queue is full. 0, ERR_DOWN when nothing moves for a minute, ERR_RANGE, ERR_NOMEM. */
int sender_put(struct sender *s, const char *topic, struct slice value);
/* Report deliveries without waiting. */
void sender_poll(struct sender *s);

/* Wait for every acknowledgement. 0, or ERR_DOWN with a finding that counts what failed and why. */
int sender_finish(struct sender *s, struct diag *diag);
void sender_close(struct sender *s);
