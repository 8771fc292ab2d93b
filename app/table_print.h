/*
 * app/table_print.h - rows of cells in the forms that search prints.
 *
 *   NDJSON   an object a row, the columns in their order; null, and sets as arrays
 *   CSV      RFC 4180 with a header; null is empty, sets are joined by ";"; cells as
 *            row_text_csv() makes them
 *   TABLE    for people: aligned, hostile bytes escaped, times in a zone
 *
 * The values of a set stand bytewise by how they print.
 *
 * Ownership: borrows the names; rows and tables are borrowed for a call.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM, also as the buffer's.
 */
#pragma once

#include "app/row_print.h"
#include "event/pipe_table.h"

/* A struct with `names`, `count` and `zone_minutes` set is ready. */
struct table_printer {
    const struct slice *names;
    uint32_t count;
    int32_t zone_minutes; /* east of UTC, of the times of TABLE */
    struct buf cell;
    struct buf scratch;
    struct buf sets;
};

void table_printer_release(struct table_printer *p);

/* What stands above the rows of CSV. */
void table_print_header(struct table_printer *p, struct buf *out);
/* One row; `form` is ROW_NDJSON or ROW_CSV. */
int table_print_row(struct table_printer *p, enum row_form form, const struct pipe_pool *pool,
                    const uint32_t *row, struct buf *out);
/* The first `rows` rows as an aligned table, with its header. */
int table_print_aligned(struct table_printer *p, const struct pipe_table *t, size_t rows,
                        struct buf *out);
