/*
 * store/note.h - texts signed with Ed25519, and the keys that sign them.
 *
 *   text, of lines that are not empty          signed: all bytes of it with its last newline
 *                                              an empty line
 *   — NAME BASE64(key id[4] | signature[64])   the signature line
 *
 * This is the signed note of C2SP (c2sp.org/signed-note) with one signature; keys are written as
 * that says too, so that its other programs verify what is signed here:
 *
 *   public   NAME+ID+BASE64(0x01 | public key[32])
 *   secret   PRIVATE+KEY+NAME+ID+BASE64(0x01 | seed[32])
 *
 * where ID is the key id in 8 hexadecimal digits: the first bytes of SHA-256(NAME | 0x0A | 0x01 | public key).
 *
 * Layer:     base < event < store
 * Ownership: values; notes borrow the text they were read from. note_signer_wipe() when a signer is
 *            no longer needed.
 * Threads:   any.
 * Failures:  ERR_FORMAT for a text that is no note or key, ERR_CORRUPT for a wrong signature,
 *            ERR_RANGE for a text or name that cannot be signed, ERR_NOMEM, ERR_IO. Why is in the diag.
 */
#pragma once

#include "base/diag.h"

enum note_limits {
    NOTE_NAME_BYTES_MAX = 128,
    NOTE_KEY_ID_BYTES = 4,
    NOTE_PUBLIC_BYTES = 32,
    NOTE_SECRET_BYTES = 64,
    NOTE_SIGNATURE_BYTES = 64,
    NOTE_KEY_TEXT_BYTES_MAX = 512,
    NOTE_BYTES_MAX = 80 << 20,
};

struct note_key {
    char name[NOTE_NAME_BYTES_MAX + 1]; /* printable ASCII without blank and plus */
    uint8_t id[NOTE_KEY_ID_BYTES];
    uint8_t public_bytes[NOTE_PUBLIC_BYTES];
};

struct note_signer {
    struct note_key key;
    uint8_t secret[NOTE_SECRET_BYTES];
};

struct note {
    struct slice text; /* what is signed */
    struct slice name;
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    uint8_t signature[NOTE_SIGNATURE_BYTES];
};

/* A new key pair of that name. ERR_IO when the system gives no random bytes. */
int note_signer_make(struct note_signer *out, const char *name);
void note_signer_wipe(struct note_signer *s);
/*
 * The key of the file, which is made with mode 0600 when there is none, for the given name; beside
 * it the public key is kept in `public_path`. ERR_CONF for a file that others may read, for one of
 * another name, and for a public key that is not its own.
 */
int note_signer_open(struct note_signer *out, const char *path, const char *public_path,
                     const char *name, struct diag *diag);

/* Append the key and a newline. */
void note_key_print(struct buf *out, const struct note_key *key);
/* One key and a newline, nothing else. */
int note_key_parse(struct note_key *out, struct slice text, const char *file, struct diag *diag);
/* The key in a file. ERR_NOTFOUND. */
int note_key_read(struct note_key *out, const char *path, struct diag *diag);

/* Append the signed text: not empty, of lines that are not empty and end with a newline. */
int note_sign(struct buf *out, const struct note_signer *s, struct slice text);
/* Take a note apart; `file` names it in messages. Its signature is not checked. */
int note_parse(struct note *out, struct slice whole, const char *file, struct diag *diag);
/* Whether it is signed with that key. */
int note_verify(const struct note *n, const struct note_key *key, const char *file,
                struct diag *diag);
/*
 * The first note of a text of several, one behind the other. Returns its length, 0 when the text
 * does not begin with a whole one.
 */
size_t note_length(struct slice text);
