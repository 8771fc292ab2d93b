/*
 * base/hash.h - keyed 64-bit hashes: XXH3 with a secret seed.
 *
 * Whoever chooses the bytes must not be able to choose the collisions, so every table that an
 * outsider can fill takes its seed from hash_seed(), drawn once per process, or from the store
 * where the hash must survive a restart.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* Random bytes from the system; never the same in two processes. */
uint64_t hash_seed(void);

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);

static inline uint64_t hash_slice(uint64_t seed, struct slice s)
{
    return hash_bytes(seed, s.data, s.len);
}

enum {
    HASH_ID_BYTES = 16,
};

/* XXH3-128 without a seed: tells accidents and differences, not forgery; many times faster. */
void hash_content(uint8_t out[HASH_ID_BYTES], struct slice bytes);

/* BLAKE2b-128: a name for what the bytes say, the same everywhere and for ever. */
void hash_id(uint8_t out[HASH_ID_BYTES], struct slice bytes);
