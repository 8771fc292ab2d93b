#include "store/seal.h"

#include <sodium.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/keyring.h"

enum {
    KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
};

static_assert(SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "Poly1305");
static_assert(SEAL_SALT_BYTES == crypto_generichash_blake2b_SALTBYTES, "BLAKE2b");
static_assert(SEAL_PREFIX_BYTES + sizeof(uint64_t) == NONCE_BYTES, "prefix and place");

static const uint8_t PERSONAL[crypto_generichash_blake2b_PERSONALBYTES] = "sekisho segment";

int seal_new(struct file_seal *out, const uint8_t *secret, struct slice header)
{
    struct file_seal s = {.secret = secret};
    if (header.len != sizeof(s.header))
        return ERR_RANGE;
    if (sodium_init() < 0)
        return ERR_IO;
    memcpy(s.header, header.data, sizeof(s.header));
    randombytes_buf(s.salt, sizeof(s.salt));
    randombytes_buf(s.prefix, sizeof(s.prefix));
    *out = s;
    return 0;
}

static int file_key(uint8_t key[KEY_BYTES], const struct file_seal *s)
{
    return crypto_generichash_blake2b_salt_personal(key, KEY_BYTES, s->header, sizeof(s->header),
                                                    s->secret, KEYRING_SECRET_BYTES, s->salt,
                                                    PERSONAL) == 0
               ? 0
               : ERR_IO;
}

static void place_nonce(uint8_t nonce[NONCE_BYTES], const struct file_seal *s, uint64_t at)
{
    memcpy(nonce, s->prefix, SEAL_PREFIX_BYTES);
    bytes_put64(nonce + SEAL_PREFIX_BYTES, at);
}

int seal_piece(const struct file_seal *s, uint64_t at, char *bytes, size_t len)
{
    uint8_t key[KEY_BYTES];
    uint8_t nonce[NONCE_BYTES];
    void *place = bytes;
    int err = file_key(key, s);
    place_nonce(nonce, s, at);
    if (err == 0 &&
        crypto_aead_xchacha20poly1305_ietf_encrypt(place, NULL, place, len, s->header,
                                                   sizeof(s->header), NULL, nonce, key) != 0)
        err = ERR_IO;
    sodium_memzero(key, sizeof(key));
    return err;
}

int seal_open(const struct file_seal *s, uint64_t at, struct slice piece, char *out)
{
    uint8_t key[KEY_BYTES];
    uint8_t nonce[NONCE_BYTES];
    const void *from = piece.data;
    void *to = out;
    int err = file_key(key, s);
    place_nonce(nonce, s, at);
    if (err == 0 && (piece.len < SEAL_TAG_BYTES || crypto_aead_xchacha20poly1305_ietf_decrypt(
                                                       to, NULL, NULL, from, piece.len, s->header,
                                                       sizeof(s->header), nonce, key) != 0))
        err = ERR_CORRUPT;
    sodium_memzero(key, sizeof(key));
    return err;
}
