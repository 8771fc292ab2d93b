/*
 * ingest/feed.h - the records of one source become batches: split, parse, time, build, enrich.
 *
 *   feed_record() -- rows --> open batch (one a format) -- full, or feed_close() --> closed()
 *
 * A batch that is full closes by itself. A record's rows may lie in several batches; whoever makes
 * batches durable does it only between records, when every row of the record is in a closed batch:
 * after feed_record() reported a closed batch, call feed_close().
 *
 * Ownership: a feed owns its open batches; a closed one is lent to closed() for the call.
 * Threads:   a feed and its bench belong to one thread; the environment is shared and immutable.
 * Failures:  ERR_NOMEM, and what closed() returned; after either the feed must be freed.
 */
#pragma once

#include "event/batch.h"
#include "event/format_habit.h"
#include "event/source_class.h"
#include "event/zone.h"
#include "ingest/domain.h"
#include "ingest/geo.h"
#include "ingest/parser.h"
#include "ingest/split.h"
#include "ingest/template.h"

/* What enrichment looks things up in; immutable, any part may be NULL. */
struct feed_environment {
    const struct geo *geo;
    const struct domain_list *domains;
    uint32_t generation;
};

/* A worker's workbench: caches, scratch and spare batches that its feeds share. */
struct feed_bench;

int feed_bench_new(struct feed_bench **out, const struct feed_environment *env);
void feed_bench_free(struct feed_bench *bench);
/* Heap bytes in open batches. */
size_t feed_bench_bytes(const struct feed_bench *bench);

/* Names of a tenant's zones and asset classes by id - 1, for printing; borrowed. */
struct feed_names {
    const struct slice *zones;
    const struct slice *assets;
};

struct feed_options {
    uint32_t tenant;
    struct slice topic; /* borrowed for the feed's life, like source */
    struct slice source;
    uint16_t format;               /* enum format; FORMAT_AUTO = by the look of each line */
    struct format_habit habit;     /* of the source until now: FORMAT_AUTO asks it first */
    const struct template *layout; /* of FORMAT_TEMPLATE, else NULL; borrowed */
    int32_t zone_minutes;          /* of the device's clock, east of UTC */
    enum charset encoding;         /* of its lines */
    enum source_class class;       /* what its device stands before */
    uint32_t rows_max;             /* a batch, 1..BATCH_LIVE_ROWS_MAX */
    enum split_mode split;
    uint32_t *order; /* counts the tenant's rows: each takes its place from it; or NULL */
    bool replay;     /* a line without a time follows its predecessor */
    const struct zone_table *networks; /* of the tenant, or NULL; borrowed */
    struct feed_names names;
    /* Take what is in the batch; 0 or a negative enum err. The batch is reset after the call. */
    int (*closed)(void *self, struct batch *b);
    void *self;
};

struct feed;

/* ERR_NOTFOUND for a format without a parser, ERR_NOMEM. */
int feed_open(struct feed **out, struct feed_bench *bench, const struct feed_options *options);
/* Frees open batches without closing them. NULL is fine. */
void feed_free(struct feed *f);

struct record {
    int32_t partition;
    int64_t offset;
    int64_t arrival_ns;
    int64_t reference_ns; /* what a stamp without a year is nearest to */
    struct slice value;   /* SLICE_PADDING_BYTES behind it; at most BATCH_RECORD_BYTES_MAX */
    bool null_value;
    bool has_key;
    struct slice key;
    struct slice headers; /* as in struct extra */
};

/* What became of a record. */
struct feed_result {
    uint32_t rows;
    uint32_t unparsed; /* rows with a reason */
    bool closed;       /* closed() was called: see above */
};

/*
 * Would a record of this value fit into the open batches? Asked before feed_record(), so that a
 * full batch is closed between two records and few records straddle two batches.
 */
bool feed_has_room(const struct feed *f, struct slice value);

int feed_record(struct feed *f, const struct record *record, struct feed_result *result);

/* Close every open batch. */
int feed_close(struct feed *f);

/* Rows in open batches. */
uint32_t feed_open_rows(const struct feed *f);

/* The event time that feed_record() would give the line, for merging files; changes nothing. */
int64_t feed_peek_time(struct feed *f, struct slice line, int64_t arrival_ns, int64_t reference_ns,
                       uint8_t *source);

/* The time in the line's syslog header, the one nearest to the device; CLOCK_NONE: it has none. */
int64_t feed_peek_header_time(struct feed *f, struct slice line, int64_t reference_ns);

/* The event time of the last row, CLOCK_NONE before the first. */
int64_t feed_last_time(const struct feed *f);
