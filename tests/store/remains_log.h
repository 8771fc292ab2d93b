/*
 * tests/store/remains_log.h - stores with everything that remains must keep, and what a reader sees of it.
 *
 * Ownership: as tests/store/log_dir.h; history_of() fills a struct that history_release() empties.
 */
#pragma once

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

static inline void history_release(struct history *h)
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        buf_release(&h->kept[i]);
}

static inline void put_blobs(struct buf *out, char name, struct frame_items items)
{
    struct slice blob;
    while (frame_next_blob(&blob, &items)) {
        buf_byte(out, name);
        buf_put64(out, blob.len);
        buf_slice(out, blob);
    }
}

/* Alerts, controls and environment of a frame; nothing when it has none. */
static inline void put_kept(struct buf *out, const struct frame_view *frame)
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
static inline void history_read(struct history *h, struct log_reader *r)
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

static inline void history_of(struct history *h, const struct log_dir *d)
{
    struct log_reader *r = NULL;
    const struct log_reader_options opts = {.dir = d->path, .remains = true, .verify_hashes = true};
    *h = (struct history){0};
    assert_int_equal(log_reader_open(&r, &opts, NULL), 0);
    history_read(h, r);
    log_reader_close(r);
}

static inline void assert_same_history(const struct history *a, const struct history *b)
{
    assert_int_equal(a->frames, b->frames);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        assert_int_equal(a->kept[i].len, b->kept[i].len);
        assert_true(slice_equal(buf_content(&a->kept[i]), buf_content(&b->kept[i])));
    }
}

/* The log tells the same as before, but for rows. */
static inline void assert_history(const struct history *expected, const struct log_dir *d)
{
    struct history found;
    history_of(&found, d);
    assert_same_history(expected, &found);
    history_release(&found);
}

/* Frame i: two topics, all kinds of ranges, now and then alerts, controls, environment, and the rest. */
static inline void append(struct store *st, int64_t i)
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

static inline struct store *open_store(const struct log_dir *d)
{
    struct store *st = NULL;
    assert_int_equal(log_dir_open_with(&st, d, FILE_BYTES, 0), 0);
    return st;
}

static inline void fill(const struct log_dir *d, int64_t frames)
{
    struct store *st = open_store(d);
    for (int64_t i = 0; i < frames; i++)
        append(st, i);
    store_close(st);
}

static inline struct log_file_list files(struct arena *arena, const struct log_dir *d,
                                         const char *suffix)
{
    char path[FILE_PATH_BYTES_MAX];
    struct log_file_list list;
    assert_in_range(snprintf(path, sizeof(path), "%s/log", d->path), 1, sizeof(path) - 1);
    assert_int_equal(log_file_list_named(&list, arena, path, suffix), 0);
    return list;
}

static inline size_t count_files(const struct log_dir *d, const char *suffix)
{
    struct arena arena = {0};
    size_t count = files(&arena, d, suffix).count;
    arena_release(&arena);
    return count;
}

/* Number of the last frame of the n-th file, counted from 0. */
static inline uint64_t last_of(const struct log_dir *d, size_t n)
{
    struct arena arena = {0};
    struct log_file_list list = files(&arena, d, ".log");
    assert_true(n + 1 < list.count);
    uint64_t last = list.first_seqs[n + 1] - 1;
    arena_release(&arena);
    return last;
}

static inline const char *remains_file(char out[FILE_PATH_BYTES_MAX], const struct log_dir *d,
                                       uint64_t first_seq)
{
    char log[FILE_PATH_BYTES_MAX];
    assert_in_range(snprintf(log, sizeof(log), "%s/log", d->path), 1, sizeof(log) - 1);
    assert_int_equal(remains_path(out, FILE_PATH_BYTES_MAX, log, first_seq), 0);
    return out;
}

/* Bytes of log files and of remains that took the place of some. */
static inline uint64_t bytes_on_disk(const struct log_dir *d)
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

static inline int retire_said(const struct log_dir *d, struct store *st, uint64_t through,
                              struct retire_report *report)
{
    struct diag diag = {0};
    int err = store_retire(st, through, report, &diag);
    assert_true(err == 0 || err == ERR_AGAIN || diag.count != 0);
    assert_true(diag.count == 0 || strstr(diag_text(&diag), d->path) != NULL);
    diag_release(&diag);
    return err;
}

static inline int retire(const struct log_dir *d, uint64_t through, struct retire_report *report)
{
    struct store *st = open_store(d);
    int err = retire_said(d, st, through, report);
    assert_int_equal(store_log_bytes(st), bytes_on_disk(d));
    store_close(st);
    return err;
}

static inline void assert_whole(const struct log_dir *d, uint64_t remains)
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

static inline bool verify_finds(const struct log_dir *d)
{
    struct store_verify_report report;
    struct diag diag = {0};
    int err = log_dir_verify(&report, d, &diag);
    assert_true(err == 0 || (diag.count != 0 && strstr(diag_text(&diag), ".rem") != NULL));
    diag_release(&diag);
    return err == ERR_CORRUPT || err == ERR_FORMAT;
}
