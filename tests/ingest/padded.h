/*
 * tests/ingest/padded.h - texts with the readable padding that lines have.
 *
 * A copy in memory of exactly the promised size: a sanitizer sees a read past the padding.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

/* Owned by the caller, released with padded_free(). */
static inline struct slice padded_copy(struct slice text)
{
    char *copy = malloc(text.len + SLICE_PADDING_BYTES);
    if (copy == NULL)
        abort();
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    memset(copy + text.len, 0, SLICE_PADDING_BYTES);
    return (struct slice){.data = copy, .len = text.len};
}

static inline void padded_free(struct slice copy)
{
    void *owned = NULL;
    memcpy(&owned, &copy.data, sizeof(owned));
    free(owned);
}
