/*
 * tests/event/pred_naive.h - the meaning of a tree on one row, written a second time: row by row,
 * value by value, sharing no matcher with event/pred_*.c.
 */
#pragma once

#include "event/ast.h"
#include "event/batch.h"

enum {
    NAIVE_URLS_MAX = 2,
};

/* What the test knows of a row because it made it. */
struct naive_row {
    struct slice urls[NAIVE_URLS_MAX]; /* url.original where it is composed */
    unsigned url_count;
    int32_t partition;
    int64_t offset;
};

/* 1, 0, or -1 where a regex gave up. */
int naive_holds(const struct batch *b, uint32_t row, const struct naive_row *known,
                const struct ast *ast);
