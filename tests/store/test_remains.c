/* What is left of log files whose rows are elsewhere: nothing else is lost, and damage is found. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/log_dir.h"

enum {
    FRAMES = 48,
    FILE_BYTES = 4096,
    BATCH_BYTES = 300,
    KEPT_MAX = 256,
    ITEM_BYTES = 64,
};

/* What of a log must never be lost, as one run of bytes a frame. */
struct history {
    struct buf kept[KEPT_MAX]; /* by frame; empty: nothing is to be kept */
    uint64_t frames;
};

static void history_release(struct history *h)
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        buf_release(&h->kept[i]);
}

static void put_blobs(struct buf *out, char name, struct frame_items items)
{
    struct slice blob;
    while (frame_next_blob(&blob, &items)) {
        buf_byte(out, name);
        buf_put64(out, blob.len);
        buf_slice(out, blob);
    }
}

/* Alerts, controls and environment of a frame; nothing when it has none. */
static void put_kept(struct buf *out, const struct frame_view *frame)
{
    struct frame_items envs = frame->envs;
    struct frame_env env;
    if (frame->alerts.left == 0 && frame->controls.left == 0 && envs.left == 0)
        return;
    buf_put64(out, (uint64_t)frame->tick_ns);
    buf_put32(out, frame->flags);
    buf_append(out, frame->hash.bytes, SHA256_BYTES);
    buf_append(out, frame->link.prev_hash.bytes, SHA256_BYTES);
    buf_put64(out, frame->link.epoch);
    while (frame_next_env(&env, &envs)) {
        buf_slice(out, env.name);
        buf_append(out, env.sha256.bytes, SHA256_BYTES);
        buf_put64(out, env.bytes);
    }
    put_blobs(out, 'a', frame->alerts);
    put_blobs(out, 'c', frame->controls);
}

/* Read with remains from a reader to the end of the log into the history, which it must not repeat. */
static void history_read(struct history *h, struct log_reader *r)
{
    struct frame_view frame;
    int err = 0;
    while ((err = ledger_read(&frame, r, NULL)) == 0) {
        assert_in_range(frame.link.seq, 1, KEPT_MAX - 1);
        assert_true(frame.link.seq > h->frames);
        assert_int_equal(log_reader_position(r).next_seq, frame.link.seq + 1);
        put_kept(&h->kept[frame.link.seq], &frame);
        assert_true(!frame.remains || h->kept[frame.link.seq].len != 0);
        assert_true(!frame.remains || (frame.batches.left == 0 && frame.entries.left == 0));
        h->frames = frame.link.seq;
    }
    assert_int_equal(err, ERR_AGAIN);
}

static void history_of(struct history *h, const struct log_dir *d)
{
    struct log_reader *r = NULL;
    const struct log_reader_options opts = {.dir = d->path, .remains = true, .verify_hashes = true};
    *h = (struct history){0};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    history_read(h, r);
    log_reader_close(r);
}

static void assert_same_history(const struct history *a, const struct history *b)
{
    assert_int_equal(a->frames, b->frames);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        assert_int_equal(a->kept[i].len, b->kept[i].len);
        assert_true(slice_equal(buf_content(&a->kept[i]), buf_content(&b->kept[i])));
    }
}

/* The log tells the same as before, but for rows. */
static void assert_history(const struct history *expected, const struct log_dir *d)
{
    struct history found;
    history_of(&found, d);
    assert_same_history(expected, &found);
    history_release(&found);
}

/* Frame i: two topics, all kinds of ranges, now and then alerts, controls, environment, and the rest. */
static void append(struct store *st, int64_t i)
{
    char batch[BATCH_BYTES];
    char texts[3][ITEM_BYTES];
    struct slice items[3];
    struct frame_env env;
    const int64_t start = 10 * i;
    const enum frame_range_kind kind = (enum frame_range_kind)(i % FRAME_RANGE_KIND_COUNT);
    for (size_t at = 0; at < sizeof(batch); at++)
        batch[at] = (char)(uint8_t)((size_t)i * 7 + at * 3);
    for (int n = 0; n < 3; n++) {
        int len = snprintf(texts[n], ITEM_BYTES, "{\"item\":%d,\"of\":%lld}", n, (long long)i);
        items[n] = slice_of(texts[n], (size_t)len);
    }
    const struct frame_range ranges[] = {
        {FRAME_RANGE_DATA, start, start + 9, {NULL, 0}},
        {kind, start + 9, start + 10, slice_from(kind == FRAME_RANGE_DATA ? "" : texts[0])},
    };
    const struct frame_range row = {FRAME_RANGE_DATA, i / 3, i / 3 + 1, {NULL, 0}};
    const struct frame_entry entries[] = {
        {SLICE("seclog.raw.990002.proxy"), (int32_t)(i % 3), row.start, row.end, &row, 1},
        {SLICE("seclog.raw.990001.fw1"), 0, start, start + 10, ranges, 2},
    };
    const struct frame_watermark mark = {990001, 1000 * i};
    const struct slice batches[] = {slice_of(batch, sizeof(batch))};
    const struct frame_parts parts = {
        .tick_ns = 1000 * i,
        .flags = i % 5 == 2 ? FRAME_FLAG_TICK_GAP : 0,
        .entries = entries,
        .entry_count = COUNT(entries),
        .envs = &env,
        .env_count = i % 9 == 0,
        .watermarks = &mark,
        .watermark_count = 1,
        .batches = batches,
        .batch_count = 1,
        .alerts = {items, i % 4 == 1 ? 3 : 0},
        .order = {items, 1},
        .controls = {items, i % 5 == 2 ? 2 : 0},
        .snapshots = {items, 2},
        .signals = {items, 1},
    };
    if (parts.env_count != 0)
        assert_int_equal(store_env_put(st, &env, SLICE("rules"), slice_of(batch, 20 + (size_t)i)),
                         0);
    assert_int_equal(store_append(st, &parts), 0);
}

