#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/ledger.h"
#include "tests/store/log_dir.h"

enum {
    BATCH_BYTES = 64,
};

static void appends_and_reopens(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(store_last_seq(st), 0);
    assert_true(store_last_tick_ns(st) == INT64_MIN);
    assert_int_equal(log_dir_end(st), -1);
    assert_int_equal(log_dir_append(st, 100, 5, BATCH_BYTES), 0);
    assert_int_equal(log_dir_end(st), 105);
    uint64_t bytes = store_log_bytes(st);
    store_close(st);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(store_last_seq(st), 1);
    assert_int_equal(store_last_tick_ns(st), 100000);
    assert_int_equal(log_dir_end(st), 105);
    assert_int_equal(store_log_bytes(st), bytes);
    assert_memory_equal(store_id(st), TEST_STORE_ID, STORE_ID_BYTES);
    assert_int_equal(log_dir_append(st, 105, 1, BATCH_BYTES), 0);
    assert_int_equal(log_dir_end(st), 106);
    store_close(st);
    log_dir_remove(&d);
}

static void refuses_what_does_not_follow(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    const struct frame_parts late = {.tick_ns = 99};
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(log_dir_append(st, 100, 5, BATCH_BYTES), 0);
    uint64_t bytes = store_log_bytes(st);
    assert_int_equal(log_dir_append(st, 104, 5, BATCH_BYTES), ERR_RANGE);
    assert_int_equal(log_dir_append(st, 106, 5, BATCH_BYTES), ERR_RANGE);
    assert_int_equal(log_dir_append(st, 0, 5, BATCH_BYTES), ERR_RANGE);
    assert_int_equal(store_append(st, &late), ERR_RANGE);
    assert_int_equal(store_log_bytes(st), bytes);
    assert_int_equal(log_dir_end(st), 105);
    assert_int_equal(log_dir_append(st, 105, 5, BATCH_BYTES), 0);
    store_close(st);
    log_dir_remove(&d);
}

/* One frame may hold a partition twice, if the pieces join; a bad second piece undoes the first. */
static void pieces_of_one_frame_join(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    int64_t end = 0;
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    const struct frame_range ranges[] = {
        {FRAME_RANGE_DATA, 0, 4, {NULL, 0}},
        {FRAME_RANGE_DATA, 4, 6, {NULL, 0}},
        {FRAME_RANGE_DATA, 7, 9, {NULL, 0}},
    };
    struct frame_entry entries[] = {
        {SLICE("a"), 1, 0, 4, &ranges[0], 1},
        {SLICE("a"), 1, 7, 9, &ranges[2], 1},
    };
    const struct frame_parts parts = {.entries = entries, .entry_count = 2};
    assert_int_equal(store_append(st, &parts), ERR_RANGE);
    assert_int_equal(store_end_offset(st, SLICE("a"), 1, &end), ERR_NOTFOUND);
    entries[1] = (struct frame_entry){SLICE("a"), 1, 4, 6, &ranges[1], 1};
    assert_int_equal(store_append(st, &parts), 0);
    assert_int_equal(store_end_offset(st, SLICE("a"), 1, &end), 0);
    assert_int_equal(end, 6);
    assert_int_equal(store_end_offset(st, SLICE("a"), 2, &end), ERR_NOTFOUND);
    store_close(st);
    log_dir_remove(&d);
}

static void many_partitions_survive_rolling(void **state)
{
    (void)state;
    enum {
        PARTITIONS = 700
    };
    struct log_dir d;
    struct store *st = NULL;
    struct partition_end end;
    size_t cursor = 0;
    size_t seen = 0;
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    for (int32_t i = 0; i < 2 * PARTITIONS; i++) {
        const struct frame_range range = {FRAME_RANGE_DATA, i, i + PARTITIONS, {NULL, 0}};
        const struct frame_entry entry = {SLICE("t"), i % PARTITIONS, i, i + PARTITIONS, &range, 1};
        const struct frame_parts parts = {.entries = &entry, .entry_count = 1};
        assert_int_equal(store_append(st, &parts), 0);
    }
    uint64_t bytes = store_log_bytes(st);
    store_close(st);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_true(store_recovery(st)->files > 2);
    assert_int_equal(store_log_bytes(st), bytes);
    while (store_next_end(st, &cursor, &end)) {
        assert_int_equal(end.start, end.partition);
        assert_int_equal(end.end, end.partition + 2 * PARTITIONS);
        seen++;
    }
    assert_int_equal(seen, PARTITIONS);
    store_close(st);
    log_dir_remove(&d);
}

