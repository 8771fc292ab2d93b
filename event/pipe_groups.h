/*
 * event/pipe_groups.h - rows by groups: what stats, timechart, top and rare compute, and dedup.
 *
 *   rows of cells  -->  group of the keys' cells  -->  states: one run of words per group
 *                                                      count 1, sum 3, min 1, ...
 *                       (group, aggregate, cell)  -->  tally: how often, for distinct and quantiles
 *
 * Every thread has groups of its own; they are merged at the end. All states are exact and do not
 * depend on the order of rows or merges.
 *
 * Ownership: borrows pipe and pool (and through it the budget).
 * Threads:   one owner.
 * Failures:  those of the pool; ERR_RANGE also for an event in more than PIPE_EVENT_GROUPS_MAX
 *            groups. After one of them some of the rows are in.
 */
#pragma once

#include "event/pipe_table.h"

enum pipe_groups_limits {
    PIPE_EVENT_GROUPS_MAX = 65536,
    PIPE_BATCH_ROWS = 4096, /* at a time */
    PIPE_RECENT = 256,      /* groups found lately: a power of two */
};

struct pipe_tally {
    uint32_t group;
    uint32_t cell; /* 0: free */
    uint32_t aggregate;
    uint64_t count;
};

struct pipe_groups {
    const struct pipe *pipe;
    struct pipe_pool *pool;
    uint32_t state_at[PIPE_AGGREGATES_MAX]; /* in a group's words */
    uint32_t tally_of[PIPE_AGGREGATES_MAX]; /* quantiles of one column share the first's */
    uint32_t width;                         /* words of a group */
    bool only_counts;                       /* every aggregate is count() */
    uint32_t *keys;                         /* key_count cells a group */
    uint64_t *states;
    uint32_t *hashes;
    size_t key_bytes; /* held */
    size_t state_bytes;
    size_t hash_bytes;
    uint32_t count;
    uint32_t cap;
    uint32_t *slots; /* group + 1 */
    uint32_t slot_count;
    uint32_t recent[PIPE_RECENT]; /* several keys: hash of their cells -> group + 1 */
    uint32_t *direct;             /* one key: cell -> group + 1 */
    uint32_t direct_cap;
    struct pipe_tally *tallies;
    size_t tally_count;
    size_t tally_slots;
    uint64_t seed;
    uint32_t batch[PIPE_BATCH_ROWS]; /* groups of the rows at hand */
};

int pipe_groups_init(struct pipe_groups *g, const struct pipe *pipe, struct pipe_pool *pool);
void pipe_groups_release(struct pipe_groups *g);

/* Take `count` rows; columns[c][row] is a cell of column c as the pipe numbers them. */
int pipe_groups_add(struct pipe_groups *g, const uint32_t *const *columns, uint32_t count);
/* The group of keys none of which is a set. */
int pipe_groups_find(struct pipe_groups *g, const uint32_t *keys, uint32_t *out);
/* Take `rows` rows of a group that was found; every aggregate is count(). */
void pipe_groups_count(struct pipe_groups *g, uint32_t group, uint64_t rows);
/* Take one row of a group that was found; of `columns` only those of aggregates are looked at. */
int pipe_groups_add_row(struct pipe_groups *g, uint32_t group, const uint32_t *const *columns,
                        uint32_t row);
/* Take all rows of a table. */
int pipe_groups_add_table(struct pipe_groups *g, const struct pipe_table *t);
/* *fresh: no row with these cells as keys was asked for before. Sets are compared as a whole. */
int pipe_groups_first(struct pipe_groups *g, const uint32_t *keys, bool *fresh);

/* Add what another thread has. */
int pipe_groups_merge(struct pipe_groups *g, const struct pipe_groups *from);

/* The table that comes out, in its order; `out` is empty. */
int pipe_groups_table(struct pipe_groups *g, struct pipe_table *out);
