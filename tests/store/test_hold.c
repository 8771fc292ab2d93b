/* Holds: what was added holds, until it is released; what was changed is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fault.h"
#include "store/hold.h"

enum {
    TENANT = 990001,
};

static struct hold make(int64_t since_ns, int64_t until_ns, const char *class_name)
{
    return (struct hold){.tenant = TENANT,
                         .time_ns = 1763000000000000000,
                         .class_name = slice_from(class_name),
                         .since_ns = since_ns,
                         .until_ns = until_ns,
                         .by = SLICE("Sato Hanako"),
                         .reason = SLICE("request of 2026-11-20")};
}

static bool holds_it(const char *dir, const char *class_name, int64_t from_ns, int64_t to_ns)
{
    struct holds h = {0};
    struct diag diag = {0};
    const struct hold_question q = {
        .tenant = TENANT, .class_name = slice_from(class_name), .from_ns = from_ns, .to_ns = to_ns};
    assert_int_equal(holds_read(&h, dir, &diag), 0);
    bool found = holds_find(&h, &q) != NULL;
    struct hold_question other = q;
    other.tenant = TENANT + 1;
    assert_null(holds_find(&h, &other));
    holds_release(&h);
    diag_release(&diag);
    return found;
}

static void test_holds(void **state)
{
    (void)state;
    char dir[256];
    struct diag diag = {0};
    uint64_t number = 0;
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/sekisho-hold-"), 0);
    assert_false(holds_it(dir, "proxy", INT64_MIN, INT64_MAX));
    struct hold h = make(1000, 2000, "proxy");
    assert_int_equal(holds_add(&number, dir, &h, &diag), 0);
    assert_int_equal(number, 1);
    assert_true(holds_it(dir, "proxy", 0, 1000));
    assert_true(holds_it(dir, "proxy", 1999, 5000));
    assert_true(holds_it(dir, "proxy", 0, 5000));
    assert_false(holds_it(dir, "proxy", 0, 999));
    assert_false(holds_it(dir, "proxy", 2000, 5000));
    assert_false(holds_it(dir, "firewall", 0, 5000));
    h = make(INT64_MIN, INT64_MAX, HOLD_CLASS_ALL);
    assert_int_equal(holds_add(&number, dir, &h, &diag), 0);
    assert_true(holds_it(dir, "firewall", INT64_MIN, INT64_MIN));
    assert_int_equal(holds_end(dir, number, &h, &diag), 0);
    assert_false(holds_it(dir, "firewall", INT64_MIN, INT64_MAX));
    assert_int_equal(diag.count, 0);
    assert_int_equal(holds_end(dir, number, &h, &diag), ERR_NOTFOUND);
    assert_int_equal(holds_end(dir, 3, &h, &diag), ERR_NOTFOUND); /* the release itself */
    assert_int_equal(holds_end(dir, 0, &h, &diag), ERR_NOTFOUND);
    assert_true(holds_it(dir, "proxy", 0, 5000));
    diag_release(&diag);
    assert_int_equal(dir_remove_tree(dir), 0);
}

/* What cannot be written is not. */
static void test_refused(void **state)
{
    (void)state;
    char dir[256];
    static char longest[HOLD_TEXT_BYTES_MAX + 2];
    struct diag diag = {0};
    uint64_t number = 0;
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/sekisho-hold-"), 0);
    memset(longest, 'x', sizeof(longest) - 1);
    struct hold h = make(0, 1, "proxy");
    h.by = SLICE("two\nlines");
    assert_int_equal(holds_add(&number, dir, &h, &diag), ERR_RANGE);
    h.by = SLICE("");
    assert_int_equal(holds_add(&number, dir, &h, &diag), ERR_RANGE);
    h = make(0, 1, "proxy");
    h.reason = slice_from(longest);
    assert_int_equal(holds_add(&number, dir, &h, &diag), ERR_RANGE);
    h = make(1, 1, "proxy");
    assert_int_equal(holds_add(&number, dir, &h, &diag), ERR_RANGE);
    h = make(0, 1, "two words");
    assert_int_equal(holds_add(&number, dir, &h, &diag), ERR_RANGE);
    h = make(0, 1, "proxy");
    assert_int_equal(fault_set("ENOSPC@write=holds"), 0);
    assert_int_equal(holds_add(&number, dir, &h, &diag), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(number, 0);
    assert_false(holds_it(dir, "proxy", 0, 1));
    assert_int_equal(holds_add(&number, dir, &h, &diag), 0);
    assert_true(holds_it(dir, "proxy", 0, 0));
    struct file *lock = NULL;
    struct file *second = NULL;
    assert_int_equal(holds_lock(&lock, dir, 0), 0);
    assert_int_equal(holds_lock(&second, dir, 1), ERR_BUSY);
    file_close(lock);
    assert_int_equal(holds_lock(&second, dir, 0), 0);
    file_close(second);
    diag_release(&diag);
    assert_int_equal(dir_remove_tree(dir), 0);
}

/* Any changed bit, and any cut within the file, is found. */
static void test_damage(void **state)
{
    (void)state;
    char dir[256];
    char path[300];
    struct diag diag = {0};
    struct buf text = {0};
    struct holds h = {0};
    uint64_t number = 0;
    size_t first = 0;
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/sekisho-hold-"), 0);
    (void)snprintf(path, sizeof(path), "%s/holds", dir);
    for (int i = 0; i < 3; i++) {
        struct hold one = make(i, i + 1, i == 1 ? "firewall" : "all");
        assert_int_equal(holds_add(&number, dir, &one, &diag), 0);
        buf_reset(&text);
        assert_int_equal(file_read_all(&text, path, 1 << 20), 0);
        first = i == 1 ? text.len : first;
    }
    struct hold by = make(0, 1, "all");
    assert_int_equal(holds_end(dir, 2, &by, &diag), 0);
    buf_reset(&text);
    assert_int_equal(file_read_all(&text, path, 1 << 20), 0);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_int_equal(file_write_atomic(path, buf_content(&text)), 0);
        assert_int_equal(holds_read(&h, dir, &diag), ERR_CORRUPT);
        text.data[i] ^= 1;
        assert_int_equal(file_write_atomic(path, slice_of(text.data, i)), 0);
        int err = holds_read(&h, dir, &diag);
        /* Where a record ends nothing is missing but records, which checkpoints know. */
        if (err == 0) {
            assert_true(i >= 1 && text.data[i - 1] == '\n' &&
                        memcmp(text.data + i, "sekisho hold v1\n", 16) == 0);
            holds_release(&h);
        } else {
            assert_int_equal(err, ERR_CORRUPT);
        }
        diag_release(&diag);
    }
    assert_int_equal(file_write_atomic(path, slice_of(text.data, first)), 0);
    assert_int_equal(holds_read(&h, dir, &diag), 0);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.records, 2);
    assert_true(slice_equal(h.items[1].class_name, SLICE("firewall")));
    assert_true(slice_equal(h.items[1].by, SLICE("Sato Hanako")));
    holds_release(&h);
    buf_release(&text);
    diag_release(&diag);
    assert_int_equal(dir_remove_tree(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
