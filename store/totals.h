/*
 * store/totals.h - control totals: of what a municipality's sources put into Kafka, how much was stored,
 * how much was not, and why.
 *
 *   frames from_seq+1 .. through_seq
 *     topic, partition   offsets [start ........................................ end)
 *                        = records + gaps + quarantined + lost + missing - surplus
 *     hour of arrival      records, rows, bytes   of the rows that are there
 *     hour of the commit   gaps, quarantined, lost, missing: they have no row that tells when they came
 *     event                which offsets were quarantined or lost, and why; which are missing
 *
 * A record is what Kafka holds at an offset; it has one row or several. Missing are offsets whose rows a
 * frame says it has and nothing has; surplus are records that no frame speaks of, or that are there
 * twice. Both are 0 unless something is wrong.
 *
 * Layer:     base < event < store
 * Ownership: totals borrow all they point to; totals_read() takes it from the arena, texts from the
 *            bytes.
 * Threads:   values.
 * Failures:  ERR_CORRUPT for bytes that cannot be, ERR_NOMEM. Outputs are untouched.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "store/segment.h"

enum totals_limits {
    TOTALS_REASON_BYTES_MAX = 1024, /* FRAME_REASON_BYTES_MAX */
    TOTALS_TOPIC_BYTES_MAX = 249,
    TOTALS_SOURCE_BYTES_MAX = 255,
};

enum totals_kind {
    TOTALS_QUARANTINE = 2, /* as in frames (store/frame.h) */
    TOTALS_LOST = 3,
    TOTALS_MISSING = 4,
    TOTALS_SURPLUS = 5,
    TOTALS_KIND_END,
};

/* What can be added up. */
struct totals_sum {
    uint64_t records;     /* stored */
    uint64_t rows;        /* lines of these */
    uint64_t bytes;       /* of these */
    uint64_t quarantined; /* offsets; so are those below */
    uint64_t lost;
    uint64_t gaps; /* no record: never received */
    uint64_t missing;
    uint64_t surplus;
};

struct totals_hour {
    int64_t hour; /* hours since 1970 */
    struct totals_sum sum;
};

/* Offsets start..end-1. */
struct totals_event {
    enum totals_kind kind;
    int64_t start;
    int64_t end;
    int64_t tick_ns; /* of the commit; of surplus: the arrival */
    struct slice reason;
};

struct totals_partition {
    struct slice topic;
    struct slice source;
    int32_t partition;
    int64_t start; /* of what the frames say; start = end: nothing */
    int64_t end;
    struct totals_hour *hours; /* ascending */
    size_t hour_count;
    struct totals_event *events;
    size_t event_count;
};

/* Of one municipality and a run of frames. */
struct totals {
    uint64_t number;   /* of the record in its file, from 1 */
    uint64_t from_seq; /* frames behind this one */
    uint64_t through_seq;
    struct totals_partition *partitions; /* ascending by topic, partition */
    size_t partition_count;
};

/* The hour in which a time is. */
int64_t totals_hour_of(int64_t time_ns);
void totals_add(struct totals_sum *sum, const struct totals_sum *more);
/* Records that were received, as the frames say: stored, quarantined, lost, and those missing. */
uint64_t totals_received(const struct totals_sum *sum);
/* Every offset that the frames name is accounted for once: nothing is missing, nothing surplus. */
bool totals_balanced(const struct totals_sum *sum);
/* Whether the hours of a partition add up to its offsets. */
bool totals_add_up(const struct totals_partition *p);
/* "quarantined", "lost", ...; never NULL. */
const char *totals_kind_name(enum totals_kind kind);

void totals_write(struct buf *out, const struct totals *t);
int totals_read(struct totals *out, struct arena *arena, struct slice bytes);
