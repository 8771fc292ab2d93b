#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/file.h"

static char folder[256];

/* A path inside the test's own folder; valid until the next call but three. */
static const char *in_folder(const char *name)
{
    static char paths[4][512];
    static size_t turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return dir_create_temp(folder, sizeof(folder), "/tmp/test_file.");
}

static int remove_folder(void **state)
{
    (void)state;
    (void)fault_set(NULL);
    return dir_remove_tree(folder);
}

static void check_content(const char *path, struct slice expected)
{
    struct buf b = {0};
    assert_int_equal(file_read_all(&b, path, 1 << 20), 0);
    assert_true(slice_equal(buf_content(&b), expected));
    buf_release(&b);
}

static void appends_and_reads(void **state)
{
    (void)state;
    struct file *f = NULL;
    char data[16] = "";
    size_t got = 0;
    uint64_t size = 0;
    const char *path = in_folder("a");
    assert_int_equal(file_open(&f, path, FILE_READ), ERR_NOTFOUND);
    assert_null(f);
    assert_int_equal(file_open(&f, path, FILE_CREATE), 0);
    assert_string_equal(file_path(f), path);
    assert_int_equal(file_append(f, "hello ", 6), 0);
    assert_int_equal(file_append(f, "world", 5), 0);
    assert_int_equal(file_append(f, NULL, 0), 0);
    assert_int_equal(file_end(f), 11);
    assert_int_equal(file_sync(f), 0);
    assert_int_equal(file_read_at(&got, f, 6, data, sizeof(data)), 0);
    assert_int_equal(got, 5);
    assert_memory_equal(data, "world", 5);
    assert_int_equal(file_read_at(&got, f, UINT64_MAX, data, sizeof(data)), 0);
    assert_int_equal(got, 0);
    assert_int_equal(file_truncate(f, 5), 0);
    assert_int_equal(file_end(f), 5);
    file_close(f);
    assert_int_equal(file_open(&f, path, FILE_CREATE), ERR_BUSY);
    assert_int_equal(file_open(&f, path, FILE_APPEND), 0);
    assert_int_equal(file_append(f, "!", 1), 0);
    assert_int_equal(file_size(&size, f), 0);
    assert_int_equal(size, 6);
    file_close(f);
    check_content(path, SLICE("hello!"));
    file_close(NULL);
}

static void survives_short_and_interrupted_calls(void **state)
{
    (void)state;
    struct file *f = NULL;
    char data[32] = "";
    size_t got = 0;
    assert_int_equal(fault_set("short@write=short:*:3;short@read=short:*:2;EINTR@write=short:2;"
                               "EINTR@read=short:3;EINTR@sync=short;EINTR@open=short"),
                     0);
    assert_int_equal(file_open(&f, in_folder("short"), FILE_CREATE), 0);
    assert_int_equal(file_append(f, "0123456789", 10), 0);
    assert_int_equal(file_sync(f), 0);
    assert_int_equal(file_read_at(&got, f, 0, data, sizeof(data)), 0);
    assert_int_equal(got, 10);
    assert_memory_equal(data, "0123456789", 10);
    file_close(f);
    check_content(in_folder("short"), SLICE("0123456789"));
    assert_int_equal(fault_set(NULL), 0);
}

static void keeps_its_end_on_a_full_disk(void **state)
{
    (void)state;
    struct file *f = NULL;
    uint64_t size = 0;
    assert_int_equal(file_open(&f, in_folder("full"), FILE_CREATE), 0);
    assert_int_equal(fault_set("full@write=full::8"), 0);
    assert_int_equal(file_append(f, "12345", 5), 0);
    assert_int_equal(file_append(f, "67890", 5), ERR_IO);
    assert_true(file_no_space());
    assert_int_equal(file_end(f), 5);
    assert_int_equal(file_size(&size, f), 0);
    assert_int_equal(size, 8);
    assert_int_equal(fault_set("EIO@sync=full"), 0);
    assert_int_equal(file_truncate(f, file_end(f)), 0);
    assert_int_equal(file_sync(f), ERR_IO);
    assert_int_equal(errno, EIO);
    assert_false(file_no_space());
    assert_int_equal(file_append(f, "x", 1), 0);
    file_close(f);
    check_content(in_folder("full"), SLICE("12345x"));
    assert_int_equal(fault_set(NULL), 0);
}

