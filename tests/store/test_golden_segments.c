/* The golden stores with segments, sealed and not: this version reads them to the rows that went in. Footers of other versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "store/catalog.h"
#include "store/census.h"
#include "tests/store/golden_rows.h"

enum {
    TENANT = 990001,
    TENANT_MANY = 990002,
    ROWS = 444,
    ROWS_MANY = 4200,
    SECTION_GROUPS = 1,
    SECTION_RUNS = 2,
    SECTION_CENSUS = 4,
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
    assert_in_range(snprintf(out, cap, "%s/%s", golden, below), 1, cap - 1);
}

static void read_segment(struct rows *rows, const char *path, const struct segment_info *info,
                         const struct keyring *keys)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    static int64_t leaves[ROWGROUP_BLOCK_ROWS];
    assert_int_equal(segment_open(&s, path, keys, &diag), 0);
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

/* A store and what opens it. */
struct golden {
    const char *name;
    struct keyring *keys;
};

/* All rows of a municipality, in the order of the history, appended to `out`. */
static void read_tenant(struct buf *out, const struct golden *g, uint32_t tenant, size_t count,
                        size_t segments)
{
    char dir[FILE_PATH_BYTES_MAX / 4];
    char folder[FILE_PATH_BYTES_MAX / 2];
    char path[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    struct diag diag = {0};
    struct rows rows = {.lines = calloc(count, sizeof(struct buf)), .count = count};
    assert_non_null(rows.lines);
    golden_path(dir, sizeof(dir), g->name);
    assert_int_equal(catalog_folder(folder, sizeof(folder), dir, tenant), 0);
    assert_int_equal(catalog_read(&c, folder, &diag), 0);
    assert_false(c.torn);
    assert_int_equal(c.tree.size, count);
    assert_int_equal(c.segment_count, segments);
    for (size_t i = 0; i < c.segment_count; i++) {
        assert_int_equal(segment_path(path, sizeof(path), folder, &c.segments[i].name), 0);
        read_segment(&rows, path, &c.segments[i], g->keys);
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

/* Both stores have the same rows. */
static void check_rows(const struct golden *g)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf expected = {0};
    struct buf found = {0};
    struct buf many = {0};
    struct sha256 hash;
    read_tenant(&found, g, TENANT, ROWS, 2);
    read_tenant(&many, g, TENANT_MANY, ROWS_MANY, 1);
    assert_int_equal(sha256_of(&hash, buf_content(&many)), 0);
    buf_printf(&found, "%06d %d rows sha256 ", TENANT_MANY, ROWS_MANY);
    for (size_t i = 0; i < sizeof(hash.bytes); i++)
        buf_printf(&found, "%02x", hash.bytes[i]);
    buf_byte(&found, '\n');
    golden_path(path, sizeof(path), "segments-v1/rows");
    assert_int_equal(file_read_all(&expected, path, 1 << 20), 0);
    assert_true(slice_equal(buf_content(&found), buf_content(&expected)));
    buf_release(&expected);
    buf_release(&found);
    buf_release(&many);
}

static void test_rows(void **state)
{
    (void)state;
    check_rows(&(const struct golden){.name = "segments-v1"});
}

/* Each group has a census. */
static void test_census(void **state)
{
    (void)state;
    char path[FILE_PATH_BYTES_MAX];
    struct segment *s = NULL;
    struct diag diag = {0};
    struct census_reader *r = census_reader_new();
    struct batch *b = batch_new();
    const uint32_t *weights = NULL;
    golden_path(path, sizeof(path), "segments-v1/seg/990001/00079c09.2.seg");
    assert_int_equal(segment_open(&s, path, NULL, &diag), 0);
    assert_true(segment_rowgroup_count(s) != 0);
    for (size_t i = 0; i < segment_rowgroup_count(s); i++) {
        uint64_t told = census_places(segment_rowgroup(s, i)->census);
        assert_true((told & 1) != 0); /* the verdict */
        assert_int_equal(
            census_read(r, segment_rowgroup(s, i), told & ~CENSUS_TALLIES, b, &weights), 0);
    }
    batch_free(b);
    census_reader_free(r);
    segment_close(s);
    diag_release(&diag);
}

/* The first hour was written again with a newer key than the second one has. */
static void test_sealed_rows(void **state)
{
    (void)state;
    char path[FILE_PATH_BYTES_MAX];
    char folder[256];
    struct buf text = {0};
    struct diag diag = {0};
    struct golden g = {.name = "segments-v1-sealed"};
    golden_path(path, sizeof(path), "segments-v1-sealed/keyring");
    assert_int_equal(file_read_all(&text, path, 1 << 16), 0);
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-golden-"), 0);
    (void)snprintf(path, sizeof(path), "%s/keyring", folder);
    assert_int_equal(file_write_secret(path, buf_content(&text)), 0);
    assert_int_equal(keyring_open(&g.keys, path, &diag), 0);
    check_rows(&g);
    keyring_close(g.keys);
    assert_int_equal(dir_remove_tree(folder), 0);
    buf_release(&text);
    diag_release(&diag);
}

/* A footer taken apart, and put together again. */
struct footer {
    struct buf file;     /* all before the footer */
    struct buf groups;   /* content of section 1 */
    struct buf runs;     /* content of section 2 */
    struct buf census;   /* content of section 4 */
    struct buf sections; /* the footer as it will be */
};

static void take_footer(struct footer *f, const char *path)
{
    struct buf file = {0};
    assert_int_equal(file_read_all(&file, path, 1 << 20), 0);
    size_t trailer = file.len - TRAILER_BYTES;
    size_t at = trailer - (size_t)bytes_get64(file.data + trailer);
    buf_append(&f->file, file.data, at);
    while (at < trailer) {
        uint32_t type = bytes_get32(file.data + at);
        size_t len = (size_t)bytes_get64(file.data + at + 4);
        assert_true(type == SECTION_RUNS || type == SECTION_CENSUS ||
                    type == (SECTION_GROUPS | SECTION_REQUIRED));
        buf_append(type == SECTION_RUNS     ? &f->runs
                   : type == SECTION_CENSUS ? &f->census
                                            : &f->groups,
                   file.data + at + 12, len);
        at += 12 + len;
    }
    assert_int_equal(at, trailer);
    buf_release(&file);
}

static void put_section(struct footer *f, uint32_t type, struct slice content)
{
    buf_put32(&f->sections, type);
    buf_put64(&f->sections, content.len);
    buf_slice(&f->sections, content);
}

/* Write it, hashed right; what opening it says. */
static int open_footer(struct footer *f, const char *path, uint32_t *grams_len)
{
    struct buf changed = {0};
    struct buf hashed = {0};
    struct sha256 hash;
    struct segment *s = NULL;
    struct diag diag = {0};
    buf_append(&hashed, f->file.data, HEADER_BYTES);
    buf_slice(&hashed, buf_content(&f->sections));
    assert_int_equal(sha256_of(&hash, buf_content(&hashed)), 0);
    buf_slice(&changed, buf_content(&f->file));
    buf_slice(&changed, buf_content(&f->sections));
    buf_put64(&changed, f->sections.len);
    buf_append(&changed, hash.bytes, sizeof(hash.bytes));
    buf_text(&changed, "SEKIEND1");
    assert_int_equal(file_write_atomic(path, buf_content(&changed)), 0);
    buf_reset(&f->sections);
    int err = segment_open(&s, path, NULL, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    *grams_len = err == 0 ? segment_rowgroup(s, 0)->grams_len : 0;
    if (err == 0)
        assert_int_equal(segment_info(s)->row_count, ROWS_MANY);
    segment_close(s);
    diag_release(&diag);
    buf_release(&changed);
    buf_release(&hashed);
    return err;
}

static void footer_release(struct footer *f)
{
    buf_release(&f->file);
    buf_release(&f->groups);
    buf_release(&f->runs);
    buf_release(&f->census);
    buf_release(&f->sections);
}

/* Unknown sections: optional ones are passed over, with their bytes in the groups; required ones refused. */
static void test_sections(void **state)
{
    (void)state;
    enum {
        GROUPS = SECTION_GROUPS,
        RUNS = SECTION_RUNS,
        CENSUS = SECTION_CENSUS,
        NEW = SECTION_NEW
    };
    static const struct {
        uint32_t types[3]; /* GROUPS is a required one; 0: none */
        bool required;     /* the last one, too */
        bool grams;
        int err;
    } CASES[] = {
        {{GROUPS, RUNS}, false, true, 0},
        {{RUNS, GROUPS}, false, true, 0},
        {{GROUPS, RUNS, NEW}, false, true, 0},
        {{NEW, GROUPS, RUNS}, false, true, 0},
        {{GROUPS, RUNS, NEW}, true, false, ERR_FORMAT},
        {{CENSUS, GROUPS, RUNS}, false, true, 0},
        {{GROUPS, RUNS, CENSUS}, true, false, ERR_FORMAT},
        {{GROUPS, CENSUS, CENSUS}, false, false, ERR_CORRUPT},
        {{GROUPS, NEW},
         false,
         false,
         0}, /* its filters are bytes that only the new section tells of */
        {{GROUPS, RUNS}, true, false, ERR_FORMAT},
        {{GROUPS}, false, false, ERR_CORRUPT}, /* nobody tells of them */
        {{RUNS}, false, false, ERR_CORRUPT},
        {{GROUPS, RUNS, RUNS}, false, false, ERR_CORRUPT},
        {{GROUPS, GROUPS, RUNS}, false, false, ERR_CORRUPT},
    };
    char path[FILE_PATH_BYTES_MAX];
    char folder[256];
    struct footer f = {0};
    golden_path(path, sizeof(path), "segments-v1/seg/990002/00079c09.1.seg");
    take_footer(&f, path);
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-golden-"), 0);
    (void)snprintf(path, sizeof(path), "%s/a.seg", folder);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint32_t grams_len = 0;
        for (size_t k = 0; k < 3 && CASES[i].types[k] != 0; k++) {
            uint32_t type = CASES[i].types[k];
            bool last = k == 2 || CASES[i].types[k + 1] == 0;
            bool required = type == GROUPS || (last && CASES[i].required);
            put_section(&f, required ? type | SECTION_REQUIRED : type,
                        type == GROUPS   ? buf_content(&f.groups)
                        : type == RUNS   ? buf_content(&f.runs)
                        : type == CENSUS ? buf_content(&f.census)
                                         : SLICE("later"));
        }
        int err = open_footer(&f, path, &grams_len);
        if (err != CASES[i].err || (grams_len != 0) != CASES[i].grams)
            fail_msg("case %zu: %s, %u", i, err_name(err), grams_len);
    }
    footer_release(&f);
    assert_int_equal(dir_remove_tree(folder), 0);
}

/* A list of filters that ends early, goes on, or reaches beyond its group. */
static void test_bad_lists(void **state)
{
    (void)state;
    char path[FILE_PATH_BYTES_MAX];
    char folder[256];
    struct footer f = {0};
    uint32_t grams_len = 0;
    golden_path(path, sizeof(path), "segments-v1/seg/990002/00079c09.1.seg");
    take_footer(&f, path);
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-golden-"), 0);
    (void)snprintf(path, sizeof(path), "%s/a.seg", folder);
    static const char *const LISTS[] = {"", "\1", "\1abc", "\1abcd", "\377\377\377\377\17abcd"};
    for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
        put_section(&f, SECTION_GROUPS | SECTION_REQUIRED, buf_content(&f.groups));
        put_section(&f, SECTION_RUNS, slice_from(LISTS[i]));
        assert_int_equal(open_footer(&f, path, &grams_len), ERR_CORRUPT);
    }
    buf_byte(&f.runs, 0);
    put_section(&f, SECTION_GROUPS | SECTION_REQUIRED, buf_content(&f.groups));
    put_section(&f, SECTION_RUNS, buf_content(&f.runs));
    assert_int_equal(open_footer(&f, path, &grams_len), ERR_CORRUPT);
    footer_release(&f);
    assert_int_equal(dir_remove_tree(folder), 0);
}

/* Every row of a segment, printed in the order of the file. */
static void print_segment(struct buf *out, const char *below, bool grams)
{
    char path[FILE_PATH_BYTES_MAX];
    struct segment *s = NULL;
    struct diag diag = {0};
    static int64_t leaves[ROWGROUP_BLOCK_ROWS];
    golden_path(path, sizeof(path), below);
    assert_int_equal(segment_open(&s, path, NULL, &diag), 0);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct batch *b = batch_new();
    for (size_t g = 0; g < segment_rowgroup_count(s); g++) {
        const struct rowgroup_head *h = segment_rowgroup(s, g);
        struct slice filter;
        assert_int_equal(rowgroup_grams(r, h, &filter), 0);
        assert_int_equal(filter.len != 0, grams);
        assert_int_equal(rowgroup_open(r, h, b), 0);
        for (uint32_t block = 0; block < h->block_count; block++) {
            assert_int_equal(rowgroup_rows(r, block, NULL, b), 0);
            assert_int_equal(rowgroup_leaves(r, block, leaves), 0);
            for (uint32_t row = 0; row < b->row_count; row++)
                golden_row_print(out, b, row, (uint64_t)leaves[row]);
        }
    }
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    diag_release(&diag);
}

/* A segment without the optional section has the same rows. */
static void test_without_runs(void **state)
{
    (void)state;
    struct buf with = {0};
    struct buf without = {0};
    print_segment(&with, "segments-v1/seg/990001/00079c0a.1.seg", true);
    print_segment(&without, "segments-v1/without-runs/00079c0a.1.seg", false);
    assert_true(with.len != 0 && slice_equal(buf_content(&with), buf_content(&without)));
    buf_release(&with);
    buf_release(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_census),
        cmocka_unit_test(test_sealed_rows), cmocka_unit_test(test_sections),
        cmocka_unit_test(test_bad_lists),   cmocka_unit_test(test_without_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
