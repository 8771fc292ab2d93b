/*
 * base/conf_schema.h - private to base/conf*.c: the key table as a tree, and scalar values.
 *
 *     kafka.brokers               root --> "kafka" --> "brokers" (row)
 *     tenants.*.networks[].cidr   root --> "tenants" --> "*" --> "networks" --> "[]" --> "cidr" (row)
 *
 * Ownership: the tree lives in the caller's arena and points into the table.
 * Threads:   immutable once made.
 * Failures:  a table that contradicts itself is our own mistake: assert.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/conf.h"

struct conf_schema {
    struct slice name;          /* "*" any name, "[]" an item; empty at the root */
    const struct conf_key *row; /* NULL where only children are described */
    struct conf_schema *parent;
    struct conf_schema *first;
    struct conf_schema *last;
    struct conf_schema *next;
    size_t count; /* children */
    size_t depth; /* of the root: 0 */
};

int conf_schema_new(struct conf_schema **out, struct arena *arena, const struct conf_key *table,
                    size_t count);

/* The child for a name as written: the one of that name, else "*", else NULL. */
const struct conf_schema *conf_schema_child(const struct conf_schema *s, struct slice name);
/* The child for list items, NULL unless s is a list. */
const struct conf_schema *conf_schema_item(const struct conf_schema *s);
bool conf_schema_is_scalar(const struct conf_schema *s);
bool conf_schema_is_list(const struct conf_schema *s);
/* A map whose names the user chooses. */
bool conf_schema_is_open(const struct conf_schema *s);
/* Whether the section itself, or one entry in it, has to be there. */
bool conf_schema_required(const struct conf_schema *s);
/* Whether the section is made with its defaults when the file leaves it out. */
bool conf_schema_implied(const struct conf_schema *s);
/* The next schema node in the order of the table, depth first; NULL after the last. */
const struct conf_schema *conf_schema_walk(const struct conf_schema *s);

/*
 * Read the text as the row's type. Returns 0, or ERR_CONF with what is wrong and what would be
 * right appended to `why`.
 */
int conf_value_parse(int64_t *out, const struct conf_key *row, struct slice text, struct buf *why);
/* Append a number of a duration, size or int as it is written in a file. */
void conf_value_print(struct buf *out, enum conf_type type, int64_t number);
/* Append "duration, 1s to 10m" and the like, for messages and manuals. */
void conf_value_describe(struct buf *out, const struct conf_key *row);
