/*
 * event/slot.h - what a parser says about a line: where its values stand, and nothing else.
 *
 *   date=2026-11-21 time=10:00:00 srcip=198.51.100.7 url="/a?b"
 *        ^---------      ^-------       ^-----------      ^---    slots, in the order of the line
 *   The bytes between slots are the skeleton: keys, quotes, separators, line end.
 *
 *   {"http":{"agent":"x","tags":["a","b"]},"n":1}
 *     ^--- ^----- ^       ^---- ^   ^      ^- ^
 *     KEY0 KEY1   1       KEY1  1   1      K0 0     nested keys: KEY slots say how deep they stand,
 *   an unnamed value how deep its own key stands: http.agent, http.tags twice, n.
 *
 * Ownership: slots hold offsets into the line; the array belongs to whoever parses.
 * Threads:   one owner.
 * Failures:  a line with more than SLOTS_MAX values is reported as partial by its parser.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/charset.h"
#include "event/field.h"

/*
 * How the bytes of a value are written; append-only, on disk. Text in another encoding than UTF-8
 * has enum charset above it: SLOT_PLAIN | CHARSET_CP932 << SLOT_CHARSET_SHIFT. The encoding is the
 * outer one: a backslash that is half of a character escapes nothing. What percent escapes mean
 * may be in any encoding, and is taken for what it looks like.
 */
enum slot_kind {
    SLOT_PLAIN = 0,
    SLOT_C_ESCAPED =
        1, /* backslash before quote, backslash, n, r, t; others stand for themselves */
    SLOT_CSV_DOUBLED = 2, /* a quote is written twice */
    SLOT_JSON_STRING = 3, /* RFC 8259 escapes */
    SLOT_PERCENT = 4,     /* %XX, plus stays plus */
    SLOT_FORM = 5,        /* %XX, plus means blank */
    SLOT_KEY = 6,         /* the name of unnamed values that follow; stays in the skeleton */
    SLOT_NULL = 7,        /* JSON's null in a text field: the field is there and has no value */
    SLOT_CEF = 8,         /* backslash before backslash, quote, = | and for \n, \r */
    SLOT_KIND_COUNT
};

enum slot_kind_bits {
    SLOT_WRITING_MASK = 0x0f,
    SLOT_CHARSET_SHIFT = 4,
};

static inline uint8_t slot_writing(uint8_t kind)
{
    return kind & SLOT_WRITING_MASK;
}

static inline bool slot_is_percent(uint8_t kind)
{
    return slot_writing(kind) == SLOT_PERCENT || slot_writing(kind) == SLOT_FORM;
}

/* The same encoding, written as it is. */
static inline uint8_t slot_plain(uint8_t kind)
{
    return kind & (uint8_t)~SLOT_WRITING_MASK;
}

static inline enum charset slot_charset(uint8_t kind)
{
    return (enum charset)(kind >> SLOT_CHARSET_SHIFT);
}

/* Can a value of this kind, of UTF-8, be in another encoding? */
static inline bool slot_kind_takes_charset(uint8_t kind)
{
    return kind == SLOT_PLAIN || kind == SLOT_C_ESCAPED || kind == SLOT_CSV_DOUBLED ||
           kind == SLOT_JSON_STRING || kind == SLOT_CEF || kind == SLOT_PERCENT ||
           kind == SLOT_FORM;
}

/* Whether a kind from outside is one that a stored value may have. */
static inline bool slot_kind_is_value(uint8_t kind)
{
    uint8_t writing = slot_writing(kind);
    if (kind != writing)
        return kind >> SLOT_CHARSET_SHIFT < CHARSET_AUTO && slot_kind_takes_charset(writing);
    return kind < SLOT_KIND_COUNT && kind != SLOT_KEY;
}

enum slot_limits {
    SLOTS_MAX = 2048,    /* values and keys of one line */
    SLOT_DEPTH_MAX = 64, /* keys around a value, its own among them */
};

struct slot {
    uint32_t offset; /* bytes from the start of the line */
    uint32_t length; /* bytes as written, without the quotes around them; may be 0 */
    uint16_t field;  /* enum field; FIELD_UNNAMED behind a KEY slot; FIELD_COLUMN(n) by position */
    uint8_t kind;    /* enum slot_kind */
    uint8_t depth;   /* of a KEY: outer keys before it; of an unnamed value: that of its key */
};

struct slots {
    uint32_t count;
    struct slot items[SLOTS_MAX];
};

/*
 * Append one value. Slots come in the order of the line and do not overlap. Returns false when
 * the line has more values than SLOTS_MAX: the caller stops with what it has.
 */
static inline bool slots_add(struct slots *s, uint32_t offset, uint32_t length, uint16_t field,
                             uint8_t kind)
{
    if (s->count == SLOTS_MAX)
        return false;
    s->items[s->count++] =
        (struct slot){.offset = offset, .length = length, .field = field, .kind = kind};
    return true;
}

/* Append the name of an unnamed key and its value, or neither. */
static inline bool slots_add_unnamed(struct slots *s, const struct slot *key,
                                     const struct slot *value)
{
    if (s->count + 2 > SLOTS_MAX)
        return false;
    s->items[s->count] = *key;
    s->items[s->count].field = FIELD_UNNAMED;
    s->items[s->count].kind = SLOT_KEY;
    s->items[s->count + 1] = *value;
    s->items[s->count + 1].field = FIELD_UNNAMED;
    s->count += 2;
    return true;
}
