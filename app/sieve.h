/*
 * app/sieve.h - stored batches and one query: which rows match, with as little work as possible.
 *
 *   blob: sieve_open(), then each of its batches: sieve_next()
 *
 *   head: tenant, topic, partition, time --> filters: required values, runs --> texts: can it occur?
 *        --> rows --> predicate --> rows[0, row_count)
 *   Each step may end it; counters say which did.
 *
 *   Who only counts rows by fields with few values (sieve_counts()) is given combinations of their values instead of
 *   rows, each with how many rows have it, wherever a group's census tells them (store/census.h).
 *
 *   Of the rows only the columns that the predicate asks for are decoded, unless `whole` is set: then
 *   a batch's rows may be printed.
 *
 * Ownership: the sieve borrows the blob until the next sieve_open() and owns the decoded batch, which
 *            is valid until the next call and borrows the blob's names (topic, source, format).
 * Threads:   one owner per sieve; the query is shared and immutable.
 * Failures:  ERR_CORRUPT for a damaged blob, ERR_RANGE when a regular expression gives up (the rows
 *            are then not known), ERR_NOMEM. After any of them the sieve wants another blob.
 */
#pragma once

#include "event/pred.h"
#include "store/store.h"

/* What is asked for. All of it must hold. */
struct sieve_query {
    const struct pred *pred; /* one expression; NULL: every row. Borrowed */
    struct slice topic;      /* borrowed; empty: every topic */
    uint32_t tenant;
    int32_t partition;
    bool has_tenant;
    bool has_partition;
    int64_t since_ns; /* event time in [since, until); INT64_MIN and INT64_MAX: no bound */
    int64_t until_ns;
};

struct sieve_counters {
    uint64_t batches;
    uint64_t bytes;         /* of blobs, whose checksums were computed */
    uint64_t rows;          /* in the batches that the query is about */
    uint64_t rows_unpacked; /* of those that had to be looked at row by row */
    uint64_t hits;
    uint64_t pruned_scope;     /* batches of another tenant, topic or partition */
    uint64_t pruned_time;      /* by event time */
    uint64_t pruned_filter;    /* by the filters of addresses and names, and of runs of letters */
    uint64_t pruned_texts;     /* by dictionaries and texts */
    uint64_t segments_skipped; /* whole, by time; their batches are not counted above */
};

/* Further columns that who takes the rows wants decoded, of a batch without rows as yet. */
struct sieve_wish {
    void (*columns)(void *self, const struct batch *b, struct column_mask *out);
    void *self;
    bool is_narrow; /* it looks at no texts, and names the parts that it wants */
};

struct sieve {
    const struct sieve_query *query;
    const struct sieve_wish *wish; /* or NULL. Borrowed */
    struct stored_reader *reader;
    struct pred_scratch *scratch;
    struct batch *batch; /* decoded when row_count is not 0: one of the next two */
    struct batch *stored;
    struct batch *counted; /* of a census */
    struct census_reader *census;
    struct hits hits;
    struct batch_head head;
    uint32_t parts; /* of a batch, beside what query and wish want: enum batch_part */
    /* Whether the batches of a municipality in the blob at hand are to be left out; NULL: none. */
    bool (*is_covered)(const void *self, uint32_t tenant);
    const void *covers;
    const struct rowgroup_head *asked; /* the group whose filter of runs was asked last, or NULL */
    struct slice grams;                /* that filter */
    bool grams_read;
    bool group_possible; /* what it said */
    bool damaged;        /* a filter or census of the blob, which its rows do not need */
    bool counts;         /* combinations do for rows, of these places: */
    uint64_t places;
    const uint32_t
        *weights; /* row i of the batch stands for weights[i] rows of its group; NULL: for itself */
    bool whole;   /* decode batches with hits as a whole, so that rows can be printed */
    uint32_t number; /* of the batch in its blob, from 0 */
    uint32_t row_count;
    uint16_t rows[BATCH_ROWS_MAX];   /* that match, ascending */
    int64_t offsets[BATCH_ROWS_MAX]; /* of every row of the batch, after sieve_places() */
    int32_t partitions[BATCH_ROWS_MAX];
    struct sieve_counters counters;
};

/* `query` is borrowed for the sieve's life. */
int sieve_new(struct sieve **out, const struct sieve_query *query);
/* NULL is allowed. */
void sieve_free(struct sieve *s);

/*
 * From now on combinations do for rows: besides what the query asks for, only these places of a census are
 * looked at (event/census.h). Nothing changes where the query asks for more than a census can tell.
 */
void sieve_counts(struct sieve *s, uint64_t places);

/* Begin with a blob. */
int sieve_open(struct sieve *s, struct stored_blob blob);
/*
 * The rows of its next batch that match, into rows[0, row_count), counted. ERR_NOTFOUND after the
 * last one.
 */
int sieve_next(struct sieve *s);
/* How many of the next batch match, counted; unpacks nothing where the head tells. */
int sieve_next_count(struct sieve *s, uint64_t *out);
/* The same for one batch whose head is given, whatever time and filter say; not counted. */
int sieve_take(struct sieve *s, const struct batch_head *head);
/* Open a blob and go to its batch of that number. */
int sieve_at(struct sieve *s, struct stored_blob blob, uint32_t number);

/* Fill offsets and partitions of the decoded batch. */
void sieve_places(struct sieve *s);

void sieve_counters_add(struct sieve_counters *to, const struct sieve_counters *from);
