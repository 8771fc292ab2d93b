/*
 * app/tally.h - running totals per municipality and source: what `demo`, `status` and metrics show.
 *
 * Ownership: the tally owns its rows; names are copied.
 * Threads:   any; every call takes its lock.
 * Failures:  past TALLY_ROWS_MAX sources share the last row, whose name is "_other";
 *            alerts of municipalities past TALLY_TENANTS_MAX are not counted; what filters took out
 *            past TALLY_HIDDEN_MAX shares the last place, "_other" of municipality 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "event/alert.h"

enum tally_limits {
    TALLY_ROWS_MAX = 4096,
    TALLY_SOURCE_BYTES_MAX = 32,
    TALLY_TENANTS_MAX = 2048, /* whose alerts are counted; Japan has 1,741 municipalities */
    TALLY_HIDDEN_MAX = 1024,  /* filters, each in each municipality that it took something out */
    TALLY_FILTER_BYTES_MAX = 64,
    TALLY_LATENCY_STEP_MS = 10,
    TALLY_LATENCY_STEPS = 200, /* up to 2 s; above that each bucket is twice as far */
    TALLY_LATENCY_BUCKETS = TALLY_LATENCY_STEPS + 20,
};

struct tally_row {
    uint32_t tenant;
    char source[TALLY_SOURCE_BYTES_MAX + 1];
    uint64_t rows;
    uint64_t unparsed;
    uint64_t raw_bytes;
    uint64_t stored_bytes;   /* its batches in the log */
    int64_t last_arrival_ns; /* newest committed */
    int64_t lag_records;     /* records that the broker has and the log has not; -1 = not known */
};

/* Alerts of a municipality that became durable, revisions not counted. */
struct tally_alerts {
    uint32_t tenant;
    uint64_t by[ALERT_SEVERITY_COUNT];
};

/* What a filter took out of the rules of a municipality. */
struct tally_hidden {
    uint32_t tenant;
    char filter[TALLY_FILTER_BYTES_MAX + 1]; /* its id; longer ones are cut */
    uint64_t rows;
};

struct tally;

int tally_new(struct tally **out);
void tally_free(struct tally *t);

/* Add what was committed: `add` holds differences, last_arrival_ns the newest. */
void tally_add(struct tally *t, const struct tally_row *add);
void tally_set_lag(struct tally *t, uint32_t tenant, struct slice source, int64_t records);
/* Count `rows` rows that became durable so long after they arrived. */
void tally_latency(struct tally *t, int64_t ns, uint64_t rows);
/*
 * The latency that a share (0..1) of the rows did not exceed, in ns, rounded up to 10 ms below 2 s
 * and to a doubling above; 0 without rows.
 */
int64_t tally_latency_share(struct tally *t, double share);
/* counts[i]: how many took at most tops_ns[i], as exactly as tally_latency_share(). Rising tops. */
void tally_latency_counts(struct tally *t, const int64_t *tops_ns, uint64_t *counts, size_t count);

/* Count alerts: records of event/alert.h, each behind its u32 length. */
void tally_alerts(struct tally *t, struct slice records);
/* Copy what was counted, ordered by tenant; returns how many. `cap` items fit. */
size_t tally_copy_alerts(struct tally *t, struct tally_alerts *out, size_t cap);

void tally_hidden(struct tally *t, uint32_t tenant, struct slice filter, uint64_t rows);
/* Copy what was counted, ordered by tenant and filter; returns how many. `cap` items fit. */
size_t tally_copy_hidden(struct tally *t, struct tally_hidden *out, size_t cap);

/* Copy the rows, ordered by tenant and source; returns how many. `cap` items fit. */
size_t tally_copy(struct tally *t, struct tally_row *out, size_t cap);
/* Sum of all rows. */
struct tally_row tally_total(struct tally *t);
