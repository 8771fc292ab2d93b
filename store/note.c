#include "store/note.h"

#include <sodium.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "store/lines.h"

static_assert(NOTE_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
static_assert(NOTE_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519");
static_assert(NOTE_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");

enum {
    ALGORITHM_ED25519 = 1,
    KEY_BYTES = 1 + NOTE_PUBLIC_BYTES, /* with the algorithm, in base64 */
    OTHERS_MODE = 0077,                /* what a secret must not allow */
    ID_DIGITS = 2 * NOTE_KEY_ID_BYTES,
};

static_assert(crypto_sign_SEEDBYTES == NOTE_PUBLIC_BYTES, "seeds and public keys are read alike");

#define SECRET_PREFIX "PRIVATE+KEY+"
#define DASH          "\xe2\x80\x94" /* U+2014 in UTF-8 */

static bool name_valid(struct slice name)
{
    if (name.len == 0 || name.len > NOTE_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == '+')
            return false;
    }
    return true;
}

/* Name and public key are there; add the id. */
static int key_identify(struct note_key *key)
{
    struct sha256 hash;
    struct buf bytes = {0};
    buf_text(&bytes, key->name);
    buf_byte(&bytes, '\n');
    buf_byte(&bytes, ALGORITHM_ED25519);
    buf_append(&bytes, key->public_bytes, NOTE_PUBLIC_BYTES);
    int err = buf_ok(&bytes) ? sha256_of(&hash, buf_content(&bytes)) : ERR_NOMEM;
    buf_release(&bytes);
    if (err == 0)
        memcpy(key->id, hash.bytes, NOTE_KEY_ID_BYTES);
    return err;
}

static int signer_of_seed(struct note_signer *out, struct slice name,
                          const uint8_t seed[crypto_sign_SEEDBYTES])
{
    struct note_signer s = {0};
    if (!name_valid(name))
        return ERR_RANGE;
    if (sodium_init() < 0 || crypto_sign_seed_keypair(s.key.public_bytes, s.secret, seed) != 0)
        return ERR_IO;
    memcpy(s.key.name, name.data, name.len);
    int err = key_identify(&s.key);
    if (err == 0)
        *out = s;
    note_signer_wipe(&s);
    return err;
}

int note_signer_make(struct note_signer *out, const char *name)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    if (sodium_init() < 0)
        return ERR_IO;
    randombytes_buf(seed, sizeof(seed));
    int err = signer_of_seed(out, slice_from(name), seed);
    sodium_memzero(seed, sizeof(seed));
    return err;
}

void note_signer_wipe(struct note_signer *s)
{
    sodium_memzero(s, sizeof(*s));
}

/* NAME+ID+BASE64(algorithm | bytes) and a newline. */
static void print_key(struct buf *out, const struct note_key *key,
                      const uint8_t bytes[NOTE_PUBLIC_BYTES])
{
    char id[ID_DIGITS + 1];
    uint8_t whole[KEY_BYTES] = {ALGORITHM_ED25519};
    memcpy(whole + 1, bytes, NOTE_PUBLIC_BYTES);
    (void)sodium_bin2hex(id, sizeof(id), key->id, NOTE_KEY_ID_BYTES);
    buf_printf(out, "%s+%s+", key->name, id);
    lines_put_base64(out, whole, sizeof(whole));
    buf_byte(out, '\n');
    sodium_memzero(whole, sizeof(whole));
}

void note_key_print(struct buf *out, const struct note_key *key)
{
    print_key(out, key, key->public_bytes);
}

/* What stands in front of the next plus; the plus is taken too. */
static struct slice take_part(struct slice *rest)
{
    const char *plus = rest->len == 0 ? NULL : memchr(rest->data, '+', rest->len);
    struct slice part = slice_of(rest->data, plus == NULL ? 0 : (size_t)(plus - rest->data));
    *rest = slice_from_offset(*rest, plus == NULL ? rest->len : part.len + 1);
    return part;
}

/* The parts of a key's text, whose bytes may be a seed. */
static int split_key(struct slice *name, uint8_t id[NOTE_KEY_ID_BYTES],
                     uint8_t bytes[NOTE_PUBLIC_BYTES], struct slice text)
{
    uint8_t whole[KEY_BYTES];
    char again[ID_DIGITS + 1];
    size_t len = 0;
    if (text.len == 0 || text.data[text.len - 1] != '\n')
        return ERR_FORMAT;
    text.len--;
    *name = take_part(&text);
    struct slice digits = take_part(&text);
    if (!name_valid(*name) || digits.len != ID_DIGITS ||
        sodium_hex2bin(id, NOTE_KEY_ID_BYTES, digits.data, digits.len, NULL, &len, NULL) != 0 ||
        len != NOTE_KEY_ID_BYTES)
        return ERR_FORMAT;
    /* Capitals would be a second form. */
    (void)sodium_bin2hex(again, sizeof(again), id, NOTE_KEY_ID_BYTES);
    if (memcmp(again, digits.data, ID_DIGITS) != 0)
        return ERR_FORMAT;
    int status = lines_read_base64(&len, whole, sizeof(whole), text);
    if (status == 0 && len == sizeof(whole) && whole[0] == ALGORITHM_ED25519)
        memcpy(bytes, whole + 1, NOTE_PUBLIC_BYTES);
    else
        status = ERR_FORMAT;
    sodium_memzero(whole, sizeof(whole));
    return status;
}

static int wrong_key(struct diag *diag, const char *file, int err, const char *what)
{
    diag_add(diag, file, 1, 1, "%s", what);
    return err;
}

int note_key_parse(struct note_key *out, struct slice text, const char *file, struct diag *diag)
{
    struct note_key key = {0};
    struct slice name;
    uint8_t id[NOTE_KEY_ID_BYTES];
    int err = split_key(&name, id, key.public_bytes, text);
    if (err == 0) {
        memcpy(key.name, name.data, name.len);
        err = key_identify(&key);
    }
    if (err == 0 && memcmp(id, key.id, sizeof(id)) != 0)
        err = ERR_FORMAT;
    if (err != 0)
        return wrong_key(diag, file, err, "this is no public key: NAME+ID+BASE64 and a newline");
    *out = key;
    return 0;
}

int note_key_read(struct note_key *out, const char *path, struct diag *diag)
{
    struct buf text = {0};
    int err = file_read_all(&text, path, NOTE_KEY_TEXT_BYTES_MAX);
    if (err == 0)
        err = note_key_parse(out, buf_content(&text), path, diag);
    else
        diag_add(diag, path, 0, 0, "the public key cannot be read (%s)", err_name(err));
    buf_release(&text);
    return err;
}

static int parse_signer(struct note_signer *out, struct slice text, const char *path,
                        struct diag *diag)
{
    static const struct slice PREFIX = {SECRET_PREFIX, sizeof(SECRET_PREFIX) - 1};
    struct note_signer s = {0};
    struct slice name = {0};
    uint8_t id[NOTE_KEY_ID_BYTES];
    uint8_t seed[crypto_sign_SEEDBYTES];
    int err = slice_starts(text, PREFIX)
                  ? split_key(&name, id, seed, slice_from_offset(text, PREFIX.len))
                  : ERR_FORMAT;
    if (err == 0)
        err = signer_of_seed(&s, name, seed);
    if (err == 0 && memcmp(id, s.key.id, sizeof(id)) != 0)
        err = ERR_FORMAT;
    sodium_memzero(seed, sizeof(seed));
    if (err == 0)
        *out = s;
    note_signer_wipe(&s);
    return err == 0 ? 0
                    : wrong_key(diag, path, err,
                                "this is no signing key; put it back from a copy, or move it away "
                                "and a new one is made");
}

static int make_signer(struct note_signer *out, const char *path, const char *name,
                       struct diag *diag)
{
    struct note_signer s = {0};
    struct buf text = {0};
    int err = note_signer_make(&s, name);
    if (err == 0) {
        /* The seed is the first half of what libsodium calls the secret key. */
        buf_text(&text, SECRET_PREFIX);
        print_key(&text, &s.key, s.secret);
        err = buf_ok(&text) ? file_write_secret(path, buf_content(&text)) : ERR_NOMEM;
    }
    if (err == 0)
        *out = s;
    else
        diag_add(diag, path, 0, 0, "the signing key cannot be made (%s)", err_name(err));
    if (text.data != NULL)
        sodium_memzero(text.data, text.cap);
    buf_release(&text);
    note_signer_wipe(&s);
    return err;
}

static int read_signer(struct note_signer *out, const char *path, const char *name,
                       struct diag *diag)
{
    struct buf text = {0};
    struct file_info info;
    struct note_signer s = {0};
    int err = file_stat(&info, path);
    if (err == 0 && (info.mode & OTHERS_MODE) != 0) {
        diag_add(diag, path, 0, 0,
                 "the signing key has mode %04o, so others may have read it; make it 0600",
                 (unsigned)info.mode);
        return ERR_CONF;
    }
    if (err == 0)
        err = file_read_all(&text, path, NOTE_KEY_TEXT_BYTES_MAX);
    if (err == 0)
        err = parse_signer(&s, buf_content(&text), path, diag);
    else
        diag_add(diag, path, 0, 0, "the signing key cannot be read (%s)", err_name(err));
    if (err == 0 && strcmp(s.key.name, name) != 0) {
        diag_add(diag, path, 1, 1, "this is the signing key of %s, not of %s", s.key.name, name);
        err = ERR_CONF;
    }
    if (err == 0)
        *out = s;
    if (text.data != NULL)
        sodium_memzero(text.data, text.cap);
    buf_release(&text);
    note_signer_wipe(&s);
    return err;
}

/* The public key beside the secret one: made when it is missing, else the same. */
static int keep_public(const struct note_key *key, const char *path, struct diag *diag)
{
    struct buf want = {0};
    struct buf found = {0};
    note_key_print(&want, key);
    int err = buf_ok(&want) ? file_read_all(&found, path, NOTE_KEY_TEXT_BYTES_MAX) : ERR_NOMEM;
    if (err == ERR_NOTFOUND)
        err = file_write_atomic(path, buf_content(&want));
    else if (err == ERR_RANGE ||
             (err == 0 && !slice_equal(buf_content(&want), buf_content(&found))))
        err = ERR_CONF;
    if (err == ERR_CONF) {
        diag_add(
            diag, path, 1, 1,
            "this is not the public key of the signing key beside it; put the right pair back");
    } else if (err != 0) {
        diag_add(diag, path, 0, 0, "the public key cannot be kept (%s)", err_name(err));
    }
    buf_release(&want);
    buf_release(&found);
    return err;
}

int note_signer_open(struct note_signer *out, const char *path, const char *public_path,
                     const char *name, struct diag *diag)
{
    struct file_info info;
    struct note_signer s = {0};
    int err = file_stat(&info, path);
    /* A public key without its secret one says that the secret one was lost: no new one then. */
    if (err == ERR_NOTFOUND && file_stat(&info, public_path) == 0) {
        diag_add(
            diag, path, 0, 0,
            "the signing key of %s is missing; put it back from a copy, or move the public key "
            "away too and a new pair is made",
            public_path);
        return ERR_CONF;
    }
    err =
        err == ERR_NOTFOUND ? make_signer(&s, path, name, diag) : read_signer(&s, path, name, diag);
    if (err == 0)
        err = keep_public(&s.key, public_path, diag);
    if (err == 0)
        *out = s;
    note_signer_wipe(&s);
    return err;
}

/* Lines that are not empty, of printable characters or bytes of UTF-8, each with its newline. */
static bool text_valid(struct slice text)
{
    bool line_begins = true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\n') || c == 0x7f || (line_begins && c == '\n'))
            return false;
        line_begins = c == '\n';
    }
    return text.len != 0 && text.len <= NOTE_BYTES_MAX && line_begins;
}

