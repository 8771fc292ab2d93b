/*
 * base/yaml.h - a YAML text as a bounded tree of scalars, lists and maps.
 *
 * Plain YAML 1.1 without tags, merge keys and keys that are not scalars; without anchors and aliases
 * unless the reader allows some. Every scalar is text; what a number is decides the reader of the
 * tree. An alias is a copy of what its anchor stands for, with the places of the anchor's text.
 *
 * Ownership: the tree and all its text live in the caller's arena.
 * Threads:   one owner of the arena; the tree itself is immutable.
 * Failures:  ERR_FORMAT (a diagnosis was added for each fault), ERR_NOMEM. Time and memory are
 *            linear in the text, whatever it holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

enum yaml_limits {
    YAML_TEXT_BYTES_MAX = 4 << 20,
    YAML_DEPTH_MAX = 16,
    YAML_EVENTS_MAX = 1000000,
};

enum yaml_kind {
    YAML_TEXT,
    YAML_LIST,
    YAML_MAP,
};

/* What a reader accepts; yaml_read() and yaml_read_stream() take YAML_PLAIN. */
struct yaml_bounds {
    uint32_t depth;        /* levels of lists and maps */
    uint32_t aliases;      /* of one text; 0 = none, and no anchors */
    uint32_t nodes;        /* of one text, copies included */
    size_t document_bytes; /* of one document */
};

/* Lines and columns count from 1; columns count characters. */
struct yaml_node {
    enum yaml_kind kind;
    bool quoted;   /* a scalar in quotes or a block: never null, true or a number */
    uint32_t line; /* where the value starts */
    uint32_t column;
    uint32_t key_line; /* where its key starts; of a list item, the item */
    uint32_t key_column;
    const char *key; /* NUL-terminated; NULL unless the parent is a map */
    size_t key_len;
    struct slice text;       /* of a scalar; a NUL lies behind it */
    size_t count;            /* children */
    struct yaml_node *first; /* children in the order of the text */
    struct yaml_node *last;
    struct yaml_node *next; /* the next child of the parent */
    struct yaml_node *parent;
};

/* Read one document. An empty text gives an empty plain scalar; a second document is refused. */
int yaml_read(struct yaml_node **out, struct arena *arena, struct slice text, const char *filename,
              struct diag *diag);
/* Read all documents of the text: a list whose children are their roots. */
int yaml_read_stream(struct yaml_node **out, struct arena *arena, struct slice text,
                     const char *filename, struct diag *diag);

/* The same within bounds of the caller's. */
int yaml_read_within(struct yaml_node **out, struct arena *arena, struct slice text,
                     const char *filename, const struct yaml_bounds *bounds, struct diag *diag);

/* The child of a map under the key, or NULL; linear in the children. */
const struct yaml_node *yaml_get(const struct yaml_node *map, struct slice key);
/* Its text under the key when that is a scalar; the empty slice (data NULL) when it is not. */
struct slice yaml_text(const struct yaml_node *map, struct slice key);
/* Whether it is an unquoted null, ~ or nothing. */
bool yaml_null(const struct yaml_node *node);

/* Append the text as a scalar that reads back as the same text: plain when that is safe. */
void yaml_print_scalar(struct buf *out, struct slice text);
