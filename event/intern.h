/*
 * event/intern.h - private to event/: the dictionary of a column while its batch is being built.
 *
 * An open-addressing table of 16-bit entry numbers, from 64 slots up, at most half full. It dies
 * with the batch, so nothing is shared between tenants and nothing has to be collected.
 */
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "event/batch.h"

/* The code of the text at `span`, added where it is new. 0 or ERR_NOMEM. */
int intern_code(struct batch *b, struct column *c, struct span span, uint16_t *code);

/* Equal bytes; both sides have SLICE_PADDING_BYTES behind them. */
static inline bool padded_equal(const char *a, const char *b, size_t len)
{
    if (len <= 1)
        return len == 0 || *a == *b;
#if defined(__SSE2__)
    if (len <= 16) {
        __m128i va = _mm_loadu_si128((const void *)a);
        __m128i vb = _mm_loadu_si128((const void *)b);
        unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(va, vb));
        unsigned want = (1U << len) - 1;
        return (same & want) == want;
    }
#endif
    return memcmp(a, b, len) == 0;
}

/* Is that the text of `code`, which may be CODE_NONE? Both lie in the batch. */
static inline bool intern_is(const struct batch *b, const struct column *c, uint16_t code,
                             struct span text)
{
    if (code == CODE_NONE || c->entries[code].len != text.len)
        return false;
    const char *data = b->text.data;
    return padded_equal(data + c->entries[code].offset, data + text.offset, text.len);
}

/* The code of a text that need not be in the batch and not be padded, or CODE_NONE. */
uint16_t intern_find(const struct batch *b, const struct column *c, struct slice text);

/* Turn a CODES column into TEXT. 0 or ERR_NOMEM. */
int intern_drop(struct batch *b, struct column *c);
