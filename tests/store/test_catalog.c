/* Catalogs and "compacted": what was appended is there; torn ends, damage and full disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "store/catalog.h"
#include "store/compacted.h"

enum {
    TENANT = 990001,
    RECORDS = 4,
};

static const uint8_t STORE_ID[16] = {9, 8, 7};

struct folder {
    char path[256];
    char catalog[FILE_PATH_BYTES_MAX];
};

static void folder_open(struct folder *f)
{
    assert_int_equal(dir_create_temp(f->path, sizeof(f->path), "/tmp/sekisho-catalog-"), 0);
    (void)snprintf(f->catalog, sizeof(f->catalog), "%s/catalog", f->path);
}

static void folder_close(const struct folder *f)
{
    assert_int_equal(dir_remove_tree(f->path), 0);
}

static struct catalog empty_catalog(void)
{
    struct catalog c = {.tenant = TENANT};
    memcpy(c.store_id, STORE_ID, sizeof(STORE_ID));
    return c;
}

/* Record i: hours i and 10, so that hour 10 has generation i. */
static int append(struct catalog *c, const struct folder *f, uint32_t i)
{
    struct segment_info added[2];
    for (uint32_t k = 0; k < 2; k++) {
        added[k] = (struct segment_info){
            .name = {.tenant = TENANT, .hour = k == 0 ? i : 10, .generation = k == 0 ? 1 : i},
            .bytes = 1000 + i,
            .row_count = UINT64_C(10) * i,
            .raw_bytes = UINT64_C(500) * i,
            .time_min_ns = -(int64_t)i,
            .time_max_ns = INT64_C(1) << 60,
            .arrival_min_ns = i,
            .arrival_max_ns = i + 1,
            .leaf_min = i,
            .leaf_max = UINT64_C(1) << 40};
        memset(added[k].hash.bytes, (int)(i * 16 + k), sizeof(added[k].hash.bytes));
    }
    const struct catalog_change change = {.through_seq = UINT64_C(100) * i,
                                          .tree = &(const struct tree){.size = UINT64_C(7) * i},
                                          .added = added,
                                          .added_count = 2};
    return catalog_append(c, f->path, &change);
}

static int read_it(struct catalog *out, const struct folder *f)
{
    struct diag diag = {0};
    int err = catalog_read(out, f->path, &diag);
    assert_int_equal(diag.count, err == 0 || err == ERR_NOTFOUND || err == ERR_IO ? 0 : 1);
    diag_release(&diag);
    return err;
}

/* The catalog holds the first `records` of append(). */
static void holds(const struct folder *f, uint32_t records)
{
    struct catalog c = {0};
    assert_int_equal(read_it(&c, f), 0);
    assert_int_equal(c.record_count, records);
    assert_int_equal(c.tenant, TENANT);
    assert_memory_equal(c.store_id, STORE_ID, sizeof(STORE_ID));
    assert_int_equal(c.through_seq, UINT64_C(100) * records);
    assert_int_equal(c.tree.size, UINT64_C(7) * records);
    assert_int_equal(c.segment_count, records + 1);
    for (uint32_t i = 1; i <= records; i++) {
        const struct segment_info *s = catalog_find(&c, i);
        assert_non_null(s);
        assert_int_equal(s->name.generation, 1);
        assert_int_equal(s->row_count, 10 * i);
        assert_int_equal(s->time_min_ns, -(int64_t)i);
        assert_int_equal(s->hash.bytes[31], i * 16);
    }
    const struct segment_info *ten = catalog_find(&c, 10);
    assert_non_null(ten);
    assert_int_equal(ten->name.generation, records);
    assert_int_equal(ten->leaf_max, UINT64_C(1) << 40);
    assert_null(catalog_find(&c, 9));
    catalog_release(&c);
}

