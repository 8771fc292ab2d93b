/*
 * store/rowgroup.h - rows of one tenant, topic and format on their way into a segment.
 *
 *   batch, batch, batch --rowgroup_add()--> columns with one dictionary each --rowgroup_seal()--> bytes
 *                                                                                            + head
 *
 * Rows may come in any order; they are stored by (partition, offset, sub), in blocks of
 * ROWGROUP_BLOCK_ROWS. What a row renders to is what it rendered to in its batch. The bytes of a group
 * and of its head: docs/format.md, chapter "Segments".
 *
 * Ownership: a group owns copies of all it was given. It borrows nothing.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_RANGE when the group is full or the batch is none of its kind. After
 *            ERR_NOMEM the group is to be freed.
 */
#pragma once

#include "event/batch.h"
#include "store/chunk.h"

enum rowgroup_limits {
    ROWGROUP_BLOCK_ROWS = BATCH_ROWS_MAX,
    ROWGROUP_BLOCKS_MAX = 16,
    ROWGROUP_ROWS_MAX = ROWGROUP_BLOCK_ROWS * ROWGROUP_BLOCKS_MAX,
    ROWGROUP_TEXT_BYTES_MAX = 128 << 20, /* of a column's values */
};

/* The level of everything in segments: of integers by planes and codes 3 makes nothing smaller, and 9 takes far longer. */
enum rowgroup_levels {
    ROWGROUP_ZSTD_LEVEL = 1,
};

struct rowgroup;
struct ties;

/* A group for rows like those of `b`. */
int rowgroup_new(struct rowgroup **out, const struct batch *b);
/* NULL is allowed. */
void rowgroup_free(struct rowgroup *g);
/* Whether the batch's rows may be in it: same tenant, topic, source, format, zone, generation. */
bool rowgroup_is_like(const struct rowgroup *g, const struct batch *b);

/* Rows of a batch, with what the batch does not say of them. */
struct rowgroup_rows {
    const struct batch *batch; /* whole: every column is there */
    const uint16_t *rows;      /* ascending */
    uint32_t count;
    const struct ties *ties; /* of the batch; NULL: not looked for */
    const int64_t *offsets;  /* of every row of the batch */
    const int32_t *partitions;
    const uint64_t *leaves;    /* of rows[i]: its number in the tenant's history */
    const uint32_t *raw_bytes; /* of rows[i], rendered */
};

/* ERR_RANGE: there is no room for all of them, and none was added. */
int rowgroup_add(struct rowgroup *g, const struct rowgroup_rows *rows);

uint32_t rowgroup_row_count(const struct rowgroup *g);
/* Heap bytes held, about. */
size_t rowgroup_held_bytes(const struct rowgroup *g);

/*
 * Append the group's bytes to `body` and its head to `head`. Sorts the rows; the group takes no more
 * afterwards. `head` is complete but for the filters of its blocks (store/segment_write.h).
 */
int rowgroup_seal(struct rowgroup *g, struct chunk_press *press, struct buf *body,
                  struct buf *head);
