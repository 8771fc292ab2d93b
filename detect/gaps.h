/*
 * detect/gaps.h - spans of a tenant's state that nothing was ever written to: only zeros, which a
 * snapshot leaves out.
 *
 * Looking at them would make the system map a page for each, and give it again at the first write.
 *
 * Ownership: plain data; spans are borrowed.
 * Threads:   any.
 * Failures:  none: past GAPS_MAX a span is copied like the rest.
 */
#pragma once

#include "base/slice.h"

enum gaps_limits {
    GAPS_MAX = 1024,
};

struct gaps {
    struct slice items[GAPS_MAX]; /* ascending, apart */
    size_t count;
};

/* Spans come in ascending order. */
static inline void gaps_add(struct gaps *g, const void *from, size_t len)
{
    if (len != 0 && g->count < GAPS_MAX)
        g->items[g->count++] = slice_of(from, len);
}
