#include "base/hash.h"

#include <sodium.h>
#include <xxhash.h>

uint64_t hash_seed(void)
{
    uint64_t seed = 0;
    randombytes_buf(&seed, sizeof(seed));
    return seed;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
    return XXH3_64bits_withSeed(len == 0 ? "" : data, len, seed);
}
