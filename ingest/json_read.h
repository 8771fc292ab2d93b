/*
 * ingest/json_read.h - private to ingest/: a JSON text as a list of keys and values, in its order.
 *
 *   {"http":{"url":"/a","codes":[1,2]},"ok":true}
 *      OUTER   KEY  STRING OUTER NUMBER NUMBER  KEY WORD
 *
 * Lossless by construction: items are places in the line, nothing is decoded. One pass, a stack of
 * JSON_DEPTH_MAX levels instead of recursion. null, {} and [] are no values. Of a list only the
 * first JSON_LIST_VALUES_MAX values are items of their own, the rest of it is one RAW item.
 * More lenient than RFC 8259 where senders are: several objects behind each other, a comma too many,
 * words other than true and false.
 *
 * Layer:     ingest; knows no fields.
 * Ownership: the caller's struct; items borrow nothing, their offsets count from the line's start.
 * Threads:   one owner.
 * Failures:  by result: MISMATCH when no object or list begins at `from`; PARTIAL when the text
 *            breaks off, is no JSON from some place on, or is deeper or has more keys than the limits:
 *            the items before `rest` are good.
 */
#pragma once

#include "ingest/json_keys.h"
#include "ingest/parser.h"

enum json_limits {
    JSON_DEPTH_MAX = 64,        /* objects and lists around a value */
    JSON_ITEMS_MAX = 3072,      /* keys and values of a line */
    JSON_LIST_VALUES_MAX = 200, /* of an outermost list, with all in it */
};

enum json_type {
    JSON_OUTER,  /* a key whose value is an object or a list */
    JSON_KEY,    /* a key whose value is the next item, or none */
    JSON_STRING, /* without its quotes */
    JSON_NUMBER,
    JSON_WORD, /* true, false */
    JSON_RAW,  /* several values with what stands between them */
};

struct json_item {
    uint32_t offset;
    uint32_t length;
    uint16_t key; /* index in the keys: its own, or that of the nearest key around a value */
    uint8_t type; /* enum json_type */
};

struct json_text {
    uint32_t count;
    uint32_t rest; /* where reading ended: the line's length, unless PARTIAL */
    struct json_item items[JSON_ITEMS_MAX];
};

enum parse_result json_read(struct json_text *out, struct json_keys *keys, struct slice line,
                            uint32_t from);
