/*
 * event/binder.h - private to the builder: which columns the values of a line without a shape go to.
 *
 *   value -> its field, or the batch's id of its name -> which one of that field -> column
 *
 * Names and columns are found through tables (struct id_table), so a line costs what it is long,
 * however many keys it invents.
 *
 * Ownership: names, columns and tables are the batch's.
 * Threads:   the batch's owner.
 * Failures:  ERR_NOMEM; ERR_RANGE when the batch has no more room for names or columns; ERR_FORMAT
 *            when no batch would have: more values than columns, more than 256 of one field, a name
 *            that is too long. After either the caller calls binder_undo().
 */
#pragma once

#include "event/batch.h"
#include "event/slot.h"

struct binder {
    uint32_t hint;                 /* behind the column or name that was found last */
    uint32_t keys[SLOT_DEPTH_MAX]; /* the KEY slots around the place, outermost first */
    uint16_t fields[SLOTS_MAX];    /* of each value, in order */
    uint16_t seen[FIELD_LOCAL_FIRST + BATCH_NAMES_MAX]; /* values of a field so far */
    uint32_t value_count;
};

/* How much there was before a line that may find no room. */
struct binder_mark {
    uint32_t names;
    uint32_t columns;
};

/*
 * The field of each value of the line at text[line]; new names are added. Adds no column, so a line
 * that no batch has room for leaves nothing behind. Needs slots that are valid.
 */
int binder_fields(struct binder *binder, struct batch *b, uint32_t line, const struct slots *slots);

/* The column of value number `value`, asked for in order behind binder_fields(); or negative. */
int binder_column(struct binder *binder, struct batch *b, uint32_t value, uint8_t kind);

struct binder_mark binder_mark(const struct batch *b);
/* Take back the names and columns that were added since; the caller cuts the text. */
void binder_undo(struct batch *b, const struct binder_mark *mark);

/* The derived column of a field, added where it is new; its index, or a negative enum err. */
int binder_derived(struct batch *b, uint16_t field);
