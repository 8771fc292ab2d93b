/*
 * app/parcel.h - what a worker hands to the committer: closed batches, and the offsets they cover.
 *
 *   entries  topic, partition: what became of the offsets since the parcel before
 *   blobs    sealed packs of batches, in the order of the tenant's history
 *   pack     the batches after those, small enough to be packed with other sources' batches
 *
 * All rows of the offsets are in the batches of this parcel, and no other row is: committing whole
 * parcels in their order keeps every partition's ranges contiguous.
 *
 * Ownership: the parcel owns everything in it but the topics, which live as long as their stream.
 * Threads:   handed over by pointer; one owner at a time.
 */
#pragma once

#include "base/arena.h"
#include "store/store.h"

enum parcel_limits {
    PARCEL_SAMPLE_ROWS = 16,
};

struct parcel {
    struct parcel
        *next; /* of the same tenant and seal: what stands together is committed together */
    struct frame_entry *entries;
    size_t entry_count;
    struct slice *blobs;
    size_t blob_count;
    size_t blob_cap;
    uint32_t batch_count; /* in blobs and pack */
    struct buf bytes;     /* the blobs, one behind the other */
    struct pack pack;
    unsigned worker;    /* whose parcels keep their order in the log */
    struct arena arena; /* entries, ranges, reasons */
    uint64_t rows;
    uint64_t unparsed;
    uint64_t raw_bytes;
    uint64_t stored_bytes;     /* of its batches in the log, known when they are packed */
    int64_t newest_arrival_ns; /* CLOCK_NONE without rows */
    int64_t *samples;          /* arrivals of every PARCEL_SAMPLE_ROWS-th row, for latency */
    size_t sample_count;
    size_t sample_cap;
    uint32_t tenant;
    struct slice source;

    /* The first of a chain: */
    struct buf order;  /* turns of the chain's batches, store/turns.h; empty: one after the other */
    struct buf alerts; /* records, each behind its u32 length */
    size_t alert_count;
    struct buf hidden; /* what filters took out: records of app/hidden.h */

    /* A mark: everything that this worker submits after it comes after the tick. */
    bool mark;
    bool day_ends;
    uint32_t tick_flags; /* of the frame: enum frame flags */
    int64_t tick_ns;
    struct buf watermarks;      /* u32 tenant, i64 */
    struct buf contributions;   /* u32 tenant, u32 count, keys; when a day ends */
    struct buf signals;         /* for the prefecture: items behind their u32 lengths */
    struct snapshot *snapshots; /* states after this tick, to be kept */
};

/* Items behind their u32 lengths, as they stand in bufs of a parcel; returns how many, <= most. */
size_t parcel_items(struct slice *out, size_t most, struct slice bytes);

/* NULL is fine. */
void parcel_free(struct parcel *p);
