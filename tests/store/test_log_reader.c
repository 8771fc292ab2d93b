#include "store/log_reader.h"
#include "tests/store/log_dir.h"

enum {
    BATCH_BYTES = 300,
};

static struct log_reader *open_reader(const struct log_dir *d, bool verify, bool from_newest)
{
    struct log_reader *r = NULL;
    const struct log_reader_options opts = {
        .dir = d->path, .verify_hashes = verify, .from_newest = from_newest};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    return r;
}

static void nothing_there(void **state)
{
    (void)state;
    struct log_dir d;
    struct log_reader *r = NULL;
    struct diag diag = {0};
    log_dir_make(&d);
    const struct log_reader_options opts = {.dir = d.path};
    assert_int_equal(log_reader_open(&r, &opts, &diag), ERR_NOTFOUND);
    assert_int_equal(diag.count, 1);
    assert_null(r);
    diag_release(&diag);
    log_dir_remove(&d);
}

static void reads_all_files_in_order(void **state)
{
    (void)state;
    enum {
        FRAMES = 50
    };
    struct log_dir d;
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, LEDGER_FILE_BYTES_MIN);
    for (int verify = 0; verify < 2; verify++) {
        struct log_reader *r = open_reader(&d, verify != 0, false);
        struct frame_view frame;
        uint64_t files = 0;
        uint64_t file = 0;
        for (uint64_t seq = 1; seq <= FRAMES; seq++) {
            assert_int_equal(ledger_read(&frame, r, NULL), 0);
            assert_int_equal(frame.link.seq, seq);
            assert_int_equal(frame.batches.left, 2);
            files += file != log_reader_position(r).file_seq;
            file = log_reader_position(r).file_seq;
        }
        assert_true(files > 5);
        assert_int_equal(ledger_read(&frame, r, NULL), ERR_AGAIN);
        assert_int_equal(log_reader_tail(r).bytes, 0);
        log_reader_close(r);
    }
    log_dir_remove(&d);
}

static void follows_growth_and_rolling(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct frame_view frame;
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    struct log_reader *r = open_reader(&d, false, false);
    struct log_reader *slow = open_reader(&d, false, false);
    assert_int_equal(ledger_read(&frame, r, NULL), ERR_AGAIN);
    for (int64_t i = 0; i < 40; i++) {
        assert_int_equal(log_dir_append(st, 3 * i, 3, BATCH_BYTES), 0);
        assert_int_equal(ledger_read(&frame, r, NULL), 0);
        assert_int_equal(frame.link.seq, i + 1);
        assert_int_equal(ledger_read(&frame, r, NULL), ERR_AGAIN);
        if (i % 7 != 0)
            continue;
        while (ledger_read(&frame, slow, NULL) == 0)
            continue;
        assert_int_equal(frame.link.seq, i + 1);
    }
    log_reader_close(r);
    log_reader_close(slow);
    store_close(st);
    log_dir_remove(&d);
}

/* Every prefix of a growing file shows whole frames only, and goes on when the rest arrives. */
static void never_shows_half_a_frame(void **state)
{
    (void)state;
    enum {
        FRAMES = 3
    };
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    struct frame_view frame;
    uint64_t ends[FRAMES + 1] = {0};
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, 16, 0);
    struct log_reader *r = open_reader(&d, false, false);
    uint64_t header_bytes = log_reader_position(r).offset;
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(ledger_read(&frame, r, NULL), 0);
        ends[i] = log_reader_position(r).offset;
    }
    log_reader_close(r);
    struct buf whole = log_dir_read(log_dir_file(path, &d, 1));
    log_dir_write(path, slice_of(whole.data, header_bytes));
    r = open_reader(&d, false, false);
    struct file *f = NULL;
    assert_int_equal(file_open(&f, path, FILE_APPEND), 0);
    int next = 0;
    for (size_t len = header_bytes + 1; len <= whole.len; len++) {
        assert_int_equal(file_append(f, whole.data + len - 1, 1), 0);
        bool complete = len == ends[next];
        assert_int_equal(ledger_read(&frame, r, NULL), complete ? 0 : ERR_AGAIN);
        uint64_t from = next == 0 ? header_bytes : ends[next - 1];
        assert_int_equal(log_reader_tail(r).bytes, complete ? 0 : len - from);
        next += complete;
    }
    assert_int_equal(next, FRAMES);
    file_close(f);
    log_reader_close(r);
    buf_release(&whole);
    log_dir_remove(&d);
}

