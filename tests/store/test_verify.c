#include "store/verify.h"
#include "tests/store/log_dir.h"

enum {
    FRAMES = 24,
    BATCH_BYTES = 200,
    FLIP_STEP = 29, /* bits; odd, so that every bit of a byte gets its turn */
};

static int verify(struct store_verify_report *report, const struct log_dir *d)
{
    struct diag diag = {0};
    int err = log_dir_verify(report, d, &diag);
    assert_true((err == 0) == (diag.count == 0));
    diag_release(&diag);
    return err;
}

/* Three files and a blob in force. */
static void fill(const struct log_dir *d)
{
    struct store *st = NULL;
    struct frame_env env;
    assert_int_equal(log_dir_open_with(&st, d, LEDGER_FILE_BYTES_MIN, 0), 0);
    assert_int_equal(store_env_put(st, &env, SLICE("rules"), SLICE("a rule")), 0);
    const struct frame_parts parts = {.envs = &env, .env_count = 1};
    assert_int_equal(store_append(st, &parts), 0);
    for (int64_t i = 0; i + 1 < FRAMES; i++)
        assert_int_equal(log_dir_append(st, 3 * i, 3, BATCH_BYTES), 0);
    store_close(st);
}

static void whole_store(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct store_verify_report report;
    log_dir_make(&d);
    assert_int_equal(verify(&report, &d), ERR_NOTFOUND);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(verify(&report, &d), 0);
    assert_int_equal(report.files, 1);
    assert_int_equal(report.frames, 0);
    store_close(st);
    fill(&d);
    assert_int_equal(verify(&report, &d), 0);
    assert_int_equal(report.frames, FRAMES);
    assert_int_equal(report.batches, 2 * (FRAMES - 1));
    assert_int_equal(report.blobs, 1);
    assert_true(report.files >= 3);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(report.bytes, store_log_bytes(st) + strlen("a rule"));
    store_close(st);
    log_dir_remove(&d);
}

static void flips_of_a_file(const struct log_dir *d, uint64_t first_seq)
{
    char path[FILE_PATH_BYTES_MAX];
    struct store_verify_report report;
    struct file *f = NULL;
    struct buf bytes = log_dir_read(log_dir_file(path, d, first_seq));
    for (size_t bit = 0; bit < bytes.len * 8; bit += FLIP_STEP) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(file_open(&f, path, FILE_APPEND), 0);
        assert_int_equal(file_truncate(f, 0), 0);
        assert_int_equal(file_append(f, bytes.data, bytes.len), 0);
        file_close(f);
        int err = verify(&report, d);
        assert_true(err == ERR_CORRUPT || err == ERR_FORMAT);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    log_dir_write(path, buf_content(&bytes));
    buf_release(&bytes);
}

/* Older files too, which opening does not read. test_recover tries every bit of a small log. */
static void flips_are_found_in_every_file(void **state)
{
    (void)state;
    struct log_dir d;
    struct arena arena = {0};
    struct log_file_list list;
    struct store_verify_report report;
    char log[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d);
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(log_file_list(&list, &arena, log), 0);
    for (size_t i = 0; i < list.count; i++)
        flips_of_a_file(&d, list.first_seqs[i]);
    assert_int_equal(verify(&report, &d), 0);
    arena_release(&arena);
    log_dir_remove(&d);
}

static void bytes_behind_the_last_frame(void **state)
{
    (void)state;
    struct log_dir d;
    struct store_verify_report report;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    log_dir_fill(&d, 3, BATCH_BYTES, 0);
    struct buf bytes = log_dir_read(log_dir_file(path, &d, 1));
    log_dir_write(path, slice_of(bytes.data, bytes.len - 1));
    assert_int_equal(verify(&report, &d), ERR_CORRUPT);
    bytes.data[bytes.len - 1] ^= 1;
    log_dir_write(path, buf_content(&bytes));
    assert_int_equal(verify(&report, &d), ERR_CORRUPT);
    assert_int_equal(report.frames, 2);
    bytes.data[bytes.len - 1] ^= 1;
    buf_byte(&bytes, 0);
    log_dir_write(path, buf_content(&bytes));
    assert_int_equal(verify(&report, &d), ERR_CORRUPT);
    assert_int_equal(report.frames, 3);
    buf_release(&bytes);
    log_dir_remove(&d);
}

