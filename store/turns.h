/*
 * store/turns.h - in which order the rows of several batches of a tenant came: section ORDER.
 *
 *   u32 tenant, varint first, varint batches, varint turns, then per turn: varint batch, varint rows
 *
 * `first` counts the tenant's batches of the frame; batches first..first + batches - 1 were filled
 * in turns: so many rows of one, then of another. A tenant's batches that no item names came one
 * after the other. All rows of a batch are taken by its turns, of which it
 * has at least one.
 *
 * Layer:     base < event < store
 * Ownership: a view borrows its bytes.
 * Threads:   any.
 * Failures:  ERR_CORRUPT for bytes that are no item; the buffer's when written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct turns {
    uint32_t tenant;
    uint32_t first;
    uint32_t batches;
    uint64_t left; /* turns */
    struct slice rest;
};

/*
 * Append an item: of[i] is the batch of the i-th row. `first` is 0 until the frame is
 * made: turns_move().
 */
void turns_put(struct buf *out, uint32_t tenant, uint32_t batches, const uint32_t *of, size_t rows);
/* The item with another `first`. */
void turns_move(struct buf *out, struct slice item, uint32_t first);

int turns_open(struct turns *out, struct slice item);
/* The next turn; false at the end. ERR_CORRUPT shows as false with left != 0. */
bool turns_next(struct turns *t, uint32_t *batch, uint64_t *rows);
