/* What a catalog names stays, what a killed run began goes, what was replaced goes when nobody reads. */
#include "tests/store/log_dir.h"

enum {
    TENANT = 52027,
    HOUR = 0x7aef3,
};

static void put_file(const struct log_dir *d, const char *name)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    assert_in_range(snprintf(path, sizeof(path), "%s/seg/052027/%s", d->path, name), 1,
                    sizeof(path) - 1);
    assert_int_equal(file_open(&f, path, FILE_CREATE), 0);
    file_close(f);
}

static bool is_there(const struct log_dir *d, const char *name)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    assert_in_range(snprintf(path, sizeof(path), "%s/seg/052027/%s", d->path, name), 1,
                    sizeof(path) - 1);
    int err = file_stat(&info, path);
    assert_true(err == 0 || err == ERR_NOTFOUND);
    return err == 0;
}

static void make_folders(struct log_dir *d)
{
    static const char *const FOLDERS[] = {"log", "seg", "seg/052027"};
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(d);
    for (size_t i = 0; i < COUNT(FOLDERS); i++) {
        assert_in_range(snprintf(path, sizeof(path), "%s/%s", d->path, FOLDERS[i]), 1,
                        sizeof(path) - 1);
        assert_int_equal(dir_create(path), 0);
        if (i == 0)
            assert_int_equal(log_hold_prepare(path), 0);
    }
    put_file(d, "catalog");
    put_file(d, "0007aef3.1.seg");
    put_file(d, "0007aef3.2.seg");
    put_file(d, "0007aef3.3.seg.tmp");
    put_file(d, "0007aef4.1.seg");
    put_file(d, "0007aef5.1.seg.tmp");
    put_file(d, "notes.txt");
}

static void readers_keep_what_was_replaced(void **state)
{
    (void)state;
    struct segment_info live[] = {{.name = {.tenant = TENANT, .hour = HOUR, .generation = 2}}};
    const struct catalog catalog = {
        .tenant = TENANT, .segments = live, .segment_count = COUNT(live)};
    struct log_dir d;
    struct log_hold hold = {0};
    struct segment_sweep swept;
    make_folders(&d);
    assert_int_equal(log_hold_take_store(&hold, d.path), 0);
    assert_int_equal(segment_sweep(&swept, d.path, &catalog), 0);
    assert_int_equal(swept.removed, 2);
    assert_int_equal(swept.left, 2);
    assert_false(is_there(&d, "0007aef3.3.seg.tmp"));
    assert_false(is_there(&d, "0007aef5.1.seg.tmp"));
    assert_true(is_there(&d, "0007aef3.1.seg"));
    assert_true(is_there(&d, "0007aef4.1.seg"));
    log_hold_drop(&hold);
    assert_int_equal(segment_sweep(&swept, d.path, &catalog), 0);
    assert_int_equal(swept.removed, 2);
    assert_int_equal(swept.left, 0);
    assert_false(is_there(&d, "0007aef3.1.seg"));
    assert_false(is_there(&d, "0007aef4.1.seg"));
    assert_true(is_there(&d, "0007aef3.2.seg"));
    assert_true(is_there(&d, "catalog"));
    assert_true(is_there(&d, "notes.txt"));
    /* Readers are let in again. */
    assert_int_equal(log_hold_take_store(&hold, d.path), 0);
    log_hold_drop(&hold);
    log_dir_remove(&d);
}

static void a_disk_that_refuses_is_said(void **state)
{
    (void)state;
    const struct catalog catalog = {.tenant = TENANT};
    struct log_dir d;
    struct segment_sweep swept;
    make_folders(&d);
    assert_int_equal(fault_set("EIO@unlink=.seg:2"), 0);
    assert_int_equal(segment_sweep(&swept, d.path, &catalog), ERR_IO);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(segment_sweep(&swept, d.path, &catalog), 0);
    assert_int_equal(swept.removed, 4);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_keep_what_was_replaced),
        cmocka_unit_test(a_disk_that_refuses_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
