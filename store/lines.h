/*
 * store/lines.h - private to store/: strict reading of texts that were written line by line.
 *
 *   KEY WORD WORD\n      one blank between words, no other; every line ends with a newline
 *
 * Layer:     base < event < store
 * Ownership: borrows the text; words taken are slices of it.
 * Threads:   one owner.
 * Failures:  the first deviation is written to `diag` with its line; everything taken after that is
 *            zero or empty. Check `failed` before a number sizes anything, and once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "store/sha256.h"

enum lines_limits {
    LINES_BASE64_BYTES_MAX = 96,
    LINES_ID_BYTES_MAX = 32,
};

struct lines {
    struct slice rest; /* behind the current line */
    struct slice line; /* what is left of the current line */
    uint32_t number;   /* of the current line; 0 before the first */
    const char *name;  /* of the text, for messages */
    struct diag *diag;
    bool failed;
};

struct lines lines_of(struct slice text, const char *name, struct diag *diag);
/* Note a deviation at the current line. */
void lines_fail(struct lines *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Go to the next line, which must begin with the word `key`; "" for an empty line. */
void lines_next(struct lines *l, const char *key);
/* Whether the next line begins with that word. */
bool lines_follows(const struct lines *l, const char *key);
/* The next word of the line; `what` names it in messages. */
struct slice lines_word(struct lines *l, const char *what);
/* Decimal, without leading zeroes. */
uint64_t lines_number(struct lines *l, const char *what, uint64_t max);
/* A municipality's code: six digits. */
uint32_t lines_code(struct lines *l);
void lines_hash(struct lines *l, const char *what, struct sha256 *out);
/*
 * Standard base64 with its padding: at most `cap` bytes to `out`, up to LINES_BASE64_BYTES_MAX.
 * Returns their count.
 */
size_t lines_base64(struct lines *l, const char *what, uint8_t *out, size_t cap);
/* Nothing more may stand in the line. */
void lines_end(struct lines *l);

/* The next line, which is that word alone: what a text begins with. */
void lines_title(struct lines *l, const char *title);
/* Lines of a key and one value; the key names it in messages. */
uint64_t lines_field_number(struct lines *l, const char *key, uint64_t max);
uint32_t lines_field_code(struct lines *l, const char *key);
int64_t lines_field_time(struct lines *l, const char *key);
void lines_field_hash(struct lines *l, const char *key, const char *what, struct sha256 *out);
/* The store's id: `count` bytes, up to LINES_ID_BYTES_MAX, in hexadecimal digits. */
void lines_field_id(struct lines *l, const char *key, uint8_t *out, size_t count);

/* Nothing more may stand in the text. */
void lines_end_of_text(struct lines *l);
/*
 * Whether `again`, which is what was read and written again, is the text: so nothing has a second form.
 * `kind` are such texts. 0; ERR_FORMAT also when there was a deviation before; ERR_NOMEM.
 */
int lines_check_same(struct lines *l, struct slice text, const struct buf *again, const char *kind);

/* The bytes of a base64 text, which has one form only. Returns 0 or ERR_FORMAT. */
int lines_read_base64(size_t *len, uint8_t *out, size_t cap, struct slice text);
/* Append standard base64 with its padding. */
void lines_put_base64(struct buf *out, const void *data, size_t len);
/* Append a blank and the hash. */
void lines_put_hash(struct buf *out, const struct sha256 *hash);
/* Append a blank and up to LINES_ID_BYTES_MAX bytes as hexadecimal digits. */
void lines_put_id(struct buf *out, const uint8_t *id, size_t count);
