/* Log files go under readers, kills and faults: nothing is lost, and nobody is misled. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/remains_log.h"

static void a_reader_keeps_its_files(void **state)
{
    (void)state;
    struct log_dir d;
    struct retire_report report;
    struct log_reader *r = NULL;
    struct frame_view frame;
    struct log_hold hold = {0};
    char log[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d, FRAMES);
    struct store *st = open_store(&d);
    size_t all = count_files(&d, ".log");
    const struct log_reader_options opts = {.dir = d.path};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), ERR_AGAIN);
    assert_int_equal(report.files, 0);
    assert_int_equal(count_files(&d, ".log"), all);
    assert_int_equal(store_log_bytes(st), bytes_on_disk(&d));
    uint64_t seq = 0;
    while (ledger_read(&frame, r, NULL) == 0) {
        assert_int_equal(frame.link.seq, ++seq);
        assert_int_equal(frame.batches.left, 1);
    }
    assert_int_equal(seq, FRAMES);
    /* It is in the newest file now. */
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(log_hold_take(&hold, log), 0);
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), ERR_AGAIN);
    log_hold_drop(&hold);
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), 0);
    assert_int_equal(report.files, all - 1);
    append(st, FRAMES);
    assert_int_equal(ledger_read(&frame, r, NULL), 0);
    assert_int_equal(frame.link.seq, FRAMES + 1);
    /* It sleeps while several files come and go. */
    for (int64_t i = FRAMES + 1; i < 2 * (int64_t)FRAMES; i++)
        append(st, i);
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), 0);
    int err = 0;
    while ((err = ledger_read(&frame, r, NULL)) == 0)
        continue;
    assert_int_equal(err, ERR_NOTFOUND);
    log_reader_close(r);
    store_close(st);
    log_dir_remove(&d);
}

/* A reader of remains holds nobody up, wherever it is when files go. */
static void followers_of_alerts_miss_nothing(void **state)
{
    (void)state;
    struct log_dir d;
    struct history whole;
    struct retire_report report;
    log_dir_make(&d);
    fill(&d, FRAMES);
    history_of(&whole, &d);
    log_dir_remove(&d);
    for (uint64_t stop = 1; stop <= FRAMES; stop += 3) {
        struct history seen = {0};
        struct log_reader *r = NULL;
        struct frame_view frame;
        log_dir_make(&d);
        fill(&d, FRAMES);
        const struct log_reader_options opts = {.dir = d.path, .remains = true};
        assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
        while (seen.frames < stop) {
            assert_int_equal(ledger_read(&frame, r, NULL), 0);
            seen.frames = frame.link.seq;
            put_kept(&seen.kept[seen.frames], &frame);
        }
        assert_int_equal(retire(&d, last_of(&d, 3), &report), 0);
        assert_int_equal(report.files, 4);
        history_read(&seen, r);
        assert_same_history(&whole, &seen);
        history_release(&seen);
        log_reader_close(r);
        log_dir_remove(&d);
    }
    history_release(&whole);
}

static void damage_is_not_retired(void **state)
{
    (void)state;
    struct log_dir d;
    struct history before;
    struct retire_report report;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d, FRAMES);
    history_of(&before, &d);
    struct store *st = open_store(&d);
    uint64_t went = 0;
    uint64_t second = last_of(&d, 0) + 1;
    struct buf bytes = log_dir_read(log_dir_file(path, &d, second));
    for (size_t at = 0; at < bytes.len; at += 61) {
        bytes.data[at] = (char)(bytes.data[at] ^ 4);
        log_dir_write(path, buf_content(&bytes));
        int err = retire_said(&d, st, UINT64_MAX, &report);
        assert_true(err == ERR_CORRUPT || err == ERR_FORMAT);
        /* The file before it goes once its successor's header is whole. */
        went += report.files;
        assert_int_equal(count_files(&d, ".rem"), went);
        bytes.data[at] = (char)(bytes.data[at] ^ 4);
    }
    assert_int_equal(went, 1);
    log_dir_write(path, slice_of(bytes.data, bytes.len - 1));
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), ERR_CORRUPT);
    log_dir_write(path, buf_content(&bytes));
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), 0);
    store_close(st);
    assert_history(&before, &d);
    history_release(&before);
    buf_release(&bytes);
    log_dir_remove(&d);
}

