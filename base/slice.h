/* base/slice.h - borrowed bytes: a pointer and a length, never owned, never NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data; /* may be NULL only when len is 0 */
    size_t len;       /* bytes */
};

/* A slice of a string literal; the literal lives forever, so the slice does too. */
#define SLICE(literal) ((struct slice){.data = (literal), .len = sizeof(literal) - 1})

/* Bytes that every buffer of lines keeps readable past its end, so that SIMD may overread. */
enum slice_limits {
    SLICE_PADDING_BYTES = 64,
};

/* The slice of a NUL-terminated string, without the NUL; borrowed. */
static inline struct slice slice_from(const char *text)
{
    return (struct slice){.data = text, .len = strlen(text)};
}

static inline struct slice slice_of(const void *data, size_t len)
{
    return (struct slice){.data = data, .len = len};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The bytes from `from` on; `from` past the end gives the empty slice. */
static inline struct slice slice_from_offset(struct slice s, size_t from)
{
    if (from >= s.len)
        return (struct slice){.data = s.data, .len = 0};
    return (struct slice){.data = s.data + from, .len = s.len - from};
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    /* Of a table of prefixes most are told by their first byte, without a call. */
    return s.len >= prefix.len &&
           (prefix.len == 0 ||
            (*s.data == *prefix.data && memcmp(s.data, prefix.data, prefix.len) == 0));
}

/* Whether `part` stands somewhere in `s`; an empty one does everywhere. */
static inline bool slice_has(struct slice s, struct slice part)
{
    return part.len == 0 ||
           (s.len >= part.len && memmem(s.data, s.len, part.data, part.len) != NULL);
}

/* Bytewise order, the shorter first on a tie: <0, 0, >0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : (unsigned char)*a.data - (unsigned char)*b.data;
    /* Most often the first bytes tell. */
    if (order == 0 && len > 1)
        order = memcmp(a.data + 1, b.data + 1, len - 1);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}
