/*
 * event/pipe.h - the query language behind the condition: pipes that compute on what it holds for.
 *
 *   event.action:deny | stats count() by source.ip | top 10         docs/query.md has examples
 *
 *   events                              event -> event: fields dedup where head sort
 *     | fields a, b                     these columns, in this order
 *     | dedup a, b                      the first event of each combination of values
 *     | where a>5 and b=x               those for which all of this holds: > >= < <= = !=
 *     | head N                          the first N (10)
 *     | sort [-]a, b                    by value; equal ones keep their order
 *     | stats F(a) [as x], ... [by b]   events -> table: a row for each combination of values of b
 *     | timechart span=5m F(a) [by b]   the same in steps of time, steps without events included
 *     | top N a, b    | rare N a, b     = stats count() by a, b | top N     and | rare N
 *   table                               table -> table: these, and stats top rare
 *     | top N [x]     | rare N [x]      the N rows with the most, the least of x (first F of stats)
 *   F: count() count(a) sum avg min max distinct, p95(a) p99.9(a), quantile(a, 0.95)
 *
 * Order. Events come in the order of (topic, partition, offset, sub); rows of a table bytewise by
 * the printed names of their groups, of timechart by time first. sort, top and rare keep that order
 * among equals.
 *
 * Values. The values of a field in an event are a set: those that NDJSON prints, each once; text as
 * decoded, with its letter case (only conditions fold it), U+FFFD for what is not UTF-8. An empty
 * text is no value. An event is in the group of each of its values, once, and of each combination
 * where by names several fields. An event without a value is in the group null. F takes each value
 * of the set; count(a) counts events that have one.
 *
 * Numbers. sum, avg and quantiles take numbers, and text that is written as one: digits with an
 * optional sign and fraction; they leave out the rest. All arithmetic is decimal and exact, with
 * nine digits behind the point (further ones are cut; avg is rounded, halves away from zero). A
 * quantile q of n values is the least one that at least q * n are not above. distinct is exact.
 * What there is no value for is null; counts are 0.
 *
 * Comparing (sort, top, rare, min, max): numbers and text written as one by value, then times, then
 * addresses by their bits, then other text bytewise; of equal numbers those of number fields first,
 * then text bytewise. null comes last, ascending or not. A set is compared by its least value,
 * descending by its greatest.
 *
 * where compares with a number, a time (RFC 3339) or a text: < and > by value, so they never hold for
 * null; = by value where both are numbers or times, else the printed text with ASCII case folded. Of
 * a set one value is enough. != is not =, so it holds for null.
 *
 * Time. A span is a duration (10s 5m 2h 1d). Steps of whole days begin at midnight in Japan,
 * others at a multiple of the span since 1970 UTC. All steps from the first to the last with events
 * are there, from --since to --until where those are given, each with every group.
 *
 * Columns of a table: the fields of by under their ECS names, then each F under its name: `count`,
 * `sum(source.bytes)`, or what `as` says. timechart begins with @timestamp, top and rare end with
 * count. Names with other bytes than letters, digits and . _ - @ are quoted.
 *
 * Ownership: the pipeline lives in the caller's arena.
 * Threads:   immutable once made.
 * Failures:  ERR_CONF with one diagnosis "query:1:column: what, and what would be right".
 */
#pragma once

#include "event/ast.h"
#include "event/pipe_number.h"
#include "event/pred_row.h"

enum pipe_limits {
    PIPES_MAX = 16,
    PIPE_KEYS_MAX = 32, /* fields named by one pipe */
    PIPE_AGGREGATES_MAX = 16,
    PIPE_TESTS_MAX = 16,                                        /* of one where */
    PIPE_COLUMNS_MAX = 1 + PIPE_KEYS_MAX + PIPE_AGGREGATES_MAX, /* of a table */
    PIPE_FIELDS_MAX = 64,                                       /* of events, all pipes together */
    PIPE_NAME_BYTES_MAX = 256,
    PIPE_ROWS_DEFAULT = 10,          /* head, top and rare without a number */
    PIPE_QUANTILE_ONE = 100 * 10000, /* quantile = 1 */
};

#define PIPE_ROWS_MAX    INT64_C(1000000000)
#define PIPE_COLUMN_NONE UINT32_MAX

enum pipe_kind {
    PIPE_STATS,
    PIPE_TIMECHART,
    PIPE_TOP,
    PIPE_RARE,
    PIPE_SORT,
    PIPE_HEAD,
    PIPE_FIELDS,
    PIPE_DEDUP,
    PIPE_WHERE,
};

enum pipe_function {
    PIPE_COUNT,
    PIPE_SUM,
    PIPE_AVG,
    PIPE_MIN,
    PIPE_MAX,
    PIPE_DISTINCT,
    PIPE_QUANTILE,
};

/* A field of events that some pipe asks for. */
struct pipe_field {
    struct slice name; /* ECS, or <format>.<key> */
    uint16_t field;    /* enum field or FIELD_UNNAMED */
    uint8_t row_field; /* enum row_field */
    int64_t span_ns;   /* not 0: the beginning of the step that @timestamp is in */
};

/* A column that a pipe names: of the table, or an index in pipeline->fields. */
struct pipe_key {
    uint32_t column;
    bool descending; /* sort */
};

struct pipe_aggregate {
    uint8_t function;     /* enum pipe_function */
    uint32_t column;      /* PIPE_COLUMN_NONE: count() */
    uint32_t quantile;    /* in parts of PIPE_QUANTILE_ONE */
    struct slice name;    /* of its column */
    struct slice written; /* its name without `as` */
};

enum pipe_comparison {
    PIPE_EQUAL,
    PIPE_NOT_EQUAL,
    PIPE_LESS,
    PIPE_LESS_EQUAL,
    PIPE_GREATER,
    PIPE_GREATER_EQUAL,
};

/* What where asks of a column. */
struct pipe_test {
    uint32_t column;
    uint8_t comparison; /* enum pipe_comparison */
    bool is_number;     /* the text is one; and so on */
    bool is_time;
    pipe_number number;
    int64_t time_ns;
    struct slice text;
};

struct pipe {
    uint8_t kind;  /* enum pipe_kind */
    bool on_table; /* works on a table, not on events */
    struct pipe_key
        *keys; /* by; the fields of sort, fields, dedup, top, rare. timechart: first the step */
    uint32_t key_count;
    struct pipe_aggregate *aggregates; /* stats, timechart; top and rare of events: count() */
    uint32_t aggregate_count;
    struct pipe_test *tests; /* where */
    uint32_t test_count;
    int64_t row_max;       /* head, top, rare */
    int64_t span_ns;       /* timechart */
    struct slice *columns; /* names of what comes out; NULL: whole events */
    uint32_t column_count;
};

struct pipeline {
    struct ast *condition;
    struct pipe pipes[PIPES_MAX];
    uint32_t pipe_count;
    struct pipe_field fields[PIPE_FIELDS_MAX];
    uint32_t field_count;
};

/* Read a query: a condition, and pipes if there are any. */
int pipe_parse(struct pipeline **out, struct arena *arena, struct slice text, struct diag *diag);

/* Append a query that pipe_parse() reads as an equal pipeline. ERR_RANGE as query_print(), ERR_NOMEM. */
int pipe_print(const struct pipeline *p, struct buf *out);

/* The word that begins such a pipe. */
const char *pipe_kind_name(enum pipe_kind kind);

/* Whether a table comes out, not events. */
bool pipe_makes_table(const struct pipeline *p);
/* The columns that come out, or NULL: whole events. */
const struct slice *pipe_columns(const struct pipeline *p, uint32_t *count);
