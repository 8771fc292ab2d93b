/*
 * ingest/extension.h - private to ingest/: the pairs of a CEF or LEEF extension become slots.
 *
 *   src=192.0.2.7 cs1Label=Rule Name cs1=allow out request=https://example.jp/?a\=b
 *       source.ip                        rule.name         url.scheme url.domain url.path url.query
 *
 * A custom key (cs1, cn2, c6a3, flexString1, ...) means what its label says, wherever that stands in
 * the line. A field that has a value gets no second one from another key.
 *
 * Layer:     ingest.
 * Ownership: the caller's; pairs are places in the line.
 * Threads:   one owner.
 * Failures:  false when the slots are full.
 */
#pragma once

#include "ingest/names.h"
#include "ingest/parser.h"

enum extension_limits {
    EXTENSION_PAIRS_MAX = 512, /* of a line */
};

/* Columns of a line besides its pairs. */
enum extension_columns {
    EXTENSION_BEFORE = 0, /* text in front of the header */
    EXTENSION_REST = 1,   /* of a line that cannot be read on */
};

struct extension_pair {
    uint32_t key;
    uint32_t key_bytes;
    uint32_t value;
    uint32_t value_bytes;
};

struct extension {
    struct names_memory *memory;
    struct slots *out;
    struct slice line;
    enum vendor vendor;  /* of the device */
    enum vendor dialect; /* VENDOR_CEF or VENDOR_LEEF */
    uint8_t kind;        /* of the values, enum slot_kind */
    uint32_t count;
    struct extension_pair pairs[EXTENSION_PAIRS_MAX];
};

/* The state of a parser of such pairs, a memory of names; as parser.state_new and state_free. */
struct parser_state *extension_state_new(void);
void extension_state_free(struct parser_state *state);
struct names_memory *extension_names(struct parser_state *state);

/* Blanks, and the ends of lines that stand in a line. */
static inline bool extension_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline const char *extension_skip_blanks(const char *p, const char *end)
{
    while (p < end && extension_is_blank(*p))
        p++;
    return p;
}

/* Append a pair; false when there are too many. */
bool extension_add(struct extension *e, struct slice key, const char *from, const char *to);

/*
 * Read [from, end) as pairs of key=value with blanks between them. A value may have blanks: it ends
 * before the last blank in front of the next key. One in quotes ends with its quote. False when there
 * are too many.
 */
bool extension_read(struct extension *e, const char *from, const char *end);

/* Read [from, end) as pairs of key=value with `separator` between them. As extension_read(). */
bool extension_split(struct extension *e, const char *from, const char *end,
                     struct slice separator);

/* Append the slots of all pairs. */
bool extension_slots(struct extension *e);

/*
 * The same, and what became of the line: `whole` is what reading it from `from` to its end returned. A text
 * without any pair becomes a slot of EXTENSION_REST, unless it is blank.
 */
enum parse_result extension_end(struct extension *e, const char *from, bool whole);
