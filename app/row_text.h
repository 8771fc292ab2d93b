/*
 * app/row_text.h - the values of a row by field, as text for people and for spreadsheets.
 *
 * Ownership: row_fields borrows the batch; scratch buffers are its own until row_fields_release().
 * Threads:   one owner.
 * Failures:  those of the buffer written to.
 */
#pragma once

#include "event/batch.h"

enum row_text_limits {
    ROW_FIELDS_MAX = 32,
    ROW_FIELD_COLUMNS_MAX = 8, /* looked at per field: other spellings and repetitions */
};

struct row_columns {
    const struct column *items[ROW_FIELD_COLUMNS_MAX];
    uint32_t count;
};

/* Where the fields of a table stand in a batch. A zeroed struct is ready. */
struct row_fields {
    const struct batch *batch;
    struct row_columns columns[ROW_FIELDS_MAX];
    struct buf scratch;
    struct buf decoded;
    struct buf values; /* of row_field_join() */
};

void row_fields_release(struct row_fields *f);
/* Look at the columns of a batch whose rows are known; `fields` as in row_field_text(). */
void row_fields_batch(struct row_fields *f, const struct batch *b, const uint16_t *fields,
                      size_t count);

/*
 * The first value of fields[at] in a row, decoded: numbers and addresses by value, fields of batch
 * and row included (tenant, source, format, verdict, @timestamp, kafka.*). `place` are partition and
 * offset. Valid until the next call; false when the row has none. *is_number tells a number.
 */
struct row_place {
    int32_t partition;
    int64_t offset;
};

bool row_field_text(struct row_fields *f, size_t at, uint16_t field, uint32_t row,
                    const struct row_place *place, struct slice *out);

/* Append the values of the field in the row, bytewise, each once, joined by ";". Returns how many. */
uint32_t row_field_join(struct row_fields *f, size_t at, uint16_t field, uint32_t row,
                        const struct row_place *place, struct buf *out);

/* Whether a field's text is always a number or a time that we print ourselves. */
bool row_field_is_number(uint16_t field);

/* Append text with U+FFFD for what is not UTF-8. */
void row_text_utf8(struct buf *out, struct slice text);

/*
 * Append a CSV cell of RFC 4180, in quotes where it needs them.
 *
 * Spreadsheets run text that begins with = + - @ or their full-width forms, also behind blanks: an
 * apostrophe keeps it text. Text that begins with TAB, CR, LF or an apostrophe gets one too, so taking
 * one apostrophe off every cell that begins with it gives all texts back. Controls other than TAB, LF
 * and CR, and what turns the direction of text, become \x00 and \u{202e}; what is no UTF-8, U+FFFD.
 * A number stays as it is. `scratch` is used.
 */
void row_text_csv(struct buf *out, struct buf *scratch, struct slice text, bool is_number);
