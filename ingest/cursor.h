/*
 * ingest/cursor.h - private to ingest/: reading a line word by word.
 *
 * Layer:     ingest; knows slots only.
 * Ownership: a cursor borrows the line and the slots.
 * Threads:   one owner.
 * Failures:  cursor_add() is false when the slots are full.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"
#include "event/slot.h"
#include "ingest/scan.h"

struct cursor {
    struct slots *out;
    struct slice line;
    const char *at; /* next byte to read */
    const char *end;
};

/* At line[from]; whatever stands behind the line is not read. */
static inline struct cursor cursor_at(struct slots *out, struct slice line, uint32_t from)
{
    return (struct cursor){
        .out = out, .line = line, .at = line.data + from, .end = line.data + line.len};
}

static inline uint32_t cursor_offset(const struct cursor *c, const char *at)
{
    return (uint32_t)(at - c->line.data);
}

/* What is left. */
static inline struct slice cursor_rest(const struct cursor *c)
{
    return slice_of(c->at, (size_t)(c->end - c->at));
}

/* Append [from, to) as it is written. */
static inline bool cursor_add(struct cursor *c, const char *from, const char *to, uint16_t field)
{
    return slots_add(c->out, cursor_offset(c, from), (uint32_t)(to - from), field, SLOT_PLAIN);
}

static inline bool cursor_add_slice(struct cursor *c, struct slice text, uint16_t field)
{
    return cursor_add(c, text.data, text.data + text.len, field);
}

static inline void cursor_skip_blanks(struct cursor *c)
{
    while (c->at < c->end && *c->at == ' ')
        c->at++;
}

/* The next word, up to a blank; the cursor stands behind it and the blanks that follow. */
static inline struct slice cursor_word(struct cursor *c)
{
    const char *from = c->at;
    c->at = scan_byte(from, c->end, ' ');
    struct slice word = slice_of(from, (size_t)(c->at - from));
    cursor_skip_blanks(c);
    return word;
}

/* Pass over `text` if it comes next. */
static inline bool cursor_take(struct cursor *c, struct slice text)
{
    if (!slice_starts(cursor_rest(c), text))
        return false;
    c->at += text.len;
    return true;
}

/* The first place of `text` in what is left, or NULL. */
static inline const char *cursor_find(const struct cursor *c, struct slice text)
{
    const char *hit = scan_text(c->at, c->end, text);
    return hit == c->end ? NULL : hit;
}
