/*
 * detect/correlation_run.h - a municipality's correlations while its rows come in.
 *
 *   row that rules matched --correlation_run_add()--> waits in the order of event time
 *   watermark              --correlation_run_until()-> correlate_push() -> alert(), signal()
 *
 * A municipality runs the correlations of its own; what correlations over municipalities name goes
 * on as a signal, to the run of the prefecture, which has only those.
 *
 * So correlations see what came within lateness in the order of event time, whatever the order of
 * arrival. What comes later than that is taken at the time that has been reached, and counted. Where
 * CORRELATION_WAITING_MAX rows or CORRELATION_WAITING_BYTES_MAX bytes wait (lines may be long), the
 * oldest is taken before its time, and counted.
 *
 * Ownership: the rules are borrowed and outlive the run.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM, and what alert() returns.
 */
#pragma once

#include "detect/flow.h"
#include "detect/rule_set.h"

struct correlation_run;

enum correlation_limits {
    CORRELATION_WAITING_MAX = 65536,
    CORRELATION_WAITING_BYTES_MAX = 64 << 20,
};

/* A row that rules matched which correlations refer to; values by rules->fields. */
struct correlation_row {
    const uint32_t *rules; /* indices in the set; of a signal correlations, too */
    uint32_t rule_count;
    const struct slice *values;
    const struct flow *flow;
};

/* Who is told. */
struct correlation_sink {
    /* `flow`: of the row that completed it; NULL where the end of a window did. */
    int (*alert)(void *self, const struct correlate_alert *alert, const struct flow *flow);
    /* Of a municipality: rows in the order of event time, `time_ns` that at which it was taken. */
    int (*signal)(void *self, const struct correlation_row *row, int64_t time_ns);
    void *self;
};

/* DETECT_PREFECTURE: those over municipalities, else the others. *out is NULL where nothing runs. */
int correlation_run_new(struct correlation_run **out, const struct rule_set *rules,
                        enum detect_class size, uint64_t seed);
/* NULL is fine, here and below. */
void correlation_run_free(struct correlation_run *run);

int correlation_run_add(struct correlation_run *run, const struct correlation_row *row,
                        const struct correlation_sink *sink);
/*
 * No row before `mark_ns` is expected any more. INT64_MAX: no row at all; windows that are not over
 * stay open.
 */
int correlation_run_until(struct correlation_run *run, int64_t mark_ns,
                          const struct correlation_sink *sink);

/* Rows that were late or taken early, groups and entries that gave way: detection was incomplete. */
uint64_t correlation_run_losses(const struct correlation_run *run);

/* As correlate_save(), with what waits. */
void correlation_run_save(const struct correlation_run *run, struct buf *out);
/*
 * Take it from the front of *bytes. ERR_FORMAT where it is damaged or of other correlations, or
 * ERR_NOMEM: the run and *bytes are then as they were.
 */
int correlation_run_load(struct correlation_run *run, struct slice *bytes);
/*
 * Go on, in a fresh run of other rules, where `before` stands: what waits of rules that are still
 * there, and the windows that correlate_carry() keeps. ERR_NOMEM: the run is of no more use.
 */
int correlation_run_carry(struct correlation_run *run, const struct correlation_run *before);
