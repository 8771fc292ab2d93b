/*
 * ingest/phrase.h - private to ingest/: values behind known words in a text for people.
 *
 *   Login Success [user: taro] [Source: 192.0.2.7] [localport: 22] at 10:00:00
 *                        ^---           ^--------              ^-
 *
 * phrase_add() marks the values alone, phrase_tell() also the text around them.
 *
 * Layer:     ingest; knows slots only.
 * Ownership: tables are static.
 * Threads:   pure functions.
 * Failures:  false when the slots are full.
 */
#pragma once

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
    struct slice words; /* of one byte only one of a table */
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
};

/*
 * Append the values in [from, to), in their order. A phrase that begins with a letter begins a
 * word. Cost: linear in the bytes, and in the table once.
 */
bool phrase_add(struct cursor *c, const struct phrase_table *table, const char *from,
                const char *to);

/*
 * The same, and all text before, between and behind the values is MESSAGE, without blanks at its
 * ends.
 */
bool phrase_tell(struct cursor *c, const struct phrase_table *table, const char *from,
                 const char *to);
