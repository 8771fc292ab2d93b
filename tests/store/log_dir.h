/*
 * tests/store/log_dir.h - stores in temporary folders, small and always the same.
 *
 * Ownership: log_dir_make() gives a folder that log_dir_remove() takes back.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/file.h"
#include "store/store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t TEST_STORE_ID[STORE_ID_BYTES] = {'s', 'e', 'k', 'i', 's', 'h', 'o', ' ',
                                                      't', 'e', 's', 't', ' ', '1', 0,   0xff};

struct log_dir {
    char path[256];
};

static inline void log_dir_make(struct log_dir *d)
{
    char prefix[128];
    struct file_info memory;
    const char *temp = getenv("TMPDIR");
    /* Thousands of small synced writes: in memory where that can be had. */
    if (temp == NULL)
        temp = file_stat(&memory, "/dev/shm") == 0 ? "/dev/shm" : P_tmpdir;
    int len = snprintf(prefix, sizeof(prefix), "%s/store.", temp);
    assert_in_range(len, 1, sizeof(prefix) - 1);
    assert_int_equal(dir_create_temp(d->path, sizeof(d->path), prefix), 0);
}

static inline void log_dir_remove(struct log_dir *d)
{
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(dir_remove_tree(d->path), 0);
}

/* The path of a log file by the number of its first frame. */
static inline const char *log_dir_file(char out[FILE_PATH_BYTES_MAX], const struct log_dir *d,
                                       uint64_t first_seq)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/log/%016llx.log", d->path,
                       (unsigned long long)first_seq);
    assert_in_range(len, 1, FILE_PATH_BYTES_MAX - 1);
    return out;
}

static inline int log_dir_open_with(struct store **out, const struct log_dir *d,
                                    uint64_t file_bytes_max, uint64_t bytes_max)
{
    struct diag diag = {0};
    const struct store_options opts = {
        .dir = d->path,
        .log_file_bytes_max = file_bytes_max,
        .log_bytes_max = bytes_max,
        .store_id = TEST_STORE_ID,
    };
    int err = store_open(out, &opts, &diag);
    /* Each refusal says why. */
    assert_true(err == 0 || diag.count != 0);
    diag_release(&diag);
    return err;
}

static inline int log_dir_open(struct store **out, const struct log_dir *d)
{
    return log_dir_open_with(out, d, 0, 0);
}

/*
 * Append one small frame: offsets start..start+count-1 of partition 0 of the topic, a lost range at
 * its end when count > 2, two batches of `batch_bytes` bytes that depend on the start.
 */
static inline int log_dir_append(struct store *st, int64_t start, int64_t count, size_t batch_bytes)
{
    char text[2][4096];
    assert_true(batch_bytes <= sizeof(text[0]));
    for (size_t i = 0; i < batch_bytes; i++) {
        text[0][i] = (char)(uint8_t)((size_t)start * 31 + i);
        text[1][i] = (char)(uint8_t)((size_t)start * 17 + i * 3);
    }
    const struct slice batches[] = {slice_of(text[0], batch_bytes), slice_of(text[1], batch_bytes)};
    const struct frame_range ranges[] = {
        {FRAME_RANGE_DATA, start, start + count - (count > 2), {NULL, 0}},
        {FRAME_RANGE_LOST, start + count - 1, start + count, SLICE("retention of the broker")},
    };
    const struct frame_entry entries[] = {
        {SLICE("seclog.raw.990001.fw1"), 0, start, start + count, ranges, count > 2 ? 2 : 1},
    };
    const struct frame_parts parts = {
        .tick_ns = 1000 * start,
        .entries = entries,
        .entry_count = COUNT(entries),
        .batches = batches,
        .batch_count = COUNT(batches),
    };
    return store_append(st, &parts);
}

/* A store of `frames` frames of three offsets each, rolling at file_bytes_max, closed again. */
static inline void log_dir_fill(const struct log_dir *d, int frames, size_t batch_bytes,
                                uint64_t file_bytes_max)
{
    struct store *st = NULL;
    assert_int_equal(log_dir_open_with(&st, d, file_bytes_max, 0), 0);
    for (int64_t i = 0; i < frames; i++)
        assert_int_equal(log_dir_append(st, 3 * i, 3, batch_bytes), 0);
    store_close(st);
}

/* The end of partition 0 as a fresh store sees it; -1: none. */
static inline int64_t log_dir_end(const struct store *st)
{
    int64_t end = -1;
    int err = store_end_offset(st, SLICE("seclog.raw.990001.fw1"), 0, &end);
    assert_true(err == 0 || err == ERR_NOTFOUND);
    return end;
}

static inline int log_dir_verify(struct store_verify_report *report, const struct log_dir *d,
                                 struct diag *diag)
{
    const struct store_verify_options opts = {.dir = d->path};
    return store_verify(report, &opts, diag);
}

static inline struct buf log_dir_read(const char *path)
{
    struct buf content = {0};
    assert_int_equal(file_read_all(&content, path, 1 << 24), 0);
    return content;
}

/* Make the file hold these bytes, whatever it held. */
static inline void log_dir_write(const char *path, struct slice content)
{
    struct file *f = NULL;
    assert_int_equal(file_open(&f, path, FILE_APPEND), 0);
    assert_int_equal(file_truncate(f, 0), 0);
    assert_int_equal(file_append(f, content.data, content.len), 0);
    file_close(f);
}
