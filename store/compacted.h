/*
 * store/compacted.h - up to where in the log the rows of every municipality are in segments.
 *
 *   DIR/seg/compacted    through_seq, and which municipalities have a folder
 *
 * Written after the catalogs that it speaks for, so each of these says at least as much. A folder
 * that is missing is noticed by it.
 *
 * Ownership: `tenants` is the reader's, from its arena.
 * Threads:   one writer; any number of readers.
 * Failures:  ERR_NOTFOUND where nothing was compacted yet; ERR_CORRUPT with the file named; ERR_AGAIN
 *            for a full disk; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"

struct compacted {
    uint8_t store_id[16];
    uint64_t through_seq;
    const uint32_t *tenants; /* ascending */
    size_t tenant_count;
};

int compacted_read(struct compacted *out, const char *dir, struct arena *arena, struct diag *diag);
/* Whether the municipality must have a folder. */
bool compacted_has(const struct compacted *c, uint32_t tenant);
int compacted_write(const char *dir, const struct compacted *c);
