/*
 * app/row_print.h - rows of stored batches in the forms that the commands print.
 *
 *   NDJSON   event/ndjson.h with the row's place
 *   RAW      the line as it came
 *   CSV      RFC 4180 with a header; the fields below; several values joined by ";";
 *            cells as row_text_csv() makes them
 *   TABLE    for people: a line per row, hostile bytes escaped
 *
 * Ownership: the printer owns its memory; it borrows the batch during a call.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "app/scan.h"

struct row_printer;

enum row_form {
    ROW_NDJSON,
    ROW_RAW,
    ROW_CSV,
    ROW_TABLE,
};

struct row_print_options {
    enum row_form form;
    int32_t zone_minutes; /* of the table's times, east of UTC */
};

int row_printer_new(struct row_printer **out, const struct row_print_options *options);
void row_printer_free(struct row_printer *p);

/* Append the names of the fields that CSV has, separated by commas. */
void row_print_csv_fields(struct buf *out);

/* Append what stands above the rows, if anything does. */
void row_print_header(struct row_printer *p, struct buf *out);
/* Append one row, its line end included (RAW: a line feed where the line has none). */
int row_print(struct row_printer *p, const struct scan_row *row, struct buf *out);
