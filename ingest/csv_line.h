/*
 * ingest/csv_line.h - private to ingest/: a line of values with a separator between them, some quoted.
 *
 *   "2026-11-21 01:00:00","EXAMPLE, Taro","192.0.2.7",,"say ""x"""      a quote inside is doubled
 *
 * Layer:     ingest; knows slots, no format.
 * Ownership: cells are places in the line.
 * Threads:   one owner.
 * Failures:  false at the end of the line; a quote that is never closed takes the rest of it.
 */
#pragma once

#include "ingest/meaning.h"
#include "ingest/scan.h"

struct csv_line {
    const char *at; /* next byte to read; NULL behind the last cell */
    const char *end;
    char separator;
    bool open; /* a quote was never closed */
};

/* A value without its quotes. */
struct csv_cell {
    const char *from;
    const char *to;
    bool quoted;
};

/* The quote that closes what begins at `from`; a doubled one does not. */
static inline const char *csv_close_quote(const char *from, const char *end)
{
    const char *q = scan_byte(from, end, '"');
    while (end - q > 1 && q[1] == '"')
        q = scan_byte(q + 2, end, '"');
    return q;
}

static inline bool csv_next(struct csv_line *c, struct csv_cell *out)
{
    if (c->at == NULL)
        return false;
    const char *p = c->at;
    /* Of one byte, as "-" is: told without a search, so that the next cell need not wait for it. */
    if (c->end - p > 1 && p[1] == c->separator && *p != '"' && *p != c->separator) {
        *out = (struct csv_cell){.from = p, .to = p + 1};
        c->at = p + 2;
        return true;
    }
    bool quoted = p < c->end && *p == '"';
    const char *from = p + quoted;
    const char *to = quoted ? csv_close_quote(from, c->end) : scan_byte(from, c->end, c->separator);
    c->open |= quoted && to == c->end;
    const char *stop = quoted && to < c->end ? scan_byte(to, c->end, c->separator) : to;
    *out = (struct csv_cell){.from = from, .to = to, .quoted = quoted};
    c->at = stop < c->end ? stop + 1 : NULL;
    return true;
}

/* The cell as what it means; an empty one under its field as it stands. */
static inline bool csv_mean(struct slots *out, struct slice line, const struct csv_cell *cell,
                            const struct meaning *meaning)
{
    struct slot slot = {.offset = (uint32_t)(cell->from - line.data),
                        .length = (uint32_t)(cell->to - cell->from),
                        .kind = cell->quoted ? SLOT_CSV_DOUBLED : SLOT_PLAIN};
    /* The slot in registers: meaning_slots() would wait for its stores. */
    if (slot.length == 0 || meaning->form == MEANING_TEXT)
        return slots_add(out, slot.offset, slot.length, meaning->field, slot.kind);
    return meaning_slots(out, line, meaning, &slot);
}
