/*
 * base/diag.h - all that is wrong with a text, collected in one pass.
 *
 *   collector.yaml:12:5: unknown key "broker"; did you mean "brokers"?
 *
 * Ownership: the messages are one owned buffer; a zeroed struct is a valid, empty one.
 * Threads:   one owner.
 * Failures:  past DIAG_MESSAGES_MAX messages are counted, not kept.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum diag_limits {
    DIAG_MESSAGES_MAX = 200,
    DIAG_TEXT_BYTES_MAX = 1 << 20,
};

struct diag {
    struct buf text; /* one line a message, each with its newline */
    size_t count;    /* messages, also those not kept */
};

/*
 * Add "file:line:column: message". Line 0 leaves the place out. The whole message is made harmless
 * for a terminal (base/escape.h) but for its quotes.
 */
void diag_add(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *format,
              ...) __attribute__((format(printf, 5, 6)));
void diag_vadd(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *format,
               va_list args) __attribute__((format(printf, 5, 0)));

/* Append the kept messages of another one, as far as there is room. */
void diag_add_all(struct diag *d, const struct diag *more);

/* All kept messages, and how many more there were; NUL-terminated, valid until the next call. */
const char *diag_text(struct diag *d);
void diag_release(struct diag *d);

/* The nearest of `count` names to `word` (edit distance <= a third of it), or NULL. */
const char *diag_suggest(struct slice word, const char *const *names, size_t count);