static struct store *open_store(const struct log_dir *d)
{
    struct store *st = NULL;
    assert_int_equal(log_dir_open_with(&st, d, FILE_BYTES, 0), 0);
    return st;
}

static void fill(const struct log_dir *d, int64_t frames)
{
    struct store *st = open_store(d);
    for (int64_t i = 0; i < frames; i++)
        append(st, i);
    store_close(st);
}

static struct log_file_list files(struct arena *arena, const struct log_dir *d, const char *suffix)
{
    char path[FILE_PATH_BYTES_MAX];
    struct log_file_list list;
    assert_in_range(snprintf(path, sizeof(path), "%s/log", d->path), 1, sizeof(path) - 1);
    assert_int_equal(log_file_list_named(&list, arena, path, suffix), 0);
    return list;
}

static size_t count_files(const struct log_dir *d, const char *suffix)
{
    struct arena arena = {0};
    size_t count = files(&arena, d, suffix).count;
    arena_release(&arena);
    return count;
}

/* Number of the last frame of the n-th file, counted from 0. */
static uint64_t last_of(const struct log_dir *d, size_t n)
{
    struct arena arena = {0};
    struct log_file_list list = files(&arena, d, ".log");
    assert_true(n + 1 < list.count);
    uint64_t last = list.first_seqs[n + 1] - 1;
    arena_release(&arena);
    return last;
}

static const char *remains_file(char out[FILE_PATH_BYTES_MAX], const struct log_dir *d,
                                uint64_t first_seq)
{
    char log[FILE_PATH_BYTES_MAX];
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d->path), 1, sizeof(log) - 1);
    assert_int_equal(remains_path(out, FILE_PATH_BYTES_MAX, log, first_seq), 0);
    return out;
}

/* Bytes of log files and of remains that took the place of some. */
static uint64_t bytes_on_disk(const struct log_dir *d)
{
    struct arena arena = {0};
    struct log_file_list logs = files(&arena, d, ".log");
    struct log_file_list remains = files(&arena, d, ".rem");
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    uint64_t bytes = 0;
    for (size_t i = 0; i < logs.count; i++) {
        assert_int_equal(file_stat(&info, log_dir_file(path, d, logs.first_seqs[i])), 0);
        bytes += info.size_bytes;
    }
    for (size_t i = 0; i < remains.count; i++) {
        if (remains.first_seqs[i] >= logs.first_seqs[0])
            continue;
        assert_int_equal(file_stat(&info, remains_file(path, d, remains.first_seqs[i])), 0);
        bytes += info.size_bytes;
    }
    arena_release(&arena);
    return bytes;
}

static int retire_said(const struct log_dir *d, struct store *st, uint64_t through,
                       struct retire_report *report)
{
    struct diag diag = {0};
    int err = store_retire(st, through, report, &diag);
    assert_true(err == 0 || err == ERR_AGAIN || diag.count != 0);
    assert_true(diag.count == 0 || strstr(diag_text(&diag), d->path) != NULL);
    diag_release(&diag);
    return err;
}

static int retire(const struct log_dir *d, uint64_t through, struct retire_report *report)
{
    struct store *st = open_store(d);
    int err = retire_said(d, st, through, report);
    assert_int_equal(store_log_bytes(st), bytes_on_disk(d));
    store_close(st);
    return err;
}

static void assert_whole(const struct log_dir *d, uint64_t remains)
{
    struct store_verify_report report;
    struct diag diag = {0};
    int err = log_dir_verify(&report, d, &diag);
    if (err != 0)
        print_message("%s\n", diag_text(&diag));
    assert_int_equal(err, 0);
    assert_int_equal(report.remains, remains);
    diag_release(&diag);
}

static bool verify_finds(const struct log_dir *d)
{
    struct store_verify_report report;
    struct diag diag = {0};
    int err = log_dir_verify(&report, d, &diag);
    assert_true(err == 0 || (diag.count != 0 && strstr(diag_text(&diag), ".rem") != NULL));
    diag_release(&diag);
    return err == ERR_CORRUPT || err == ERR_FORMAT;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_go_and_nothing_else),
        cmocka_unit_test(ranges_are_joined),
        cmocka_unit_test(readers_of_rows_begin_at_the_first_file),
        cmocka_unit_test(every_place_is_found_again),
        cmocka_unit_test(a_reader_keeps_its_files),
        cmocka_unit_test(followers_of_alerts_miss_nothing),
        cmocka_unit_test(every_flip_and_cut_is_found),
        cmocka_unit_test(missing_and_foreign_remains),
        cmocka_unit_test(damage_is_not_retired),
        cmocka_unit_test(killed_at_every_step),
        cmocka_unit_test(faults_at_every_call),
        cmocka_unit_test(remains_beside_their_file),
        cmocka_unit_test(a_copy_can_be_read),
        cmocka_unit_test(remains_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
