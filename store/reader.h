/*
 * store/reader.h - private to store/: bytes from disk, every one of them checked.
 *
 * A reader that ran out, or met a number that cannot be, is `failed` for good and gives zeros:
 * check once at the end of a structure, and before a number sizes anything.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/slice.h"

struct reader {
    const char *at;
    const char *end;
    bool failed;
};

static inline struct reader reader_of(struct slice s)
{
    const char *at = s.data == NULL ? "" : s.data; /* also of no bytes: an address */
    return (struct reader){.at = at, .end = at + s.len};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next n bytes, or the empty slice. */
static inline struct slice reader_bytes(struct reader *r, uint64_t n)
{
    if (r->failed || n > reader_left(r)) {
        r->failed = true;
        return (struct slice){.data = r->at, .len = 0};
    }
    struct slice s = {.data = r->at, .len = (size_t)n};
    r->at += n;
    return s;
}

static inline uint8_t reader_get8(struct reader *r)
{
    struct slice s = reader_bytes(r, 1);
    return s.len == 1 ? (uint8_t)s.data[0] : 0;
}

static inline uint16_t reader_get16(struct reader *r)
{
    struct slice s = reader_bytes(r, 2);
    return s.len == 2 ? bytes_get16(s.data) : 0;
}

static inline uint32_t reader_get32(struct reader *r)
{
    struct slice s = reader_bytes(r, 4);
    return s.len == 4 ? bytes_get32(s.data) : 0;
}

static inline uint64_t reader_get64(struct reader *r)
{
    struct slice s = reader_bytes(r, 8);
    return s.len == 8 ? bytes_get64(s.data) : 0;
}

/* Unsigned LEB128 up to `max`; more fails the reader. */
static inline uint64_t reader_varint(struct reader *r, uint64_t max)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_get8(r);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            if (v > max || (shift == 63 && byte > 1))
                break;
            return v;
        }
    }
    r->failed = true;
    return 0;
}
