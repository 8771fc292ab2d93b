/* Keyrings: keys come back, rotate and go; a file that others may read or that was changed is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "store/keyring.h"

enum {
    TENANT = 52027,
    OTHER = 990001,
    MANY = 100,
};

struct desk {
    char folder[256];
    char path[512];
    struct diag diag;
};

static void desk_open(struct desk *d)
{
    *d = (struct desk){0};
    assert_int_equal(dir_create_temp(d->folder, sizeof(d->folder), "/tmp/sekisho-keyring-"), 0);
    (void)snprintf(d->path, sizeof(d->path), "%s/keyring", d->folder);
}

static void desk_close(struct desk *d)
{
    assert_int_equal(dir_remove_tree(d->folder), 0);
    diag_release(&d->diag);
}

static void make(struct desk *d)
{
    struct keyring *k = NULL;
    assert_int_equal(keyring_edit(&k, d->path, true, &d->diag), 0);
    assert_int_equal(keyring_count(k), 0);
    keyring_close(k);
}

/* A new key in the file. */
static struct keyring_key rotate(struct desk *d, uint32_t tenant, uint8_t secret[32])
{
    struct keyring *k = NULL;
    const struct keyring_key *made = NULL;
    assert_int_equal(keyring_edit(&k, d->path, false, &d->diag), 0);
    assert_int_equal(keyring_rotate(&made, k, tenant, &d->diag), 0);
    struct keyring_key key = *made;
    memcpy(secret, keyring_secret(k, made), 32);
    assert_ptr_equal(keyring_active(k, tenant), made);
    keyring_close(k);
    return key;
}

static void test_rotation(void **state)
{
    (void)state;
    struct desk d;
    struct file_info info;
    uint8_t first[32];
    uint8_t second[32];
    uint8_t others[32];
    desk_open(&d);
    make(&d);
    assert_int_equal(file_stat(&info, d.path), 0);
    assert_int_equal(info.mode, 0600);
    struct keyring_key a = rotate(&d, TENANT, first);
    struct keyring_key c = rotate(&d, OTHER, others);
    struct keyring_key b = rotate(&d, TENANT, second);
    assert_memory_not_equal(first, second, 32);
    struct keyring *k = NULL;
    assert_int_equal(keyring_open(&k, d.path, &d.diag), 0);
    assert_int_equal(keyring_count(k), 3);
    assert_memory_equal(keyring_active(k, TENANT)->id, b.id, KEYRING_ID_BYTES);
    assert_memory_equal(keyring_active(k, OTHER)->id, c.id, KEYRING_ID_BYTES);
    assert_memory_equal(keyring_secret(k, keyring_find(k, TENANT, a.id)), first, 32);
    assert_memory_equal(keyring_secret(k, keyring_find(k, TENANT, b.id)), second, 32);
    assert_int_equal(keyring_find(k, TENANT, a.id)->state, KEYRING_OLD);
    assert_int_equal(keyring_find(k, TENANT, a.id)->since_ns, a.since_ns);
    assert_null(keyring_find(k, OTHER, a.id));
    assert_null(keyring_active(k, TENANT + 1));
    assert_null(keyring_active(NULL, TENANT));
    assert_null(keyring_find(NULL, TENANT, a.id));
    keyring_close(k);
    assert_int_equal(file_stat(&info, d.path), 0);
    assert_int_equal(info.mode, 0600);
    desk_close(&d);
}

/* More than the first memory takes. */
static void test_many(void **state)
{
    (void)state;
    struct desk d;
    static uint8_t secrets[MANY][32];
    static struct keyring_key keys[MANY];
    desk_open(&d);
    make(&d);
    for (uint32_t i = 0; i < MANY; i++)
        keys[i] = rotate(&d, TENANT + i % 7, secrets[i]);
    struct keyring *k = NULL;
    assert_int_equal(keyring_open(&k, d.path, &d.diag), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct keyring_key *key = keyring_find(k, TENANT + i % 7, keys[i].id);
        assert_non_null(key);
        assert_memory_equal(keyring_secret(k, key), secrets[i], 32);
        assert_int_equal(key->state, i + 7 < MANY ? KEYRING_OLD : KEYRING_ACTIVE);
    }
    keyring_close(k);
    desk_close(&d);
}

