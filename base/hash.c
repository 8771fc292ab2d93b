#include "base/hash.h"

#include <sodium.h>
#include <string.h>
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

void hash_content(uint8_t out[HASH_ID_BYTES], struct slice bytes)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.len == 0 ? "" : bytes.data, bytes.len));
    memcpy(out, canonical.digest, HASH_ID_BYTES);
}

void hash_id(uint8_t out[HASH_ID_BYTES], struct slice bytes)
{
    static const unsigned char NOTHING[1] = {0};
    const void *data = bytes.len == 0 ? (const void *)NOTHING : bytes.data;
    (void)crypto_generichash(out, HASH_ID_BYTES, data, bytes.len, NULL, 0);
}
