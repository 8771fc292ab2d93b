/*
 * app/text_encoding.h - in which encoding lines of a log are: UTF-8, or what Japanese devices write.
 *
 * Here a line is in an encoding when all of it is; which characters one has is base/charset.h's, and so
 * is the guess that a source with `encoding: auto` is read by.
 *
 * A line may be right in both CP932 and EUC-JP. Lines of one device are in one encoding, so the
 * others decide: see text_encoding_settle().
 *
 * Ownership: plain data.
 * Threads:   one owner.
 * Failures:  none: bytes that are none of these are TEXT_BROKEN.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum text_encoding {
    TEXT_ASCII = 0,
    TEXT_UTF8,
    TEXT_CP932,
    TEXT_EUC_JP,
    TEXT_EITHER, /* CP932 or EUC-JP */
    TEXT_BROKEN,
    TEXT_ENCODINGS
};

/* "ASCII", "UTF-8", ...; static. */
const char *text_encoding_name(enum text_encoding encoding);

/* Of one line; linear in its bytes. */
enum text_encoding text_encoding_of(struct slice line);

struct text_encodings {
    uint64_t lines[TEXT_ENCODINGS];
    uint64_t first[TEXT_ENCODINGS]; /* number of the first such line, from 1; 0 = none */
};

/* Count a line; `number` from 1. */
void text_encoding_count(struct text_encodings *all, struct slice line, uint64_t number);
/*
 * Give the lines that are right in both to CP932 where others are CP932 and none is EUC-JP, else to
 * EUC-JP. Call it once, behind the last line.
 */
void text_encoding_settle(struct text_encodings *all);
/* The encoding of most lines that are not ASCII; TEXT_ASCII when all are. Needs them settled. */
enum text_encoding text_encoding_most(const struct text_encodings *all);
