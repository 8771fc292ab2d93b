#include "store/keyring.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/lines.h"

enum {
    OTHERS_MODE = 0077, /* what a secret must not allow */
    LINE_BYTES = 160,   /* of a key, at most */
    PERSONAL_BYTES = crypto_generichash_blake2b_PERSONALBYTES,
    ID_HASH_BYTES = crypto_generichash_blake2b_BYTES_MIN,
    KEYS_FIRST = 16,
};

static const char TITLE[] = "sekisho keyring v1\n";
static const uint8_t ID_PERSONAL[PERSONAL_BYTES] = "sekisho key id";
static const char *const STATES[] = {"active", "old", "destroyed"};

struct keyring {
    char *path;
    struct file *lock; /* of one being edited */
    struct keyring_key *keys;
    uint8_t (*secrets)[KEYRING_SECRET_BYTES]; /* of each key; of sodium_malloc() */
    size_t count;
    size_t cap;
};

static_assert(KEYRING_SECRET_BYTES <= crypto_generichash_blake2b_KEYBYTES_MAX, "a key of BLAKE2b");

const char *keyring_state_name(enum keyring_state state)
{
    return STATES[state];
}

void keyring_id_print(char out[KEYRING_ID_HEX_BYTES + 1], const uint8_t id[KEYRING_ID_BYTES])
{
    (void)sodium_bin2hex(out, KEYRING_ID_HEX_BYTES + 1, id, KEYRING_ID_BYTES);
}

int keyring_id_read(uint8_t out[KEYRING_ID_BYTES], struct slice text)
{
    uint8_t id[KEYRING_ID_BYTES];
    char again[KEYRING_ID_HEX_BYTES + 1];
    size_t len = 0;
    if (text.len != KEYRING_ID_HEX_BYTES ||
        sodium_hex2bin(id, sizeof(id), text.data, text.len, NULL, &len, NULL) != 0 ||
        len != sizeof(id))
        return ERR_FORMAT;
    keyring_id_print(again, id); /* capitals would be a second form */
    if (memcmp(again, text.data, text.len) != 0)
        return ERR_FORMAT;
    memcpy(out, id, sizeof(id));
    return 0;
}

static int identify(uint8_t id[KEYRING_ID_BYTES], uint32_t tenant,
                    const uint8_t secret[KEYRING_SECRET_BYTES])
{
    uint8_t hash[ID_HASH_BYTES];
    uint8_t code[sizeof(tenant)];
    bytes_put32(code, tenant);
    if (crypto_generichash_blake2b_salt_personal(hash, sizeof(hash), code, sizeof(code), secret,
                                                 KEYRING_SECRET_BYTES, NULL, ID_PERSONAL) != 0)
        return ERR_IO;
    memcpy(id, hash, KEYRING_ID_BYTES);
    return 0;
}

void keyring_close(struct keyring *k)
{
    if (k == NULL)
        return;
    file_close(k->lock);
    sodium_free(k->secrets); /* wipes them */
    free(k->keys);
    free(k->path);
    free(k);
}

size_t keyring_count(const struct keyring *k)
{
    return k->count;
}

const struct keyring_key *keyring_key(const struct keyring *k, size_t at)
{
    return &k->keys[at];
}

const struct keyring_key *keyring_active(const struct keyring *k, uint32_t tenant)
{
    for (size_t i = 0; k != NULL && i < k->count; i++) {
        if (k->keys[i].tenant == tenant && k->keys[i].state == KEYRING_ACTIVE)
            return &k->keys[i];
    }
    return NULL;
}

const struct keyring_key *keyring_find(const struct keyring *k, uint32_t tenant,
                                       const uint8_t id[KEYRING_ID_BYTES])
{
    for (size_t i = 0; k != NULL && i < k->count; i++) {
        if (k->keys[i].tenant == tenant && memcmp(k->keys[i].id, id, KEYRING_ID_BYTES) == 0)
            return &k->keys[i];
    }
    return NULL;
}

const uint8_t *keyring_secret(const struct keyring *k, const struct keyring_key *key)
{
    return key->state == KEYRING_DESTROYED ? NULL : k->secrets[key - k->keys];
}

/* Room for one more key. */
static int grow(struct keyring *k)
{
    size_t cap = k->cap == 0 ? KEYS_FIRST : 2 * k->cap;
    if (k->count < k->cap)
        return 0;
    struct keyring_key *keys = reallocarray(k->keys, cap, sizeof(*keys));
    if (keys == NULL)
        return ERR_NOMEM;
    k->keys = keys;
    uint8_t(*secrets)[KEYRING_SECRET_BYTES] = sodium_allocarray(cap, sizeof(*secrets));
    if (secrets == NULL)
        return ERR_NOMEM;
    if (k->count != 0)
        memcpy(secrets, k->secrets, k->count * sizeof(*secrets));
    sodium_free(k->secrets);
    k->secrets = secrets;
    k->cap = cap;
    return 0;
}

