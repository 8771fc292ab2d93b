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
    uint32_t batch; /* place in the index */
    uint32_t unused;
};

struct newest_row {
    int64_t time_ns;
    uint32_t batch;
    uint32_t row;
};

struct missing_batch {
    size_t batch;
    int err;
};

/* What one thread found. */
struct scan_part {
    struct stretch *stretches;
    size_t stretch_count;
    size_t stretch_cap;
    struct newest_row *newest; /* a heap, the oldest on top; cap = options.newest */
    size_t newest_count;
    struct missing_batch *missing;
    size_t missing_count;
    size_t missing_cap;
};

struct scan {
    const struct log_index *index;
    const struct sieve_query *query;
    struct scan_options options;
    struct scan_part found; /* of all threads */
    struct sieve_counters counters;
};

/* Whether a is newer: by time, then by place in the log. */
static inline bool newest_before(const struct newest_row *a, const struct newest_row *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns > b->time_ns;
    if (a->batch != b->batch)
        return a->batch > b->batch;
    return a->row > b->row;
}
