/*
 * event/pipe_pool.h - the values that pipes have met, each once, under a number.
 *
 *   cell 0 = null    cell 1 "example.jp"    cell 2 = 443    cell 3 = {cell 1, cell 7}
 *
 * Two cells of a pool are equal exactly when their values are: rows and groups compare numbers.
 *
 * Ownership: the pool owns the values' bytes; a value's slice is valid until the next cell is made.
 * Threads:   one owner; the budget is shared.
 * Failures:  ERR_RANGE past the budget, ERR_NOMEM past the heap or PIPE_CELLS_MAX.
 */
#pragma once

#include <stdatomic.h>

#include "event/pipe_number.h"
#include "event/value.h"

enum pipe_cell_kind {
    PIPE_NULL,
    PIPE_NUMBER,
    PIPE_TIME, /* ns since 1970 */
    PIPE_IP,
    PIPE_TEXT, /* UTF-8 */
    PIPE_SET,  /* of at least two cells */
};

enum {
    PIPE_CELL_NULL = 0,
    PIPE_SET_MAX = 1024, /* values of a field in an event; further ones are left out */
};

#define PIPE_CELLS_MAX UINT32_MAX

/* Bytes that all tables of a query may take. */
struct pipe_budget {
    size_t limit_bytes; /* 0: no limit but the heap */
    _Atomic size_t used_bytes;
    atomic_bool exceeded;
};

/*
 * Grow (or shrink, or free with `to` 0) a piece of memory. NULL past budget or heap, and then it is
 * as before.
 */
void *pipe_budget_resize(struct pipe_budget *b, void *memory, size_t from, size_t to);
/* What a NULL of it means. */
int pipe_budget_error(const struct pipe_budget *b);

struct pipe_cell {
    uint64_t at; /* in bytes */
    uint32_t len;
    uint32_t hash;
    uint8_t kind;
};

struct pipe_pool {
    struct pipe_budget *budget;
    struct pipe_cell *cells;
    uint32_t count;  /* the null included */
    uint32_t resets; /* how often all cells were forgotten */
    uint32_t cap;
    char *bytes;
    size_t len;
    size_t bytes_cap;
    uint32_t *slots; /* cell, 0 = free */
    uint32_t slot_count;
    uint64_t seed;
};

int pipe_pool_init(struct pipe_pool *p, struct pipe_budget *budget);
void pipe_pool_release(struct pipe_pool *p);
/* Forget all cells but null, keep the memory. */
void pipe_pool_reset(struct pipe_pool *p);

int pipe_pool_number(struct pipe_pool *p, pipe_number value, uint32_t *out);
int pipe_pool_time(struct pipe_pool *p, int64_t ns, uint32_t *out);
int pipe_pool_ip(struct pipe_pool *p, const struct ip *ip, uint32_t *out);
/* Text that is UTF-8 and not empty. */
int pipe_pool_text(struct pipe_pool *p, struct slice text, uint32_t *out);
/* The set of `count` cells, which are sorted in place; one cell is itself, none is null. */
int pipe_pool_set(struct pipe_pool *p, uint32_t *cells, uint32_t count, uint32_t *out);
/* The cell in `p` with the value of a cell of another pool. */
int pipe_pool_copy(struct pipe_pool *p, const struct pipe_pool *from, uint32_t cell, uint32_t *out);

static inline enum pipe_cell_kind pipe_cell_kind(const struct pipe_pool *p, uint32_t cell)
{
    return (enum pipe_cell_kind)p->cells[cell].kind;
}

static inline struct slice pipe_cell_bytes(const struct pipe_pool *p, uint32_t cell)
{
    return slice_of(p->bytes + p->cells[cell].at, p->cells[cell].len);
}

/* Of a NUMBER, or of a TEXT that reads as one. */
bool pipe_cell_number(const struct pipe_pool *p, uint32_t cell, pipe_number *out);
int64_t pipe_cell_time(const struct pipe_pool *p, uint32_t cell);
struct ip pipe_cell_ip(const struct pipe_pool *p, uint32_t cell);
/* How many values: 0 for null, the members of a set, else 1. */
uint32_t pipe_cell_count(const struct pipe_pool *p, uint32_t cell);
/* The i-th value of it. */
uint32_t pipe_cell_member(const struct pipe_pool *p, uint32_t cell, uint32_t i);

/* The order of sort, min and max among values; null is behind all. A set is not compared. */
int pipe_cell_compare(const struct pipe_pool *p, uint32_t a, uint32_t b);

/* Append the text of a value that is neither null nor a set; times in UTC. */
void pipe_cell_print(const struct pipe_pool *p, uint32_t cell, struct buf *out);
