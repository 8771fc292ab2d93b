/*
 * event/pipe_combine.h - rows of a batch by the combination of their keys' values.
 *
 *   numbers of key 1   2 0 2 0 ...
 *   numbers of key 2   1 1 1 0 ...  -->  combination  7 1 7 0 ...  -->  slot 7: 2 rows, one is row 0
 *
 * What a combination stands for is looked up once for all its rows.
 *
 * Ownership: memory of its own until released; borrows nothing.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/pipe_cells.h"

enum pipe_combine_limits {
    PIPE_COMBINATIONS_MAX = 1 << 14,
    PIPE_COMBINATIONS_ROW = 4, /* so many a row, or it costs more than it saves, and */
    PIPE_COMBINATIONS_LEAST = 64,
};

/* The rows of a combination. */
struct pipe_slot {
    uint32_t count; /* 0: it does not occur */
    uint32_t row;   /* of the batch: one of them */
};

struct pipe_combine {
    struct pipe_slot *slots;
    uint32_t slot_count; /* combinations that there can be; 0 before the first rows */
    uint32_t *of_row;    /* the combination of each row that was given */
};

int pipe_combine_init(struct pipe_combine *c);
void pipe_combine_release(struct pipe_combine *c);

/*
 * Combine keys [0, key_count) in `count` <= BATCH_ROWS_MAX rows. False, and nothing is known, where
 * there would be too many combinations for so few rows.
 */
bool pipe_combine_rows(struct pipe_combine *c, const struct pipe_numbers *keys, uint32_t key_count,
                       const uint16_t *rows, uint32_t count);