static void make(const struct folder *f, uint32_t records)
{
    struct catalog c = empty_catalog();
    for (uint32_t i = 1; i <= records; i++)
        assert_int_equal(append(&c, f, i), 0);
    catalog_release(&c);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void test_append(void **state)
{
    (void)state;
    struct folder f;
    struct catalog c = {0};
    folder_open(&f);
    assert_int_equal(read_it(&c, &f), ERR_NOTFOUND);
    c = empty_catalog();
    for (uint32_t i = 1; i <= RECORDS; i++) {
        assert_int_equal(append(&c, &f, i), 0);
        holds(&f, i);
    }
    /* What goes back is refused, and nothing has changed. */
    const struct catalog_change back = {.through_seq = 399,
                                        .tree = &(const struct tree){.size = 28}};
    const struct catalog_change fewer = {.through_seq = 400,
                                         .tree = &(const struct tree){.size = 27}};
    assert_int_equal(catalog_append(&c, f.path, &back), ERR_RANGE);
    assert_int_equal(catalog_append(&c, f.path, &fewer), ERR_RANGE);
    holds(&f, RECORDS);
    catalog_release(&c);
    /* One that was read goes on. */
    assert_int_equal(read_it(&c, &f), 0);
    assert_int_equal(append(&c, &f, RECORDS + 1), 0);
    holds(&f, RECORDS + 1);
    catalog_release(&c);
    folder_close(&f);
}

/* Every length: the whole records are there, and the next one is written over the rest. */
static void test_torn(void **state)
{
    (void)state;
    struct folder f;
    struct buf bytes = {0};
    folder_open(&f);
    make(&f, RECORDS);
    assert_int_equal(file_read_all(&bytes, f.catalog, 1 << 20), 0);
    size_t record = (bytes.len - 64) / RECORDS;
    for (size_t len = 0; len < bytes.len; len++) {
        struct catalog c = {0};
        write_file(f.catalog, bytes.data, len);
        if (len < 64) {
            assert_int_equal(read_it(&c, &f), ERR_CORRUPT);
            continue;
        }
        assert_int_equal(read_it(&c, &f), 0);
        assert_int_equal(c.record_count, (len - 64) / record);
        assert_true(c.torn == ((len - 64) % record != 0));
        if (len >= 64 + record) {
            assert_int_equal(append(&c, &f, (uint32_t)c.record_count + 1), 0);
            holds(&f, (uint32_t)c.record_count);
        }
        catalog_release(&c);
    }
    buf_release(&bytes);
    folder_close(&f);
}

/* Every bit: damage, but for the last record, which may be torn; then the others are there. */
static void test_flips(void **state)
{
    (void)state;
    struct folder f;
    struct buf bytes = {0};
    folder_open(&f);
    make(&f, RECORDS);
    assert_int_equal(file_read_all(&bytes, f.catalog, 1 << 20), 0);
    size_t last = bytes.len - (bytes.len - 64) / RECORDS;
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        struct catalog c = {0};
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
        write_file(f.catalog, bytes.data, bytes.len);
        int err = read_it(&c, &f);
        if (bit / 8 < last) {
            assert_true(err == ERR_CORRUPT || err == ERR_FORMAT);
        } else {
            assert_int_equal(err, 0);
            assert_true(c.torn);
            assert_int_equal(c.record_count, RECORDS - 1);
            catalog_release(&c);
        }
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
    }
    /* Zeros behind the last record: a torn write too. */
    for (int i = 0; i < 100; i++)
        buf_byte(&bytes, 0);
    write_file(f.catalog, bytes.data, bytes.len);
    struct catalog c = {0};
    assert_int_equal(read_it(&c, &f), 0);
    assert_true(c.torn);
    catalog_release(&c);
    buf_release(&bytes);
    folder_close(&f);
}

static int delete_two(struct catalog *c, const struct folder *f)
{
    /* Of hour 10 something stays. */
    const struct segment_info rest = {
        .name = {.tenant = TENANT, .hour = 10, .generation = RECORDS + 1}, .row_count = 5};
    const struct catalog_removal removed[] = {{2, 1, 6}, {10, RECORDS, 6}};
    const struct tree tree = c->tree;
    const struct catalog_change change = {.through_seq = c->through_seq,
                                          .tree = &tree,
                                          .added = &rest,
                                          .added_count = 1,
                                          .removed = removed,
                                          .removed_count = 2};
    return catalog_append(c, f->path, &change);
}

