#include "store/recover.h"
#include "tests/store/log_dir.h"

enum {
    FRAMES = 4,
    BATCH_BYTES = 24,
};

/* Open, and give the error and the number of the last frame. */
static int reopen(const struct log_dir *d, uint64_t *seq, uint64_t *cut_bytes)
{
    struct store *st = NULL;
    int err = log_dir_open(&st, d);
    *seq = 0;
    *cut_bytes = 0;
    if (err != 0)
        return err;
    *seq = store_last_seq(st);
    *cut_bytes = store_recovery(st)->cut_bytes;
    assert_int_equal(log_dir_end(st), *seq == 0 ? -1 : (int64_t)*seq * 3);
    store_close(st);
    return 0;
}

/* Offset of the frame with this number in a log of one file. */
static uint64_t frame_offset(const struct log_dir *d, uint64_t seq)
{
    struct log_reader *r = NULL;
    struct frame_view frame;
    const struct log_reader_options opts = {.dir = d->path, .verify_hashes = true};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    while (log_reader_position(r).next_seq < seq)
        assert_int_equal(ledger_read(&frame, r, NULL), 0);
    uint64_t offset = log_reader_position(r).offset;
    log_reader_close(r);
    return offset;
}

/* The torn log is cut at the last whole frame; another frame can follow, and verify agrees. */
static void check_torn(const struct log_dir *d, uint64_t torn_bytes)
{
    struct store *st = NULL;
    struct store_verify_report report;
    struct diag diag = {0};
    assert_int_equal(log_dir_open(&st, d), 0);
    assert_int_equal(store_last_seq(st), FRAMES - 1);
    assert_int_equal(store_recovery(st)->cut_bytes, torn_bytes);
    assert_int_equal(log_dir_end(st), 3 * (FRAMES - 1));
    assert_int_equal(log_dir_append(st, INT64_C(3) * (FRAMES - 1), 2, BATCH_BYTES), 0);
    store_close(st);
    assert_int_equal(log_dir_verify(&report, d, &diag), 0);
    assert_int_equal(report.frames, FRAMES);
    diag_release(&diag);
}

static void torn_at_every_byte(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, 0);
    struct buf whole = log_dir_read(log_dir_file(path, &d, 1));
    uint64_t last = frame_offset(&d, FRAMES);
    for (size_t len = last; len < whole.len; len++) {
        log_dir_write(path, slice_of(whole.data, len));
        check_torn(&d, len - last);
    }
    buf_release(&whole);
    log_dir_remove(&d);
}

/* A power loss may leave any piece of the last write as zeros. */
static void torn_with_zeros(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, 0);
    struct buf whole = log_dir_read(log_dir_file(path, &d, 1));
    struct buf torn = log_dir_read(path);
    uint64_t last = frame_offset(&d, FRAMES);
    for (size_t from = last; from < whole.len; from += 16) {
        memcpy(torn.data, whole.data, whole.len);
        memset(torn.data + from, 0, whole.len - from < 64 ? whole.len - from : 64);
        log_dir_write(path, buf_content(&torn));
        check_torn(&d, whole.len - last);
    }
    buf_release(&whole);
    buf_release(&torn);
    log_dir_remove(&d);
}

static bool verify_finds(const struct log_dir *d)
{
    struct store_verify_report report;
    struct diag diag = {0};
    int err = log_dir_verify(&report, d, &diag);
    bool found = err == ERR_CORRUPT || err == ERR_FORMAT;
    assert_true(!found || diag.count != 0);
    diag_release(&diag);
    return found;
}

static void every_bit_flip_is_seen(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, 4, 0);
    struct buf bytes = log_dir_read(log_dir_file(path, &d, 1));
    uint64_t last = frame_offset(&d, FRAMES);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        uint64_t seq = 0;
        uint64_t cut = 0;
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        log_dir_write(path, buf_content(&bytes));
        assert_true(verify_finds(&d));
        int err = reopen(&d, &seq, &cut);
        if (bit / 8 < last) {
            assert_true(err == ERR_CORRUPT);
        } else {
            /* Within the last frame damage looks like a torn write: cut, and said so. */
            assert_int_equal(err, 0);
            assert_int_equal(seq, FRAMES - 1);
            assert_int_equal(cut, bytes.len - last);
        }
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    buf_release(&bytes);
    log_dir_remove(&d);
}

static void refused_log_is_untouched(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    uint64_t seq = 0;
    uint64_t cut = 0;
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, 0);
    struct buf bytes = log_dir_read(log_dir_file(path, &d, 1));
    /* The length of frame 2 reaches past the end, so it looks unfinished; frames 3 and 4 tell. */
    bytes_put64(bytes.data + frame_offset(&d, 2) + 40, 1 << 20);
    log_dir_write(path, buf_content(&bytes));
    assert_int_equal(reopen(&d, &seq, &cut), ERR_CORRUPT);
    struct buf after = log_dir_read(path);
    assert_true(slice_equal(buf_content(&bytes), buf_content(&after)));
    assert_true(verify_finds(&d));
    buf_release(&bytes);
    buf_release(&after);
    log_dir_remove(&d);
}