static void locks_once(void **state)
{
    (void)state;
    struct file *a = NULL;
    struct file *b = NULL;
    assert_int_equal(file_open(&a, in_folder("lock"), FILE_APPEND), 0);
    assert_int_equal(file_open(&b, in_folder("lock"), FILE_APPEND), 0);
    assert_int_equal(file_lock(a), 0);
    assert_int_equal(file_lock(a), 0);
    assert_int_equal(file_lock(b), ERR_BUSY);
    file_close(a);
    assert_int_equal(file_lock(b), 0);
    file_close(b);
}

static void maps(void **state)
{
    (void)state;
    struct file *f = NULL;
    struct slice map = SLICE("x");
    assert_int_equal(file_open(&f, in_folder("map"), FILE_CREATE), 0);
    assert_int_equal(file_map(&map, f), 0);
    assert_int_equal(map.len, 0);
    file_unmap(map);
    assert_int_equal(file_append(f, "mapped", 6), 0);
    assert_int_equal(file_map(&map, f), 0);
    file_close(f);
    assert_true(slice_equal(map, SLICE("mapped")));
    file_unmap(map);
}

/* Bytes are there again after any part of the map has left memory. */
static void forgets(void **state)
{
    (void)state;
    enum {
        BYTES = 3 * 4096 + 17
    };
    static const size_t CUTS[][2] = {{0, BYTES}, {0, 0}, {1, 5000}, {4095, 2}, {BYTES - 1, 1}};
    struct file *f = NULL;
    struct slice map;
    char bytes[BYTES];
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    assert_int_equal(file_open(&f, in_folder("forget"), FILE_CREATE), 0);
    assert_int_equal(file_append(f, bytes, BYTES), 0);
    assert_int_equal(file_map(&map, f), 0);
    file_close(f);
    for (size_t i = 0; i < sizeof(CUTS) / sizeof(CUTS[0]); i++) {
        file_map_forget(slice_of(map.data + CUTS[i][0], CUTS[i][1]));
        assert_true(slice_equal(map, slice_of(bytes, BYTES)));
    }
    file_unmap(map);
}

static void reads_whole_files_up_to_a_limit(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_text(&b, "kept");
    assert_int_equal(file_write_atomic(in_folder("whole"), SLICE("12345")), 0);
    assert_int_equal(file_read_all(&b, in_folder("whole"), 4), ERR_RANGE);
    assert_int_equal(b.len, 4);
    assert_int_equal(file_read_all(&b, in_folder("whole"), 5), 0);
    assert_string_equal(buf_string(&b), "kept12345");
    assert_int_equal(file_read_all(&b, in_folder("missing"), 5), ERR_NOTFOUND);
    assert_int_equal(fault_set("EIO@read=whole:2"), 0);
    assert_int_equal(file_read_all(&b, in_folder("whole"), 5), ERR_IO);
    assert_int_equal(b.len, 9);
    assert_int_equal(fault_set(NULL), 0);
    buf_release(&b);
}

static void replaces_all_or_nothing(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {
        "EACCES@open=atom.tmp",  "ENOSPC@write=atom.tmp", "EIO@sync=atom.tmp",
        "EIO@truncate=atom.tmp", "EIO@rename=atom",
    };
    struct file_info info;
    assert_int_equal(file_write_atomic(in_folder("atom"), SLICE("old")), 0);
    for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(file_write_atomic(in_folder("atom"), SLICE("newer")), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        check_content(in_folder("atom"), SLICE("old"));
        assert_int_equal(file_stat(&info, in_folder("atom.tmp")), ERR_NOTFOUND);
    }
    assert_int_equal(fault_set("EIO@dirsync="), 0);
    assert_int_equal(file_write_atomic(in_folder("atom"), SLICE("newer")), ERR_IO);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(file_stat(&info, in_folder("atom")), 0);
    assert_int_equal(info.size_bytes, 5);
    assert_int_equal(info.kind, FILE_KIND_REGULAR);
    assert_true(info.modified_ns > INT64_C(1600000000000000000));
}

