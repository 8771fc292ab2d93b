/*
 * store/sha256.h - the hash of the chain, of frames and of blobs.
 *
 * Layer:     base < event < store
 * Ownership: values; nothing is kept.
 * Threads:   any.
 * Failures:  ERR_NOMEM when libcrypto cannot set up the digest.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum sha256_sizes {
    SHA256_BYTES = 32,
    SHA256_HEX_BYTES = 64, /* without the NUL */
};

struct sha256 {
    uint8_t bytes[SHA256_BYTES];
};

static_assert(sizeof(struct sha256) == SHA256_BYTES, "a digest has no padding");

/* FIPS 180-4 over the content. Returns 0 or ERR_NOMEM. */
int sha256_of(struct sha256 *out, struct slice content);

static inline bool sha256_equal(const struct sha256 *a, const struct sha256 *b)
{
    return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}

/* Lower-case hexadecimal with a NUL. */
void sha256_hex(char out[SHA256_HEX_BYTES + 1], const struct sha256 *hash);
