/*
 * base/escape.h - hostile bytes made harmless for a line of text on a terminal or in a log.
 *
 * Backslash, double quote, control characters, bytes that are not UTF-8, line separators and
 * characters that are invisible or reorder text (bidirectional controls, zero width, BOM, tags)
 * become \\ \" \n \r \t \xNN or \u{NNNN}. Everything else, Japanese included, stays as it is.
 *
 * Threads:   pure functions.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/*
 * Decode the character at the start of s, which is not empty. Returns its length in bytes, 1..4,
 * and the code point; 0 when the bytes are not UTF-8 (overlong, surrogate, past U+10FFFF, cut).
 */
size_t escape_utf8(uint32_t *out, struct slice s);

/* Whether escape_text() would change it. */
bool escape_needed(struct slice s);
void escape_text(struct buf *out, struct slice s);
/* The same between double quotes, cut to about `max` bytes of output with "..." (0 = no cut). */
void escape_quoted(struct buf *out, struct slice s, size_t max);
