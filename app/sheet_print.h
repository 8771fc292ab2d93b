/*
 * app/sheet_print.h - the completeness ledger for people, programs and spreadsheets.
 *
 *   table    a line for each municipality, source and hour; what was not stored and why; findings; totals
 *   NDJSON   an object each: "type" is sum, event, finding, total
 *   CSV      the lines of the table
 *
 * Ownership: nothing is kept.
 * Threads:   any.
 * Failures:  those of the buffer.
 */
#pragma once

#include "app/sheet.h"

struct sheet_style {
    const struct sheet_wish *wish;
    bool japanese;
    const char *zone; /* the name of the table's times */
};

void sheet_print_table(struct buf *out, const struct sheet *s, const struct sheet_style *style);
void sheet_print_json(struct buf *out, const struct sheet *s, const struct sheet_style *style);
void sheet_print_csv(struct buf *out, const struct sheet *s, const struct sheet_style *style);
