/* The stored nodes on disk: what counts is read, what a crash left is cut, all else is refused. */
#include "base/err.h"
#include "store/tree_file.h"
#include "tests/store/log_dir.h"

enum {
    NODES = 10
};

struct bench {
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    char nodes[NODES * SHA256_BYTES];
};

static void bench_init(struct bench *b)
{
    log_dir_make(&b->d);
    (void)snprintf(b->path, sizeof(b->path), "%s/tree", b->d.path);
    for (size_t i = 0; i < sizeof(b->nodes); i++)
        b->nodes[i] = (char)(i * 7 + i / 32);
}

static struct tree_file_id id_of(uint64_t size)
{
    struct tree_file_id id = {.tenant = 990001, .size = size};
    memcpy(id.store_id, TEST_STORE_ID, STORE_ID_BYTES);
    return id;
}

static int open_at(struct tree_file **f, const struct bench *b, uint64_t size)
{
    struct tree_file_id id = id_of(size);
    struct diag diag = {0};
    int err = tree_file_open(f, b->path, &id, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    diag_release(&diag);
    return err;
}

static int map_at(struct tree_map *m, const struct bench *b, const struct tree_file_id *id)
{
    struct diag diag = {0};
    int err = tree_map_open(m, b->path, id, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    diag_release(&diag);
    return err;
}

static void append(struct tree_file *f, const struct bench *b, size_t from, size_t count)
{
    struct slice nodes = slice_of(b->nodes + from * SHA256_BYTES, count * SHA256_BYTES);
    assert_int_equal(tree_file_append(f, nodes), 0);
}

static void assert_nodes(const struct bench *b, uint64_t size)
{
    struct tree_map m;
    struct tree_file_id id = id_of(size);
    assert_int_equal(map_at(&m, b, &id), 0);
    assert_true(slice_equal(m.nodes, slice_of(b->nodes, size / 256 * SHA256_BYTES)));
    tree_map_close(&m);
}

static void test_grow(void **state)
{
    (void)state;
    struct bench b;
    struct tree_file *f = NULL;
    bench_init(&b);
    assert_nodes(&b, 255);
    assert_int_equal(open_at(&f, &b, 0), 0);
    append(f, &b, 0, 3);
    assert_int_equal(tree_file_append(f, slice_of(b.nodes, 33)), ERR_RANGE);
    assert_int_equal(tree_file_sync(f), 0);
    assert_int_equal(tree_file_count(f), 3);
    assert_nodes(&b, 0);
    assert_nodes(&b, 700);
    assert_nodes(&b, 768);
    tree_file_close(f);
    assert_int_equal(open_at(&f, &b, 1000), 0);
    append(f, &b, 3, 7);
    tree_file_close(f);
    assert_nodes(&b, 2560 + 255);
    log_dir_remove(&b.d);
}

/* Whatever stands behind the nodes that count goes, whole nodes and pieces. */
static void test_torn(void **state)
{
    (void)state;
    struct bench b;
    struct file *raw = NULL;
    bench_init(&b);
    for (size_t torn = 0; torn < (size_t)3 * SHA256_BYTES; torn += 11) {
        struct tree_file *f = NULL;
        assert_int_equal(open_at(&f, &b, 0), 0);
        append(f, &b, 0, 2);
        tree_file_close(f);
        assert_int_equal(file_open(&raw, b.path, FILE_APPEND), 0);
        assert_int_equal(file_append(raw, b.nodes, torn), 0);
        file_close(raw);
        assert_nodes(&b, 512);
        assert_int_equal(open_at(&f, &b, 600), 0);
        assert_int_equal(tree_file_count(f), 2);
        append(f, &b, 2, 2);
        tree_file_close(f);
        assert_nodes(&b, 1024);
    }
    log_dir_remove(&b.d);
}

static void test_refused(void **state)
{
    (void)state;
    struct bench b;
    struct tree_file *f = NULL;
    struct tree_map m;
    struct buf whole = {0};
    bench_init(&b);
    assert_int_equal(open_at(&f, &b, 256), ERR_NOTFOUND);
    assert_int_equal(open_at(&f, &b, TREE_ROWS_MAX + 1), ERR_RANGE);
    assert_int_equal(open_at(&f, &b, 0), 0);
    append(f, &b, 0, 2);
    tree_file_close(f);
    assert_int_equal(open_at(&f, &b, 768), ERR_CORRUPT);
    struct tree_file_id id = id_of(512);
    id.tenant++;
    assert_int_equal(map_at(&m, &b, &id), ERR_CORRUPT);
    id = id_of(512);
    id.store_id[3] ^= 1;
    assert_int_equal(map_at(&m, &b, &id), ERR_CORRUPT);
    assert_int_equal(file_read_all(&whole, b.path, 1 << 20), 0);
    id = id_of(512);
    for (size_t at = 0; at < TREE_FILE_HEADER_BYTES; at++) {
        whole.data[at] ^= 4;
        assert_int_equal(file_write_atomic(b.path, buf_content(&whole)), 0);
        assert_int_equal(map_at(&m, &b, &id), ERR_CORRUPT);
        assert_int_equal(open_at(&f, &b, 512), ERR_CORRUPT);
        whole.data[at] ^= 4;
    }
    for (size_t len = 0; len < whole.len; len += 9) {
        assert_int_equal(file_write_atomic(b.path, slice_of(whole.data, len)), 0);
        assert_int_equal(map_at(&m, &b, &id), ERR_CORRUPT);
        assert_int_equal(open_at(&f, &b, 512), ERR_CORRUPT);
    }
    /* A later version, with its hash right. */
    struct sha256 hash;
    bytes_put32(whole.data + 12, 2);
    assert_int_equal(sha256_of(&hash, slice_of(whole.data, 48)), 0);
    memcpy(whole.data + 48, hash.bytes, SHA256_BYTES);
    assert_int_equal(file_write_atomic(b.path, buf_content(&whole)), 0);
    assert_int_equal(map_at(&m, &b, &id), ERR_FORMAT);
    buf_release(&whole);
    log_dir_remove(&b.d);
}

/* The disk fails at each call; the next try finds a whole file. */
static void test_faults(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"EIO@open=tree", "ENOSPC@write=tree", "EIO@sync=tree",
                                         "EIO@rename=tree"};
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        struct bench b;
        struct tree_file *f = NULL;
        bench_init(&b);
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(open_at(&f, &b, 0), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(open_at(&f, &b, 0), 0);
        assert_int_equal(fault_set("short@write=tree:1:40;ENOSPC@write=tree:2"), 0);
        assert_int_equal(tree_file_append(f, slice_of(b.nodes, sizeof(b.nodes))), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(tree_file_count(f), 0);
        append(f, &b, 0, NODES);
        tree_file_close(f);
        assert_nodes(&b, UINT64_C(256) * NODES);
        log_dir_remove(&b.d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
