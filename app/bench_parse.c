/* app/bench_parse.c - lines to columns in memory: parse, time and build, without enrichment. */
#include <stdlib.h>

#include "app/bench.h"
#include "base/clock.h"
#include "base/err.h"

/* One pass over the lines; with a proof every row is rendered and compared. */
struct pass {
    const struct bench_lines *lines;
    struct feed_bench *bench;
    struct feed **feeds;
    int64_t *offsets;
    struct bench_proof *proof; /* NULL: measure */
    uint64_t rows;
};

static int batch_closed(void *self, struct batch *b)
{
    struct pass *p = self;
    p->rows += b->row_count;
    return p->proof == NULL ? 0 : bench_prove_batch(p->proof, b);
}

static int feeds_open(struct pass *p)
{
    for (size_t i = 0; i < p->lines->stream_count; i++) {
        struct feed_options options = bench_feed(&p->lines->streams[i]);
        options.closed = batch_closed;
        options.self = p;
        p->offsets[i] = 0;
        int status = feed_open(&p->feeds[i], p->bench, &options);
        if (status != 0)
            return status;
    }
    return 0;
}

static void feeds_free(struct pass *p)
{
    for (size_t i = 0; i < p->lines->stream_count; i++) {
        feed_free(p->feeds[i]);
        p->feeds[i] = NULL;
    }
}

static int run_pass(struct pass *p)
{
    const struct bench_lines *l = p->lines;
    int status = feeds_open(p);
    for (size_t i = 0; i < l->count && status == 0; i++) {
        uint32_t stream = l->lines[i].stream;
        struct record record =
            bench_record(bench_line_text(l, i), p->offsets[stream]++, GEN_START_WORK_NS);
        struct feed_result result;
        status = feed_record(p->feeds[stream], &record, &result);
    }
    for (size_t i = 0; i < l->stream_count && status == 0; i++)
        status = feed_close(p->feeds[i]);
    feeds_free(p);
    return status;
}

/* What goes in: every line with its place in its stream. */
static void prove_lines(struct pass *p, struct bench_proof *in)
{
    for (size_t i = 0; i < p->lines->count; i++) {
        const struct bench_line *line = &p->lines->lines[i];
        bench_prove_line(in, p->lines->streams[line->stream].tenant, p->offsets[line->stream]++,
                         bench_line_text(p->lines, i));
    }
}

static int check(struct pass *p, const struct bench_options *o, const char *name,
                 uint64_t *unparsed)
{
    struct bench_proof in = {0};
    struct bench_proof out = {0};
    prove_lines(p, &in);
    p->proof = &out;
    int status = run_pass(p);
    p->proof = NULL;
    buf_release(&out.text);
    if (status == 0)
        status = bench_prove_equal(&in, &out, name, o->diag);
    *unparsed = out.unparsed;
    /* Generated lines are whole; in a file the share that is not is part of the answer. */
    if (status == 0 && out.unparsed != 0 && o->lines == NULL && o->golden == NULL) {
        diag_add(o->diag, name, 0, 0, "%llu of %llu lines were not parsed: no speed is shown",
                 (unsigned long long)out.unparsed, (unsigned long long)out.rows);
        return ERR_CORRUPT;
    }
    return status;
}

static int measure(struct bench_report *r, const struct bench_options *o,
                   const struct bench_lines *lines, const char *name)
{
    static const struct feed_environment ENVIRONMENT = {0};
    struct pass p = {.lines = lines};
    p.feeds = calloc(lines->stream_count, sizeof(struct feed *));
    p.offsets = calloc(lines->stream_count, sizeof(*p.offsets));
    uint64_t unparsed = 0;
    int status = p.feeds == NULL || p.offsets == NULL ? ERR_NOMEM : 0;
    if (status == 0)
        status = feed_bench_new(&p.bench, &ENVIRONMENT);
    if (status == 0)
        status = check(&p, o, name, &unparsed);
    struct bench_row *row = status == 0 ? bench_row_add(r, BENCH_UNIT_CPU, "parse.%s", name) : NULL;
    if (row != NULL && unparsed != 0)
        (void)snprintf(row->note, sizeof(row->note), "%.1f %% kept without being parsed",
                       100.0 * (double)unparsed / (double)lines->count);
    for (unsigned i = 0; i < o->repeat && row != NULL && status == 0; i++) {
        p.rows = 0;
        int64_t before = clock_cpu_ns();
        status = run_pass(&p);
        int64_t cpu = clock_cpu_ns() - before;
        if (status == 0 && p.rows != lines->count)
            status = ERR_CORRUPT;
        bench_sample(row, (double)cpu / 1e3 / (double)lines->count);
        row->events = lines->count;
        row->line_bytes = bench_line_bytes(lines);
    }
    feed_bench_free(p.bench);
    free(p.feeds);
    free(p.offsets);
    return status;
}

int bench_parse(struct bench_report *r, const struct bench_options *o)
{
    struct bench_lines lines;
    if (o->golden != NULL)
        return bench_golden_each(r, o, o->events == 0 ? BENCH_HELD_LINES : o->events, measure);
    if (o->lines != NULL) {
        int status = bench_lines_read(&lines, o);
        if (status == 0)
            status = measure(r, o, &lines, o->format);
        bench_lines_release(&lines);
        return status;
    }
    int status = 0;
    for (int f = 0; f < GEN_FORMATS && status == 0; f++) {
        const char *name = gen_format_name((enum gen_format)f);
        struct bench_mix mix = {
            .formats = name, .tenants = 1, .events = o->events == 0 ? BENCH_HELD_LINES : o->events};
        status = bench_lines_generate(&lines, &mix, o);
        if (status == 0)
            status = measure(r, o, &lines, name);
        bench_lines_release(&lines);
    }
    return status;
}
