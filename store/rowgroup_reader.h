/*
 * store/rowgroup_reader.h - private to store/: what a reader of groups keeps.
 *
 * Ownership, threads, failures: as store/rowgroup_view.h.
 */
#pragma once

#include "store/rowgroup_state.h"
#include "store/rowgroup_view.h"
#include "store/time_text.h"

enum rowgroup_reader_limits {
    READER_CHAIN = 4,                /* columns that one is read through, itself counted */
    READER_DEPTH = READER_CHAIN + 1, /* a text that tells a time, and the time's chain */
    READER_LISTS = 2 * READER_DEPTH, /* so that there is always one that no depth reads from */
};

/* The rows of a block whose shapes are some of all. */
struct row_list {
    uint64_t shapes[BATCH_SHAPES_MAX / 64];
    uint32_t block; /* ROWGROUP_BLOCKS_MAX: none */
    uint32_t count;
    uint32_t rows[ROWGROUP_BLOCK_ROWS];
};

/* A chunk and where it begins in the group's bytes. */
struct placed_chunk {
    struct chunk chunk;
    uint64_t at;
};

/* A column as it is stored. */
struct stored_column {
    uint16_t id;  /* 0, or enum rowgroup_column_id */
    uint8_t form; /* enum rowgroup_form */
    bool has_exceptions;
    bool any_v6;
    bool derived;
    bool is_text, is_ip;
    uint32_t other;
    uint32_t entry_count;
    uint32_t chunks; /* the first of its chunks: dictionary, map, then blocks */
    uint32_t blocks; /* the first of its blocks' chunks */
    bool loaded;     /* dictionary and map are there */
    bool binds_all;  /* every row of the group has a value or an exception */
    bool has_texts;  /* its texts of reader.texts_block are in the batch, as entries: */
    uint32_t text_count;
    int64_t *values; /* dictionary of integers, of IPv4 addresses */
    struct ip *ips;  /* dictionary of addresses, where one is no IPv4 */
    uint16_t *map;
    uint16_t *row_codes; /* of typed values in the batch; NULL: not asked for as yet */
    struct time_text layout;
    uint64_t shapes[BATCH_SHAPES_MAX / 64]; /* those that bind it */
};

struct rowgroup_reader {
    struct chunk_press press;
    const struct rowgroup_head *head;
    struct batch *batch; /* that is filled */
    struct arena arena;  /* of the group */
    struct stored_column *columns;
    uint32_t column_count; /* with the internal ones */
    uint32_t shape_count;  /* without the verbatim one */
    struct placed_chunk *chunks;
    uint32_t chunk_count;
    bool needs_shapes; /* some column that was loaded is not in every row */
    bool shapes_loaded;
    bool extras_loaded;
    struct extra *extras; /* of the group */
    uint32_t extra_count;
    uint32_t extra_cap;
    size_t texts_len;     /* of the batch's text: dictionaries; what is behind is the block's */
    uint32_t texts_block; /* whose texts are there, in the entries of their columns */
    struct buf plain[READER_DEPTH];
    uint32_t block;                            /* whose shapes are in `shape` */
    uint8_t *shape;                            /* of the block's rows */
    uint16_t shape_codes[ROWGROUP_BLOCK_ROWS]; /* likewise, where shapes are stored by codes */
    uint32_t shape_rows[BATCH_SHAPES_MAX];     /* how many rows of the block have each */
    uint32_t counts[READER_DEPTH];
    const uint32_t *rows[READER_DEPTH]; /* that have a value */
    uint32_t every_row[ROWGROUP_BLOCK_ROWS];
    struct row_list lists[READER_LISTS];
    uint32_t next_list;
    uint32_t own_rows[READER_DEPTH][ROWGROUP_BLOCK_ROWS]; /* of columns with exceptions */
    uint16_t codes[READER_DEPTH][ROWGROUP_BLOCK_ROWS];
    int64_t numbers[READER_DEPTH][ROWGROUP_BLOCK_ROWS];
    uint64_t excepted[READER_DEPTH][ROWGROUP_BLOCK_ROWS / 64];
    uint16_t dense[ROWGROUP_BLOCK_ROWS];
    int64_t list[ROWGROUP_BLOCK_ROWS];
    struct buf scratch; /* of what is loaded */
    struct buf filter;  /* opened last */
    struct buf grams;   /* likewise */
};

static inline uint32_t reader_block_rows(const struct rowgroup_reader *r, uint32_t block)
{
    return r->head->blocks[block].row_count;
}

/* The plain bytes of a chunk, in *plain. */
int reader_chunk(struct rowgroup_reader *r, uint32_t chunk, struct buf *plain, struct reader *out);
/* Load dictionary and map of a column, and of those it is read through. */
int reader_load(struct rowgroup_reader *r, uint32_t column);
/* Whether every row of the group has a value or an exception. */
bool reader_binds_all(const struct rowgroup_reader *r, const struct stored_column *c);
/* The rows of a column without exceptions that have a value, in r->rows[0]; how many. */
uint32_t reader_bound_rows(struct rowgroup_reader *r, uint32_t column, uint32_t block);
/* The shapes of a block, in r->shape: to be there before a column that not every row has. */
int reader_shapes(struct rowgroup_reader *r, uint32_t block);
/*
 * Of a column that is loaded: codes of the block's rows in r->codes[depth], entry_count where there is none; integers in
 * r->numbers[depth], VALUE_NONE where there is none.
 */
int reader_codes(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth);
int reader_numbers(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth);
/*
 * Open a column's chunk of a block: its r->counts[depth] rows with a value in r->rows[depth],
 * exceptions given to `out` where it is not NULL, `in` at what is behind.
 */
int reader_block(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth,
                 struct batch *out, struct reader *in);
