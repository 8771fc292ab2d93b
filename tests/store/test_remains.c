/* What is left of log files whose rows are elsewhere: all but rows, and damage of it is found. */
#include "tests/store/remains_log.h"

static void files_go_and_nothing_else(void **state)
{
    (void)state;
    struct log_dir d;
    struct history before;
    struct retire_report report;
    log_dir_make(&d);
    fill(&d, FRAMES);
    history_of(&before, &d);
    size_t all = count_files(&d, ".log");
    assert_true(all > 5);
    uint64_t through = last_of(&d, 2);
    assert_int_equal(retire(&d, through - 1, &report), 0);
    assert_int_equal(report.files, 2);
    assert_int_equal(retire(&d, through, &report), 0);
    assert_int_equal(report.files, 1);
    assert_int_equal(report.through_seq, through);
    assert_int_equal(count_files(&d, ".log"), all - 3);
    assert_int_equal(count_files(&d, ".rem"), 3);
    assert_history(&before, &d);
    assert_whole(&d, 3);
    /* The log goes on, also after everything that can go went. */
    assert_int_equal(retire(&d, UINT64_MAX, &report), 0);
    assert_int_equal(count_files(&d, ".log"), 1);
    assert_history(&before, &d);
    struct store *st = open_store(&d);
    int64_t end = 0;
    assert_int_equal(store_end_offset(st, SLICE("seclog.raw.990001.fw1"), 0, &end), 0);
    assert_int_equal(end, 10 * FRAMES);
    assert_int_equal(store_recovery(st)->remains, all - 1);
    for (int64_t i = FRAMES; i < 2 * (int64_t)FRAMES; i++)
        append(st, i);
    assert_int_equal(store_log_bytes(st), bytes_on_disk(&d));
    store_close(st);
    assert_whole(&d, all - 1);
    history_release(&before);
    history_of(&before, &d);
    assert_int_equal(before.frames, 2 * FRAMES);
    assert_int_equal(retire(&d, UINT64_MAX, &report), 0);
    assert_history(&before, &d);
    assert_whole(&d, count_files(&d, ".rem"));
    history_release(&before);
    log_dir_remove(&d);
}

/* The ranges of a file's frames, joined. */
static void ranges_are_joined(void **state)
{
    (void)state;
    struct log_dir d;
    struct retire_report report;
    struct remains *r = NULL;
    struct remains_partition p;
    struct frame_range range;
    const char *why = NULL;
    char log[FILE_PATH_BYTES_MAX];
    uint32_t count = 0;
    int64_t others = 0;
    log_dir_make(&d);
    fill(&d, FRAMES);
    uint64_t last = last_of(&d, 0);
    assert_int_equal(retire(&d, last, &report), 0);
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(remains_open(&r, log, 1, true, &why), 0);
    assert_int_equal(remains_head(r)->last_seq, last);
    assert_int_equal(remains_ranges(&count, r, &why), 0);
    assert_int_equal(count, 4);
    assert_true(remains_next_partition(&p, r));
    assert_true(slice_equal(p.topic, SLICE("seclog.raw.990001.fw1")));
    assert_int_equal(p.start, 0);
    assert_int_equal(p.end, 10 * (int64_t)last);
    for (int64_t at = 0; remains_next_range(&range, &p); at = range.end) {
        assert_int_equal(range.start, at);
        int64_t i = (range.end - 1) / 10;
        if (range.kind == FRAME_RANGE_DATA) {
            /* Frames whose tenth offset is DATA join with the next one's. */
            assert_true(range.end - range.start <= 19);
            continue;
        }
        others++;
        assert_int_equal(range.kind, i % FRAME_RANGE_KIND_COUNT);
        assert_int_equal(range.end - range.start, 1);
        assert_true(range.reason.len != 0);
    }
    assert_int_equal(others, (int64_t)last - ((int64_t)last + 3) / 4);
    for (int32_t partition = 0; partition < 3; partition++) {
        assert_true(remains_next_partition(&p, r));
        assert_int_equal(p.partition, partition);
        assert_int_equal(p.range_count, 1);
    }
    assert_false(remains_next_partition(&p, r));
    remains_close(r);
    log_dir_remove(&d);
}

static void readers_of_rows_begin_at_the_first_file(void **state)
{
    (void)state;
    struct log_dir d;
    struct retire_report report;
    struct log_reader *r = NULL;
    struct frame_view frame;
    bool explained = false;
    char log[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d, FRAMES);
    uint64_t through = last_of(&d, 1);
    assert_int_equal(retire(&d, through, &report), 0);
    const struct log_reader_options opts = {.dir = d.path, .verify_hashes = true};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    assert_int_equal(log_reader_header(r)->first_seq, through + 1);
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d.path), 1, sizeof(log) - 1);
    assert_int_equal(remains_explain(&explained, log, log_reader_header(r)), 0);
    assert_true(explained);
    uint64_t seq = through;
    while (ledger_read(&frame, r, NULL) == 0)
        assert_int_equal(frame.link.seq, ++seq);
    assert_int_equal(seq, FRAMES);
    /* Without the first of all the rest explains nothing. */
    assert_int_equal(file_unlink(remains_file(path, &d, 1)), 0);
    assert_int_equal(remains_explain(&explained, log, log_reader_header(r)), 0);
    assert_false(explained);
    log_reader_close(r);
    log_dir_remove(&d);
}

