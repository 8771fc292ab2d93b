/*
 * ingest/split.h - private to ingest/: a record's bytes into rows, one row per log line.
 *
 *   record  "date=1...\r\ndate=2...\n\ndate=3"
 *   rows    [date=1...\r\n] [date=2...\n] [\n] [date=3]      concatenated they are the record
 *
 * A row's bytes include its terminator. An empty record is one empty row; NUL is an ordinary byte.
 *
 * Ownership: rows borrow the record.
 * Threads:   a split has one owner.
 * Failures:  none: every byte of the record is in exactly one row.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "event/batch.h"

enum split_mode {
    SPLIT_LINES, /* a row ends behind LF or at the end of the record */
    SPLIT_NONE,  /* the whole record is one row */
};

struct split {
    const char *at;   /* the next row starts here */
    const char *end;  /* of the record */
    size_t long_left; /* bytes of a line over the limit that are still to come */
    enum split_mode mode;
    bool empty_pending; /* the one row of an empty record */
};

/* Begin with the first row of `record`. */
void split_start(struct split *s, struct slice record, enum split_mode mode);

/*
 * The next row, its terminator included. *terminator_len is 0, 1 (LF) or 2 (CRLF). A line of more
 * than BATCH_ROW_BYTES_MAX bytes, terminator included, comes as consecutive rows of at most that
 * many, each with *too_long set; the last one has the terminator. Returns false at the end, with
 * the outputs untouched.
 */
bool split_next(struct split *s, struct slice *row, uint32_t *terminator_len, bool *too_long);

/* How many rows split_next() will give. */
size_t split_count(struct slice record, enum split_mode mode);