int note_sign(struct buf *out, const struct note_signer *s, struct slice text)
{
    uint8_t bytes[NOTE_KEY_ID_BYTES + NOTE_SIGNATURE_BYTES];
    if (!text_valid(text))
        return ERR_RANGE;
    memcpy(bytes, s->key.id, NOTE_KEY_ID_BYTES);
    const void *message = text.data;
    if (sodium_init() < 0 ||
        crypto_sign_detached(bytes + NOTE_KEY_ID_BYTES, NULL, message, text.len, s->secret) != 0)
        return ERR_IO;
    buf_slice(out, text);
    buf_printf(out, "\n" DASH " %s ", s->key.name);
    lines_put_base64(out, bytes, sizeof(bytes));
    buf_byte(out, '\n');
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

/* Where the empty line stands, or the length of the text. */
static size_t text_end(struct slice whole)
{
    const char *gap = whole.len < 2 ? NULL : memmem(whole.data, whole.len, "\n\n", 2);
    return gap == NULL ? whole.len : (size_t)(gap - whole.data) + 1;
}

size_t note_length(struct slice text)
{
    size_t signature = text_end(text) + 1;
    if (signature >= text.len)
        return 0;
    const char *end = memchr(text.data + signature, '\n', text.len - signature);
    return end == NULL ? 0 : (size_t)(end - text.data) + 1;
}

static uint32_t count_lines(struct slice text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

int note_parse(struct note *out, struct slice whole, const char *file, struct diag *diag)
{
    struct note n = {.text = slice_of(whole.data, text_end(whole))};
    uint8_t bytes[NOTE_KEY_ID_BYTES + NOTE_SIGNATURE_BYTES];
    struct lines in = lines_of(slice_from_offset(whole, n.text.len), file, diag);
    in.number = count_lines(n.text);
    if (!text_valid(n.text))
        lines_fail(&in, "this is no signed text: lines, an empty line, and a signature");
    lines_next(&in, "");
    lines_next(&in, DASH);
    n.name = lines_word(&in, "the signer's name");
    if (!in.failed && !name_valid(n.name))
        lines_fail(&in, "the signer's name is none");
    size_t len = lines_base64(&in, "the signature", bytes, sizeof(bytes));
    if (!in.failed && len != sizeof(bytes))
        lines_fail(&in, "the signature has %zu bytes instead of %zu", len, sizeof(bytes));
    lines_end(&in);
    lines_end_of_text(&in);
    if (in.failed)
        return ERR_FORMAT;
    memcpy(n.key_id, bytes, NOTE_KEY_ID_BYTES);
    memcpy(n.signature, bytes + NOTE_KEY_ID_BYTES, NOTE_SIGNATURE_BYTES);
    *out = n;
    return 0;
}

int note_verify(const struct note *n, const struct note_key *key, const char *file,
                struct diag *diag)
{
    const void *message = n->text.data;
    uint32_t line = count_lines(n->text) + 2;
    if (!slice_equal(n->name, slice_from(key->name)) ||
        memcmp(n->key_id, key->id, NOTE_KEY_ID_BYTES) != 0) {
        diag_add(diag, file, line, 1, "signed by %.*s with another key than the given one of %s",
                 (int)n->name.len, n->name.data, key->name);
        return ERR_CORRUPT;
    }
    if (sodium_init() < 0)
        return ERR_IO;
    if (crypto_sign_verify_detached(n->signature, message, n->text.len, key->public_bytes) != 0) {
        diag_add(diag, file, line, 1, "the signature is wrong: the text is not what %s signed",
                 key->name);
        return ERR_CORRUPT;
    }
    return 0;
}
