/*
 * app/scan_state.h - private to app/scan*.c: what a scan found.
 *
 * Ownership, threads, failures: as app/scan.h.
 */
#pragma once

#include "app/scan.h"

/* The hits of one partition in one batch. */
struct stretch {
    struct slice topic; /* borrowed from the blob */
    int64_t offset;     /* of the first hit */
    uint32_t sub;
    int32_t partition;
    uint32_t blob;   /* place in the index */
    uint32_t number; /* of the batch in it */
    uint32_t bytes;  /* of the batch, unpacked */
};

/* Where a row stands in its blob: batch in the upper half, row in the lower. */
static inline uint32_t newest_place(uint32_t number, uint32_t row)
{
    return number << 16 | row;
}

static_assert((int)CODEC_BATCHES_MAX <= 1 << 16 && (int)BATCH_ROWS_MAX <= 1 << 16,
              "a place fits 32 bits");

struct newest_row {
    int64_t time_ns;
    uint32_t blob;
    uint32_t place;
};

struct missing_blob {
    size_t blob;
    int err;
};

/* What one thread found. */
struct scan_part {
    struct stretch *stretches;
    size_t stretch_count;
    size_t stretch_cap;
    struct newest_row *newest; /* a heap, the oldest on top; cap = options.newest */
    size_t newest_count;
    struct missing_blob *missing;
    size_t missing_count;
    size_t missing_cap;
};

struct scan {
    const struct log_index *index;
    const struct sieve_query *query;
    struct scan_options options;
    struct diag *diag;
    struct scan_part found; /* of all threads */
    struct sieve_counters counters;
    bool stopped;
};

/* A blob of which not all can be read when its turn comes: named, counted. ERR_NOMEM. */
int scan_lose(struct scan *s, uint32_t blob);

/* Whether a is newer: by time, then by place in the log. */
static inline bool newest_before(const struct newest_row *a, const struct newest_row *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns > b->time_ns;
    if (a->blob != b->blob)
        return a->blob > b->blob;
    return a->place > b->place;
}
