/*
 * ingest/key_order.h - private to ingest/: which key=value key comes next, guessed from the past.
 *
 * A device writes the same keys in the same order, with few variants. So every key remembers the
 * few keys that followed it, last first, and recognising a key is one 16-byte compare with the
 * guess instead of a search for '=' and a table lookup:
 *
 *   [line start] -> date= -> time= -> devname=" -> ... -> proto= -> action="
 *                                                             `---> service="   (second guess)
 *
 * A remembered key includes its '=' and, where the value was quoted, the quote. Cost: 1.2 compares
 * per key on steady traffic; a miss costs a lookup and makes the key the first guess.
 *
 * Layer:     ingest; knows bytes and field ids, no format.
 * Ownership: plain memory, no pointers; zeroed memory with a seed is an empty order.
 * Threads:   one owner.
 * Failures:  none. A cache only: a full one is emptied, and what it holds never changes an answer.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ingest/scan.h"

enum key_order_limits {
    KEY_TEXT_MAX = 32,   /* bytes of a key with '=' and quote; longer ones are not remembered */
    KEY_GUESSES = 4,     /* keys remembered as followers of one key */
    KEY_ORDER_MAX = 192, /* remembered keys, the line start included; fits uint8_t */
    KEY_BUCKETS = 512,   /* of the lookup by text, a power of two */
    KEY_PLACES = 1024,   /* for the names that the format knows, a power of two */
};

struct key {
    char text[KEY_TEXT_MAX];    /* zero padded */
    uint8_t length;             /* bytes of text; 0 = the start of a line */
    bool quoted;                /* text ends in a quote */
    uint8_t unnamed;            /* 1: the value needs a KEY slot before it */
    uint8_t special;            /* the format's own treatment of the value, 0 = none */
    uint16_t field;             /* of the value */
    uint16_t bits;              /* the places of the first 16 bytes that count */
    uint8_t guess[KEY_GUESSES]; /* index of the followers, last seen first; 0 = none */
    uint8_t name_length;        /* bytes of text that are the name */
    uint8_t kind;               /* enum slot_kind of the value */
    uint8_t reserved[18];
};

static_assert(sizeof(struct key) == 64, "one cache line per key");

struct key_order {
    struct key keys[KEY_ORDER_MAX]; /* [0] is the start of a line */
    uint8_t buckets[KEY_BUCKETS];   /* index into keys by hash of the text, 0 = free */
    uint32_t count;                 /* keys in use beside [0] */
    uint64_t seed;                  /* of the hashes, the owner's: senders choose the keys */
    uint16_t known[KEY_PLACES];     /* row + 1 of a name in the format's table, by hash; 0 = none */
};

/* Whether the bytes at p are the key, bare or quoted; `end` bounds the line, padding behind it. */
static inline bool key_matches(const struct key *key, const char *p, const char *end)
{
    if (!scan_match(p, key->text, key->bits) || key->length > end - p)
        return false;
    if (!key->quoted && p[key->length] == '"' && key->length < end - p)
        return false;
    return key->length <= SCAN_BLOCK ||
           memcmp(p + SCAN_BLOCK, key->text + SCAN_BLOCK, key->length - (size_t)SCAN_BLOCK) == 0;
}

/* The key at p by the guesses of `previous`, or NULL. */
static inline struct key *key_order_guess(struct key_order *order, const struct key *previous,
                                          const char *p, const char *end)
{
    for (size_t i = 0; i < KEY_GUESSES && previous->guess[i] != 0; i++) {
        struct key *key = &order->keys[previous->guess[i]];
        if (key_matches(key, p, end))
            return key;
    }
    return NULL;
}

/* The remembered key with exactly these bytes, or NULL; *bucket is where it stands or would. */
struct key *key_order_find(struct key_order *order, const char *text, size_t length,
                           uint32_t *bucket);

/*
 * Remember a key; `key->length` is 1..KEY_TEXT_MAX, and key_order_find() does not know it and gave
 * `bucket`. A full order is emptied first: pointers to other keys are invalid when `*emptied` is set.
 */
struct key *key_order_add(struct key_order *order, const struct key *key, uint32_t bucket,
                          bool *emptied);

/* Make `key` the first guess after `previous`; both are of this order. */
void key_order_link(struct key_order *order, struct key *previous, const struct key *key);
