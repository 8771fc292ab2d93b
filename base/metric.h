/*
 * base/metric.h - counters and gauges, one table, one page of OpenMetrics text.
 *
 * The table is a .def file of METRIC(ID, "openmetrics_name", TYPE, "label key or empty", "help"):
 *
 *     enum metric_id {
 *     #define METRIC(id, name, type, label, help) METRIC_##id,
 *     #include "app/metrics.def"
 *     #undef METRIC
 *     };
 *     static const struct metric_desc metrics[] = {
 *     #define METRIC(id, name, type, label, help) {name, METRIC_TYPE_##type, label, help},
 *     ...
 *
 * A metric without a label has one cell; one with a label has a cell per label value, made by
 * metric_cell(), at most METRIC_CELLS_MAX; values past that share the cell "_other".
 *
 * Ownership: the set owns its cells; a cell's address is valid until metric_free().
 * Threads:   any; adding is one relaxed atomic, metric_cell() takes a lock: fetch cells at start.
 * Failures:  ERR_NOMEM when made; after that none.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum metric_limits {
    METRIC_CELLS_MAX = 4096,      /* label values of one metric */
    METRIC_LABEL_BYTES_MAX = 256, /* longer values are cut */
};

enum metric_type {
    METRIC_TYPE_COUNTER,         /* only grows; the name gets _total on the page */
    METRIC_TYPE_GAUGE,           /* signed */
    METRIC_TYPE_COUNTER_SECONDS, /* held in nanoseconds, shown in seconds */
    METRIC_TYPE_GAUGE_SECONDS,
    METRIC_TYPE_HISTOGRAM_SECONDS, /* label "le", rising, "+Inf" last: how many were at most that */
};

struct metric_desc {
    const char *name; /* without _total */
    enum metric_type type;
    const char *label; /* "" = no label */
    const char *help;  /* a sentence */
};

struct metric_cell {
    _Atomic int64_t value;
};

struct metric_set;

/* `table` outlives the set; the index in it is the metric's id. */
int metric_new(struct metric_set **out, const struct metric_desc *table, size_t count);
void metric_free(struct metric_set *set);

/* The cell of a label value ("" for a metric without label); found or made, never NULL. */
struct metric_cell *metric_cell(struct metric_set *set, size_t id, struct slice label);

static inline void metric_cell_add(struct metric_cell *cell, uint64_t n)
{
    atomic_fetch_add_explicit(&cell->value, (int64_t)n, memory_order_relaxed);
}

static inline void metric_cell_set(struct metric_cell *cell, int64_t value)
{
    atomic_store_explicit(&cell->value, value, memory_order_relaxed);
}

static inline int64_t metric_cell_value(struct metric_cell *cell)
{
    return atomic_load_explicit(&cell->value, memory_order_relaxed);
}

/* The same for a metric without label. */
void metric_add(struct metric_set *set, size_t id, uint64_t n);
void metric_set_value(struct metric_set *set, size_t id, int64_t value);
/* The cell's value, 0 when there is no such cell. */
int64_t metric_value(struct metric_set *set, size_t id, struct slice label);

/* Append the page: metrics in table order, cells in order of making, "# EOF" last. */
void metric_render(struct metric_set *set, struct buf *out);
