/* Copies of files: all of the bytes, none that were written later, and the faults of reading. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/file_copy.h"

enum {
    LARGE_BYTES = 700001, /* more than one step of reading */
};

struct folder {
    char dir[FILE_PATH_BYTES_MAX - 8];
    char path[FILE_PATH_BYTES_MAX];
};

static void begin(struct folder *f, struct slice content)
{
    assert_int_equal(dir_create_temp(f->dir, sizeof(f->dir), "/tmp/copy"), 0);
    (void)snprintf(f->path, sizeof(f->path), "%s/f", f->dir);
    assert_int_equal(file_write_atomic(f->path, content), 0);
}

static void end(struct folder *f)
{
    assert_int_equal(dir_remove_tree(f->dir), 0);
}

static void fill(struct buf *out)
{
    for (uint32_t i = 0; i < LARGE_BYTES; i++)
        buf_byte(out, (char)(i * 31 + i / 251));
}

static void test_bytes(void **state)
{
    (void)state;
    struct folder f;
    struct buf large = {0};
    struct buf again = {0};
    struct file_copy *copy = NULL;
    fill(&large);
    begin(&f, buf_content(&large));
    assert_int_equal(file_copy_new(&copy, f.path, LARGE_BYTES), 0);
    assert_true(slice_equal(file_copy_bytes(copy), buf_content(&large)));
    /* What becomes of the file does not matter. */
    assert_int_equal(truncate(f.path, 0), 0);
    assert_int_equal(file_unlink(f.path), 0);
    assert_true(slice_equal(file_copy_bytes(copy), buf_content(&large)));
    assert_int_equal(file_read_all(&again, file_copy_path(copy), LARGE_BYTES), 0);
    assert_true(slice_equal(buf_content(&again), buf_content(&large)));
    /* Nobody changes the copy, whoever has its descriptor. */
    assert_int_equal(pwrite(file_copy_descriptor(copy), "x", 1, 0), -1);
    assert_int_equal(ftruncate(file_copy_descriptor(copy), 0), -1);
    file_copy_free(copy);
    file_copy_free(NULL);
    buf_release(&again);
    buf_release(&large);
    end(&f);
}

static void test_empty(void **state)
{
    (void)state;
    struct folder f;
    struct file_copy *copy = NULL;
    begin(&f, SLICE(""));
    assert_int_equal(file_copy_new(&copy, f.path, 0), 0);
    assert_int_equal(file_copy_bytes(copy).len, 0);
    file_copy_free(copy);
    end(&f);
}

static void test_faults(void **state)
{
    (void)state;
    struct folder f;
    struct file_copy *copy = NULL;
    begin(&f, SLICE("12345"));
    assert_int_equal(file_copy_new(&copy, "/nonexistent/f", 5), ERR_NOTFOUND);
    assert_int_equal(file_copy_new(&copy, f.dir, 5), ERR_IO);
    assert_int_equal(file_copy_new(&copy, f.path, 4), ERR_RANGE);
    assert_int_equal(file_copy_new(&copy, "/dev/zero", LARGE_BYTES), ERR_RANGE);
    static const char *const SPECS[] = {"EACCES@open=copy", "EIO@read=copy:1", "EIO@read=copy:2"};
    for (size_t i = 0; i < sizeof(SPECS) / sizeof(SPECS[0]); i++) {
        assert_int_equal(fault_set(SPECS[i]), 0);
        assert_int_equal(file_copy_new(&copy, f.path, 5), ERR_IO);
    }
    assert_int_equal(fault_set("short@read=copy:*:2;EINTR@read=copy:2"), 0);
    assert_null(copy);
    assert_int_equal(file_copy_new(&copy, f.path, 5), 0);
    assert_int_equal(fault_set(NULL), 0);
    assert_true(slice_equal(file_copy_bytes(copy), SLICE("12345")));
    file_copy_free(copy);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