/* Whether the process was killed while it retired everything. */
static bool retire_until_killed(const struct log_dir *d, const char *fault)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *st = NULL;
        struct diag diag = {0};
        struct retire_report report;
        if (log_dir_open_with(&st, d, FILE_BYTES, 0) != 0 || fault_set(fault) != 0)
            _exit(3);
        _exit(store_retire(st, UINT64_MAX, &report, &diag) == 0 ? 0 : 4);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void killed_at_every_step(void **state)
{
    (void)state;
    static const char *const PLACES[] = {
        "retire.before_write", "retire.after_write", "retire.before_unlink",
        "retire.after_unlink", "retire.after_sync",  "write=.rem",
        "sync=.rem",           "rename=.rem",        "dirsync=/log",
        "unlink=.log",         "lock=readers",
    };
    char fault[128];
    struct retire_report report;
    for (size_t i = 0; i < COUNT(PLACES); i++) {
        bool killed = true;
        for (int nth = 1; killed; nth++) {
            struct log_dir d;
            struct history before;
            log_dir_make(&d);
            fill(&d, 24);
            history_of(&before, &d);
            size_t all = count_files(&d, ".log");
            assert_in_range(snprintf(fault, sizeof(fault), "crash@%s:%d", PLACES[i], nth), 1,
                            sizeof(fault) - 1);
            killed = retire_until_killed(&d, fault);
            assert_true(killed || nth > 1);
            assert_history(&before, &d);
            /* Opening finishes what has whole remains; a second time finishes the rest. */
            struct store *st = open_store(&d);
            assert_int_equal(store_log_bytes(st), bytes_on_disk(&d));
            store_close(st);
            assert_history(&before, &d);
            assert_whole(&d, count_files(&d, ".rem"));
            assert_int_equal(retire(&d, UINT64_MAX, &report), 0);
            assert_int_equal(count_files(&d, ".rem"), all - 1);
            assert_history(&before, &d);
            assert_whole(&d, all - 1);
            history_release(&before);
            log_dir_remove(&d);
        }
    }
}

/* The remains have their name, and the file is gone, for good before anything is built on that. */
static void names_are_synced(void **state)
{
    (void)state;
    struct log_dir d;
    struct retire_report report;
    log_dir_make(&d);
    fill(&d, 24);
    struct store *st = open_store(&d);
    uint64_t through = last_of(&d, 0);
    assert_int_equal(fault_set("EIO@dirsync=/log:1"), 0);
    assert_int_equal(retire_said(&d, st, through, &report), ERR_IO);
    assert_int_equal(report.files, 0);
    assert_int_equal(fault_set("EIO@dirsync=/log:1"), 0);
    assert_int_equal(retire_said(&d, st, through, &report), ERR_IO);
    assert_int_equal(report.files, 1);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(store_log_bytes(st), bytes_on_disk(&d));
    store_close(st);
    assert_whole(&d, 1);
    log_dir_remove(&d);
}

