/*
 * ingest/scan.h - private to ingest/: the end of a value, found 16 bytes at a time.
 *
 * Layer:     ingest; needs SSE2, else the plain loops below do the same.
 * Ownership: none.
 * Threads:   pure functions.
 * Failures:  none. Every function may read SLICE_PADDING_BYTES past `end`, and never answers past
 *            it: what stands in the padding changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum scan_limits {
    SCAN_BLOCK = 16, /* bytes compared at once */
};

#ifdef __SSE2__

static inline __m128i scan_load(const char *p)
{
    const void *bytes = p;
    return _mm_loadu_si128(bytes);
}

/* Whether the bits of `bits` are all places where p and `text`, 16 bytes each, agree. */
static inline bool scan_match(const char *p, const char *text, uint32_t bits)
{
    int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(scan_load(p), scan_load(text)));
    return ((uint32_t)equal & bits) == bits;
}

/* The first place of `a` or `b` in [p, end), or end. */
static inline const char *scan_either(const char *p, const char *end, char a, char b)
{
    const __m128i first = _mm_set1_epi8(a);
    const __m128i second = _mm_set1_epi8(b);
    for (; p < end; p += SCAN_BLOCK) {
        __m128i block = scan_load(p);
        __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(block, first), _mm_cmpeq_epi8(block, second));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(hits);
        if (mask != 0) {
            const char *hit = p + __builtin_ctz(mask);
            return hit < end ? hit : end;
        }
    }
    return end;
}

/* The first place of `a` in [p, end), or end. */
static inline const char *scan_byte(const char *p, const char *end, char a)
{
    const __m128i first = _mm_set1_epi8(a);
    for (; p < end; p += SCAN_BLOCK) {
        uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(scan_load(p), first));
        if (mask != 0) {
            const char *hit = p + __builtin_ctz(mask);
            return hit < end ? hit : end;
        }
    }
    return end;
}

/* The first place of `text`, one byte or more, in [p, end), or end: by its first and its last byte. */
static inline const char *scan_text(const char *p, const char *end, struct slice text)
{
    const __m128i first = _mm_set1_epi8(text.data[0]);
    const __m128i last = _mm_set1_epi8(text.data[text.len - 1]);
    const ptrdiff_t places = end - p - (ptrdiff_t)text.len + 1;
    for (ptrdiff_t at = 0; at < places; at += SCAN_BLOCK) {
        const char *block = p + at;
        __m128i hits = _mm_and_si128(_mm_cmpeq_epi8(scan_load(block), first),
                                     _mm_cmpeq_epi8(scan_load(block + text.len - 1), last));
        for (uint32_t mask = (uint32_t)_mm_movemask_epi8(hits); mask != 0; mask &= mask - 1) {
            const char *hit = block + __builtin_ctz(mask);
            if (hit - p >= places)
                return end;
            if (memcmp(hit, text.data, text.len) == 0)
                return hit;
        }
    }
    return end;
}

/* Where `a` or `b` stands in a text, each place once: for searches whose hits are mostly no answer. */
struct scan_walk {
    const char *block; /* the 16 bytes of `mask` */
    const char *end;
    uint32_t mask; /* places not yet told, bit 0 = *block */
    char a;
    char b;
};

static inline uint32_t scan_walk_mask(const struct scan_walk *w)
{
    __m128i block = scan_load(w->block);
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(w->a)),
                                                    _mm_cmpeq_epi8(block, _mm_set1_epi8(w->b))));
}

static inline struct scan_walk scan_walk_from(const char *from, const char *end, char a, char b)
{
    struct scan_walk w = {.block = from, .end = end, .a = a, .b = b};
    w.mask = scan_walk_mask(&w);
    return w;
}

/* The next place, or end. */
static inline const char *scan_walk_next(struct scan_walk *w)
{
    while (w->mask == 0) {
        if (w->end - w->block <= SCAN_BLOCK)
            return w->end;
        w->block += SCAN_BLOCK;
        w->mask = scan_walk_mask(w);
    }
    const char *hit = w->block + __builtin_ctz(w->mask);
    w->mask &= w->mask - 1;
    return hit < w->end ? hit : w->end;
}

#else

struct scan_walk {
    const char *at;
    const char *end;
    char a;
    char b;
};

static inline struct scan_walk scan_walk_from(const char *from, const char *end, char a, char b)
{
    return (struct scan_walk){.at = from, .end = end, .a = a, .b = b};
}

static inline const char *scan_walk_next(struct scan_walk *w)
{
    while (w->at < w->end && *w->at != w->a && *w->at != w->b)
        w->at++;
    return w->at < w->end ? w->at++ : w->end;
}

static inline bool scan_match(const char *p, const char *text, uint32_t bits)
{
    for (size_t i = 0; i < SCAN_BLOCK; i++) {
        if ((bits >> i & 1) != 0 && p[i] != text[i])
            return false;
    }
    return true;
}

static inline const char *scan_either(const char *p, const char *end, char a, char b)
{
    while (p < end && *p != a && *p != b)
        p++;
    return p < end ? p : end;
}

static inline const char *scan_byte(const char *p, const char *end, char a)
{
    return scan_either(p, end, a, a);
}

static inline const char *scan_text(const char *p, const char *end, struct slice text)
{
    const char *hit =
        end - p < (ptrdiff_t)text.len ? NULL : memmem(p, (size_t)(end - p), text.data, text.len);
    return hit == NULL ? end : hit;
}

#endif

/* Whether `part`, one byte or more, stands somewhere in the text. */
static inline bool scan_has(struct slice text, struct slice part)
{
    const char *end = text.data + text.len;
    return scan_text(text.data, end, part) < end;
}
