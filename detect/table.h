/*
 * detect/table.h - a table of fixed size for state that an outsider can make grow.
 *
 *   set 0   [slot][slot] .. [slot]     TABLE_WAYS slots a set: a piece of a key's hash and the
 *   set 1   [slot] ..                  number of its entry. A key lives in one set; a full set gives
 *   ...                                up its entry that was not asked for since the hand passed
 *   entries [entry][entry] ..          (clock)
 *
 * Entries are given out from the front, so memory is touched for what the table holds and not for
 * what it could hold, and an entry never moves while its key is there.
 *
 * Lives inside a tenant's flat state: no pointers, so a snapshot is a copy of the bytes. The struct
 * and its entries must lie in one block.
 *
 * Entries begin with `uint64_t key` (keyed hash, never 0) and are zeroed when they are given out.
 *
 * Ownership: the caller's memory.
 * Threads:   one owner.
 * Failures:  none: what does not fit evicts, and is counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/gaps.h"

enum table_limits {
    TABLE_WAYS = 8,
    TABLE_ENTRIES_MAX = (1 << 22) - 1, /* rounded up to a power of two of sets */
};

struct table {
    uint64_t at;   /* of the slots, bytes from this struct; entries follow them */
    uint64_t sets; /* a power of two */
    uint64_t entry_bytes;
    uint64_t count;
    uint64_t evictions;
    uint64_t used; /* entries that were ever given out: a prefix */
    uint64_t free; /* number of the last entry that was removed, from 1; each holds the next */
};

/* Bytes behind the struct for at least `entries` entries (rounded up to a power of two of sets). */
size_t table_bytes(size_t entries, size_t entry_bytes);
/*
 * `memory` is zeroed, 8-byte aligned, table_bytes() long, in the same block as the struct and behind
 * it. entry_bytes is a multiple of 8.
 */
void table_init(struct table *t, void *memory, size_t entries, size_t entry_bytes);

/* The key's entry, marked as used, or NULL. */
void *table_find(struct table *t, uint64_t key);
/*
 * The key's entry, or a new one whose other bytes are zero. *fresh tells. *evicted (may be NULL)
 * receives a copy of the entry that was given up for it, and its key is 0 when none was.
 */
void *table_take(struct table *t, uint64_t key, bool *fresh, void *evicted);
void table_remove(struct table *t, uint64_t key);

/*
 * The key will be looked for in a moment: ask the memory for its slots, later (`near`) for its entry.
 */
void table_ahead(const struct table *t, uint64_t key, bool near);

/* Walk all entries: *at starts at 0; NULL at the end. Entries may be removed while walking. */
void *table_next(struct table *t, size_t *at);

/* What was never given out. */
void table_gap(const struct table *t, struct gaps *out);
