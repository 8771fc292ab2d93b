/*
 * Write a golden log of this version: make_golden DIR [retired]. What it writes depends on nothing else,
 * but for what zstd makes of it. `retired` adds alerts and controls, and retires all files that it can.
 */
#include <stdio.h>

#include "store/store.h"

enum {
    FRAMES = 16,
    BATCH_BYTES = 512,
    FILE_BYTES_MAX = 8192,
};

static const uint8_t GOLDEN_ID[STORE_ID_BYTES] = {'s', 'e', 'k', 'i', 's', 'h', 'o', ' ',
                                                  'g', 'o', 'l', 'd', 'e', 'n', ' ', '1'};

static int append(struct store *st, int64_t i, bool retired)
{
    const struct slice items[] = {SLICE("{\"item\":\"one\"}"), SLICE("{\"item\":\"two\"}")};
    char bytes[BATCH_BYTES];
    struct frame_env env;
    const int64_t start = 10 * i;
    const enum frame_range_kind kind = (enum frame_range_kind)(i % FRAME_RANGE_KIND_COUNT);
    const struct slice reason =
        kind == FRAME_RANGE_DATA ? slice_of(NULL, 0) : slice_from(frame_range_kind_name(kind));
    for (size_t at = 0; at < sizeof(bytes); at++)
        bytes[at] = (char)(uint8_t)((size_t)i * 7 + at);
    const struct frame_range ranges[] = {
        {FRAME_RANGE_DATA, start, start + 9, {NULL, 0}},
        {kind, start + 9, start + 10, reason},
    };
    const struct frame_entry entries[] = {
        {SLICE("seclog.raw.990001.fw1"), 0, start, start + 10, ranges, 2},
        {SLICE("seclog.raw.990002.proxy"), (int32_t)(i % 3), start, start + 9, ranges, 1},
    };
    const struct frame_watermark mark = {990001, 1000000000 * i};
    const struct slice batches[] = {slice_of(bytes, sizeof(bytes)), slice_of(bytes, (size_t)i)};
    const struct frame_parts parts = {
        .tick_ns = 1000000000 * i,
        .flags = i == 5 ? FRAME_FLAG_TICK_GAP : 0,
        .entries = entries,
        .entry_count = i < 3 ? 2 : 1,
        .envs = &env,
        .env_count = i % 4 == 0 ? 1 : 0,
        .watermarks = &mark,
        .watermark_count = i == 7 ? 1 : 0,
        .batches = batches,
        .batch_count = i % 5 == 4 ? 0 : 2,
        .alerts = {items, retired && i % 3 == 1 ? 2 : 0},
        .controls = {items, retired && i % 4 == 2 ? 1 : 0},
    };
    if (parts.env_count != 0) {
        int err = store_env_put(st, &env, SLICE("rules"), slice_of(bytes, 40 + (size_t)i));
        if (err != 0)
            return err;
    }
    return store_append(st, &parts);
}

int main(int argc, char **argv)
{
    struct store *st = NULL;
    struct diag diag = {0};
    struct retire_report report;
    bool retired = argc == 3 && strcmp(argv[2], "retired") == 0;
    if (argc != 2 && !retired)
        return 2;
    const struct store_options opts = {
        .dir = argv[1], .log_file_bytes_max = FILE_BYTES_MAX, .store_id = GOLDEN_ID};
    int err = store_open(&st, &opts, &diag);
    for (int64_t i = 0; i < FRAMES && err == 0; i++)
        err = append(st, i, retired);
    if (err == 0 && retired)
        err = store_retire(st, UINT64_MAX, &report, &diag);
    (void)fputs(diag_text(&diag), stderr);
    store_close(st);
    diag_release(&diag);
    return err == 0 ? 0 : 1;
}
