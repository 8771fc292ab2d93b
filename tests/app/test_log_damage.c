/* What is found of a damaged log, and what is said of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/scan.h"
#include "tests/app/sample_store.h"

enum {
    SMALL_FILE_BYTES = 4 * LEDGER_FILE_BYTES_MIN,
};

static struct log_index *open_index(const struct sample_store *s, struct diag *diag)
{
    struct log_index *index = NULL;
    assert_int_equal(log_index_open(&index, s->dir.path, diag), 0);
    return index;
}

static void flip_byte(const char *path, uint64_t offset)
{
    struct buf bytes = {0};
    assert_int_equal(file_read_all(&bytes, path, 64 << 20), 0);
    assert_true(offset < bytes.len);
    bytes.data[offset] = (char)(bytes.data[offset] ^ 0x10);
    assert_int_equal(file_write_atomic(path, buf_content(&bytes)), 0);
    buf_release(&bytes);
}

static uint64_t count_hits(const struct log_index *index, uint64_t *missing, struct diag *diag)
{
    const struct sieve_query query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    const struct scan_options options = {.keep = SCAN_ORDER, .newest = 20, .threads = 2};
    struct scan *scan = NULL;
    assert_int_equal(scan_run(&scan, index, &query, &options, diag), 0);
    uint64_t hits = scan_counters(scan).hits;
    *missing = scan_missing(scan);
    scan_free(scan);
    return hits;
}

/* A flipped byte in one batch: the others answer, the batch is named, nothing is silently less. */
static void test_damaged_batch(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    char path[FILE_PATH_BYTES_MAX];
    uint64_t missing = 0;
    sample_open(&s, 9, 30, 0);
    struct log_index *index = open_index(&s, &diag);
    struct slice first = log_index_blob(index, 0).pack;
    struct slice damaged = log_index_blob(index, 7).pack;
    struct buf whole = {0};
    (void)log_dir_file(path, &s.dir, 1);
    assert_int_equal(file_read_all(&whole, path, 64 << 20), 0);
    const char *at = memmem(whole.data, whole.len, damaged.data, damaged.len);
    assert_non_null(at);
    assert_non_null(memmem(whole.data, whole.len, first.data, first.len));
    uint64_t place = (uint64_t)(at - whole.data);
    uint64_t len = damaged.len;
    log_index_close(index);
    flip_byte(path, place + len / 2);
    index = open_index(&s, &diag);
    assert_int_equal(diag.count, 0);
    uint64_t hits = count_hits(index, &missing, &diag);
    assert_int_equal(missing, 1);
    assert_int_equal(diag.count, 1);
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "offset %llu, ", (unsigned long long)place);
    assert_non_null(strstr(diag_text(&diag), path));
    assert_non_null(strstr(diag_text(&diag), wanted));
    for (size_t i = 0; i < s.blobs[7].count; i++)
        hits += s.batches[s.blobs[7].first_batch + i]->row_count;
    assert_int_equal(hits, s.row_count);
    log_index_close(index);
    buf_release(&whole);
    diag_release(&diag);
    sample_close(&s);
}

/* A damaged frame header, a file without a header, a file that is gone: each is named. */
static void test_damaged_files(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct sample_store s = {0};
        struct diag diag = {0};
        struct arena arena = {0};
        struct log_file_list files;
        char path[FILE_PATH_BYTES_MAX];
        char log[FILE_PATH_BYTES_MAX];
        uint64_t missing = 0;
        sample_open(&s, 10, 60, SMALL_FILE_BYTES);
        (void)snprintf(log, sizeof(log), "%s/log", s.dir.path);
        assert_int_equal(log_file_list(&files, &arena, log), 0);
        assert_true(files.count >= 4);
        (void)log_dir_file(path, &s.dir, files.first_seqs[1]);
        struct file *f = NULL;
        struct buf keep = {0};
        struct log_file_header header;
        const char *why = "";
        assert_int_equal(file_open(&f, path, FILE_READ), 0);
        assert_int_equal(log_file_header_read(&header, &keep, f, &why), 0);
        file_close(f);
        if (what == 0)
            flip_byte(path, header.bytes);
        else if (what == 1)
            flip_byte(path, 3);
        else
            assert_int_equal(file_unlink(path), 0);
        struct log_index *index = open_index(&s, &diag);
        assert_true(log_index_damage(index) >= 1);
        assert_true(diag.count >= 1);
        char name[32];
        (void)snprintf(name, sizeof(name), "%016llx.log", (unsigned long long)files.first_seqs[1]);
        assert_non_null(strstr(diag_text(&diag), name));
        uint64_t hits = count_hits(index, &missing, &diag);
        assert_true(missing >= 1);
        assert_true(hits > 0 && hits < s.row_count);
        log_index_close(index);
        buf_release(&keep);
        arena_release(&arena);
        diag_release(&diag);
        sample_close(&s);
    }
}

