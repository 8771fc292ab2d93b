/*
 * event/pred_find.h - a literal looked for in bytes, with ASCII case folded or not.
 *
 * Two bytes of the literal, those that are rarest in logs, are compared at 16 places at once (Mula,
 * "SIMD-friendly algorithms for substring searching", 2016); what passes is compared whole.
 *
 * Needs:     SLICE_PADDING_BYTES readable behind every text and literal given here.
 * Threads:   pure functions; a needle is immutable.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"

struct needle {
    struct slice text; /* folded unless cased; borrowed */
    bool cased;
    unsigned char byte[2]; /* the two that are compared first, folded */
    unsigned char fold[2]; /* 0x20 where it is a letter and case is folded */
    uint32_t at[2];        /* where they stand; the same place twice of a needle of one byte */
    uint64_t bytes[4];     /* which bytes, folded, it is made of: one bit each */
};

static inline unsigned char find_fold(unsigned char c)
{
    return (unsigned char)(c - 'A') < 26 ? (unsigned char)(c + 32) : c;
}

/* `text` is borrowed and must be folded already unless `cased`. */
struct needle needle_of(struct slice text, bool cased);

/* The first place in [from, end) where the needle stands, or NULL. The empty needle is at `from`. */
const char *needle_find(const struct needle *n, const char *from, const char *end);

static inline bool needle_in(const struct needle *n, struct slice text)
{
    return text.len >= n->text.len &&
           (n->text.len == 0 || needle_find(n, text.data, text.data + text.len) != NULL);
}

/*
 * Could a part of the needle be written as %XX in the text? What is not ASCII may be any part of it,
 * in another encoding or folded, but for kana and kanji of UTF-8. Where neither this nor needle_in() is true, the percent-decoded text
 * does not hold it either.
 */
bool needle_escaped(const struct needle *n, struct slice text);

/* Is there an escape %XX of a byte that is not ASCII? */
bool find_high_escape(struct slice text);

/* True when `len` bytes of a, folded unless cased, are those of b, which is folded already. */
bool find_equal(const char *a, const char *b, size_t len, bool cased);

/* A copy with ASCII upper case folded, with padding; data is NULL when the arena is full. */
struct slice find_folded(struct arena *arena, struct slice text);
