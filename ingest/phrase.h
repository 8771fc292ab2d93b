/*
 * ingest/phrase.h - private to ingest/: values behind known words in a text for people.
 *
 *   Login Success [user: taro] [Source: 192.0.2.7] [localport: 22] at 10:00:00
 *                        ^---           ^--------              ^-
 *
 * phrase_add() marks the values alone, phrase_tell() also the text around them.
 *
 * Layer:     ingest; knows slots only.
 * Ownership: tables are static and constant, what finds a phrase in them quickly included.
 * Threads:   pure functions.
 * Failures:  false when the slots are full.
 */
#pragma once

#include <assert.h>

#include "ingest/cursor.h"

enum phrase_limits {
    PHRASE_VALUE_MAX_BYTES = 256, /* of a value; its end is not looked for behind them */
    PHRASE_COUNT_MAX = 64,        /* of a table */
};

enum phrase_class {
    PHRASE_WORD,    /* up to a blank or comma, or the phrase's closing byte */
    PHRASE_ADDRESS, /* the same, an address maybe with a port behind ':' or '#'; else nothing */
    PHRASE_ACCOUNT, /* the same, name@domain or DOMAIN\name taken apart */
    PHRASE_URL,     /* the same, split into its parts */
    PHRASE_NUMBER,  /* the same, digits; else nothing */
    PHRASE_SITE,    /* the same, a URL whose scheme may be missing */
    PHRASE_REQUEST, /* METHOD URL [HTTP/version] */
    PHRASE_REST,    /* up to the end of the text */
};

struct phrase {
    struct slice words;
    uint16_t field;
    uint16_t port; /* of PHRASE_ADDRESS; FIELD_NONE: none */
    uint8_t class;
    char
        close; /* 0: a blank or a comma; colons, brackets, quotes and the like at the end are left out */
};

/* What a format looks for; of phrases that begin at the same byte the first one counts. */
struct phrase_table {
    const struct phrase *phrases;
    size_t count;
    uint8_t keys[PHRASE_COUNT_MAX]; /* made of the first two bytes, to find a phrase by */
    uint64_t used[4];               /* bit n: a phrase of two bytes or more has the key n */
    bool digits;                    /* a phrase begins with a digit */
    bool marks;                     /* one begins with neither digit nor letter */
    int alone;                      /* the phrase that is one byte; 0: the table has none */
};

/*
 * A table from its list, #define LIST(PHRASE) PHRASE(words, FIELD, PORT, CLASS, close) ..., of which
 * one has words of a single byte at most.
 */
#define PHRASE_TABLE(table, list)                                                      \
    static const struct phrase table##_PHRASES[] = {list(PHRASE_ROW)};                 \
    static_assert(sizeof(table##_PHRASES) / sizeof(struct phrase) <= PHRASE_COUNT_MAX, \
                  "a mask of 64 bits holds the table");                                \
    static const struct phrase_table table = {                                         \
        .phrases = table##_PHRASES,                                                    \
        .count = sizeof(table##_PHRASES) / sizeof(struct phrase),                      \
        .keys = {list(PHRASE_KEY_OF)},                                                 \
        .used = {0 list(PHRASE_USED_0), 0 list(PHRASE_USED_1), 0 list(PHRASE_USED_2),  \
                 0 list(PHRASE_USED_3)},                                               \
        .digits = 0 list(PHRASE_DIGITS),                                               \
        .marks = 0 list(PHRASE_MARKS),                                                 \
        .alone = 0 list(PHRASE_ALONE)}

#define PHRASE_ROW(text, field_, port_, class_, close_) \
    {{(text), sizeof(text) - 1}, FIELD_##field_, FIELD_##port_, PHRASE_##class_, close_},

/* The same of two bytes of a text as of those of a phrase. */
#define PHRASE_KEY(at)                                     (((unsigned char)(at)[0] * 7U + (unsigned char)(at)[1]) % 256)
#define PHRASE_KEY_OF(text, field_, port_, class_, close_) (uint8_t) PHRASE_KEY(text),
#define PHRASE_USED(text, word)                                                                   \
    | (sizeof(text) > 2 && PHRASE_KEY(text) / 64 == (word) ? UINT64_C(1) << PHRASE_KEY(text) % 64 \
                                                           : 0)
#define PHRASE_USED_0(text, field_, port_, class_, close_) PHRASE_USED(text, 0)
#define PHRASE_USED_1(text, field_, port_, class_, close_) PHRASE_USED(text, 1)
#define PHRASE_USED_2(text, field_, port_, class_, close_) PHRASE_USED(text, 2)
#define PHRASE_USED_3(text, field_, port_, class_, close_) PHRASE_USED(text, 3)
#define PHRASE_IS_DIGIT(text)                              ((text)[0] >= '0' && (text)[0] <= '9')
#define PHRASE_IS_LETTER(text)                             (((text)[0] | 0x20) >= 'a' && ((text)[0] | 0x20) <= 'z')
#define PHRASE_DIGITS(text, field_, port_, class_, close_) || PHRASE_IS_DIGIT(text)
#define PHRASE_MARKS(text, field_, port_, class_, close_) \
    || !(PHRASE_IS_DIGIT(text) || PHRASE_IS_LETTER(text))
#define PHRASE_ALONE(text, field_, port_, class_, close_) \
    | (sizeof(text) == 2 ? (unsigned char)(text)[0] : 0)

/*
 * Append the values in [from, to), in their order. A phrase that begins with a letter begins a
 * word. Cost: linear in the bytes.
 */
bool phrase_add(struct cursor *c, const struct phrase_table *table, const char *from,
                const char *to);

/*
 * The same, and all text before, between and behind the values is MESSAGE, without blanks at its
 * ends.
 */
bool phrase_tell(struct cursor *c, const struct phrase_table *table, const char *from,
                 const char *to);
