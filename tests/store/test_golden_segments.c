/* The golden store with segments: this version reads them to the rows that went in. Footers of other versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "store/catalog.h"
#include "tests/store/golden_rows.h"

enum {
    TENANT = 990001,
    TENANT_MANY = 990002,
    ROWS = 444,
    ROWS_MANY = 4200,
    SECTION_NEW = 7,
    TRAILER_BYTES = 48,
    HEADER_BYTES = 64,
};

#define SECTION_REQUIRED (UINT32_C(1) << 31)

/* Each row's line of text, by its number in the history. */
struct rows {
    struct buf *lines;
    size_t count;
};

static void golden_path(char *out, size_t cap, const char *below)
{
    const char *golden = getenv("SEKISHO_GOLDEN");
    if (golden == NULL)
        golden = "tests/golden";
    assert_in_range(snprintf(out, cap, "%s/segments-v1%s", golden, below), 1, cap - 1);
}

static void read_segment(struct rows *rows, const char *path, const struct segment_info *info)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    static int64_t leaves[ROWGROUP_BLOCK_ROWS];
    assert_int_equal(segment_open(&s, path, &diag), 0);
    assert_true(sha256_equal(&segment_info(s)->hash, &info->hash));
    assert_int_equal(segment_info(s)->row_count, info->row_count);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct batch *b = batch_new();
    for (size_t g = 0; g < segment_rowgroup_count(s); g++) {
        const struct rowgroup_head *h = segment_rowgroup(s, g);
        assert_int_equal(rowgroup_open(r, h, b), 0);
        for (uint32_t block = 0; block < h->block_count; block++) {
            assert_int_equal(rowgroup_rows(r, block, NULL, b), 0);
            assert_int_equal(rowgroup_leaves(r, block, leaves), 0);
            for (uint32_t row = 0; row < b->row_count; row++) {
                assert_in_range(leaves[row], 0, rows->count - 1);
                struct buf *line = &rows->lines[leaves[row]];
                assert_int_equal(line->len, 0);
                golden_row_print(line, b, row, (uint64_t)leaves[row]);
            }
        }
    }
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    diag_release(&diag);
}

/* All rows of a municipality, in the order of the history, appended to `out`. */
static void read_tenant(struct buf *out, uint32_t tenant, size_t count, size_t segments)
{
    char dir[FILE_PATH_BYTES_MAX / 4];
    char folder[FILE_PATH_BYTES_MAX / 2];
    char path[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    struct diag diag = {0};
    struct rows rows = {.lines = calloc(count, sizeof(struct buf)), .count = count};
    assert_non_null(rows.lines);
    golden_path(dir, sizeof(dir), "");
    assert_int_equal(catalog_folder(folder, sizeof(folder), dir, tenant), 0);
    assert_int_equal(catalog_read(&c, folder, &diag), 0);
    assert_false(c.torn);
    assert_int_equal(c.tree.size, count);
    assert_int_equal(c.segment_count, segments);
    for (size_t i = 0; i < c.segment_count; i++) {
        assert_int_equal(segment_path(path, sizeof(path), folder, &c.segments[i].name), 0);
        read_segment(&rows, path, &c.segments[i]);
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(rows.lines[i].len != 0);
        buf_slice(out, buf_content(&rows.lines[i]));
        buf_release(&rows.lines[i]);
    }
    free(rows.lines);
    catalog_release(&c);
    diag_release(&diag);
}

static void test_rows(void **state)
{
    (void)state;
    char path[FILE_PATH_BYTES_MAX];
    struct buf expected = {0};
    struct buf found = {0};
    struct buf many = {0};
    struct sha256 hash;
    read_tenant(&found, TENANT, ROWS, 2);
    read_tenant(&many, TENANT_MANY, ROWS_MANY, 1);
    assert_int_equal(sha256_of(&hash, buf_content(&many)), 0);
    buf_printf(&found, "%06d %d rows sha256 ", TENANT_MANY, ROWS_MANY);
    for (size_t i = 0; i < sizeof(hash.bytes); i++)
        buf_printf(&found, "%02x", hash.bytes[i]);
    buf_byte(&found, '\n');
    golden_path(path, sizeof(path), "/rows");
    assert_int_equal(file_read_all(&expected, path, 1 << 20), 0);
    assert_true(slice_equal(buf_content(&found), buf_content(&expected)));
    buf_release(&expected);
    buf_release(&found);
    buf_release(&many);
}

/* The segment with one more section in its footer, hashed right; what opening it says. */
static int open_with_section(const struct buf *file, const char *path, uint32_t type)
{
    struct buf changed = {0};
    struct buf hashed = {0};
    struct sha256 hash;
    struct segment *s = NULL;
    struct diag diag = {0};
    size_t trailer = file->len - TRAILER_BYTES;
    uint64_t footer_len = bytes_get64(file->data + trailer);
    buf_append(&changed, file->data, trailer);
    buf_put32(&changed, type);
    buf_put64(&changed, 5);
    buf_text(&changed, "later");
    buf_append(&hashed, changed.data, HEADER_BYTES);
    buf_append(&hashed, changed.data + trailer - footer_len, footer_len + 17);
    assert_int_equal(sha256_of(&hash, buf_content(&hashed)), 0);
    buf_put64(&changed, footer_len + 17);
    buf_append(&changed, hash.bytes, sizeof(hash.bytes));
    buf_text(&changed, "SEKIEND1");
    assert_int_equal(file_write_atomic(path, buf_content(&changed)), 0);
    int err = segment_open(&s, path, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    if (err == 0)
        assert_int_equal(segment_info(s)->row_count, ROWS_MANY);
    segment_close(s);
    diag_release(&diag);
    buf_release(&changed);
    buf_release(&hashed);
    return err;
}

static void test_sections_of_a_later_program(void **state)
{
    (void)state;
    char path[FILE_PATH_BYTES_MAX];
    char folder[256];
    struct buf file = {0};
    golden_path(path, sizeof(path), "/seg/990002/00079c09.1.seg");
    assert_int_equal(file_read_all(&file, path, 1 << 20), 0);
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-golden-"), 0);
    (void)snprintf(path, sizeof(path), "%s/a.seg", folder);
    assert_int_equal(open_with_section(&file, path, SECTION_NEW), 0);
    assert_int_equal(open_with_section(&file, path, SECTION_NEW | SECTION_REQUIRED), ERR_FORMAT);
    assert_int_equal(open_with_section(&file, path, 1 | SECTION_REQUIRED), ERR_CORRUPT);
    assert_int_equal(dir_remove_tree(folder), 0);
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_sections_of_a_later_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
