/*
 * app/clickhouse_rows.h - the columns of ClickHouse's table, and rows of batches in them.
 *
 * A column for what is known of every row, then one for each named field, with its first value: text as
 * String, integers and addresses Nullable. Further values of a field are in `more`, fields that only
 * one format has in `extra`, both by name. Columns are made of event/fields.def: a new field is a
 * new column.
 *
 * The form is RowBinaryWithNamesAndTypes: a table whose types differ refuses it, and columns are found by
 * name. Strings are bytes: what is no UTF-8 stays as it is.
 *
 * Ownership: a writer owns its memory; it borrows the batch from clickhouse_rows_batch() on.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM, also as the buffer's.
 */
#pragma once

#include "event/batch.h"

/* Append the columns as CREATE TABLE wants them, one a line, without the last comma. */
void clickhouse_columns_print(struct buf *out);

struct clickhouse_rows;

int clickhouse_rows_new(struct clickhouse_rows **out);
/* NULL is allowed. */
void clickhouse_rows_free(struct clickhouse_rows *r);

/* Append names and types, with which each request begins. */
void clickhouse_rows_header(struct buf *out);
/* Look at a batch with all of its columns. */
int clickhouse_rows_batch(struct clickhouse_rows *r, const struct batch *b);

struct clickhouse_place {
    uint32_t row;
    int32_t partition;
    int64_t offset;
    uint64_t number; /* in the municipality's history */
};

int clickhouse_rows_put(struct clickhouse_rows *r, const struct clickhouse_place *place,
                        struct buf *out);