static void makes_and_lists_folders(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dir_names names = {0};
    struct file_info info;
    uint64_t space = 0;
    assert_int_equal(dir_create(in_folder("x//y/z/")), 0);
    assert_int_equal(dir_create(in_folder("x/y/z")), 0);
    assert_int_equal(file_stat(&info, in_folder("x/y/z")), 0);
    assert_int_equal(info.kind, FILE_KIND_DIR);
    assert_int_equal(file_write_atomic(in_folder("x/b"), SLICE("")), 0);
    assert_int_equal(file_write_atomic(in_folder("x/B"), SLICE("")), 0);
    assert_int_equal(dir_create(in_folder("x/b/c")), ERR_IO);
    assert_int_equal(dir_create(in_folder("x/b")), ERR_IO);
    assert_int_equal(file_rename(in_folder("x/B"), in_folder("x/C")), 0);
    assert_int_equal(dir_list(&names, &arena, in_folder("x")), 0);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.names[0], "C");
    assert_string_equal(names.names[1], "b");
    assert_string_equal(names.names[2], "y");
    assert_int_equal(dir_list(&names, &arena, in_folder("none")), ERR_NOTFOUND);
    assert_int_equal(dir_sync(in_folder("x")), 0);
    assert_int_equal(dir_remove(in_folder("x")), ERR_IO);
    assert_int_equal(file_unlink(in_folder("x/b")), 0);
    assert_int_equal(file_unlink(in_folder("x/b")), ERR_NOTFOUND);
    assert_int_equal(symlink("/", in_folder("x/link")), 0);
    assert_int_equal(dir_remove_tree(in_folder("x")), 0);
    assert_int_equal(file_stat(&info, in_folder("x")), ERR_NOTFOUND);
    assert_int_equal(file_space(&space, folder), 0);
    assert_true(space > 0);
    arena_release(&arena);
}

static void shares_its_end(void **state)
{
    (void)state;
    struct file *one = NULL;
    struct file *two = NULL;
    struct file_identity a;
    struct file_identity b;
    uint64_t size = 0;
    assert_int_equal(file_open(&one, in_folder("shared"), FILE_SHARED), 0);
    assert_int_equal(file_open(&two, in_folder("shared"), FILE_SHARED), 0);
    assert_int_equal(file_append(one, "one", 3), 0);
    assert_int_equal(file_append(two, "two", 3), 0);
    assert_int_equal(file_size(&size, one), 0);
    assert_int_equal(size, 6);
    assert_int_equal(file_identify(&a, one), 0);
    assert_int_equal(file_identify(&b, two), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    /* A new file under the name is another, the old one keeps its identity. */
    assert_int_equal(file_rename(in_folder("shared"), in_folder("rotated")), 0);
    file_close(two);
    assert_int_equal(file_open(&two, in_folder("shared"), FILE_SHARED), 0);
    assert_int_equal(file_identify(&b, two), 0);
    assert_memory_not_equal(&a, &b, sizeof(a));
    assert_int_equal(file_identify(&b, one), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    file_close(one);
    file_close(two);
}

static void lists_many_names(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dir_names names = {0};
    char name[32];
    assert_int_equal(dir_create(in_folder("many")), 0);
    for (int i = 0; i < 500; i++) {
        struct file *f = NULL;
        (void)snprintf(name, sizeof(name), "many/%03d", (i * 7) % 500);
        assert_int_equal(file_open(&f, in_folder(name), FILE_CREATE), 0);
        file_close(f);
    }
    assert_int_equal(dir_list(&names, &arena, in_folder("many")), 0);
    assert_int_equal(names.count, 500);
    for (size_t i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof(name), "%03zu", i);
        assert_string_equal(names.names[i], name);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_reads),
        cmocka_unit_test(survives_short_and_interrupted_calls),
        cmocka_unit_test(keeps_its_end_on_a_full_disk),
        cmocka_unit_test(locks_once),
        cmocka_unit_test(maps),
        cmocka_unit_test(forgets),
        cmocka_unit_test(reads_whole_files_up_to_a_limit),
        cmocka_unit_test(replaces_all_or_nothing),
        cmocka_unit_test(makes_and_lists_folders),
        cmocka_unit_test(shares_its_end),
        cmocka_unit_test(lists_many_names),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
