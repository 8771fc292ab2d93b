/*
 * app/hunt.h - indicators looked for in what is stored: who met them before they were known?
 *
 *   newest blob of the log --> head: tenant, time, filter --> texts --> addresses --> rows
 *        |                                                                             |
 *        v  until all is read, or a budget is used up                    findings: (entry, municipality)
 *   oldest blob
 *
 * From the newest back, so that what a budget cuts off is one stretch at the old end, and can be said.
 * A row counts as it would have alarmed (detect/indicator_hunt.h): a listed address that knocked and
 * was refused is no finding.
 *
 * The same log, entries and bounds give the same findings, unless a budget of time ended the hunt.
 *
 * Ownership: index, set and configuration are borrowed for the call, the index as long as the result:
 *            topics are borrowed from it.
 * Threads:   the calling one; `stop` may be set by any.
 * Failures:  a damaged blob is named, counted and left out; ERR_NOMEM.
 */
#pragma once

#include <stdatomic.h>

#include "app/config.h"
#include "app/log_index.h"

enum hunt_limits {
    HUNT_FINDINGS_MAX = 1 << 20,
    HUNT_FINDINGS_DEFAULT = 50000, /* 8 MB */
    HUNT_FILTERED_MAX = 64, /* so many addresses are asked of the filter in front of a batch */
};

struct hunt_options {
    const struct log_index *index;
    const struct indicator_set *set;
    const struct config *config; /* networks of municipalities; NULL: private ranges are inside */
    uint64_t last_seq;           /* frames up to this one; UINT64_MAX: all */
    uint32_t tenant;             /* 0 = every municipality */
    int64_t since_ns;            /* event time in [since, until) */
    int64_t until_ns;
    int64_t time_max_ns; /* of the wall clock; 0 = no limit */
    uint64_t bytes_max;  /* of blobs; 0 = no limit */
    size_t findings_max; /* 1..HUNT_FINDINGS_MAX */
    atomic_bool *stop;   /* or NULL */
    unsigned rests;      /* rest so many times as long as it worked, blob by blob; 0 = never */
};

/* A row as evidence. */
struct hunt_place {
    struct slice topic;
    int64_t offset;
    int32_t partition;
    uint32_t sub;
};

/* What a municipality had to do with an entry. */
struct hunt_finding {
    uint32_t entry; /* handle in the set */
    uint32_t tenant;
    uint64_t count;
    uint64_t refused; /* of them */
    int64_t first_ns;
    int64_t last_ns;
    struct hunt_place first;
    struct hunt_place last;
    struct ip source; /* of the first row */
    bool has_source;
    bool inbound; /* the listed address came in, in the first row */
};

enum hunt_end {
    HUNT_WHOLE,   /* to the beginning of the log */
    HUNT_TIME,    /* a budget */
    HUNT_BYTES,   /* likewise */
    HUNT_STOPPED, /* somebody wished so */
};

struct hunt_result {
    struct hunt_finding *findings; /* by (entry, tenant), ascending */
    size_t count;
    uint64_t batches;
    uint64_t batches_skipped; /* not unpacked: another tenant, time, or the filter */
    uint64_t rows;            /* of the batches that were not skipped */
    uint64_t bytes;
    uint64_t knocks;   /* rows of listed addresses that were refused at the door: no findings */
    uint64_t damaged;  /* blobs that could not be read, and damage of the log */
    uint64_t left_out; /* rows of findings past findings_max */
    enum hunt_end end;
    int64_t reached_ns; /* what arrived from then on was searched; INT64_MAX: nothing was */
};

int hunt_run(struct hunt_result *out, const struct hunt_options *options, struct diag *diag);
void hunt_release(struct hunt_result *r);
/* Whether every row in the bounds was looked at. */
bool hunt_is_whole(const struct hunt_result *r);
