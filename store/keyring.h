/*
 * store/keyring.h - the secret keys of municipalities whose segments are sealed.
 *
 *   sekisho keyring v1
 *   key 052027 9f3a2c1b00000001 active 2026-11-22T03:56:00Z BASE64(secret[32])
 *   key 052027 1122334455667788 old 2025-04-01T00:00:00Z BASE64(secret[32])
 *   key 052027 c0ffee0000000000 destroyed 2024-04-01T00:00:00Z
 *
 * What is written is sealed with the active key of its municipality; what was sealed with an old one
 * is opened with that one. A destroyed key leaves its id, so that one can tell why a segment cannot be
 * read any more. The id is a hash of municipality and secret: a key that was changed, cut or given to
 * another municipality is refused.
 *
 * Ownership: a keyring owns its keys; secrets stand in memory that is locked and left out of core
 *            dumps, and are wiped by keyring_close(). Keys are valid until the keyring is changed or closed.
 * Threads:   immutable but for keyring_rotate() and keyring_destroy(), which want one owner.
 * Failures:  ERR_NOTFOUND without a file; ERR_CONF for a file that others may read; ERR_FORMAT for one that
 *            is no keyring; ERR_BUSY while another program changes it; ERR_NOMEM, ERR_IO, ERR_RANGE. Why
 *            is in the diag; no message holds a byte of a key.
 */
#pragma once

#include "base/diag.h"

enum keyring_limits {
    KEYRING_SECRET_BYTES = 32,
    KEYRING_ID_BYTES = 8,
    KEYRING_ID_HEX_BYTES = 2 * KEYRING_ID_BYTES,
    KEYRING_KEYS_MAX = 1 << 16,
    KEYRING_BYTES_MAX = 16 << 20,
};

enum keyring_state {
    KEYRING_ACTIVE,
    KEYRING_OLD,
    KEYRING_DESTROYED,
};

struct keyring_key {
    uint32_t tenant;
    enum keyring_state state;
    uint8_t id[KEYRING_ID_BYTES];
    int64_t since_ns; /* made, or destroyed */
};

struct keyring;

/* Read a keyring. */
int keyring_open(struct keyring **out, const char *path, struct diag *diag);
/*
 * The same to change it: nobody else can until it is closed. Where `make` is set there must be no
 * file yet, and an empty one is made.
 */
int keyring_edit(struct keyring **out, const char *path, bool make, struct diag *diag);
/* NULL is allowed. */
void keyring_close(struct keyring *k);

size_t keyring_count(const struct keyring *k);
const struct keyring_key *keyring_key(const struct keyring *k, size_t at);
/* The key that a municipality's segments are sealed with now; NULL: it has none. A keyring may be NULL here and below. */
const struct keyring_key *keyring_active(const struct keyring *k, uint32_t tenant);
/* The key of that id; NULL: there is none. */
const struct keyring_key *keyring_find(const struct keyring *k, uint32_t tenant,
                                       const uint8_t id[KEYRING_ID_BYTES]);
/* The secret of a key of this keyring; NULL: it was destroyed. */
const uint8_t *keyring_secret(const struct keyring *k, const struct keyring_key *key);

/*
 * Of a keyring being edited: a new active key, durable on return; the one before becomes old. *out
 * says which. After a failure the keyring is to be closed.
 */
int keyring_rotate(const struct keyring_key **out, struct keyring *k, uint32_t tenant,
                   struct diag *diag);
/* Of a keyring being edited: wipe the secret of a key, and keep its id. ERR_NOTFOUND without such a key. */
int keyring_destroy(struct keyring *k, uint32_t tenant, const uint8_t id[KEYRING_ID_BYTES],
                    struct diag *diag);

/* "active", "old", "destroyed". */
const char *keyring_state_name(enum keyring_state state);
/* An id as it is written: 16 digits 0-9 and a-f; NUL-terminated. */
void keyring_id_print(char out[KEYRING_ID_HEX_BYTES + 1], const uint8_t id[KEYRING_ID_BYTES]);
/* 0 or ERR_FORMAT. */
int keyring_id_read(uint8_t out[KEYRING_ID_BYTES], struct slice text);
