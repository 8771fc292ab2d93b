/* app/bench_store.c - columns to bytes and back, and log frames as a collector writes them. */
#include <stdlib.h>

#include "app/bench.h"
#include "app/bench_desk.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    BLOCK_BYTES = 128 * 1024, /* of the general compressor's figure */
    FRAME_TENANTS = 42,
    FRAME_EVENTS = 7600, /* a second */
    FRAME_SECONDS = 27,
};

static const uint32_t BATCH_ROWS[] = {64, 256, BATCH_LIVE_ROWS_MAX};

/* Lines on their way through builder, codec and back. */
struct codec_pass {
    struct codec *codec;
    struct pack pack;
    struct buf blob;
    struct batch *decoded;
    struct bench_proof *proof; /* NULL: measure */
    bool alone;                /* a pack for each batch */
    int64_t encode_ns;
    int64_t decode_ns;
    uint64_t bytes;
};

static int decode_blob(struct codec_pass *p)
{
    int64_t before = clock_cpu_ns();
    struct pack_view view;
    struct batch_head head;
    int status = pack_open(&view, buf_content(&p->blob));
    while (status == 0) {
        status = pack_next(&view, &head);
        if (status != 0)
            break;
        batch_reset(p->decoded);
        status = codec_texts(p->codec, &head, p->decoded);
        if (status == 0)
            status = codec_rows(p->codec, &head, p->decoded, NULL);
        if (status == 0 && p->proof != NULL)
            status = bench_prove_batch(p->proof, p->decoded);
    }
    p->decode_ns += clock_cpu_ns() - before;
    return status == ERR_NOTFOUND ? 0 : status;
}

static int seal(struct codec_pass *p)
{
    if (p->pack.count == 0)
        return 0;
    int64_t before = clock_cpu_ns();
    buf_reset(&p->blob);
    int status = pack_seal(p->codec, &p->pack, &p->blob);
    p->encode_ns += clock_cpu_ns() - before;
    p->bytes += p->blob.len;
    return status == 0 ? decode_blob(p) : status;
}

static int batch_closed(void *self, struct batch *b)
{
    struct codec_pass *p = self;
    int64_t before = clock_cpu_ns();
    int status = pack_add(p->codec, &p->pack, b);
    p->encode_ns += clock_cpu_ns() - before;
    if (status != 0)
        return status;
    return p->alone || pack_bytes(&p->pack) >= CODEC_PACK_BYTES ? seal(p) : 0;
}

/* All lines as one source, which they are but for a second firewall. */
static int run_pass(struct codec_pass *p, const struct bench_lines *lines, uint32_t rows)
{
    static const struct feed_environment ENVIRONMENT = {0};
    struct feed_bench *bench = NULL;
    struct feed *feed = NULL;
    struct feed_options options = bench_feed(&lines->streams[0]);
    options.rows_max = rows;
    options.closed = batch_closed;
    options.self = p;
    p->encode_ns = 0;
    p->decode_ns = 0;
    p->bytes = 0;
    int status = feed_bench_new(&bench, &ENVIRONMENT);
    if (status == 0)
        status = feed_open(&feed, bench, &options);
    for (size_t i = 0; i < lines->count && status == 0; i++) {
        int64_t arrival_ns = GEN_START_WORK_NS + (int64_t)i * CLOCK_NS_PER_SECOND / FRAME_EVENTS;
        struct record record =
            bench_record(bench_line_text(lines, i), (int64_t)i, arrival_ns - arrival_ns % 1000000);
        struct feed_result result;
        status = feed_record(feed, &record, &result);
    }
    if (status == 0)
        status = feed_close(feed);
    if (status == 0)
        status = seal(p);
    feed_free(feed);
    feed_bench_free(bench);
    return status;
}

static int check(struct codec_pass *p, const struct bench_lines *lines, uint32_t rows,
                 const struct bench_options *o)
{
    struct bench_proof in = {0};
    struct bench_proof out = {0};
    for (size_t i = 0; i < lines->count; i++)
        bench_prove_line(&in, lines->streams[0].tenant, (int64_t)i, bench_line_text(lines, i));
    p->proof = &out;
    int status = run_pass(p, lines, rows);
    p->proof = NULL;
    buf_release(&out.text);
    return status == 0 ? bench_prove_equal(&in, &out, "store", o->diag) : status;
}