static void test_destroy(void **state)
{
    (void)state;
    struct desk d;
    struct keyring *k = NULL;
    uint8_t secret[32];
    struct buf text = {0};
    desk_open(&d);
    make(&d);
    struct keyring_key a = rotate(&d, TENANT, secret);
    assert_int_equal(keyring_edit(&k, d.path, false, &d.diag), 0);
    assert_int_equal(keyring_destroy(k, OTHER, a.id, &d.diag), ERR_NOTFOUND);
    assert_int_equal(keyring_destroy(k, TENANT, a.id, &d.diag), 0);
    keyring_close(k);
    assert_int_equal(keyring_open(&k, d.path, &d.diag), 0);
    const struct keyring_key *key = keyring_find(k, TENANT, a.id);
    assert_non_null(key);
    assert_int_equal(key->state, KEYRING_DESTROYED);
    assert_null(keyring_secret(k, key));
    assert_null(keyring_active(k, TENANT));
    keyring_close(k);
    assert_int_equal(file_read_all(&text, d.path, 1 << 16), 0);
    assert_null(memmem(text.data, text.len, "=", 1)); /* no base64 of 32 bytes is without */
    assert_int_equal(keyring_edit(&k, d.path, false, &d.diag), 0);
    assert_int_equal(keyring_destroy(k, TENANT, a.id, &d.diag), ERR_NOTFOUND);
    keyring_close(k);
    buf_release(&text);
    desk_close(&d);
}

static int open_error(struct desk *d)
{
    struct keyring *k = NULL;
    size_t said = d->diag.count;
    int err = keyring_open(&k, d->path, &d->diag);
    assert_int_equal(d->diag.count, said + (err != 0));
    keyring_close(k);
    return err;
}

static void test_refused(void **state)
{
    (void)state;
    static const mode_t OPEN[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
    struct desk d;
    struct keyring *k = NULL;
    struct keyring *again = NULL;
    uint8_t secret[32];
    struct buf text = {0};
    desk_open(&d);
    assert_int_equal(open_error(&d), ERR_NOTFOUND);
    assert_int_equal(keyring_edit(&k, d.path, false, &d.diag), ERR_NOTFOUND);
    make(&d);
    assert_int_equal(keyring_edit(&k, d.path, true, &d.diag), ERR_CONF);
    (void)rotate(&d, TENANT, secret);
    (void)rotate(&d, OTHER, secret);
    for (size_t i = 0; i < sizeof(OPEN) / sizeof(OPEN[0]); i++) {
        assert_int_equal(chmod(d.path, OPEN[i]), 0);
        assert_int_equal(open_error(&d), ERR_CONF);
        assert_int_equal(keyring_edit(&k, d.path, false, &d.diag), ERR_CONF);
    }
    assert_int_equal(chmod(d.path, 0600), 0);
    assert_int_equal(open_error(&d), 0);
    assert_int_equal(keyring_edit(&k, d.path, false, &d.diag), 0);
    assert_int_equal(keyring_edit(&again, d.path, false, &d.diag), ERR_BUSY);
    keyring_close(k);
    /* Any letter of it changed, and any length but those that end with a line. */
    assert_int_equal(file_read_all(&text, d.path, 1 << 16), 0);
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];
        text.data[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(file_write_secret(d.path, buf_content(&text)), 0);
        int err = open_error(&d);
        /* A time may read as another one; nothing else may. */
        if (err == 0)
            print_error("byte %zu\n", i);
        assert_int_equal(err, ERR_FORMAT);
        text.data[i] = was;
    }
    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(file_write_secret(d.path, slice_of(text.data, len)), 0);
        assert_int_equal(open_error(&d), len != 0 && text.data[len - 1] == '\n' ? 0 : ERR_FORMAT);
    }
    /* A key under another municipality's code. */
    char *code = memmem(text.data, text.len, "052027", 6);
    assert_non_null(code);
    code[5] = '8';
    assert_int_equal(file_write_secret(d.path, buf_content(&text)), 0);
    assert_int_equal(open_error(&d), ERR_FORMAT);
    buf_release(&text);
    desk_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_destroy),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
