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
    struct frame_entry *entries;
    size_t entry_count;
    struct slice *blobs;
    size_t blob_count;
    size_t blob_cap;
    struct buf bytes; /* the blobs, one behind the other */
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
};

/* NULL is fine. */
void parcel_free(struct parcel *p);