static void add_sample(struct bench_row *row, double value, const struct bench_lines *lines)
{
    if (row == NULL)
        return;
    bench_sample(row, value);
    row->events = lines->count;
    row->line_bytes = bench_line_bytes(lines);
}

/* The rows of one batch size. */
static int measure_size(struct bench_report *r, const struct bench_options *o, struct codec_pass *p,
                        const struct bench_lines *lines, uint32_t rows)
{
    const char *form = p->alone ? "alone" : "packed";
    int status = check(p, lines, rows, o);
    if (status != 0)
        return status;
    struct bench_row *size = bench_row_add(r, BENCH_UNIT_BYTES, "store.size.%s.%u", form, rows);
    struct bench_row *encode = bench_row_add(r, BENCH_UNIT_CPU, "store.encode.%s.%u", form, rows);
    struct bench_row *decode = bench_row_add(r, BENCH_UNIT_CPU, "store.decode.%s.%u", form, rows);
    double events = (double)lines->count;
    for (unsigned i = 0; i < o->repeat && status == 0; i++) {
        status = run_pass(p, lines, rows);
        if (i == 0)
            add_sample(size, (double)p->bytes / events, lines);
        add_sample(encode, (double)p->encode_ns / 1e3 / events, lines);
        add_sample(decode, (double)p->decode_ns / 1e3 / events, lines);
    }
    return status;
}

static int measure_codec(struct bench_report *r, const struct bench_options *o,
                         const struct bench_lines *lines)
{
    struct codec_pass p = {.codec = codec_new(1), .decoded = batch_new()};
    int status = p.codec == NULL || p.decoded == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < sizeof(BATCH_ROWS) / sizeof(BATCH_ROWS[0]) && status == 0; i++) {
        p.alone = true;
        status = measure_size(r, o, &p, lines, BATCH_ROWS[i]);
        p.alone = false;
        if (status == 0)
            status = measure_size(r, o, &p, lines, BATCH_ROWS[i]);
    }
    pack_release(&p.pack);
    buf_release(&p.blob);
    batch_free(p.decoded);
    codec_free(p.codec);
    return status;
}

/* The tree over the lines: leaves, nodes, and the root, as compaction computes them. */
static int tree_once(struct sha256 *root, struct hasher *h, const struct bench_lines *lines)
{
    struct tree tree = {0};
    struct buf nodes = {0};
    int status = 0;
    for (size_t i = 0; i < lines->count && status == 0; i++) {
        struct tree_row row = {.topic = SLICE("seclog.raw.990001.fw1"),
                               .offset = (int64_t)i,
                               .raw = bench_line_text(lines, i)};
        status = tree_append_row(h, &tree, &row, &nodes);
    }
    buf_release(&nodes);
    return status == 0 ? tree_root(h, root, &tree) : status;
}

static int measure_tree(struct bench_report *r, const struct bench_options *o,
                        const struct bench_lines *lines)
{
    struct bench_row *cpu = bench_row_add(r, BENCH_UNIT_CPU, "store.tree");
    struct hasher *h = NULL;
    struct sha256 first = {0};
    int status = hasher_new(&h);
    for (unsigned i = 0; i < o->repeat && status == 0; i++) {
        struct sha256 root = {0};
        int64_t before = clock_cpu_ns();
        status = tree_once(&root, h, lines);
        add_sample(cpu, (double)(clock_cpu_ns() - before) / 1e3 / (double)lines->count, lines);
        if (i == 0)
            first = root;
        else if (status == 0 && !sha256_equal(&root, &first))
            status = ERR_CORRUPT;
    }
    hasher_free(h);
    return status;
}

/* What a general compressor makes of the same lines. */
static void measure_zstd(struct bench_report *r, const struct bench_lines *lines, const char *what)
{
    struct slice text = buf_content(&lines->text);
    double events = (double)lines->count;
    add_sample(bench_row_add(r, BENCH_UNIT_BYTES, "%s.zstd_3", what),
               (double)bench_zstd(text, 3, 0) / events, lines);
    add_sample(bench_row_add(r, BENCH_UNIT_BYTES, "%s.zstd_3_blocks_128k", what),
               (double)bench_zstd(text, 3, BLOCK_BYTES) / events, lines);
}

