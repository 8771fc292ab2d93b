/*
 * app/sample_envelope.h - is each line of a sample JSON around the line that the device wrote?
 *
 *   {"@timestamp":"...","host":{...},"message":"date=2026-11-21 time=18:00:00 logid=..."}
 *
 * Filebeat, Logstash, Fluent Bit and Vector send that to Kafka unless they are told not to. It is
 * read as JSON without a fault, and what the device says is one text of it.
 *
 * Ownership: plain data; names are static.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "app/sample.h"

enum sample_envelope_limits {
    ENVELOPE_LINES_MAX = 500, /* of the sample that are looked into */
};

struct sample_envelope {
    const char *key;    /* whose value is the device's line; NULL: these are no envelopes */
    const char *format; /* of that line */
    uint64_t lines;     /* that have such a value */
    uint64_t tried;
};

/* At least half of the lines looked into have lines of one format in them. */
int sample_envelope_find(struct sample_envelope *out, const struct sample *s,
                         const struct sample_reading *how);
