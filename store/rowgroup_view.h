/*
 * store/rowgroup_view.h - rows of a stored group, block by block, only the columns that are asked for.
 *
 *   rowgroup_open()  what the columns are                batch without rows
 *   rowgroup_texts() dictionaries, texts of the block    "does it occur at all?"
 *   rowgroup_rows()  one value a row and column          batch of up to ROWGROUP_BLOCK_ROWS rows
 *
 * Dictionaries stay from block to block. Each chunk's checksum is looked at before its bytes are.
 *
 * Ownership: a head borrows the bytes it was read from; a reader borrows the head and the group's
 *            bytes. The batch owns what is in it, but for topic, source and format name.
 * Threads:   heads are immutable; a reader has one owner, and fills one batch.
 * Failures:  ERR_CORRUPT, ERR_NOMEM. After either the group must be opened anew.
 */
#pragma once

#include "event/columns.h"
#include "store/chunk.h"
#include "store/rowgroup.h"

struct rowgroup_block {
    uint32_t row_count;
    uint32_t unparsed_rows;
    uint64_t raw_bytes;
    int64_t time_min_ns, time_max_ns;
    int64_t arrival_min_ns, arrival_max_ns;
    uint32_t filter_at; /* behind the group's columns */
    uint32_t filter_len;
    uint32_t filter_checksum;
};

struct rowgroup_head {
    uint32_t tenant; /* of the segment */
    uint16_t format;
    uint16_t zone_minutes;
    uint32_t generation;
    struct slice topic, source, format_name;
    struct slice partitions; /* i32 each */
    struct slice body;
    uint64_t at;                  /* of its first byte in the file */
    const struct file_seal *seal; /* of the file; NULL: it has none */
    uint32_t columns_len;         /* of the body; behind it the two below, then the filters */
    struct chunk desc, table;
    uint32_t row_count;
    uint32_t block_count;
    uint64_t leaf_min, leaf_max;
    uint32_t grams_len; /* of the filter of runs, behind those of the blocks; 0: none */
    uint32_t grams_checksum;
    struct slice census; /* store/census.h; empty without one */
    struct rowgroup_block blocks[ROWGROUP_BLOCKS_MAX];
};

/* Read a head. `in` is the footer's; body, place and tenant are the caller's to fill. */
int rowgroup_head_read(struct rowgroup_head *out, struct reader *in, const struct file_seal *seal);

/* How long the group is, the filters of its blocks included; optional sections may tell of more. */
uint64_t rowgroup_bytes(const struct rowgroup_head *head);

struct rowgroup_reader;

struct rowgroup_reader *rowgroup_reader_new(void);
/* NULL is allowed. */
void rowgroup_reader_free(struct rowgroup_reader *r);

/*
 * The filter of a block of any group, valid until the next one. ERR_CORRUPT when it is not what was
 * written.
 */
int rowgroup_filter(struct rowgroup_reader *r, const struct rowgroup_head *head, uint32_t block,
                    struct slice *out);

/* The filter of runs of a group (event/grams.h); empty without one. Likewise. */
int rowgroup_grams(struct rowgroup_reader *r, const struct rowgroup_head *head, struct slice *out);

/* Forget the batch and begin with a group. */
int rowgroup_open(struct rowgroup_reader *r, const struct rowgroup_head *head, struct batch *out);
/*
 * Load what pred_possible() looks at, of a block: entries of dictionaries, and values of texts that
 * have none. *whole: that is all there is; false where a text must be made of a row's time.
 */
int rowgroup_texts(struct rowgroup_reader *r, uint32_t block, const struct column_mask *only,
                   struct batch *out, bool *whole);
/* Fill the batch with the rows of a block. NULL: everything. */
int rowgroup_rows(struct rowgroup_reader *r, uint32_t block, const struct column_mask *only,
                  struct batch *out);
/* The numbers of the block's rows in the tenant's history, into out[0, row_count). */
int rowgroup_leaves(struct rowgroup_reader *r, uint32_t block, int64_t *out);
