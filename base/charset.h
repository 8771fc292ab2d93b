/*
 * base/charset.h - the encodings that Japanese logs are written in, and which one a text is likely in.
 *
 *   93 FA 96 7B   CP932    日本       C6 FC CB DC   EUC-JP   日本       E6 97 A5 E6 9C AC   UTF-8   日本
 *
 * A byte below 40 belongs to no longer character in any of them, so a text falls into pieces there that
 * are looked at each by itself. A piece that reads as UTF-8 is UTF-8, unless
 * its only characters are of two bytes and rare in Japan. The other pieces of a text have
 * one encoding together: the one in which all are valid or, where both are, the one with fewer
 * characters that Japanese text hardly has (rare kanji, katakana of half width in an order that no
 * word has). A character that the end of the text cuts off makes nothing invalid.
 *
 * Threads:   pure functions.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum charset {
    CHARSET_UTF8 = 0,
    CHARSET_CP932 = 1, /* Shift_JIS as Windows writes it */
    CHARSET_EUC_JP = 2,
    CHARSET_AUTO = 3, /* what the bytes look like */
    CHARSET_COUNT
};

/* "utf-8", "cp932", "euc-jp", "auto"; false for another name. */
bool charset_find(enum charset *out, struct slice name);

/* No byte above 7F. */
bool charset_is_ascii(struct slice text);

/*
 * The bytes of the character that a text begins with, and its code point; 0 where it begins with none of
 * that encoding. The text is not empty, the encoding not CHARSET_AUTO.
 */
size_t charset_next(uint32_t *point, struct slice text, enum charset charset);

/*
 * What a text that is not ASCII is likely in. CHARSET_UTF8 also for what is valid in none. Linear in
 * the text; of the pieces that are not UTF-8 the first 128 bytes together decide, at most 16 pieces.
 */
enum charset charset_guess(struct slice text);

/*
 * Does a value of a text with this guess read as UTF-8 all the same? Two bytes alone that are also
 * katakana of half width are as the rest of their text is.
 */
bool charset_is_utf8(struct slice text);

/*
 * Append a text of CP932 or EUC-JP as UTF-8, U+FFFD for each byte that is no character there; of
 * CHARSET_UTF8 as it is; of CHARSET_AUTO piece by piece, UTF-8 as it is.
 */
void charset_to_utf8(struct buf *out, struct slice text, enum charset charset);

/* Append one code point as UTF-8. */
void charset_put(struct buf *out, uint32_t point);
