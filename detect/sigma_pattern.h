/*
 * detect/sigma_pattern.h - the text of a value in a rule, with its wildcards and escapes.
 *
 * A pattern is kept in the way of AST_GLOB, with a backslash before every * ? and backslash that is
 * plain: what stands in a rule as  C:\a\*b\\*  is kept as  C:\\a\*b\\*  (the last star a wildcard).
 *
 * Ownership: results live in the arena given; data is NULL when it is full.
 */
#pragma once

#include "base/arena.h"

enum sigma_utf16 {
    SIGMA_UTF16_LE,
    SIGMA_UTF16_BE,
    SIGMA_UTF16_MARK, /* little endian behind its byte order mark */
};

enum {
    SIGMA_OFFSETS = 3,
};

/* What a rule's text means. */
struct slice pattern_read(struct arena *arena, struct slice text);
/* A text without wildcards. */
struct slice pattern_plain(struct arena *arena, struct slice text);
bool pattern_has_wildcard(struct slice pattern);
/* The bytes of a pattern without wildcards. */
struct slice pattern_bytes(struct arena *arena, struct slice pattern);
/* With a star before and after it. */
struct slice pattern_around(struct arena *arena, struct slice pattern, bool before, bool after);

/* RFC 4648, with padding. */
struct slice pattern_base64(struct arena *arena, struct slice bytes);
/*
 * The part of the base64 text that does not depend on what stands around the bytes when `offset`
 * (0..2) bytes stand before them in the group of three. Empty where nothing is certain.
 */
struct slice pattern_base64_offset(struct arena *arena, struct slice bytes, unsigned offset);
/* UTF-8 to UTF-16; a byte that is not UTF-8 becomes U+FFFD. */
struct slice pattern_utf16(struct arena *arena, struct slice bytes, enum sigma_utf16 order);

/* A regex (PCRE2, anchored at both ends) of the pattern in which any of - / U+2013 U+2014 U+2015
 * stands for each other. */
struct slice pattern_windash(struct arena *arena, struct slice pattern);
bool pattern_has_dash(struct slice pattern);
