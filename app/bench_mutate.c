/*
 * app/bench_mutate.c - what a line costs that a broken or a hostile sender made, per format.
 *
 *   golden lines that are read whole --> median cost C and median length L of a line
 *   mutation of any golden line      --> its cost / (C * max(1, its length / L)), the worst is told
 *
 * A short line is held against a whole line, a long one against as many bytes of it. A line is read
 * many times over and the least of several turns counts: what is left is its own work.
 */
#include <stdlib.h>

#include "app/bench.h"
#include "app/mutation.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    MUTATIONS = 1000,        /* of a format, unless asked otherwise */
    BATCH_BYTES = 128 << 10, /* of copies of a line that are read in one turn */
    COPIES_MIN = 16,
    COPIES_MAX = 200,
    TURNS_FIRST = 2, /* of every line; of one that may be the worst as many as asked for */
};

/* A format under trial. */
struct trial {
    const struct bench_stream *stream;
    const struct slice *lines; /* its golden ones */
    size_t count;
    bool reads_headers;
    struct feed_bench *bench;
    struct feed *feed; /* of one line and its copies */
    struct bench_proof proof;
    int64_t offset;
    uint64_t unparsed;
    double line_us;    /* the median line's cost */
    double line_bytes; /* the median length */
    const struct bench_options *o;
};

/* A mutation and how it did. */
struct worst_line {
    double times;
    uint64_t seed;
    const char *name;
    struct buf text;
};

static int batch_closed(void *self, struct batch *b)
{
    struct trial *t = self;
    return t->proof.rows == 0 ? bench_prove_batch(&t->proof, b) : 0;
}

static int feed_lines(struct trial *t, struct slice line, unsigned copies)
{
    int status = 0;
    t->unparsed = 0;
    for (unsigned i = 0; i < copies && status == 0; i++) {
        struct record record = bench_record(line, t->offset++, GEN_START_WORK_NS);
        struct feed_result result;
        status = feed_record(t->feed, &record, &result);
        t->unparsed += result.unparsed;
    }
    return status == 0 ? feed_close(t->feed) : status;
}

/* The line goes in once and must come out with the same bytes. */
static int prove(struct trial *t, struct slice line)
{
    struct bench_proof in = {0};
    bench_prove_line(&in, t->stream->tenant, t->offset, line);
    t->proof.rows = 0;
    t->proof.sum = 0;
    int status = feed_lines(t, line, 1);
    return status == 0 ? bench_prove_equal(&in, &t->proof, "a mutated line", t->o->diag) : status;
}

/* A feed that has read what says how the lines behind `origin` are to be read. */
static int begin(struct trial *t, size_t origin)
{
    struct feed_options options = bench_feed(t->stream);
    options.closed = batch_closed;
    options.self = t;
    t->proof.rows = 1; /* nothing to prove */
    t->offset = 0;
    int status = feed_open(&t->feed, t->bench, &options);
    for (size_t i = 0; status == 0 && t->reads_headers && i < origin; i++)
        status = feed_lines(t, t->lines[i], 1);
    return status;
}

/* Microseconds that the line costs, the least of some turns. */
static int time_turns(struct trial *t, struct slice line, unsigned turns, double *best_us)
{
    size_t fit = BATCH_BYTES / (line.len + 1);
    unsigned copies = fit < COPIES_MIN ? (unsigned)COPIES_MIN : (unsigned)fit;
    copies = copies > COPIES_MAX ? (unsigned)COPIES_MAX : copies;
    int status = 0;
    for (unsigned i = 0; i < turns && status == 0; i++) {
        int64_t before = clock_cpu_ns();
        status = feed_lines(t, line, copies);
        double us = (double)(clock_cpu_ns() - before) / 1e3 / copies;
        *best_us = us < *best_us ? us : *best_us;
    }
    return status;
}

static int compare_numbers(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The cost and the length of the median line among those that are read whole. */
static int measure_whole(struct trial *t)
{
    double *us = calloc(t->count, sizeof(*us));
    double *bytes = calloc(t->count, sizeof(*bytes));
    size_t whole = 0;
    int status = us == NULL || bytes == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < t->count && status == 0; i++) {
        us[whole] = 1e9;
        status = begin(t, i);
        if (status == 0)
            status = time_turns(t, t->lines[i], t->o->repeat + TURNS_FIRST, &us[whole]);
        bytes[whole] = (double)t->lines[i].len;
        if (status == 0 && t->unparsed == 0 && t->lines[i].len > 0)
            whole++;
        feed_free(t->feed);
        t->feed = NULL;
    }
    if (status == 0 && whole == 0) {
        diag_add(t->o->diag, t->o->golden, 0, 0, "no golden line is read whole: no median line");
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        qsort(us, whole, sizeof(*us), compare_numbers);
        qsort(bytes, whole, sizeof(*bytes), compare_numbers);
        t->line_us = us[whole / 2];
        t->line_bytes = bytes[whole / 2];
    }
    free(us);
    free(bytes);
    return status;
}