/* A reader that waits at a torn tail goes on with what the next writer puts there. */
static void survives_a_cut_by_recovery(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    struct frame_view frame;
    struct store *st = NULL;
    log_dir_make(&d);
    log_dir_fill(&d, 3, BATCH_BYTES, 0);
    struct buf whole = log_dir_read(log_dir_file(path, &d, 1));
    log_dir_write(path, slice_of(whole.data, whole.len - 10));
    struct log_reader *r = open_reader(&d, false, false);
    assert_int_equal(ledger_read(&frame, r, NULL), 0);
    assert_int_equal(ledger_read(&frame, r, NULL), 0);
    assert_int_equal(ledger_read(&frame, r, NULL), ERR_AGAIN);
    assert_true(log_reader_tail(r).bytes != 0);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(log_dir_append(st, 6, 1, 20), 0);
    assert_int_equal(ledger_read(&frame, r, NULL), 0);
    assert_int_equal(frame.link.seq, 3);
    store_close(st);
    log_reader_close(r);
    buf_release(&whole);
    log_dir_remove(&d);
}

static void bookmarks(void **state)
{
    (void)state;
    enum {
        FRAMES = 20
    };
    struct log_dir d;
    struct frame_view frame;
    struct log_position marks[FRAMES];
    log_dir_make(&d);
    log_dir_fill(&d, FRAMES, BATCH_BYTES, LEDGER_FILE_BYTES_MIN);
    struct log_reader *r = open_reader(&d, false, false);
    for (int i = 0; i < FRAMES; i++) {
        marks[i] = log_reader_position(r);
        assert_int_equal(ledger_read(&frame, r, NULL), 0);
    }
    for (int i = FRAMES; i-- > 0;) {
        assert_int_equal(log_reader_seek(r, &marks[i], NULL), 0);
        assert_int_equal(ledger_read(&frame, r, NULL), 0);
        assert_int_equal(frame.link.seq, i + 1);
    }
    struct log_position bad = marks[3];
    bad.offset++;
    assert_int_equal(log_reader_seek(r, &bad, NULL), 0);
    assert_true(ledger_read(&frame, r, NULL) != 0);
    bad = marks[3];
    bad.prev_hash.bytes[0] ^= 1;
    assert_int_equal(log_reader_seek(r, &bad, NULL), 0);
    assert_int_equal(ledger_read(&frame, r, NULL), ERR_CORRUPT);
    bad = marks[3];
    bad.offset = UINT64_MAX;
    assert_int_equal(log_reader_seek(r, &bad, NULL), ERR_CORRUPT);
    bad.file_seq = 99999;
    assert_int_equal(log_reader_seek(r, &bad, NULL), ERR_NOTFOUND);
    log_reader_close(r);
    r = open_reader(&d, false, true);
    assert_int_equal(log_reader_position(r).next_seq, log_reader_header(r)->first_seq);
    assert_true(log_reader_header(r)->first_seq > 1);
    assert_int_equal(ledger_read(&frame, r, NULL), 0);
    log_reader_close(r);
    log_dir_remove(&d);
}

/* Failing calls are reported, change nothing, and the next try goes on at the same place. */
static void faults_while_reading(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {
        "EIO@read=log/:1", "EIO@read=log/:2", "EIO@read=log/:3",    "EIO@stat=log/:1",
        "EIO@map=log/:1",  "EIO@sync=log/:1", "EMFILE@open=log/:1",
    };
    struct log_dir d;
    log_dir_make(&d);
    log_dir_fill(&d, 12, BATCH_BYTES, LEDGER_FILE_BYTES_MIN);
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        struct log_reader *r = open_reader(&d, true, false);
        struct frame_view frame;
        int failed = 0;
        uint64_t seq = 0;
        assert_int_equal(fault_set(FAULTS[i]), 0);
        for (int err = 0; err != ERR_AGAIN;) {
            err = ledger_read(&frame, r, NULL);
            assert_true(err == 0 || err == ERR_IO || err == ERR_AGAIN);
            failed += err == ERR_IO;
            seq += err == 0;
            assert_true(err != 0 || frame.link.seq == seq);
        }
        assert_int_equal(failed, 1);
        assert_int_equal(seq, 12);
        assert_int_equal(fault_set(NULL), 0);
        log_reader_close(r);
    }
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(reads_all_files_in_order),
        cmocka_unit_test(follows_growth_and_rolling),
        cmocka_unit_test(never_shows_half_a_frame),
        cmocka_unit_test(survives_a_cut_by_recovery),
        cmocka_unit_test(bookmarks),
        cmocka_unit_test(faults_while_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