static void second_writer_is_refused(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct store *other = NULL;
    struct diag diag = {0};
    const struct store_options look = {.dir = "", .read_only = true};
    struct store_options read_only = look;
    log_dir_make(&d);
    read_only.dir = d.path;
    assert_int_equal(store_open(&other, &read_only, &diag), ERR_NOTFOUND);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(log_dir_open(&other, &d), ERR_BUSY);
    assert_int_equal(log_dir_append(st, 0, 3, BATCH_BYTES), 0);
    assert_int_equal(store_open(&other, &read_only, &diag), 0);
    assert_int_equal(log_dir_end(other), 3);
    assert_int_equal(log_dir_append(other, 3, 3, BATCH_BYTES), ERR_IO);
    store_close(other);
    store_close(st);
    assert_int_equal(log_dir_open(&st, &d), 0);
    store_close(st);
    diag_release(&diag);
    log_dir_remove(&d);
}

/* A fault at the disk ends the store's life; a restart finds a whole log and goes on. */
static void disk_failure_is_final(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {
        "EIO@sync=log/:1",
        "EIO@write=log/:1",
        "EIO@write=log/:2;short@write=log/:*:50",
        "ENOSPC@sync=log/:1",
        "EROFS@write=log/:1;EIO@truncate=log/:1",
        "ENOSPC@write=log/:2;short@write=log/:1:50;EIO@truncate=log/:1",
        "EIO@sync=log/:1;EIO@truncate=log/:1",
    };
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        struct log_dir d;
        struct store *st = NULL;
        log_dir_make(&d);
        assert_int_equal(log_dir_open(&st, &d), 0);
        assert_int_equal(log_dir_append(st, 0, 3, BATCH_BYTES), 0);
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(log_dir_append(st, 3, 3, BATCH_BYTES), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(log_dir_append(st, 3, 3, BATCH_BYTES), ERR_IO);
        assert_int_equal(log_dir_end(st), 3);
        store_close(st);
        assert_int_equal(log_dir_open(&st, &d), 0);
        int64_t end = log_dir_end(st);
        /* In doubt until now: whether the frame is there depends on what the disk took. */
        assert_true(end == 3 || end == 6);
        assert_int_equal(log_dir_append(st, end, 3, BATCH_BYTES), 0);
        store_close(st);
        log_dir_remove(&d);
    }
}

/* What a dead process wrote without a sync is read back; nobody builds on it before it is durable. */
static void what_was_found_is_synced(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"EIO@sync=log/:1", "EIO@dirsync=/log:1"};
    struct log_dir d;
    struct store *st = NULL;
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(log_dir_append(st, 0, 3, BATCH_BYTES), 0);
    store_close(st);
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(log_dir_open(&st, &d), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
    }
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(log_dir_end(st), 3);
    store_close(st);
    log_dir_remove(&d);
}

static void short_and_interrupted_writes(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct store_verify_report report;
    struct diag diag = {0};
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_int_equal(fault_set("short@write=log/:*:13;EINTR@write=log/:4;EINTR@sync=log/:1"), 0);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(log_dir_append(st, 3 * i, 3, BATCH_BYTES), 0);
    store_close(st);
    assert_int_equal(log_dir_verify(&report, &d, &diag), 0);
    assert_int_equal(report.frames, 5);
    diag_release(&diag);
    log_dir_remove(&d);
}