/* Every file call fails once: nothing is lost, the error says where, and the next try succeeds. */
static void faults_at_every_call(void **state)
{
    (void)state;
    static const char *const CALLS[] = {"open=log/",   "read=log/",   "write=log/",   "sync=log/",
                                        "rename=log/", "unlink=log/", "dirsync=/log", "list=/log",
                                        "map=log/",    "lock=log/",   "stat=log/"};
    static const char *const WITH[] = {"EIO", "ENOSPC"};
    char fault[128];
    struct retire_report report;
    for (size_t i = 0; i < COUNT(CALLS) * COUNT(WITH); i++) {
        int err = -1;
        for (int nth = 1; err != 0; nth++) {
            struct log_dir d;
            struct history before;
            log_dir_make(&d);
            fill(&d, 20);
            history_of(&before, &d);
            struct store *st = open_store(&d);
            assert_in_range(
                snprintf(fault, sizeof(fault), "%s@%s:%d", WITH[i % 2], CALLS[i / 2], nth), 1,
                sizeof(fault) - 1);
            assert_int_equal(fault_set(fault), 0);
            err = retire_said(&d, st, UINT64_MAX, &report);
            assert_int_equal(fault_set(NULL), 0);
            assert_true(err != 0 || nth > 1);
            assert_true(err == 0 || err == ERR_IO || (err == ERR_AGAIN && i % 2 == 1));
            assert_int_equal(store_log_bytes(st), bytes_on_disk(&d));
            assert_history(&before, &d);
            append(st, 20);
            assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), 0);
            store_close(st);
            assert_int_equal(count_files(&d, ".log"), 1);
            assert_whole(&d, count_files(&d, ".rem"));
            history_release(&before);
            log_dir_remove(&d);
        }
    }
}

/* Remains beside their file: the file counts until it goes; damaged ones go themselves. */
static void remains_beside_their_file(void **state)
{
    (void)state;
    struct log_dir d;
    struct history before;
    struct diag diag = {0};
    struct log_hold hold = {0};
    char log[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d, FRAMES);
    history_of(&before, &d);
    size_t all = count_files(&d, ".log");
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(remains_make(log, 1, &diag), 0);
    assert_whole(&d, 0);
    assert_history(&before, &d);
    /* Somebody reads: both stay. */
    assert_int_equal(log_hold_take(&hold, log), 0);
    store_close(open_store(&d));
    assert_int_equal(count_files(&d, ".log"), all);
    log_hold_drop(&hold);
    struct buf bytes = log_dir_read(remains_file(path, &d, 1));
    bytes.data[bytes.len / 2] = (char)(bytes.data[bytes.len / 2] ^ 1);
    log_dir_write(path, buf_content(&bytes));
    store_close(open_store(&d));
    assert_int_equal(count_files(&d, ".log"), all);
    assert_int_equal(count_files(&d, ".rem"), 0);
    assert_int_equal(remains_make(log, 1, &diag), 0);
    assert_int_equal(diag.count, 0);
    store_close(open_store(&d));
    assert_int_equal(count_files(&d, ".log"), all - 1);
    assert_history(&before, &d);
    assert_whole(&d, 1);
    diag_release(&diag);
    buf_release(&bytes);
    history_release(&before);
    log_dir_remove(&d);
}

/* A copy without the file that readers lock, which nobody can make there. */
static void a_copy_can_be_read(void **state)
{
    (void)state;
    struct log_dir d;
    struct history before;
    struct retire_report report;
    struct store *st = NULL;
    struct diag diag = {0};
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d, FRAMES);
    history_of(&before, &d);
    assert_int_equal(retire(&d, last_of(&d, 1), &report), 0);
    assert_in_range(snprintf(path, sizeof(path), "%s/log/readers", d.path), 1, sizeof(path) - 1);
    assert_int_equal(file_unlink(path), 0);
    assert_int_equal(fault_set("EROFS@open=readers:*"), 0);
    assert_history(&before, &d);
    assert_whole(&d, 2);
    const struct store_options opts = {.dir = d.path, .read_only = true};
    assert_int_equal(store_open(&st, &opts, &diag), 0);
    assert_int_equal(store_last_seq(st), FRAMES);
    assert_int_equal(store_retire(st, UINT64_MAX, &report, &diag), ERR_IO);
    store_close(st);
    diag_release(&diag);
    history_release(&before);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_keeps_its_files),
        cmocka_unit_test(followers_of_alerts_miss_nothing),
        cmocka_unit_test(damage_is_not_retired),
        cmocka_unit_test(killed_at_every_step),
        cmocka_unit_test(names_are_synced),
        cmocka_unit_test(faults_at_every_call),
        cmocka_unit_test(remains_beside_their_file),
        cmocka_unit_test(a_copy_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
