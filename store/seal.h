/*
 * store/seal.h - private to store/: pieces of a file, each sealed for itself (XChaCha20-Poly1305).
 *
 *   secret of the municipality + salt + header --keyed BLAKE2b--> key of the file
 *   prefix of the file | place of the piece    --> nonce
 *   header (store, municipality, hour, generation) --> bound to every piece
 *
 * A piece is as long sealed as it was, and a tag more. One that was changed, cut, or brought from
 * another place, file, municipality or store is not opened. Nonces are the places of the pieces behind a
 * random prefix, under a key that no other file has; so none is used twice as long as a place is
 * written once.
 *
 * Ownership: a seal borrows the secret, whose keyring must stay open. No other copy of a key is kept:
 *            the file's key is made for each piece and wiped.
 * Threads:   immutable.
 * Failures:  ERR_CORRUPT for a piece that is not what was sealed; ERR_IO when libsodium does not work.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum seal_sizes {
    SEAL_TAG_BYTES = 16,
    SEAL_SALT_BYTES = 16,
    SEAL_PREFIX_BYTES = 16,
    SEAL_HEADER_BYTES = 64,
};

struct file_seal {
    const uint8_t *secret; /* KEYRING_SECRET_BYTES */
    uint8_t salt[SEAL_SALT_BYTES];
    uint8_t prefix[SEAL_PREFIX_BYTES];
    uint8_t header[SEAL_HEADER_BYTES]; /* of the file */
};

/* A seal for a new file: salt and prefix are random. */
int seal_new(struct file_seal *out, const uint8_t *secret, struct slice header);

/* Bytes that a piece of `len` has more in the file. NULL: it is not sealed. */
static inline uint32_t seal_bytes_more(const struct file_seal *s)
{
    return s == NULL ? 0 : SEAL_TAG_BYTES;
}

/* Seal `len` bytes where they stand; the tag goes behind them. `at`: of the first byte in the file. */
int seal_piece(const struct file_seal *s, uint64_t at, char *bytes, size_t len);
/* Open a piece to `out`, which has room for all but its tag. */
int seal_open(const struct file_seal *s, uint64_t at, struct slice piece, char *out);