/* How long batches and frames stay open; 0 = as the default configuration says. */
struct frame_ages {
    const char *name;
    int64_t batch_ns;
    int64_t frame_ns;
};

static const struct frame_ages FRAME_AGES[] = {
    {"store.frames.42x2", 0, 0},
    {"store.frames.42x2.batch_1s", CLOCK_NS_PER_SECOND, 0},
    {"store.frames.42x2.frame_250ms", 0, CLOCK_NS_PER_SECOND / 4},
};

static int frames_once(struct bench_row *size, struct bench_row *cpu, const struct bench_options *o,
                       const struct bench_lines *lines, const struct frame_ages *ages)
{
    struct bench_desk *desk = NULL;
    struct bench_desk_options options = {.events_per_second = FRAME_EVENTS,
                                         .batch_age_ns = ages->batch_ns,
                                         .frame_age_ns = ages->frame_ns,
                                         .diag = o->diag};
    int64_t before = clock_cpu_ns();
    int status = bench_desk_open(&desk, &options);
    for (size_t i = 0; i < lines->count && status == 0; i++) {
        uint32_t stream = lines->lines[i].stream;
        status = bench_desk_line(desk, stream, &lines->streams[stream], bench_line_text(lines, i));
    }
    if (status == 0)
        status = bench_desk_finish(desk);
    add_sample(cpu, (double)(clock_cpu_ns() - before) / 1e3 / (double)lines->count, lines);
    if (status == 0 && size->sample_count == 0)
        add_sample(size, (double)bench_desk_log_bytes(desk) / (double)lines->count, lines);
    if (status == 0)
        status = bench_desk_prove(desk, lines, "store.frames");
    bench_desk_close(desk);
    return status;
}

static int measure_ages(struct bench_report *r, const struct bench_options *o,
                        const struct bench_lines *lines, const struct frame_ages *ages)
{
    struct bench_row *size = bench_row_add(r, BENCH_UNIT_BYTES, "%s", ages->name);
    struct bench_row *cpu = bench_row_add(r, BENCH_UNIT_CPU, "%s.cpu", ages->name);
    int status = size == NULL || cpu == NULL ? ERR_RANGE : 0;
    for (unsigned i = 0; i < o->repeat && status == 0; i++)
        status = frames_once(size, cpu, o, lines, ages);
    return status;
}

/* Log frames of many small sources, by a scripted clock. */
static int measure_frames(struct bench_report *r, const struct bench_options *o)
{
    struct bench_lines lines;
    struct bench_mix mix = {.formats = "fortigate",
                            .tenants = FRAME_TENANTS,
                            .events = o->events == 0 ? (uint64_t)FRAME_EVENTS * FRAME_SECONDS
                                                     : o->events};
    int status = bench_lines_generate(&lines, &mix, o);
    if (status == 0)
        status = bench_lines_two_sources(&lines);
    for (size_t i = 0; i < sizeof(FRAME_AGES) / sizeof(FRAME_AGES[0]) && status == 0; i++)
        status = measure_ages(r, o, &lines, &FRAME_AGES[i]);
    if (status == 0)
        measure_zstd(r, &lines, "store.frames.42x2");
    bench_lines_release(&lines);
    return status;
}

int bench_store(struct bench_report *r, const struct bench_options *o)
{
    struct bench_lines lines;
    struct bench_mix mix = {.formats = "fortigate",
                            .tenants = 1,
                            .events = o->events == 0 ? BENCH_HELD_LINES : o->events};
    int status =
        o->lines != NULL ? bench_lines_read(&lines, o) : bench_lines_generate(&lines, &mix, o);
    if (status == 0)
        status = measure_codec(r, o, &lines);
    if (status == 0)
        status = measure_tree(r, o, &lines);
    if (status == 0)
        measure_zstd(r, &lines, "store");
    bench_lines_release(&lines);
    if (status != 0 || o->lines != NULL)
        return status;
    status = measure_frames(r, o);
    return status == 0 ? bench_segment_sizes(r, o) : status;
}
