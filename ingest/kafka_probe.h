/*
 * ingest/kafka_probe.h - private to ingest/kafka*.c: a second consumer that reads one partition, a
 * batch at a time, to find out where it can be read.
 *
 * Ownership: the probe owns its consumer; messages it gives belong to the caller and must be
 *            destroyed before probe_close().
 * Threads:   the recovery thread.
 * Failures:  ERR_NOMEM, ERR_CONF; what the broker says is a verdict.
 */
#pragma once

#include "ingest/kafka_state.h"

enum kafka_verdict {
    KAFKA_READABLE,   /* a message */
    KAFKA_AT_END,     /* the broker answers, and has none from there on */
    KAFKA_UNREADABLE, /* the answer cannot be decoded */
    KAFKA_SILENT,     /* the answer gives neither a message nor an error */
    KAFKA_NOT_THERE,  /* offset out of range */
    KAFKA_REFUSED,    /* another error: no broker, no rights, no such topic */
};

struct kafka_finding {
    rd_kafka_message_t *message; /* KAFKA_READABLE */
    int64_t batch;               /* KAFKA_UNREADABLE: first offset of the batch, or -1 */
    char text[KAFKA_REASON_BYTES_MAX];
};

int kafka_probe_open(struct kafka_probe **out, const struct kafka *k);
/* NULL is fine. */
void kafka_probe_close(struct kafka_probe *probe);

/* Read from here on. 0 or ERR_DOWN. */
int kafka_probe_start(struct kafka_probe *probe, const struct kafka_partition *p, int64_t offset);
void kafka_probe_stop(struct kafka_probe *probe);
/*
 * The next message, or why there is none; `finding` is filled in always. Silence is believed after
 * `rounds` answers; it takes as long as unpacking them, at most half a minute each.
 */
enum kafka_verdict kafka_probe_next(struct kafka_probe *probe, int rounds,
                                    struct kafka_finding *finding);
