/* app/bench_segment_size.c - bytes and time of compaction, format by format, an hour of one source. */
#include <stdlib.h>

#include "app/bench.h"
#include "app/bench_desk.h"
#include "app/compact.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

static const char *const FORMATS[] = {"fortigate", "squid", "panos", "cisco_asa"};
static const uint64_t HOUR_ROWS[] = {10000, 60000};

/* Bytes of all files below a municipality's folder. */
static int folder_bytes(uint64_t *out, const char *folder)
{
    struct arena arena = {0};
    struct dir_names names = {0};
    char path[FILE_PATH_BYTES_MAX];
    uint64_t sum = 0;
    int status = dir_list(&names, &arena, folder);
    for (size_t i = 0; i < names.count && status == 0; i++) {
        struct file_info info;
        int len = snprintf(path, sizeof(path), "%s/%s", folder, names.names[i]);
        status = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : file_stat(&info, path);
        sum += status == 0 ? info.size_bytes : 0;
    }
    arena_release(&arena);
    *out = sum;
    return status;
}

/* The lines within one hour into a store, and the store compacted. */
static int fill_hour(struct bench_desk *desk, const struct bench_lines *lines)
{
    int64_t step_ns = SEGMENT_HOUR_NS / (int64_t)(lines->count + 1);
    int64_t start_ns = GEN_START_WORK_NS - GEN_START_WORK_NS % SEGMENT_HOUR_NS;
    int status = 0;
    for (size_t i = 0; i < lines->count && status == 0; i++) {
        uint32_t stream = lines->lines[i].stream;
        status = bench_desk_line_at(desk, stream, &lines->streams[stream],
                                    bench_line_text(lines, i), start_ns + (int64_t)i * step_ns);
    }
    return status == 0 ? bench_desk_finish(desk) : status;
}

struct hour_result {
    double bytes; /* an event */
    double cpu;
};

static int measure_hour(struct hour_result *out, const struct bench_lines *lines,
                        const struct bench_options *o)
{
    const struct bench_desk_options options = {.diag = o->diag};
    char folder[FILE_PATH_BYTES_MAX];
    struct bench_desk *desk = NULL;
    uint64_t bytes = 0;
    int64_t ns = 0;
    int status = bench_desk_open(&desk, &options);
    if (status == 0)
        status = fill_hour(desk, lines);
    if (status == 0) {
        const struct compact_options compact = {.dir = bench_desk_dir(desk),
                                                .store_id = bench_desk_store_id(desk),
                                                .through_seq = UINT64_MAX};
        struct compact_report done;
        int64_t before = clock_cpu_ns();
        status = compact_run(&compact, &done, o->diag);
        ns = clock_cpu_ns() - before;
    }
    if (status == 0)
        status = bench_desk_prove(desk, lines, "store.segment");
    if (status == 0)
        status =
            catalog_folder(folder, sizeof(folder), bench_desk_dir(desk), lines->streams[0].tenant);
    if (status == 0)
        status = folder_bytes(&bytes, folder);
    bench_desk_close(desk);
    out->bytes = (double)bytes / (double)lines->count;
    out->cpu = (double)ns / 1e3 / (double)lines->count;
    return status;
}

static int measure_format(struct bench_report *r, const struct bench_options *o, const char *format,
                          uint64_t rows)
{
    struct bench_lines lines;
    const struct bench_mix mix = {.formats = format, .tenants = 1, .events = rows};
    int status = bench_lines_generate(&lines, &mix, o);
    if (status != 0)
        return status;
    struct bench_row *size =
        bench_row_add(r, BENCH_UNIT_BYTES, "store.segment.%s.%uk", format, (unsigned)(rows / 1000));
    struct bench_row *cpu =
        bench_row_add(r, BENCH_UNIT_CPU, "store.compact.%s.%uk", format, (unsigned)(rows / 1000));
    if (size == NULL || cpu == NULL)
        status = ERR_RANGE;
    for (unsigned i = 0; i < o->repeat && status == 0; i++) {
        struct hour_result result = {0};
        status = measure_hour(&result, &lines, o);
        if (i == 0)
            bench_sample(size, result.bytes);
        bench_sample(cpu, result.cpu);
    }
    if (status == 0) {
        size->events = cpu->events = lines.count;
        size->line_bytes = cpu->line_bytes = bench_line_bytes(&lines);
    }
    bench_lines_release(&lines);
    return status;
}

int bench_segment_sizes(struct bench_report *r, const struct bench_options *o)
{
    int status = 0;
    for (size_t f = 0; f < sizeof(FORMATS) / sizeof(FORMATS[0]); f++) {
        for (size_t i = 0; i < sizeof(HOUR_ROWS) / sizeof(HOUR_ROWS[0]) && status == 0; i++)
            status = measure_format(r, o, FORMATS[f], HOUR_ROWS[i]);
    }
    return status;
}
