/*
 * detect/json_walk.h - a way through a large JSON document without building it: check it once, then go
 * from value to value and take the few that matter as bytes.
 *
 *   {"Event": {"info": "...", "Attribute": [{...}, {...}]}}
 *    key -> enter -> key, skip -> key -> enter -> item: {...} as bytes, item: {...} as bytes
 *
 * Ownership: the walk borrows the document; keys and values are slices of it.
 * Threads:   one owner.
 * Failures:  json_check() says what is wrong and where; the other functions need a document that it
 *            found right and are called in the order of its values.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum json_walk_limits {
    JSON_WALK_DEPTH_MAX = 64, /* objects and arrays in each other */
};

struct json_walk {
    struct slice text;
    size_t at;
    uint32_t line; /* of `at`, from 1 */
};

/* Where a document is wrong. */
struct json_fault {
    const char *why;
    uint32_t line;
    uint32_t column; /* bytes, from 1 */
};

/* One value with nothing behind it, by RFC 8259. Escapes and UTF-8 are left to who reads a value. */
bool json_check(struct slice text, struct json_fault *fault);

/* At the document's value. A byte order mark means nothing. */
void json_walk_begin(struct json_walk *w, struct slice text);
/* The first byte of what comes next: '{' '[' '"', of a literal, or of an end; '\0' behind it all. */
char json_walk_peek(struct json_walk *w);
/* Into the object or array that comes next. */
void json_walk_enter(struct json_walk *w);
/* The next key of an object that was entered, as written; false: the object is left. */
bool json_walk_key(struct json_walk *w, struct slice *key);
/* To the next value of an array that was entered; false: the array is left. */
bool json_walk_item(struct json_walk *w);
/* Take or skip the value that comes next; its line goes to *line. NULL: not wanted. */
void json_walk_value(struct json_walk *w, struct slice *value, uint32_t *line);