/* A damaged frame that others follow in the newest file is no torn tail. */
static void test_damaged_newest(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    char path[FILE_PATH_BYTES_MAX];
    uint64_t missing = 0;
    sample_open(&s, 17, 40, 0);
    struct buf whole = {0};
    (void)log_dir_file(path, &s.dir, 1);
    assert_int_equal(file_read_all(&whole, path, 64 << 20), 0);
    const char *first = memmem(whole.data, whole.len, FRAME_MAGIC, FRAME_MAGIC_BYTES);
    assert_non_null(first);
    size_t rest = whole.len - (size_t)(first + 1 - whole.data);
    const char *second = memmem(first + 1, rest, FRAME_MAGIC, FRAME_MAGIC_BYTES);
    assert_non_null(second);
    flip_byte(path, (uint64_t)(second - whole.data));
    struct log_index *index = open_index(&s, &diag);
    assert_true(log_index_damage(index) >= 1);
    assert_true(diag.count >= 1);
    assert_non_null(strstr(diag_text(&diag), "0000000000000001.log"));
    assert_true(count_hits(index, &missing, &diag) < s.row_count);
    assert_true(missing >= 1);
    log_index_close(index);
    buf_release(&whole);
    diag_release(&diag);
    sample_close(&s);
}

/* Where the last frame of a file begins. */
static uint64_t last_frame(struct slice file)
{
    uint64_t last = 0;
    for (size_t at = 0; at + FRAME_MAGIC_BYTES <= file.len; at++) {
        if (memcmp(file.data + at, FRAME_MAGIC, FRAME_MAGIC_BYTES) == 0)
            last = at;
    }
    assert_true(last != 0);
    return last;
}

static void expect_named(const struct sample_store *s, uint64_t offset, uint64_t frame)
{
    struct diag diag = {0};
    char wanted[64];
    uint64_t missing = 0;
    struct log_index *index = open_index(s, &diag);
    assert_int_equal(log_index_damage(index), 1);
    assert_true(count_hits(index, &missing, &diag) < s->row_count);
    assert_int_equal(missing, 1);
    (void)snprintf(wanted, sizeof(wanted), "offset %llu, frame %llu: ", (unsigned long long)offset,
                   (unsigned long long)frame);
    assert_non_null(strstr(diag_text(&diag), wanted));
    assert_non_null(strstr(diag_text(&diag), "restore it from one"));
    log_index_close(index);
    diag_release(&diag);
}

/* The only frame, or the last, damaged anywhere: its rows are missing, and it is named with a remedy. */
static void test_damaged_last(void **state)
{
    (void)state;
    static const int BATCHES[] = {1, 20};
    for (size_t i = 0; i < COUNT(BATCHES); i++) {
        struct sample_store s = {0};
        struct buf whole = {0};
        char path[FILE_PATH_BYTES_MAX];
        sample_open(&s, 12, BATCHES[i], 0);
        uint64_t frames = store_last_seq(s.store);
        store_close(s.store);
        s.store = NULL;
        assert_true((frames == 1) == (BATCHES[i] == 1));
        assert_int_equal(file_read_all(&whole, log_dir_file(path, &s.dir, 1), 64 << 20), 0);
        uint64_t begin = last_frame(buf_content(&whole));
        const uint64_t places[] = {begin,      begin + 9,      begin + 20,
                                   begin + 60, whole.len - 40, whole.len - 1};
        for (size_t k = 0; k < COUNT(places); k++) {
            flip_byte(path, places[k]);
            expect_named(&s, begin, frames);
            flip_byte(path, places[k]);
        }
        buf_release(&whole);
        sample_close(&s);
    }
}

/* What a writer is about to finish is no damage. */
static void test_tail_of_a_writer(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct file *f = NULL;
    char path[FILE_PATH_BYTES_MAX];
    char rubbish[FRAME_BYTES_MIN * 2];
    sample_open(&s, 12, 20, 0);
    memset(rubbish, 'x', sizeof(rubbish));
    assert_true(store_is_held(s.dir.path));
    assert_int_equal(file_open(&f, log_dir_file(path, &s.dir, 1), FILE_APPEND), 0);
    assert_int_equal(file_append(f, rubbish, sizeof(rubbish)), 0);
    file_close(f);
    struct log_index *index = open_index(&s, &diag);
    assert_int_equal(log_index_damage(index), 0);
    log_index_close(index);
    store_close(s.store);
    s.store = NULL;
    assert_false(store_is_held(s.dir.path));
    index = open_index(&s, &diag);
    assert_int_equal(log_index_damage(index), 1);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

/* Bytes of a torn write behind the last frame were never shown: nothing is missing. */
static void test_torn_tail(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct file *f = NULL;
    char path[FILE_PATH_BYTES_MAX];
    uint64_t missing = 0;
    sample_open(&s, 12, 20, 0);
    store_close(s.store);
    s.store = NULL;
    assert_int_equal(file_open(&f, log_dir_file(path, &s.dir, 1), FILE_APPEND), 0);
    assert_int_equal(file_append(f, "SEKIFRM1 torn", 13), 0);
    file_close(f);
    struct log_index *index = open_index(&s, &diag);
    assert_int_equal(log_index_damage(index), 0);
    assert_int_equal(count_hits(index, &missing, &diag), s.row_count);
    assert_int_equal(missing, 0);
    assert_non_null(strstr(diag_text(&diag), "a commit that was not finished"));
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_batch),    cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_damaged_newest),   cmocka_unit_test(test_damaged_last),
        cmocka_unit_test(test_tail_of_a_writer), cmocka_unit_test(test_torn_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
