/*
 * base/bytes.h - fixed-width numbers in bytes: little endian, any alignment.
 *
 * The only place where pointers to numbers and pointers to bytes meet. Every function is a load or
 * a store through memcpy, which the compiler turns into one instruction.
 */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the on-disk format is little endian");

static inline uint16_t bytes_get16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t bytes_get32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t bytes_get64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void bytes_put16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void bytes_put32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void bytes_put64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

/* Network byte order, as addresses are written. */
static inline uint32_t bytes_get32_be(const void *p)
{
    return __builtin_bswap32(bytes_get32(p));
}

static inline void bytes_put32_be(void *p, uint32_t v)
{
    bytes_put32(p, __builtin_bswap32(v));
}