/* From any frame on, by number and by bookmark, in files and in what is left of them. */
static void every_place_is_found_again(void **state)
{
    (void)state;
    struct log_dir d;
    struct history whole;
    struct retire_report report;
    struct log_position places[FRAMES + 2] = {0};
    struct log_reader *r = NULL;
    struct frame_view frame;
    log_dir_make(&d);
    fill(&d, FRAMES);
    history_of(&whole, &d);
    const struct log_reader_options opts = {.dir = d.path, .remains = true};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    places[1] = log_reader_position(r);
    for (size_t i = 2; ledger_read(&frame, r, NULL) == 0; i++)
        places[i] = log_reader_position(r);
    log_reader_close(r);
    assert_int_equal(retire(&d, last_of(&d, 3), &report), 0);
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    for (uint64_t from = FRAMES + 1; from >= 1; from--) {
        for (int by_number = 0; by_number < 2; by_number++) {
            struct history rest = {.frames = from - 1};
            if (by_number != 0)
                assert_int_equal(log_reader_find(r, from, NULL), 0);
            else
                assert_int_equal(log_reader_seek(r, &places[from], NULL), 0);
            assert_int_equal(log_reader_position(r).next_seq, from);
            const struct log_position at = log_reader_position(r);
            assert_true(sha256_equal(&at.prev_hash, &places[from].prev_hash));
            history_read(&rest, r);
            for (uint64_t i = from; i <= FRAMES; i++)
                assert_true(slice_equal(buf_content(&rest.kept[i]), buf_content(&whole.kept[i])));
            history_release(&rest);
        }
    }
    assert_int_equal(log_reader_find(r, FRAMES + 2, NULL), ERR_AGAIN);
    assert_int_equal(log_reader_find(r, 0, NULL), 0);
    assert_int_equal(log_reader_position(r).next_seq, 1);
    /* A bookmark of another history. */
    places[5].prev_hash.bytes[7] ^= 1;
    assert_int_equal(log_reader_seek(r, &places[5], NULL), ERR_CORRUPT);
    log_reader_close(r);
    /* Whoever wants rows is told that they are gone. */
    const struct log_reader_options rows = {.dir = d.path};
    assert_int_equal(log_reader_open(&r, &rows, NULL), 0);
    assert_int_equal(log_reader_seek(r, &places[4], NULL), ERR_NOTFOUND);
    log_reader_close(r);
    history_release(&whole);
    log_dir_remove(&d);
}

static void every_flip_and_cut_is_found(void **state)
{
    (void)state;
    struct log_dir d;
    struct retire_report report;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    fill(&d, 16);
    assert_int_equal(retire(&d, last_of(&d, 1), &report), 0);
    struct buf bytes = log_dir_read(remains_file(path, &d, 1));
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        log_dir_write(path, buf_content(&bytes));
        assert_true(verify_finds(&d));
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t len = 0; len < bytes.len; len++) {
        struct store *st = NULL;
        log_dir_write(path, slice_of(bytes.data, len));
        assert_true(verify_finds(&d));
        assert_int_equal(log_dir_open_with(&st, &d, FILE_BYTES, 0), ERR_CORRUPT);
    }
    buf_byte(&bytes, '\0');
    log_dir_write(path, buf_content(&bytes));
    assert_true(verify_finds(&d));
    log_dir_write(path, slice_of(bytes.data, bytes.len - 1));
    assert_whole(&d, 2);
    buf_release(&bytes);
    log_dir_remove(&d);
}

