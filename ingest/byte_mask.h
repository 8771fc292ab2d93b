/*
 * ingest/byte_mask.h - private to ingest/: where one byte stands in the next 64, as bits.
 *
 *   "a,bc,d..."  byte ','  ->  ...0001 0010   bit n is byte n
 *
 * For positional formats, whose values are so short that a search per value costs more than its
 * answer: one mask gives the ends of several values.
 *
 * Layer:     ingest; needs SSE2, else the plain loop below does the same.
 * Ownership: a cursor borrows the text.
 * Threads:   a cursor has one owner.
 * Failures:  none. SLICE_PADDING_BYTES behind the text are read, and change no answer.
 */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum byte_mask_limits {
    BYTE_MASK_BLOCK = 64, /* bytes looked at in one step */
};

static_assert((int)BYTE_MASK_BLOCK <= (int)SLICE_PADDING_BYTES,
              "a block may begin at the last byte");

#ifdef __SSE2__

static inline uint64_t byte_mask(const void *bytes, char byte)
{
    const char *p = bytes;
    const __m128i wanted = _mm_set1_epi8(byte);
    uint64_t mask = 0;
    for (unsigned i = 0; i < BYTE_MASK_BLOCK; i += 16) {
        __m128i block;
        memcpy(&block, p + i, sizeof(block));
        uint32_t bits = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block, wanted));
        mask |= (uint64_t)bits << i;
    }
    return mask;
}

/* Where bytes of [first, first + count] stand, those of the bits of `fold` set in them, as bits. */
static inline uint64_t byte_mask_range(const char *p, char fold, char first, char count)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < BYTE_MASK_BLOCK; i += 16) {
        __m128i block;
        memcpy(&block, p + i, sizeof(block));
        block = _mm_sub_epi8(_mm_or_si128(block, _mm_set1_epi8(fold)), _mm_set1_epi8(first));
        __m128i within = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(count)), block);
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(within) << i;
    }
    return mask;
}

#else

static inline uint64_t byte_mask_range(const char *p, char fold, char first, char count)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < BYTE_MASK_BLOCK; i++) {
        unsigned char at = (unsigned char)((p[i] | fold) - first);
        mask |= (uint64_t)(at <= (unsigned char)count) << i;
    }
    return mask;
}

static inline uint64_t byte_mask(const void *bytes, char byte)
{
    const char *p = bytes;
    uint64_t mask = 0;
    for (unsigned i = 0; i < BYTE_MASK_BLOCK; i++)
        mask |= (uint64_t)(p[i] == byte) << i;
    return mask;
}

#endif

/* Where ASCII letters and digits stand. */
static inline uint64_t byte_mask_letters(const char *p)
{
    return byte_mask_range(p, 0x20, 'a', 'z' - 'a');
}

static inline uint64_t byte_mask_digits(const char *p)
{
    return byte_mask_range(p, 0, '0', 9);
}

/* Walks over the places of one byte in a text. */
struct byte_cursor {
    const char *text;
    uint64_t mask;  /* places not yet told, bit 0 = text[block] */
    uint32_t block; /* offset of the mask */
    uint32_t end;   /* length of the text */
    char byte;
};

/* Begin at text[from]; places before it are not told. from <= end. */
static inline void byte_cursor_seek(struct byte_cursor *c, uint32_t from)
{
    c->block = from;
    c->mask = byte_mask(c->text + from, c->byte);
}

/* The next place, or `end`. */
static inline uint32_t byte_cursor_next(struct byte_cursor *c)
{
    while (c->mask == 0) {
        if (c->end - c->block <= BYTE_MASK_BLOCK) {
            c->block = c->end;
            return c->end;
        }
        c->block += BYTE_MASK_BLOCK;
        c->mask = byte_mask(c->text + c->block, c->byte);
    }
    uint32_t at = c->block + (uint32_t)__builtin_ctzll(c->mask);
    c->mask &= c->mask - 1;
    return at < c->end ? at : c->end;
}