static void lacks_two(const struct folder *f)
{
    struct catalog c = {0};
    assert_int_equal(read_it(&c, f), 0);
    assert_int_equal(c.segment_count, RECORDS);
    assert_null(catalog_find(&c, 2));
    assert_int_equal(catalog_find(&c, 10)->row_count, 5);
    assert_int_equal(catalog_generation(&c, 2), 1);
    assert_int_equal(catalog_generation(&c, 10), RECORDS + 1);
    assert_int_equal(catalog_generation(&c, 9), 0);
    assert_int_equal(catalog_certificate(&c), 6);
    assert_int_equal(c.removal_count, 2);
    assert_int_equal(catalog_rows_before(&c, 100), 0);
    assert_int_equal(catalog_rows_before(&c, 101), 7);
    assert_int_equal(catalog_rows_before(&c, UINT64_MAX), 7 * RECORDS);
    catalog_release(&c);
}

/* Segments that were deleted; a record that does it and is torn or damaged has not done it. */
static void test_removals(void **state)
{
    (void)state;
    struct folder f;
    struct catalog c = {0};
    struct buf bytes = {0};
    folder_open(&f);
    make(&f, RECORDS);
    assert_int_equal(file_read_all(&bytes, f.catalog, 1 << 20), 0);
    size_t before = bytes.len;
    assert_int_equal(read_it(&c, &f), 0);
    static const struct catalog_removal WRONG[] = {{2, 2, 6}, {9, 1, 6}, {2, 1, 0}};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        const struct catalog_change change = {.through_seq = c.through_seq,
                                              .tree = &c.tree,
                                              .removed = &WRONG[i],
                                              .removed_count = 1};
        assert_int_equal(catalog_append(&c, f.path, &change), ERR_RANGE);
    }
    assert_int_equal(delete_two(&c, &f), 0);
    lacks_two(&f);
    assert_int_equal(delete_two(&c, &f), ERR_RANGE); /* they are gone */
    catalog_release(&c);
    buf_reset(&bytes);
    assert_int_equal(file_read_all(&bytes, f.catalog, 1 << 20), 0);
    for (size_t len = before; len < bytes.len; len++) {
        write_file(f.catalog, bytes.data, len);
        holds(&f, RECORDS);
        assert_int_equal(read_it(&c, &f), 0);
        assert_int_equal(delete_two(&c, &f), 0);
        catalog_release(&c);
        lacks_two(&f);
    }
    for (size_t bit = before * 8; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
        write_file(f.catalog, bytes.data, bytes.len);
        holds(&f, RECORDS);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
    }
    /* With a record behind it the same is damage. */
    write_file(f.catalog, bytes.data, bytes.len);
    assert_int_equal(read_it(&c, &f), 0);
    assert_int_equal(append(&c, &f, RECORDS + 2), 0);
    catalog_release(&c);
    buf_reset(&bytes);
    assert_int_equal(file_read_all(&bytes, f.catalog, 1 << 20), 0);
    bytes.data[before + 30] ^= 1;
    write_file(f.catalog, bytes.data, bytes.len);
    assert_int_equal(read_it(&c, &f), ERR_CORRUPT);
    buf_release(&bytes);
    folder_close(&f);
}

