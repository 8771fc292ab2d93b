/*
 * base/cursor.h - take fixed-width values off bytes that nobody vouches for.
 *
 * Ownership: borrows the bytes; slices taken live as long as they do.
 * Threads:   one owner.
 * Failures:  a take past the end sets `failed` and gives zero, as do all takes after it. Check once
 *            after a group of takes, before a value is used as a size.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/slice.h"

struct cursor {
    struct slice rest;
    bool failed;
};

static inline struct slice cursor_take(struct cursor *c, uint64_t len)
{
    if (c->failed || len > c->rest.len) {
        c->failed = true;
        return slice_of(NULL, 0);
    }
    struct slice taken = slice_of(c->rest.data, (size_t)len);
    c->rest.data = len == 0 ? c->rest.data : c->rest.data + len;
    c->rest.len -= (size_t)len;
    return taken;
}

static inline uint8_t cursor_take8(struct cursor *c)
{
    struct slice s = cursor_take(c, 1);
    return s.len == 0 ? 0 : (uint8_t)s.data[0];
}

static inline uint16_t cursor_take16(struct cursor *c)
{
    struct slice s = cursor_take(c, 2);
    return s.len == 0 ? 0 : bytes_get16(s.data);
}

static inline uint32_t cursor_take32(struct cursor *c)
{
    struct slice s = cursor_take(c, 4);
    return s.len == 0 ? 0 : bytes_get32(s.data);
}

static inline uint64_t cursor_take64(struct cursor *c)
{
    struct slice s = cursor_take(c, 8);
    return s.len == 0 ? 0 : bytes_get64(s.data);
}
