/*
 * ingest/kafka_mock.h - a Kafka inside the process, for the demo and tests: librdkafka's mock
 * cluster. It keeps 5 MiB or 100,000 messages a partition, in memory, and drops the oldest.
 *
 * Ownership: kafka_mock_open() gives a cluster that runs until kafka_mock_close().
 * Threads:   any.
 * Failures:  ERR_IO when it cannot listen on loopback, ERR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kafka_mock;

/* A cluster of `brokers` (from 1), numbered from 1, on loopback ports. */
int kafka_mock_open(struct kafka_mock **out, int brokers);
/* Needs every client closed. NULL is fine. */
void kafka_mock_close(struct kafka_mock *m);

/* "127.0.0.1:port,..."; borrowed. */
const char *kafka_mock_brokers(const struct kafka_mock *m);
/* ERR_RANGE for a topic that is there or no partitions. */
int kafka_mock_topic(struct kafka_mock *m, const char *name, int partitions);
/* Connections to a broker that is down are closed and refused. */
int kafka_mock_set_up(struct kafka_mock *m, int32_t broker, bool up);