/* A full disk leaves the file as it was, and the same append works once there is room. */
static void full_disk_can_be_tried_again(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {
        "full@write=log/:*:0",
        "full@write=log/:*:100",
        "ENOSPC@write=log/:1",
        "short@write=log/:1:70;EDQUOT@write=log/:2",
    };
    struct log_dir d;
    struct store *st = NULL;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    int64_t at = 0;
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        uint64_t bytes = store_log_bytes(st);
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), ERR_AGAIN);
        assert_int_equal(store_log_bytes(st), bytes);
        struct buf file = log_dir_read(log_dir_file(path, &d, 1));
        assert_int_equal(file.len, bytes);
        buf_release(&file);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), 0);
        at += 3;
        assert_int_equal(log_dir_end(st), at);
    }
    store_close(st);
    log_dir_remove(&d);
}

static void full_disk_while_rolling(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct store_verify_report report;
    struct diag diag = {0};
    int64_t at = 0;
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    assert_int_equal(fault_set("full@write=.tmp:*:20"), 0);
    while (log_dir_append(st, at, 3, BATCH_BYTES) == 0)
        at += 3;
    assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    for (int i = 0; i < 5; i++, at += 3)
        assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), 0);
    store_close(st);
    assert_int_equal(log_dir_verify(&report, &d, &diag), 0);
    assert_int_equal(report.files, 2);
    diag_release(&diag);
    log_dir_remove(&d);
}

/* After the new file's name is there, a failure must not let the old file grow. */
static void failed_roll_is_final(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    int err = 0;
    int64_t at = 0;
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    assert_int_equal(fault_set("ENOSPC@dirsync=/log:1"), 0);
    while ((err = log_dir_append(st, at, 3, BATCH_BYTES)) == 0)
        at += 3;
    assert_int_equal(err, ERR_IO);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), ERR_IO);
    store_close(st);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    assert_int_equal(log_dir_end(st), at);
    assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), 0);
    store_close(st);
    log_dir_remove(&d);
}

static void budget_of_the_log(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    int64_t at = 0;
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, 0, 5000), 0);
    while (log_dir_append(st, at, 3, BATCH_BYTES) == 0)
        at += 3;
    assert_in_range(store_log_bytes(st), 4000, 5000);
    assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), ERR_AGAIN);
    store_close(st);
    assert_int_equal(log_dir_open_with(&st, &d, 0, 10000), 0);
    assert_int_equal(log_dir_append(st, at, 3, BATCH_BYTES), 0);
    store_close(st);
    log_dir_remove(&d);
}

