/*
 * base/conf.h - configuration from one table: parser, checks, defaults, example, manual, printer.
 *
 * A table row describes one scalar. Its path is made of names and placeholders:
 *
 *     kafka.brokers                  a key in a section
 *     tenants.*.name                 '*' stands for any name: a map that the user fills
 *     kafka.properties.*             a map of free names to scalars
 *     tenants.*.networks[].cidr      '[]' a list of sections
 *     kafka.topics[]                 a list of scalars
 *
 * Sections follow from the paths. A row of type CONF_SECTION gives a section its help and may make
 * it required. Keys that are missing are added with their defaults, sections too unless they hold
 * a required key: those stay absent, and a required key is asked for only where its section is.
 * A required list or free map needs at least one entry.
 *
 * Ownership: a struct conf owns its tree, which is immutable; the table outlives it.
 * Threads:   any number of readers.
 * Failures:  ERR_CONF with every fault of the file in the diagnosis; ERR_IO, ERR_NOTFOUND,
 *            ERR_RANGE (too large) as of file_read_all(), with a diagnosis too; ERR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum conf_limits {
    CONF_KEYS_MAX = 512,    /* rows of a table */
    CONF_SEGMENTS_MAX = 12, /* of a path */
    CONF_NODES_MAX = 1000000,
};

/* What a scalar is, and what conf_int() gives for it. */
enum conf_type {
    CONF_SECTION,  /* no scalar: help for a section */
    CONF_STRING,   /* length in bytes within min..max when max > 0 */
    CONF_INT,      /* decimal, within min..max when min < max */
    CONF_BOOL,     /* true, false, yes, no, on, off: 1 or 0 */
    CONF_DURATION, /* "500ms" "10s" "5m" "2h" "7d": nanoseconds; min, max too */
    CONF_SIZE,     /* "4096" "64MiB" "1GB": bytes; min, max too */
    CONF_ENUM,     /* one of `choices`: its index */
    CONF_PATH,     /* of a file; conf_resolve() makes it relative to the configuration */
    CONF_ZONE,     /* "+09:00": minutes east of UTC */
    CONF_CIDR,     /* "192.0.2.0/24" "2001:db8::/32" or one address; host bits must be 0 */
};

struct conf_key {
    const char *path;
    enum conf_type type;
    bool required;
    const char *initial; /* the default as written in a file; NULL = none */
    int64_t min;
    int64_t max;
    const char *const *choices; /* CONF_ENUM: names, NULL at the end */
    const char *unit;           /* of a CONF_INT, for people: "rows", "threads"; NULL = none */
    const char *help;           /* a sentence */
};

enum conf_kind {
    CONF_SCALAR,
    CONF_MAP,
    CONF_LIST,
};

struct conf_node {
    enum conf_kind kind;
    bool given;    /* written in the file; false: a default */
    uint32_t line; /* of the value, from 1; 0 when not given */
    uint32_t column;
    const char *key;            /* under which it is; NULL in a list and at the root */
    const struct conf_key *row; /* of the table; NULL where none describes it */
    struct slice text;          /* of a scalar, NUL behind it */
    int64_t number;             /* of a scalar, by its type */
    size_t count;               /* children */
    const struct conf_node *first;
    const struct conf_node *next;
};

struct conf;

/* Read and check a file of at most 4 MiB. */
int conf_load(struct conf **out, const struct conf_key *table, size_t count, const char *path,
              struct diag *diag);
/* The same for a text; `filename` is for messages and conf_resolve(). */
int conf_parse(struct conf **out, const struct conf_key *table, size_t count, struct slice text,
               const char *filename, struct diag *diag);
void conf_free(struct conf *conf);

const struct conf_node *conf_root(const struct conf *conf);
const char *conf_filename(const struct conf *conf);

/*
 * The node under a dotted path of names from `from` ("limits.log_bytes"), or NULL. Names that hold
 * dots are found with conf_child(). Iterate with for (n = node->first; n != NULL; n = n->next).
 */
const struct conf_node *conf_find(const struct conf_node *from, const char *path);
const struct conf_node *conf_child(const struct conf_node *map, struct slice key);
/* Text of the scalar there, NUL-terminated; NULL when there is none. */
const char *conf_text(const struct conf_node *from, const char *path);
/* Number of the scalar there (see enum conf_type); 0 when there is none. */
int64_t conf_int(const struct conf_node *from, const char *path);
bool conf_bool(const struct conf_node *from, const char *path);
/* Children of the map or list there; 0 when there is none. */
size_t conf_count(const struct conf_node *from, const char *path);
/* Whether the file itself says something there. */
bool conf_given(const struct conf_node *from, const char *path);

/* Append the path as seen from the directory of the configuration file; absolute ones unchanged. */
void conf_resolve(struct buf *out, const struct conf *conf, const char *path);
/* Add a finding of the caller's own about a node. */
void conf_error(const struct conf *conf, const struct conf_node *node, struct diag *diag,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Read a size "64MiB", "1GB", "512" into bytes. Returns 0, ERR_FORMAT or ERR_RANGE. */
int conf_parse_size(int64_t *out, struct slice text);

/*
 * Append the configuration as YAML; what is a default is written as a comment, so that reading it
 * back gives an equal tree.
 */
void conf_print(const struct conf *conf, struct buf *out);
/* Append an example file: every key with its help, range and default, commented out unless required. */
void conf_print_example(const struct conf_key *table, size_t count, struct buf *out);
/* Append the list of keys as mdoc(7). */
void conf_print_man(const struct conf_key *table, size_t count, struct buf *out);