/* A call of the operating system that fails: the catalog is as it was, and the append can be made again. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        int err;
    } FAULTS[] = {
        {"EIO@open=catalog", ERR_IO},
        {"EACCES@open=catalog", ERR_IO},
        {"EIO@write=catalog", ERR_IO},
        {"ENOSPC@write=catalog", ERR_AGAIN},
        {"EDQUOT@write=catalog", ERR_AGAIN},
        {"full@write=catalog:*:30", ERR_AGAIN},
        {"EIO@sync=catalog", ERR_IO},
        {"ENOSPC@sync=catalog", ERR_AGAIN},
        {"short@write=catalog:*:7;EIO@write=catalog:3", ERR_IO},
    };
    for (uint32_t before = 0; before < 3; before++) {
        for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
            struct folder f;
            folder_open(&f);
            struct catalog c = empty_catalog();
            for (uint32_t n = 1; n <= before; n++)
                assert_int_equal(append(&c, &f, n), 0);
            uint64_t bytes = c.bytes;
            assert_int_equal(fault_set(FAULTS[i].spec), 0);
            assert_int_equal(append(&c, &f, before + 1), FAULTS[i].err);
            assert_int_equal(fault_set(NULL), 0);
            assert_int_equal(c.bytes, bytes);
            assert_int_equal(c.record_count, before);
            assert_int_equal(append(&c, &f, before + 1), 0);
            holds(&f, before + 1);
            catalog_release(&c);
            folder_close(&f);
        }
    }
    struct folder f;
    struct catalog c = empty_catalog();
    folder_open(&f);
    assert_int_equal(fault_set("EIO@dirsync=sekisho-catalog"), 0);
    assert_int_equal(append(&c, &f, 1), ERR_IO);
    assert_int_equal(fault_set("EIO@read=catalog"), 0);
    assert_int_equal(read_it(&c, &f), ERR_IO);
    assert_int_equal(fault_set(NULL), 0);
    catalog_release(&c);
    folder_close(&f);
}

static void test_compacted(void **state)
{
    (void)state;
    struct folder f;
    struct arena arena = {0};
    struct buf bytes = {0};
    struct compacted c;
    char path[FILE_PATH_BYTES_MAX];
    static const uint32_t TENANTS[] = {990001, 990002, 990003};
    struct compacted made = {.through_seq = 12345, .tenants = TENANTS, .tenant_count = 3};
    memcpy(made.store_id, STORE_ID, sizeof(STORE_ID));
    folder_open(&f);
    struct diag diag = {0};
    (void)snprintf(path, sizeof(path), "%s/seg", f.path);
    assert_int_equal(dir_create(path), 0);
    assert_int_equal(compacted_read(&c, f.path, &arena, &diag), ERR_NOTFOUND);
    assert_int_equal(diag.count, 0);
    assert_int_equal(compacted_write(f.path, &made), 0);
    assert_int_equal(compacted_read(&c, f.path, &arena, &diag), 0);
    assert_int_equal(c.through_seq, 12345);
    assert_int_equal(c.tenant_count, 3);
    assert_memory_equal(c.tenants, TENANTS, sizeof(TENANTS));
    assert_memory_equal(c.store_id, STORE_ID, sizeof(STORE_ID));
    made.through_seq = 12346;
    assert_int_equal(fault_set("ENOSPC@write=compacted"), 0);
    assert_int_equal(compacted_write(f.path, &made), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(compacted_read(&c, f.path, &arena, &diag), 0);
    assert_int_equal(c.through_seq, 12345);
    (void)snprintf(path, sizeof(path), "%s/seg/compacted", f.path);
    assert_int_equal(file_read_all(&bytes, path, 1 << 20), 0);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
        write_file(path, bytes.data, bytes.len);
        assert_int_equal(compacted_read(&c, f.path, &arena, &diag), ERR_CORRUPT);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
    }
    for (size_t len = 0; len < bytes.len; len++) {
        write_file(path, bytes.data, len);
        assert_int_equal(compacted_read(&c, f.path, &arena, &diag), ERR_CORRUPT);
    }
    arena_release(&arena);
    buf_release(&bytes);
    diag_release(&diag);
    folder_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append), cmocka_unit_test(test_torn),
        cmocka_unit_test(test_flips),  cmocka_unit_test(test_removals),
        cmocka_unit_test(test_faults), cmocka_unit_test(test_compacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
