#include "store/sha256.h"

#include <openssl/evp.h>

#include "base/err.h"

int sha256_of(struct sha256 *out, struct slice content)
{
    struct sha256 hash = {0};
    unsigned int len = 0;
    if (EVP_Digest(content.data, content.len, hash.bytes, &len, EVP_sha256(), NULL) != 1 ||
        len != SHA256_BYTES)
        return ERR_NOMEM;
    *out = hash;
    return 0;
}

void sha256_hex(char out[SHA256_HEX_BYTES + 1], const struct sha256 *hash)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = DIGITS[hash->bytes[i] >> 4];
        out[2 * i + 1] = DIGITS[hash->bytes[i] & 15];
    }
    out[SHA256_HEX_BYTES] = '\0';
}
