/*
 * app/record_print.h - whole records again, from their rows in order.
 *
 *   rows  (t, 0, 7, 0) (t, 0, 7, 1) | (t, 0, 8, 0)        a record is the concatenation of its rows
 *   raw   bytes bytes LF            | bytes LF            the terminator follows Kafka's records only
 *   json  an object a row, each with the SHA-256 of its record, its key and its headers
 *
 * Rows may come from several batches. Of an open record its bytes and objects are held, some 64 MiB
 * of bytes at most.
 *
 * Ownership: the printer owns its memory; it borrows rows during a call.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_CORRUPT for headers that cannot be read.
 */
#pragma once

#include "app/scan.h"

struct record_printer;

struct record_print_options {
    bool raw;        /* bytes; else NDJSON */
    char terminator; /* behind a Kafka record's bytes */
};

int record_printer_new(struct record_printer **out, const struct record_print_options *options);
void record_printer_free(struct record_printer *p);

/* Append what is known to be whole; rows in the order of (topic, partition, offset, sub). */
int record_print_row(struct record_printer *p, const struct scan_row *row, struct buf *out);
/* Append what is left of the last record. */
int record_print_end(struct record_printer *p, struct buf *out);