static void environment(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct frame_env env;
    struct frame_env now;
    char path[FILE_PATH_BYTES_MAX];
    const struct frame_env missing = {SLICE("rules"), {{1}}, 3};
    const struct frame_parts naming = {.envs = &missing, .env_count = 1};
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    assert_int_equal(store_append(st, &naming), ERR_NOTFOUND);
    assert_int_equal(store_env_put(st, &env, SLICE(""), SLICE("x")), ERR_RANGE);
    assert_int_equal(store_env_put(st, &env, SLICE("rules"), SLICE("first")), 0);
    assert_int_equal(store_env_put(st, &env, SLICE("rules"), SLICE("a rule")), 0);
    assert_int_equal(store_env_current(st, &now, SLICE("rules")), ERR_NOTFOUND);
    const struct frame_parts parts = {.envs = &env, .env_count = 1};
    assert_int_equal(store_append(st, &parts), 0);
    assert_int_equal(store_env_current(st, &now, SLICE("rules")), 0);
    assert_int_equal(store_env_path(path, sizeof(path), d.path, &now.sha256), 0);
    struct buf blob = log_dir_read(path);
    assert_true(slice_equal(buf_content(&blob), SLICE("a rule")));
    buf_release(&blob);
    log_dir_write(path, SLICE("a RULE"));
    assert_int_equal(store_env_put(st, &env, SLICE("rules"), SLICE("a rule")), 0);
    blob = log_dir_read(path);
    assert_true(slice_equal(buf_content(&blob), SLICE("a rule")));
    buf_release(&blob);
    assert_int_equal(fault_set("full@write=env/:*:2"), 0);
    assert_int_equal(store_env_put(st, &env, SLICE("rules"), SLICE("third")), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    for (int64_t i = 0; i < 30; i++)
        assert_int_equal(log_dir_append(st, 3 * i, 3, BATCH_BYTES), 0);
    store_close(st);
    assert_int_equal(log_dir_open(&st, &d), 0);
    assert_true(store_recovery(st)->files > 1);
    assert_int_equal(store_env_current(st, &now, SLICE("rules")), 0);
    assert_int_equal(now.bytes, 6);
    store_close(st);
    log_dir_remove(&d);
}

/* Append until killed; writes the acknowledged end to the pipe after each commit. */
static void append_until_killed(const struct log_dir *d, const char *fault, int pipe_fd)
{
    struct store *st = NULL;
    if (fault_set(fault) != 0 || log_dir_open_with(&st, d, LEDGER_FILE_BYTES_MIN, 0) != 0)
        _exit(3);
    int64_t at = log_dir_end(st) < 0 ? 0 : log_dir_end(st);
    for (int i = 0; i < 60; i++) {
        struct frame_env env;
        if (store_env_put(st, &env, SLICE("n"), slice_of(&at, sizeof(at))) != 0 ||
            log_dir_append(st, at, 3, BATCH_BYTES) != 0)
            _exit(4);
        at += 3;
        if (write(pipe_fd, &at, sizeof(at)) != (ssize_t)sizeof(at))
            _exit(5);
    }
    _exit(0);
}

/* Run one writer; gives the last end it acknowledged, or `before`. True when it was killed. */
static bool run_writer(const struct log_dir *d, const char *fault, int64_t before, int64_t *acked)
{
    int fds[2];
    int status = 0;
    int64_t end = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        append_until_killed(d, fault, fds[1]);
    assert_int_equal(close(fds[1]), 0);
    *acked = before;
    while (read(fds[0], &end, sizeof(end)) == (ssize_t)sizeof(end))
        *acked = end;
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void killed_at_every_step(void **state)
{
    (void)state;
    static const char *const PLACES[] = {
        "store.after_lock",   "store.after_folders", "env.before_write",   "env.after_write",
        "roll.before_create", "roll.after_create",   "roll.after_open",    "ledger.before_write",
        "ledger.after_write", "ledger.after_sync",   "rename=log/",        "dirsync=/log",
        "sync=.log.tmp",      "write=.log",          "recover.before_cut", "recover.after_cut",
        "recover.after_sync",
    };
    struct log_dir d;
    char fault[96];
    int64_t acked = 0;
    int killed = 0;
    log_dir_make(&d);
    for (int nth = 1; nth <= 33; nth += 8) {
        for (size_t i = 0; i < COUNT(PLACES); i++) {
            struct store_verify_report report;
            struct diag diag = {0};
            struct store *st = NULL;
            /* A torn frame before, so that recovery has something to cut. */
            int len = snprintf(fault, sizeof(fault), "crash@%s:%d;short@write=.log:*:100",
                               PLACES[i], nth);
            assert_in_range(len, 1, sizeof(fault) - 1);
            killed += run_writer(&d, fault, acked, &acked);
            assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
            int64_t end = log_dir_end(st) < 0 ? 0 : log_dir_end(st);
            assert_true(end >= acked);
            acked = end;
            store_close(st);
            assert_int_equal(log_dir_verify(&report, &d, &diag), 0);
            diag_release(&diag);
            (void)run_writer(&d, "crash@write=.log:3;short@write=.log:*:100", acked, &acked);
        }
    }
    assert_true(killed > 40);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_reopens),
        cmocka_unit_test(refuses_what_does_not_follow),
        cmocka_unit_test(pieces_of_one_frame_join),
        cmocka_unit_test(many_partitions_survive_rolling),
        cmocka_unit_test(second_writer_is_refused),
        cmocka_unit_test(disk_failure_is_final),
        cmocka_unit_test(what_was_found_is_synced),
        cmocka_unit_test(short_and_interrupted_writes),
        cmocka_unit_test(full_disk_can_be_tried_again),
        cmocka_unit_test(full_disk_while_rolling),
        cmocka_unit_test(failed_roll_is_final),
        cmocka_unit_test(budget_of_the_log),
        cmocka_unit_test(environment),
        cmocka_unit_test(killed_at_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