/* Measure a mutation; it replaces the worst one when it costs more. */
static int try_one(struct trial *t, const struct mutation *m, uint64_t seed,
                   struct worst_line *worst)
{
    struct slice line = buf_content(&m->text);
    double longer = (double)line.len / t->line_bytes;
    double fair_us = t->line_us * (longer > 1 ? longer : 1);
    double us = 1e9;
    int status = begin(t, m->origin);
    if (status == 0)
        status = prove(t, line);
    if (status == 0)
        status = time_turns(t, line, TURNS_FIRST, &us);
    if (status == 0 && us > worst->times * fair_us)
        status = time_turns(t, line, t->o->repeat, &us);
    if (status == 0 && us > worst->times * fair_us) {
        worst->times = us / fair_us;
        worst->seed = seed;
        worst->name = m->name;
        buf_reset(&worst->text);
        buf_slice(&worst->text, line);
    }
    feed_free(t->feed);
    t->feed = NULL;
    return status;
}

static int try_all(struct trial *t, struct worst_line *worst)
{
    struct mutation m = {0};
    uint64_t count = t->o->events == 0 ? MUTATIONS : t->o->events;
    int status = 0;
    for (uint64_t i = 0; i < count && status == 0; i++) {
        uint64_t seed = t->o->seed + i;
        status = mutation_make(&m, t->lines, t->count, seed);
        if (status == 0)
            status = try_one(t, &m, seed, worst);
    }
    mutation_release(&m);
    return status;
}

/* The worst line as a file that `bench parse --lines` and `parse` take. */
static int keep_line(const struct bench_options *o, const char *format, struct buf *text)
{
    char path[FILE_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s.log", o->write, format);
    int status = length < (int)sizeof(path) ? dir_create(o->write) : ERR_RANGE;
    buf_byte(text, '\n');
    if (status == 0)
        status = buf_ok(text) ? file_write_atomic(path, buf_content(text)) : ERR_NOMEM;
    if (status != 0)
        diag_add(o->diag, o->write, 0, 0, "cannot be written: %s", err_name(status));
    return status;
}

static int report(struct bench_report *r, const struct trial *t, const char *format,
                  struct worst_line *worst)
{
    struct bench_row *row = bench_row_add(r, BENCH_UNIT_TIMES, "mutate.%s", format);
    if (row == NULL)
        return ERR_RANGE;
    bench_sample(row, worst->times);
    row->events = t->o->events == 0 ? MUTATIONS : t->o->events;
    row->line_bytes = t->line_bytes;
    (void)snprintf(row->note, sizeof(row->note), "%s, seed %llu, %zu bytes", worst->name,
                   (unsigned long long)worst->seed, worst->text.len);
    return t->o->write == NULL ? 0 : keep_line(t->o, format, &worst->text);
}

static int measure(struct bench_report *r, const struct bench_options *o,
                   const struct bench_lines *lines, const char *format)
{
    static const struct feed_environment ENVIRONMENT = {0};
    struct slice *texts = calloc(lines->count, sizeof(*texts));
    struct worst_line worst = {.name = "none"};
    struct trial t = {.stream = &lines->streams[0], .lines = texts, .count = lines->count, .o = o};
    int status = texts == NULL ? ERR_NOMEM : feed_bench_new(&t.bench, &ENVIRONMENT);
    for (size_t i = 0; i < lines->count && texts != NULL; i++)
        texts[i] = bench_line_text(lines, i);
    t.reads_headers = parser_get(t.stream->format)->reads_headers;
    if (status == 0)
        status = measure_whole(&t);
    if (status == 0)
        status = try_all(&t, &worst);
    if (status == 0)
        status = report(r, &t, format, &worst);
    feed_bench_free(t.bench);
    buf_release(&t.proof.text);
    buf_release(&worst.text);
    free(texts);
    return status;
}

int bench_mutate(struct bench_report *r, const struct bench_options *o)
{
    return bench_golden_each(r, o, 0, measure);
}
