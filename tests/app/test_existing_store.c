/* The store that a command works on: opened where there is one, never made. */
#include "app/existing_store.h"
#include "base/err.h"
#include "tests/store/log_dir.h"

static int open_store(struct store **out, const char *dir, bool read_only)
{
    struct diag diag = {0};
    int err = existing_store_open(out, dir, read_only, &diag);
    assert_true(err == 0 || diag.count != 0);
    diag_release(&diag);
    return err;
}

static void none_is_made(void **state)
{
    struct log_dir d;
    struct store *st = NULL;
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    (void)state;
    log_dir_make(&d);
    (void)snprintf(path, sizeof(path), "%s/mistyped", d.path);
    for (unsigned read_only = 0; read_only < 2; read_only++) {
        assert_int_equal(open_store(&st, path, read_only == 1), ERR_NOTFOUND);
        assert_int_equal(open_store(&st, d.path, read_only == 1), ERR_NOTFOUND);
    }
    assert_null(st);
    assert_int_equal(file_stat(&info, path), ERR_NOTFOUND);
    assert_int_equal(dir_remove(d.path), 0); /* nothing is in it */
}

static void one_is_opened(void **state)
{
    struct log_dir d;
    struct store *st = NULL;
    struct store *second = NULL;
    (void)state;
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(open_store(&second, d.path, false), ERR_BUSY);
    assert_null(second);
    assert_int_equal(open_store(&second, d.path, true), 0);
    store_close(second);
    store_close(st);
    assert_int_equal(open_store(&st, d.path, true), 0);
    assert_false(store_is_held(d.path));
    store_close(st);
    assert_int_equal(open_store(&st, d.path, false), 0);
    assert_true(store_is_held(d.path));
    store_close(st);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(none_is_made),
                                       cmocka_unit_test(one_is_opened)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