static enum keyring_state read_state(struct lines *in)
{
    struct slice word = lines_word(in, "the key's state");
    for (unsigned i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (slice_equal(word, slice_from(STATES[i])))
            return (enum keyring_state)i;
    }
    lines_fail(in, "the key's state is neither active nor old nor destroyed");
    return KEYRING_DESTROYED;
}

/* The secret of the key that was begun, which must be the id's. */
static void read_secret(struct lines *in, const struct keyring_key *key, uint8_t *secret)
{
    uint8_t id[KEYRING_ID_BYTES];
    size_t len = lines_base64(in, "the key", secret, KEYRING_SECRET_BYTES);
    if (!in->failed && (len != KEYRING_SECRET_BYTES || identify(id, key->tenant, secret) != 0 ||
                        memcmp(id, key->id, sizeof(id)) != 0))
        lines_fail(in, "the key is not the one that its id names: the line was changed or cut; "
                       "put the keyring back from a copy");
}

static int read_key(struct keyring *k, struct lines *in)
{
    int err = grow(k);
    if (err != 0)
        return err;
    struct keyring_key key = {0};
    lines_next(in, "key");
    key.tenant = lines_code(in);
    struct slice id = lines_word(in, "the key's id");
    if (!in->failed && keyring_id_read(key.id, id) != 0)
        lines_fail(in, "the key's id is not 16 digits 0-9 and a-f");
    key.state = read_state(in);
    struct slice since = lines_word(in, "the time");
    if (!in->failed && clock_parse(&key.since_ns, since) != 0)
        lines_fail(in, "the time is none");
    if (key.state != KEYRING_DESTROYED)
        read_secret(in, &key, k->secrets[k->count]);
    lines_end(in);
    if (!in->failed && keyring_find(k, key.tenant, key.id) != NULL)
        lines_fail(in, "the key stands here twice");
    if (!in->failed && key.state == KEYRING_ACTIVE && keyring_active(k, key.tenant) != NULL)
        lines_fail(in, "a second active key of the municipality");
    if (in->failed)
        return ERR_FORMAT;
    k->keys[k->count++] = key;
    return 0;
}

static int read_text(struct keyring *k, struct slice text, struct diag *diag)
{
    struct lines in = lines_of(text, k->path, diag);
    int err = 0;
    lines_next(&in, "sekisho");
    if (!in.failed && !slice_starts(text, SLICE(TITLE)))
        lines_fail(&in, "this is no keyring of version 1");
    while (err == 0 && !in.failed && in.rest.len != 0) {
        err = k->count == KEYRING_KEYS_MAX ? ERR_RANGE : read_key(k, &in);
    }
    return in.failed ? ERR_FORMAT : err;
}

static int refuse(const struct keyring *k, int err, struct diag *diag)
{
    if (err == ERR_NOTFOUND) {
        diag_add(diag, k->path, 0, 0,
                 "there is no keyring; put it back from a copy, or make one with: sekisho keyring "
                 "init");
    } else {
        diag_add(diag, k->path, 0, 0, "the keyring cannot be read (%s)", err_name(err));
    }
    return err;
}

static int read_file(struct keyring *k, struct diag *diag)
{
    struct buf text = {0};
    struct file_info info;
    int err = file_stat(&info, k->path);
    if (err == 0 && (info.mode & OTHERS_MODE) != 0) {
        diag_add(diag, k->path, 0, 0,
                 "the keyring has mode %04o, so others may have read it; make it 0600, and rotate "
                 "the keys if others had access",
                 (unsigned)info.mode);
        return ERR_CONF;
    }
    if (err == 0 && info.size_bytes > KEYRING_BYTES_MAX)
        err = ERR_RANGE;
    /* All at once: a buffer that grows leaves copies behind. */
    if (err == 0 && buf_reserve(&text, (size_t)info.size_bytes + 2) == NULL)
        err = ERR_NOMEM;
    if (err == 0)
        err = file_read_all(&text, k->path, (size_t)info.size_bytes + 1);
    if (err != 0)
        (void)refuse(k, err, diag);
    else
        err = read_text(k, buf_content(&text), diag);
    if (text.data != NULL)
        sodium_memzero(text.data, text.cap);
    buf_release(&text);
    return err;
}

static int keyring_new(struct keyring **out, const char *path)
{
    struct keyring *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return ERR_NOMEM;
    k->path = strdup(path);
    int err = k->path == NULL ? ERR_NOMEM : sodium_init() < 0 ? ERR_IO : 0;
    if (err == 0)
        *out = k;
    else
        keyring_close(k);
    return err;
}

int keyring_open(struct keyring **out, const char *path, struct diag *diag)
{
    struct keyring *k = NULL;
    int err = keyring_new(&k, path);
    if (err == 0)
        err = read_file(k, diag);
    if (err == 0)
        *out = k;
    else
        keyring_close(k);
    return err;
}

