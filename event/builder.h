/*
 * event/builder.h - the only place that makes lines into columns.
 *
 * Proves losslessness once: whatever slots a parser gives, batch_render() returns the line's bytes.
 *
 * Ownership: the batch; the line is copied into it.
 * Threads:   the batch's owner.
 * Failures:  ERR_NOMEM; the row is then not in the batch. ERR_RANGE of batch_append() alone.
 */
#pragma once

#include "event/batch.h"

/* One line on its way into a batch. */
struct row {
    struct slice bytes; /* with its terminator; need not be padded */
    const struct slots
        *slots;          /* offsets into bytes; ignored when `reason` keeps the line verbatim */
    uint8_t reason;      /* enum reason */
    uint8_t time_source; /* enum time_source */
    int64_t time_ns;
    int64_t arrival_ns;
    int32_t partition;
    uint32_t sub;
    int64_t offset;
};

/*
 * Append one row. Needs batch_fits(). Slots that overlap, run out of the line or stand in the wrong
 * order make the row verbatim with REASON_PARTIAL; so nothing a parser does can lose a byte.
 * ERR_RANGE: the batch has rows and no more shapes, columns or names; neither the row nor its
 * batch_extra() is in it: close it and append both to an empty one, so that what is found of a line
 * does not depend on the lines before it.
 */
int batch_append(struct batch *b, const struct row *row);

/* True when a row of `len` bytes belongs into this batch, false when the batch should close first. */
bool batch_fits(const struct batch *b, size_t len, uint32_t rows_max);

/* Remember key, headers or a null value of the record whose first row is the next to be appended. */
int batch_extra(struct batch *b, const struct extra *flags, struct slice key, struct slice headers);

/*
 * A derived column (no slot, no shape binds it): found, or added with every row absent. NULL on
 * ERR_NOMEM. The pointer is valid until the next column is added. Set its rows directly: codes of
 * column_intern() for a text field, numbers for an INT field.
 */
struct column *batch_derived(struct batch *b, uint16_t field);

/* The code of a text in a derived column, added where it is new; CODE_NONE on ERR_NOMEM. */
uint16_t column_intern(struct batch *b, struct column *c, struct slice value);
