/*
 * ingest/json_keys.h - private to ingest/: the keys that a source's JSON lines had so far.
 *
 *   {"http":{"url":"/a","status":200},"src_ip":...}
 *
 *   root -> "http" -> "url" -> "status" -> "src_ip" -> ...     which key came behind which
 *   "url" and "status" have "http" as parent: their name is http.url, http.status
 *
 * A device writes the same keys in the same order, so most keys are known by one compare with the
 * one that followed last time. Each key of the memory knows its parent, and what its whole name
 * means once that was asked.
 *
 * Layer:     ingest; knows names, no JSON and no fields.
 * Ownership: plain memory of the parser's state; no pointers.
 * Threads:   one owner.
 * Failures:  a key that finds no room is reported; json_keys_empty() makes room for those of any one
 *            line, and invalidates all indexes. What is remembered never changes an answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "ingest/scan.h"

enum json_key_limits {
    JSON_KEYS_MAX = 1024,            /* of one line */
    JSON_KEYS_HELD = 1280,           /* remembered, the root among them */
    JSON_KEY_BUCKETS = 4096,         /* a power of two */
    JSON_KEY_GUESSES = 3,            /* followers of a key */
    JSON_KEY_TEXT_BYTES = 40 * 1024, /* of all keys held */
    JSON_KEY_ROOT = 0,               /* index of what has no key around it */
    JSON_KEY_NAME_MAX = 200,         /* bytes of a whole name; a key with more has none */
    JSON_KEY_NONE = UINT16_MAX,
};

struct json_key {
    char head[SCAN_BLOCK];            /* first bytes of the text, zero padded */
    uint32_t text;                    /* where in texts: the key with both quotes */
    uint16_t length;                  /* bytes of that */
    uint16_t bits;                    /* the bytes of head that count */
    uint16_t parent;                  /* index */
    uint16_t guess[JSON_KEY_GUESSES]; /* followers, last seen first; JSON_KEY_ROOT = none */
    uint16_t name_bytes;              /* of the whole name; over JSON_KEY_NAME_MAX: has none */
    uint8_t depth;                    /* keys around it */
    bool signed_for;                  /* the user's: sign was set */
    uint8_t sign;                     /* the user's: which vendor the key gives away */
};

struct json_keys {
    struct json_key keys[JSON_KEYS_HELD];
    uint16_t buckets[JSON_KEY_BUCKETS]; /* index into keys, 0 = free */
    char texts[JSON_KEY_TEXT_BYTES + SCAN_BLOCK];
    uint32_t text_bytes;
    uint32_t count;   /* keys in use, the root among them; 0 in zeroed memory */
    uint32_t emptied; /* how often json_keys_empty() was called: indexes from before mean nothing */
    uint64_t seed;
};

void json_keys_init(struct json_keys *keys);
/* Forget all but the root. */
void json_keys_empty(struct json_keys *keys);

/* Whether the bytes at p are the key; `end` bounds the line, padding behind it. */
static inline bool json_key_matches(const struct json_keys *keys, const struct json_key *key,
                                    const char *p, const char *end)
{
    if (!scan_match(p, key->head, key->bits) || key->length > end - p)
        return false;
    return key->length <= SCAN_BLOCK || memcmp(p + SCAN_BLOCK, keys->texts + key->text + SCAN_BLOCK,
                                               key->length - (size_t)SCAN_BLOCK) == 0;
}

/* The key at p, whose first byte is its quote, by what followed `previous`; or JSON_KEY_NONE. */
static inline uint16_t json_keys_guess(const struct json_keys *keys, uint16_t previous,
                                       uint16_t parent, const char *p, const char *end)
{
    const struct json_key *before = &keys->keys[previous];
    for (size_t i = 0; i < JSON_KEY_GUESSES && before->guess[i] != JSON_KEY_ROOT; i++) {
        const struct json_key *key = &keys->keys[before->guess[i]];
        if (key->parent == parent && json_key_matches(keys, key, p, end))
            return before->guess[i];
    }
    return JSON_KEY_NONE;
}

/*
 * The index of the key `text` (with both quotes) below `parent`, remembered as a follower of
 * `previous`. JSON_KEY_NONE when there is no room.
 */
uint16_t json_keys_find(struct json_keys *keys, uint16_t previous, uint16_t parent,
                        struct slice text);

/*
 * The whole name of a key in its plain form (ingest/names.h). Bytes at `to`, which has
 * JSON_KEY_NAME_MAX; 0 for the root and for longer names.
 */
size_t json_keys_plain_name(const struct json_keys *keys, uint16_t index, char *to);
/* The same as it is written. */
size_t json_keys_name(const struct json_keys *keys, uint16_t index, char *to);