static void print_key(struct buf *out, const struct keyring *k, size_t at)
{
    const struct keyring_key *key = &k->keys[at];
    char id[KEYRING_ID_HEX_BYTES + 1];
    keyring_id_print(id, key->id);
    buf_printf(out, "key %06u %s %s ", (unsigned)key->tenant, id, STATES[key->state]);
    clock_print(out, key->since_ns);
    if (key->state != KEYRING_DESTROYED) {
        buf_byte(out, ' ');
        lines_put_base64(out, k->secrets[at], KEYRING_SECRET_BYTES);
    }
    buf_byte(out, '\n');
}

static int save(const struct keyring *k, struct diag *diag)
{
    struct buf text = {0};
    int err = buf_reserve(&text, sizeof(TITLE) + k->count * LINE_BYTES) == NULL ? ERR_NOMEM : 0;
    buf_text(&text, TITLE);
    for (size_t i = 0; i < k->count && err == 0; i++)
        print_key(&text, k, i);
    if (err == 0)
        err = buf_ok(&text) ? file_write_secret(k->path, buf_content(&text)) : ERR_NOMEM;
    if (err != 0)
        diag_add(diag, k->path, 0, 0, "the keyring cannot be written (%s)", err_name(err));
    if (text.data != NULL)
        sodium_memzero(text.data, text.cap);
    buf_release(&text);
    return err;
}

/* Lock the file, and see that it still is the one of that name: a writer before may have replaced it. */
static int lock(struct keyring *k, struct diag *diag)
{
    struct file_info info;
    struct file *now = NULL;
    struct file_identity locked;
    struct file_identity named;
    int err = file_stat(&info, k->path); /* opening to write would make it */
    if (err != 0)
        return refuse(k, err, diag);
    err = file_open(&k->lock, k->path, FILE_APPEND);
    if (err == 0)
        err = file_lock(k->lock);
    if (err == 0)
        err = file_open(&now, k->path, FILE_READ);
    if (err == 0)
        err = file_identify(&locked, k->lock);
    if (err == 0)
        err = file_identify(&named, now);
    file_close(now);
    if (err == 0 && (locked.device != named.device || locked.inode != named.inode))
        err = ERR_BUSY;
    if (err == ERR_BUSY)
        diag_add(diag, k->path, 0, 0, "another program is changing the keyring; try again");
    else if (err != 0)
        (void)refuse(k, err, diag);
    return err;
}

int keyring_edit(struct keyring **out, const char *path, bool make, struct diag *diag)
{
    struct keyring *k = NULL;
    struct file_info info;
    int err = keyring_new(&k, path);
    if (err == 0 && make && file_stat(&info, path) == 0) {
        diag_add(diag, path, 0, 0,
                 "there is something already; a keyring is never replaced: its keys would be lost");
        err = ERR_CONF;
    }
    if (err == 0 && make)
        err = save(k, diag);
    if (err == 0)
        err = lock(k, diag);
    if (err == 0)
        err = read_file(k, diag);
    if (err == 0)
        *out = k;
    else
        keyring_close(k);
    return err;
}

int keyring_rotate(const struct keyring_key **out, struct keyring *k, uint32_t tenant,
                   struct diag *diag)
{
    int err = k->count == KEYRING_KEYS_MAX ? ERR_RANGE : grow(k);
    if (err != 0)
        return err;
    struct keyring_key key = {
        .tenant = tenant, .state = KEYRING_ACTIVE, .since_ns = clock_now_ns()};
    randombytes_buf(k->secrets[k->count], KEYRING_SECRET_BYTES);
    err = identify(key.id, tenant, k->secrets[k->count]);
    if (err != 0)
        return err;
    for (size_t i = 0; i < k->count; i++) {
        if (k->keys[i].tenant == tenant && k->keys[i].state == KEYRING_ACTIVE)
            k->keys[i].state = KEYRING_OLD;
    }
    k->keys[k->count++] = key;
    err = save(k, diag);
    if (err == 0)
        *out = &k->keys[k->count - 1];
    return err;
}

int keyring_destroy(struct keyring *k, uint32_t tenant, const uint8_t id[KEYRING_ID_BYTES],
                    struct diag *diag)
{
    for (size_t i = 0; i < k->count; i++) {
        struct keyring_key *key = &k->keys[i];
        if (key->tenant != tenant || memcmp(key->id, id, KEYRING_ID_BYTES) != 0 ||
            key->state == KEYRING_DESTROYED)
            continue;
        key->state = KEYRING_DESTROYED;
        key->since_ns = clock_now_ns();
        sodium_memzero(k->secrets[i], KEYRING_SECRET_BYTES);
        return save(k, diag);
    }
    diag_add(diag, k->path, 0, 0,
             "municipality %06u has no such key; sekisho keyring list shows them",
             (unsigned)tenant);
    return ERR_NOTFOUND;
}
