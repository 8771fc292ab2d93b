/*
 * app/topic_streams.h - the streams of a desk whose records come from Kafka: one a topic, made at its
 * first record as the configuration says.
 *
 * Ownership: a zeroed struct is empty; streams belong to the intake. The names are the partitions'.
 * Threads:   one owner.
 * Failures:  those of intake_stream() and intake_part(); ERR_NOMEM.
 */
#pragma once

#include "app/config.h"
#include "app/intake.h"

struct topic_stream;

struct topic_streams {
    struct topic_stream *first;
};

/* Make p->user the part of a partition that begins at `start`; -1: its first record decides. */
int topic_streams_part(struct topic_streams *t, struct intake *in, const struct config *config,
                       struct kafka_partition *p, int64_t start);
void topic_streams_release(struct topic_streams *t);
