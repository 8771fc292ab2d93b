/*
 * event/columns.h - filling the columns of a batch; shared by the builder and by the store's reader.
 *
 * Ownership: everything is taken from the batch's arena.
 * Threads:   the batch's owner.
 * Failures:  ERR_NOMEM, or NULL; ERR_RANGE past a limit of event/batch.h.
 */
#pragma once

#include "event/batch.h"

/* Make room for one more row in every row array and column. */
int batch_reserve_row(struct batch *b);

/* Make room for exactly `rows` rows in an empty batch without columns. */
int batch_reserve_rows(struct batch *b, uint32_t rows);

/*
 * Append a column with room for the batch's row_cap and every row absent. `storage` must fit the
 * type. Returns its index, or a negative enum err.
 */
int batch_column_add(struct batch *b, const struct column *like);

/* What a batch has beside its columns. */
enum batch_part {
    PART_SHAPES = 1, /* skeletons: lines, and URLs composed of parts */
    PART_TIMES = 2,
    PART_ARRIVALS = 4,
    PART_PLACES = 8, /* runs, sub, extras */
    PART_VERDICTS = 16,
    PART_REASONS = 32,
    PART_ALL = 63,
};

/* Some columns of a batch, by index, and parts; a store may give more parts than these. */
struct column_mask {
    uint64_t words[BATCH_COLUMNS_MAX / 64];
    uint32_t parts; /* enum batch_part */
};

static inline void column_mask_add(struct column_mask *m, uint32_t column)
{
    m->words[column / 64] |= UINT64_C(1) << (column % 64);
}

static inline bool column_mask_has(const struct column_mask *m, uint32_t column)
{
    return (m->words[column / 64] >> (column % 64) & 1) != 0;
}

/* Room for the batch's row_cap in a column that has less; new rows are absent. 0 or ERR_NOMEM. */
int column_reserve(struct batch *b, struct column *c);

/*
 * A place for `need` elements of `size` bytes: `items` itself where *cap suffices, else a larger
 * copy and a new *cap. NULL on ERR_NOMEM, with *cap unchanged.
 */
void *batch_array_grow(struct batch *b, void *items, uint32_t *cap, uint32_t need, size_t size);

/* Turn a column of IPv4 into one that holds any address; rows keep their values. */
int column_widen(struct batch *b, struct column *c);

static inline void column_set_present(struct column *c, uint32_t row)
{
    c->present[row / 64] |= UINT64_C(1) << (row % 64);
}

static inline bool column_is_present(const struct column *c, uint32_t row)
{
    return (c->present[row / 64] >> (row % 64) & 1) != 0;
}

/* Give the rows of exceptions that are valid for the type the values of their texts. */
void column_take_exceptions(struct batch *b, struct column *c);

/* Append a value that is not in text as written, exceptions aside; false when the row has none. */
bool column_print(const struct column *c, uint32_t row, struct buf *out);

/* Bytes of one row of a storage. */
size_t column_width(uint8_t storage);