static void blobs(void **state)
{
    (void)state;
    struct log_dir d;
    struct store_verify_report report;
    struct sha256 hash;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d);
    assert_int_equal(sha256_of(&hash, SLICE("a rule")), 0);
    assert_int_equal(store_env_path(path, sizeof(path), d.path, &hash), 0);
    log_dir_write(path, SLICE("a RULE"));
    assert_int_equal(verify(&report, &d), ERR_CORRUPT);
    assert_int_equal(file_unlink(path), 0);
    assert_int_equal(verify(&report, &d), ERR_CORRUPT);
    log_dir_remove(&d);
}

/* A checkpoint that hides offsets, with all hashes made right, is still found. */
static void forged_checkpoint(void **state)
{
    (void)state;
    struct log_dir d;
    struct arena arena = {0};
    struct log_file_list list;
    struct log_file_header header;
    struct store_verify_report report;
    struct sha256 hash;
    const char *why = NULL;
    char log[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d);
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(log_file_list(&list, &arena, log), 0);
    struct buf bytes = log_dir_read(log_dir_file(path, &d, list.first_seqs[1]));
    assert_int_equal(log_file_header_decode(&header, buf_content(&bytes), &why), 0);
    /* The end of the only partition: the last 8 bytes of the section ENDS. */
    size_t end = LOG_FILE_HEADER_FIXED_BYTES + FRAME_SECTION_HEADER_BYTES + 4 + 2 +
                 strlen("seclog.raw.990001.fw1") + 4 + 8;
    bytes_put64(bytes.data + end, bytes_get64(bytes.data + end) + 1);
    size_t hashed = header.bytes - SHA256_BYTES;
    assert_int_equal(sha256_of(&hash, slice_of(bytes.data, hashed)), 0);
    memcpy(bytes.data + hashed, hash.bytes, SHA256_BYTES);
    log_dir_write(path, buf_content(&bytes));
    assert_int_equal(verify(&report, &d), ERR_CORRUPT);
    buf_release(&bytes);
    arena_release(&arena);
    log_dir_remove(&d);
}

static int refuse_batch(void *ctx, const struct frame_view *frame, uint32_t index,
                        struct slice batch, const char **why)
{
    uint64_t *calls = ctx;
    assert_int_equal(batch.len, BATCH_BYTES);
    assert_true(index < 2);
    (*calls)++;
    *why = "the test says no";
    return frame->link.seq == 5 && index == 1 ? ERR_CORRUPT : 0;
}

static void batches_are_asked_for(void **state)
{
    (void)state;
    struct log_dir d;
    struct store_verify_report report;
    struct diag diag = {0};
    uint64_t calls = 0;
    log_dir_make(&d);
    fill(&d);
    const struct store_verify_options opts = {.dir = d.path, .batch = refuse_batch, .ctx = &calls};
    assert_int_equal(store_verify(&report, &opts, &diag), ERR_CORRUPT);
    assert_int_equal(calls, 8);
    assert_non_null(strstr(diag_text(&diag), "frame 5: the test says no"));
    diag_release(&diag);
    log_dir_remove(&d);
}

/* The log of this version, kept in the repository: readable for ever. */
static void golden_log(void **state)
{
    (void)state;
    char dir[FILE_PATH_BYTES_MAX];
    const char *golden = getenv("SEKISHO_GOLDEN");
    struct store_verify_report report;
    struct diag diag = {0};
    if (golden == NULL)
        skip();
    assert_in_range(snprintf(dir, sizeof(dir), "%s/log-v1", golden), 1, sizeof(dir) - 1);
    const struct store_verify_options opts = {.dir = dir};
    assert_int_equal(store_verify(&report, &opts, &diag), 0);
    assert_true(report.files >= 2);
    assert_true(report.frames > 0);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_store),
        cmocka_unit_test(flips_are_found_in_every_file),
        cmocka_unit_test(bytes_behind_the_last_frame),
        cmocka_unit_test(blobs),
        cmocka_unit_test(forged_checkpoint),
        cmocka_unit_test(batches_are_asked_for),
        cmocka_unit_test(golden_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