static void message_names_file_offset_remedy(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    char place[64];
    struct diag diag = {0};
    struct store *st = NULL;
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, 0);
    uint64_t offset = frame_offset(&d, 2);
    struct buf bytes = log_dir_read(log_dir_file(path, &d, 1));
    bytes.data[offset + 100] ^= 1;
    log_dir_write(path, buf_content(&bytes));
    const struct store_options opts = {.dir = d.path};
    assert_int_equal(store_open(&st, &opts, &diag), ERR_CORRUPT);
    const char *text = diag_text(&diag);
    int len = snprintf(place, sizeof(place), "offset %llu", (unsigned long long)offset);
    assert_true(len > 0);
    assert_non_null(strstr(text, "0000000000000001.log"));
    assert_non_null(strstr(text, place));
    assert_non_null(strstr(text, "restore this file from a copy"));
    diag_release(&diag);
    buf_release(&bytes);
    log_dir_remove(&d);
}

/* Whole frames of a newer program are not torn, though this one cannot read them. */
static void newer_frame_is_never_cut(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    struct sha256 hash;
    uint64_t seq = 0;
    uint64_t cut = 0;
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, 0);
    uint64_t last = frame_offset(&d, FRAMES);
    struct buf bytes = log_dir_read(log_dir_file(path, &d, 1));
    bytes_put32(bytes.data + last + FRAME_HEADER_BYTES, FRAME_SECTION_REQUIRED | 99);
    bytes.len -= SHA256_BYTES;
    assert_int_equal(sha256_of(&hash, slice_of(bytes.data + last, bytes.len - last)), 0);
    buf_append(&bytes, hash.bytes, SHA256_BYTES);
    log_dir_write(path, buf_content(&bytes));
    assert_int_equal(reopen(&d, &seq, &cut), ERR_FORMAT);
    buf_release(&bytes);
    log_dir_remove(&d);
}

/* Headers and last hashes chain the files: whatever goes missing or changes PLACES is noticed. */
static void damage_between_files(void **state)
{
    (void)state;
    enum {
        MANY = 60
    };
    struct log_dir d;
    struct arena arena = {0};
    struct log_file_list list;
    char log[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    uint64_t seq = 0;
    uint64_t cut = 0;
    log_dir_make(&d);
    log_dir_fill(&d, MANY, 400, LEDGER_FILE_BYTES_MIN);
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(log_file_list(&list, &arena, log), 0);
    assert_true(list.count > 4);
    for (size_t i = 0; i < list.count; i++) {
        struct buf whole = log_dir_read(log_dir_file(path, &d, list.first_seqs[i]));
        bool newest = i + 1 == list.count;
        if (!newest) {
            log_dir_write(path, slice_of(whole.data, whole.len - 1));
            assert_int_equal(reopen(&d, &seq, &cut), ERR_CORRUPT);
            assert_true(verify_finds(&d));
            assert_int_equal(file_unlink(path), 0);
            assert_int_equal(reopen(&d, &seq, &cut), ERR_CORRUPT);
            assert_true(verify_finds(&d));
        }
        whole.data[30] ^= 4;
        log_dir_write(path, buf_content(&whole));
        assert_int_equal(reopen(&d, &seq, &cut), ERR_CORRUPT);
        assert_true(verify_finds(&d));
        whole.data[30] ^= 4;
        log_dir_write(path, buf_content(&whole));
        buf_release(&whole);
        assert_int_equal(reopen(&d, &seq, &cut), 0);
        assert_int_equal(seq, MANY);
    }
    arena_release(&arena);
    log_dir_remove(&d);
}

static void deleted_log_is_no_new_store(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct frame_env env;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(store_env_put(st, &env, SLICE("rules"), SLICE("a rule")), 0);
    store_close(st);
    assert_int_equal(file_unlink(log_dir_file(path, &d, 1)), 0);
    assert_int_equal(log_dir_open(&st, &d), ERR_CORRUPT);
    log_dir_remove(&d);
}

/* Failures of the system while recovering change nothing; the next try succeeds. */
static void faults_while_recovering(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {
        "EIO@read=log/:1",     "EIO@read=log/:3",      "EIO@list=log:1",  "EMFILE@open=log/:2",
        "EIO@truncate=log/:1", "EIO@sync=log/:1",      "EIO@sync=log/:2", "EACCES@open=lock:1",
        "EIO@stat=log/:1",     "EIO@dirsync=store.:1",
    };
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    uint64_t seq = 0;
    uint64_t cut = 0;
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, 0);
    struct buf whole = log_dir_read(log_dir_file(path, &d, 1));
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        log_dir_write(path, slice_of(whole.data, whole.len - 5));
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(reopen(&d, &seq, &cut), ERR_IO);
        assert_int_equal(fault_set("short@read=log/:*:7;EINTR@read=log/:3"), 0);
        assert_int_equal(reopen(&d, &seq, &cut), 0);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(seq, FRAMES - 1);
    }
    buf_release(&whole);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torn_at_every_byte),
        cmocka_unit_test(torn_with_zeros),
        cmocka_unit_test(every_bit_flip_is_seen),
        cmocka_unit_test(refused_log_is_untouched),
        cmocka_unit_test(message_names_file_offset_remedy),
        cmocka_unit_test(newer_frame_is_never_cut),
        cmocka_unit_test(damage_between_files),
        cmocka_unit_test(deleted_log_is_no_new_store),
        cmocka_unit_test(faults_while_recovering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
