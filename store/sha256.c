#include "store/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/sha256_lanes.h"

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

struct hasher {
    EVP_MD *method;
    EVP_MD_CTX *context;
    bool lanes;
};

int hasher_new(struct hasher **out)
{
    struct hasher *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return ERR_NOMEM;
    h->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->context = EVP_MD_CTX_new();
    h->lanes = sha256_lanes_there();
    if (h->method == NULL || h->context == NULL ||
        EVP_DigestInit_ex2(h->context, h->method, NULL) != 1) {
        hasher_free(h);
        return ERR_NOMEM;
    }
    *out = h;
    return 0;
}

void hasher_free(struct hasher *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->context);
    EVP_MD_free(h->method);
    free(h);
}

int hasher_sha256(struct hasher *h, struct sha256 *out, const struct slice *pieces, size_t count)
{
    struct sha256 hash = {0};
    unsigned int len = 0;
    /* Without a method the one of before is kept, and nothing is looked up. */
    if (EVP_DigestInit_ex2(h->context, NULL, NULL) != 1)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len != 0 && EVP_DigestUpdate(h->context, pieces[i].data, pieces[i].len) != 1)
            return ERR_NOMEM;
    }
    if (EVP_DigestFinal_ex(h->context, hash.bytes, &len) != 1 || len != SHA256_BYTES)
        return ERR_NOMEM;
    *out = hash;
    return 0;
}

int hasher_sha256_each(struct hasher *h, struct sha256 *out, const struct slice *texts,
                       size_t count)
{
    int err = 0;
    if (h->lanes) {
        sha256_lanes_hash(out, texts, count);
        return 0;
    }
    for (size_t i = 0; i < count && err == 0; i++)
        err = hasher_sha256(h, &out[i], &texts[i], 1);
    return err;
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

/* 0..15, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sha256_read_hex(struct sha256 *out, struct slice text)
{
    struct sha256 hash = {0};
    if (text.len != SHA256_HEX_BYTES)
        return ERR_FORMAT;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int high = digit_value(text.data[2 * i]);
        int low = digit_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_FORMAT;
        hash.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = hash;
    return 0;
}
