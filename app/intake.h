/*
 * app/intake.h - a worker's desk: records of its tenants in, parcels out. No threads, no Kafka.
 *
 *   intake_record(part, record) -> feed -> closed batches --+
 *   intake_range(part, LOST ...) -> ranges of offsets ------+--> parcel -> emit()
 *   intake_tick(now): streams that are open too long --------+
 *   intake_mark(tick): detection of silence, ends of windows -+
 *
 * The collector runs one per worker thread with Kafka as the source, `replay` one with files.
 *
 * Ownership: the desk owns streams and parts; an emitted parcel belongs to whoever took it.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_RANGE for an offset that goes back; and what emit() returned. After any
 *            of them the desk must be closed: what it held is read again from the log's end.
 */
#pragma once

#include "app/mark.h"
#include "app/parcel.h"
#include "app/ward.h"
#include "ingest/ingest.h"

struct intake;
struct stream; /* one tenant's source */
struct part;   /* one partition of a stream */

struct intake_options {
    const struct feed_environment *environment;
    uint32_t batch_rows;   /* a batch closes at so many rows, 1..BATCH_LIVE_ROWS_MAX */
    int64_t batch_age_ns;  /* and at every multiple of this on the clock; INT64_MAX = never */
    size_t open_bytes_max; /* of open batches: past it the oldest stream is closed */
    int zstd_level;
    struct watch *watch;                            /* NULL: nobody watches */
    int (*emit)(void *self, struct parcel *parcel); /* takes the parcel, also on failure */
    void *self;
};

int intake_open(struct intake **out, const struct intake_options *options);
/* Drops what is open. NULL is fine. */
void intake_close(struct intake *in);

/* A new source; `feed` as in feed_open() without closed, self and rows_max, which are set here. */
int intake_stream(struct stream **out, struct intake *in, const struct feed_options *feed);

/* A municipality that ticks from now on, also before its first record. */
int intake_watch(struct intake *in, uint32_t tenant);

/* A partition of a stream whose next offset is `next`; -1: the first record decides. */
int intake_part(struct part **out, struct stream *stream, int32_t partition, int64_t next);

/*
 * One record; offsets only grow. A jump ahead is a GAP range (compaction, transaction marks). A
 * record over BATCH_RECORD_BYTES_MAX, or of more than DETECT_ROWS_MAX lines, becomes a QUARANTINE
 * range.
 */
int intake_record(struct part *part, const struct record *record);

/* Offsets [start, end) that gave no record. */
int intake_range(struct part *part, const struct frame_range *range);

/*
 * Close every open batch when now_ns, counted from the last mark, has passed another multiple of
 * batch_age_ns: all workers of a process do so at the same moment, so one frame takes what they
 * closed.
 */
int intake_tick(struct intake *in, int64_t now_ns);

/* Close every stream and emit everything. */
int intake_flush(struct intake *in);

/*
 * Flush, let the tick happen to every municipality, and emit it as a mark: what is emitted after
 * it happened after the tick.
 */
int intake_mark(struct intake *in, const struct mark *mark);

/* The feed of a stream, for looking at times; borrowed. */
struct feed *stream_feed(struct stream *stream);
