/*
 * app/bench_mutate.c - what a line costs that a broken or a hostile sender made, per format.
 *
 *   golden lines that are read whole --> median cost C and median length L of a line
 *   mutation of any golden line      --> its cost / (C * max(1, its length / L)), the worst is told
 *
 * A short line is held against a whole line, a long one against as many bytes of it. A line is read
 * many times over and the least of several turns counts: what is left is its own work. Of thousands
 * of lines a slow moment of the machine makes some look worst: the few that do are measured again
 * in later rounds, each against the golden lines of the same round, and the median round counts.
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
    TURNS_FIRST = 2,  /* of every line; of one that may be the worst as many as asked for */
    SUSPECTS_MAX = 8, /* lines that may be the worst */
    ROUNDS = 5,       /* in which they and the golden lines are measured again */
};

/* A golden line; us is negative where it is not read whole. */
struct whole_line {
    double us;
    double bytes;
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
    struct whole_line *whole; /* of each golden line */
    double line_us;           /* the median line's cost */
    double line_bytes;        /* the median length */
    const struct bench_options *o;
};

/* A mutation that may be the worst. */
struct suspect {
    uint64_t seed;
    size_t bytes;
    double us; /* the least of its turns */
    double times[ROUNDS];
};

/* The worst first. */
struct suspects {
    struct suspect items[SUSPECTS_MAX];
    size_t count;
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

/* Measure each golden line. */
static int time_whole(struct trial *t)
{
    int status = 0;
    for (size_t i = 0; i < t->count && status == 0; i++) {
        struct whole_line *line = &t->whole[i];
        if (line->us < 0)
            continue;
        line->us = 1e9;
        status = begin(t, i);
        if (status == 0)
            status = time_turns(t, t->lines[i], t->o->repeat + TURNS_FIRST, &line->us);
        line->bytes = (double)t->lines[i].len;
        if (t->unparsed != 0 || t->lines[i].len == 0)
            line->us = -1;
        feed_free(t->feed);
        t->feed = NULL;
    }
    return status;
}

/* The cost and the length of the median line among those that are read whole. */
static int find_median(struct trial *t)
{
    double *us = calloc(t->count, sizeof(*us));
    double *bytes = calloc(t->count, sizeof(*bytes));
    size_t whole = 0;
    int status = us == NULL || bytes == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < t->count && status == 0; i++) {
        if (t->whole[i].us < 0)
            continue;
        us[whole] = t->whole[i].us;
        bytes[whole++] = t->whole[i].bytes;
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

static int measure_whole(struct trial *t)
{
    int status = time_whole(t);
    return status == 0 ? find_median(t) : status;
}

/* How many times its share of the median line's cost the mutation takes. */
static double times_of(const struct trial *t, const struct suspect *s)
{
    double longer = (double)s->bytes / t->line_bytes;
    return s->us / (t->line_us * (longer > 1 ? longer : 1));
}

/* The suspect belongs to the worst ones so far. */
static bool is_bad(const struct trial *t, const struct suspects *all, const struct suspect *s)
{
    return all->count < SUSPECTS_MAX || times_of(t, s) > times_of(t, &all->items[SUSPECTS_MAX - 1]);
}

/* Put it among them, in the place of the least bad one where they are as many as may be. */
static void suspect_add(const struct trial *t, struct suspects *all, const struct suspect *s)
{
    size_t at = all->count < SUSPECTS_MAX ? all->count++ : SUSPECTS_MAX - 1;
    for (; at > 0 && times_of(t, &all->items[at - 1]) < times_of(t, s); at--)
        all->items[at] = all->items[at - 1];
    all->items[at] = *s;
}

/* Measure a mutation; it joins the suspects when it costs as much as they do. */
static int try_one(struct trial *t, const struct mutation *m, uint64_t seed, struct suspects *all)
{
    struct slice line = buf_content(&m->text);
    struct suspect s = {.seed = seed, .bytes = line.len, .us = 1e9};
    int status = begin(t, m->origin);
    if (status == 0)
        status = prove(t, line);
    if (status == 0)
        status = time_turns(t, line, TURNS_FIRST, &s.us);
    if (status == 0 && is_bad(t, all, &s))
        status = time_turns(t, line, t->o->repeat, &s.us);
    if (status == 0 && is_bad(t, all, &s))
        suspect_add(t, all, &s);
    feed_free(t->feed);
    t->feed = NULL;
    return status;
}

static int try_all(struct trial *t, struct suspects *all)
{
    struct mutation m = {0};
    uint64_t count = t->o->events == 0 ? MUTATIONS : t->o->events;
    int status = 0;
    for (uint64_t i = 0; i < count && status == 0; i++) {
        uint64_t seed = t->o->seed + i;
        status = mutation_make(&m, t->lines, t->count, seed);
        if (status == 0)
            status = try_one(t, &m, seed, all);
    }
    mutation_release(&m);
    return status;
}

/* Measure the suspect again, as round number `round`. */
static int try_suspect(struct trial *t, struct mutation *m, struct suspect *s, size_t round)
{
    int status = mutation_make(m, t->lines, t->count, s->seed);
    s->us = 1e9;
    if (status == 0)
        status = begin(t, m->origin);
    if (status == 0)
        status = time_turns(t, buf_content(&m->text), t->o->repeat + TURNS_FIRST, &s->us);
    s->times[round] = times_of(t, s);
    feed_free(t->feed);
    t->feed = NULL;
    return status;
}

/* Measure the golden lines and the suspects in rounds; then each one's rounds are in order. */
static int try_again(struct trial *t, struct suspects *all)
{
    struct mutation m = {0};
    int status = 0;
    for (size_t round = 0; round < ROUNDS && status == 0; round++) {
        status = measure_whole(t);
        for (size_t i = 0; i < all->count && status == 0; i++)
            status = try_suspect(t, &m, &all->items[i], round);
    }
    for (size_t i = 0; i < all->count; i++)
        qsort(all->items[i].times, ROUNDS, sizeof(double), compare_numbers);
    mutation_release(&m);
    return status;
}

/* The one whose median round is the worst. */
static const struct suspect *find_worst(const struct suspects *all)
{
    const struct suspect *worst = &all->items[0];
    for (size_t i = 1; i < all->count; i++) {
        if (all->items[i].times[ROUNDS / 2] > worst->times[ROUNDS / 2])
            worst = &all->items[i];
    }
    return worst;
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
                  const struct suspects *all)
{
    const struct suspect *worst = find_worst(all);
    struct mutation m = {0};
    struct bench_row *row = bench_row_add(r, BENCH_UNIT_TIMES, "mutate.%s", format);
    int status = row == NULL ? ERR_RANGE : mutation_make(&m, t->lines, t->count, worst->seed);
    if (status == 0) {
        for (size_t i = 0; i < ROUNDS; i++)
            bench_sample(row, worst->times[i]);
        row->events = t->o->events == 0 ? MUTATIONS : t->o->events;
        row->line_bytes = t->line_bytes;
        (void)snprintf(row->note, sizeof(row->note), "%s, seed %llu, %zu bytes", m.name,
                       (unsigned long long)worst->seed, worst->bytes);
    }
    if (status == 0 && t->o->write != NULL)
        status = keep_line(t->o, format, &m.text);
    mutation_release(&m);
    return status;
}

static int measure(struct bench_report *r, const struct bench_options *o,
                   const struct bench_lines *lines, const char *format)
{
    static const struct feed_environment ENVIRONMENT = {0};
    struct slice *texts = calloc(lines->count, sizeof(*texts));
    struct whole_line *whole = calloc(lines->count, sizeof(*whole));
    struct suspects all = {0};
    struct trial t = {.stream = &lines->streams[0],
                      .lines = texts,
                      .count = lines->count,
                      .whole = whole,
                      .o = o};
    int status =
        texts == NULL || whole == NULL ? ERR_NOMEM : feed_bench_new(&t.bench, &ENVIRONMENT);
    for (size_t i = 0; i < lines->count && status == 0; i++)
        texts[i] = bench_line_text(lines, i);
    t.reads_headers = parser_get(t.stream->format)->reads_headers;
    if (status == 0)
        status = measure_whole(&t);
    if (status == 0)
        status = try_all(&t, &all);
    if (status == 0)
        status = try_again(&t, &all);
    if (status == 0)
        status = report(r, &t, format, &all);
    feed_bench_free(t.bench);
    buf_release(&t.proof.text);
    free(whole);
    free(texts);
    return status;
}

int bench_mutate(struct bench_report *r, const struct bench_options *o)
{
    return bench_golden_each(r, o, 0, measure);
}