/* Remains of another place, of another store, and none. */
static void missing_and_foreign_remains(void **state)
{
    (void)state;
    struct log_dir d;
    struct retire_report report;
    char path[FILE_PATH_BYTES_MAX];
    struct store *st = NULL;
    struct log_reader *r = NULL;
    struct frame_view frame;
    log_dir_make(&d);
    fill(&d, FRAMES);
    uint64_t second = last_of(&d, 0) + 1;
    uint64_t third = last_of(&d, 1) + 1;
    assert_int_equal(retire(&d, last_of(&d, 2), &report), 0);
    const uint64_t each[] = {1, second, third};
    for (size_t i = 0; i < COUNT(each); i++) {
        struct buf whole = log_dir_read(remains_file(path, &d, each[i]));
        struct buf other = log_dir_read(remains_file(path, &d, each[(i + 1) % 3]));
        (void)remains_file(path, &d, each[i]);
        log_dir_write(path, buf_content(&other));
        assert_int_equal(log_dir_open_with(&st, &d, FILE_BYTES, 0), ERR_CORRUPT);
        assert_true(verify_finds(&d));
        assert_int_equal(file_unlink(path), 0);
        assert_int_equal(log_dir_open_with(&st, &d, FILE_BYTES, 0), ERR_CORRUPT);
        struct store_verify_report found;
        struct diag diag = {0};
        assert_int_equal(log_dir_verify(&found, &d, &diag), ERR_CORRUPT);
        diag_release(&diag);
        const struct log_reader_options opts = {.dir = d.path, .remains = true};
        assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
        int err = 0;
        while ((err = ledger_read(&frame, r, NULL)) == 0)
            continue;
        assert_int_equal(err, i == 0 ? ERR_AGAIN : ERR_CORRUPT);
        log_reader_close(r);
        log_dir_write(path, buf_content(&whole));
        buf_release(&whole);
        buf_release(&other);
    }
    assert_whole(&d, 3);
    log_dir_remove(&d);
}

/* A day of commits of many municipalities: 32 bytes of hash a frame, and little else. */
static void remains_are_small(void **state)
{
    (void)state;
    enum {
        MANY_FRAMES = 1200,
        MANY_PARTITIONS = 180,
        BYTES_PER_FRAME_MAX = 40
    };
    struct log_dir d;
    struct store *st = NULL;
    struct retire_report report;
    char topics[MANY_PARTITIONS][32];
    struct frame_range ranges[MANY_PARTITIONS];
    struct frame_entry entries[MANY_PARTITIONS];
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, 64 << 20, 0), 0);
    for (int64_t i = 0; i <= MANY_FRAMES; i++) {
        for (int64_t p = 0; p < MANY_PARTITIONS; p++) {
            int len = snprintf(topics[p], sizeof(topics[p]), "seclog.raw.%06lld.fw1",
                               (long long)(990001 + p));
            ranges[p] = (struct frame_range){
                FRAME_RANGE_DATA, 1000 + 5 * i * p / 9, 1001 + 5 * (i + 1) * p / 9, {NULL, 0}};
            ranges[p].start += i;
            ranges[p].end += i;
            entries[p] = (struct frame_entry){
                slice_of(topics[p], (size_t)len), 0, ranges[p].start, ranges[p].end, &ranges[p], 1};
        }
        const struct frame_parts parts = {
            .tick_ns = i, .entries = entries, .entry_count = MANY_PARTITIONS};
        assert_int_equal(store_append(st, &parts), 0);
        if (i + 1 == MANY_FRAMES) {
            /* The last frame goes into the next file. */
            store_close(st);
            assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
        }
    }
    assert_int_equal(retire_said(&d, st, UINT64_MAX, &report), 0);
    assert_int_equal(report.frames, MANY_FRAMES);
    print_message("%llu frames of %d partitions: %llu bytes, now %llu, %.2f a frame\n",
                  (unsigned long long)report.frames, (int)MANY_PARTITIONS,
                  (unsigned long long)report.log_bytes, (unsigned long long)report.remains_bytes,
                  (double)report.remains_bytes / (double)report.frames);
    assert_true(report.remains_bytes < report.frames * BYTES_PER_FRAME_MAX);
    store_close(st);
    assert_whole(&d, 1);
    log_dir_remove(&d);
}

/* Remains of this version, kept in the repository: readable for ever. */
static void golden_remains(void **state)
{
    (void)state;
    struct log_dir d;
    struct history found;
    const char *golden = getenv("SEKISHO_GOLDEN");
    size_t alerts = 0;
    if (golden == NULL)
        skip();
    assert_in_range(snprintf(d.path, sizeof(d.path), "%s/log-v1-retired", golden), 1,
                    sizeof(d.path) - 1);
    assert_whole(&d, 1);
    history_of(&found, &d);
    assert_int_equal(found.frames, 16);
    for (size_t i = 1; i <= found.frames; i++)
        alerts += found.kept[i].len != 0 &&
                  memmem(found.kept[i].data, found.kept[i].len, "item", 4) != NULL;
    assert_int_equal(alerts, 8);
    history_release(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_go_and_nothing_else),
        cmocka_unit_test(ranges_are_joined),
        cmocka_unit_test(readers_of_rows_begin_at_the_first_file),
        cmocka_unit_test(every_place_is_found_again),
        cmocka_unit_test(every_flip_and_cut_is_found),
        cmocka_unit_test(missing_and_foreign_remains),
        cmocka_unit_test(remains_are_small),
        cmocka_unit_test(golden_remains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
