/* app/bench_search.c - questions to a log, answered like `sekisho search --count` does. */
#include <stdlib.h>

#include "app/bench.h"
#include "app/bench_cut.h"
#include "app/bench_desk.h"
#include "app/pipe_feed.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    SEARCH_EVENTS = 1000000,
    SEARCH_TENANTS = 42,
    SEARCH_RATE = 7600, /* events a second: how large the log's batches are */
    SAMPLE_LINES = 20000,
    NEEDLE_BYTES = 47,
    NEEDLES = 6,
};

#define SEARCH_FORMATS "fortigate=70,squid=30"

enum needle_kind {
    NEEDLE_ADDRESS, /* the whole source address */
    NEEDLE_URL,     /* anywhere in the URL */
    NEEDLE_PATH,    /* anywhere in its path */
    NEEDLE_GROUPS,  /* the same, and the hosts with most of them */
};

/* What is looked for, and how many lines hold it as a scan of the lines counts them. */
struct needle {
    const char *name;
    char text[NEEDLE_BYTES + 1];
    enum needle_kind kind;
    uint64_t lines;
};

static struct needle *needles_init(struct needle needles[NEEDLES])
{
    needles[0] = (struct needle){.name = "address.rare"};
    needles[1] = (struct needle){.name = "address.common"};
    needles[2] = (struct needle){.name = "url.rare", .kind = NEEDLE_URL};
    needles[3] = (struct needle){.name = "url.common", .text = "/download/", .kind = NEEDLE_URL};
    needles[4] = (struct needle){.name = "path.rare", .kind = NEEDLE_PATH};
    needles[5] = (struct needle){.name = "top", .text = "/download/", .kind = NEEDLE_GROUPS};
    return needles;
}

static bool line_holds(const struct needle *n, struct slice line, uint16_t format)
{
    struct slice text = slice_from(n->text);
    if (n->kind == NEEDLE_ADDRESS)
        return slice_equal(bench_cut_address(line, format), text);
    struct slice url = bench_cut_url(line, format);
    if (n->kind == NEEDLE_PATH || n->kind == NEEDLE_GROUPS) {
        const char *query = url.len == 0 ? NULL : memchr(url.data, '?', url.len);
        url.len = query == NULL ? url.len : (size_t)(query - url.data);
    }
    return slice_has(url, text);
}

static int compare_slices(const void *a, const void *b)
{
    const struct slice *x = a;
    const struct slice *y = b;
    return slice_compare(*x, *y);
}

static void set_text(struct needle *n, struct slice text)
{
    (void)snprintf(n->text, sizeof(n->text), "%.*s", (int)text.len, text.data);
}

/* The addresses of the sample that occur once and most often. */
static int pick_addresses(struct needle needles[NEEDLES], const struct bench_lines *sample)
{
    struct slice *all = calloc(sample->count, sizeof(*all));
    if (all == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < sample->count; i++)
        all[i] = bench_cut_address(bench_line_text(sample, i),
                                   sample->streams[sample->lines[i].stream].format);
    qsort(all, sample->count, sizeof(*all), compare_slices);
    size_t most = 0;
    for (size_t i = 0; i < sample->count;) {
        size_t end = i + 1;
        while (end < sample->count && slice_equal(all[i], all[end]))
            end++;
        if (end - i == 1 && all[i].len != 0)
            set_text(&needles[0], all[i]);
        if (end - i > most && all[i].len != 0) {
            most = end - i;
            set_text(&needles[1], all[i]);
        }
        i = end;
    }
    free(all);
    return 0;
}

/* The number of an item in a URL of the sample's end. */
static void pick_url(struct needle *n, const struct bench_lines *sample)
{
    for (size_t i = 0; i < sample->count; i++) {
        struct slice url = bench_cut_url(bench_line_text(sample, i),
                                         sample->streams[sample->lines[i].stream].format);
        struct slice item = bench_cut_between(url, SLICE("/item/"), '?');
        if (item.len == 6)
            set_text(n, item);
    }
}

static int pick_needles(struct needle needles[NEEDLES], const struct bench_options *o)
{
    struct bench_lines sample;
    struct bench_mix mix = {
        .formats = SEARCH_FORMATS, .tenants = SEARCH_TENANTS, .events = SAMPLE_LINES};
    int status = bench_lines_generate(&sample, &mix, o);
    if (status == 0)
        status = pick_addresses(needles_init(needles), &sample);
    if (status == 0)
        pick_url(&needles[2], &sample);
    memcpy(needles[4].text, needles[2].text, sizeof(needles[4].text));
    bench_lines_release(&sample);
    return status;
}

/* All lines into the desk's log, counting the needles on the way. */
static int fill(struct bench_desk *desk, struct needle needles[NEEDLES], uint64_t events,
                const struct bench_options *o)
{
    struct gen_options options;
    struct gen *gen = NULL;
    struct bench_lines table = {0}; /* of the streams alone */
    gen_options_init(&options);
    options.seed = o->seed;
    options.tenants = SEARCH_TENANTS;
    options.events = events;
    int status = gen_options_formats(&options, SLICE(SEARCH_FORMATS), o->diag);
    if (status == 0)
        status = gen_open(&gen, &options, o->diag);
    while (status == 0) {
        struct gen_line line;
        status = gen_next(gen, &line);
        size_t stream = status == 0 ? bench_stream_find(&table, &line) : 0;
        if (status != 0 || stream == SIZE_MAX)
            break;
        for (size_t i = 0; i < NEEDLES; i++)
            needles[i].lines += line_holds(&needles[i], line.line, table.streams[stream].format);
        status = bench_desk_line(desk, stream, &table.streams[stream], line.line);
    }
    gen_close(gen);
    bench_lines_release(&table);
    return status == ERR_NOTFOUND ? bench_desk_finish(desk) : status;
}

/* A query on its way. */
struct question {
    struct arena arena;
    struct pipeline *pipeline;
    struct pred *pred;
    struct log_index *index;
    struct scan *scan;
};

static void question_release(struct question *q)
{
    scan_free(q->scan);
    log_index_close(q->index);
    pred_free(q->pred);
    arena_release(&q->arena);
}

/* How many events the groups of a table have among them, by its last column. */
static uint64_t table_sum(const struct pipe_table *t)
{
    pipe_number sum = 0;
    for (size_t row = 0; row < t->row_count; row++) {
        pipe_number count = 0;
        (void)pipe_cell_number(t->pool, pipe_table_row(t, row)[t->column_count - 1], &count);
        sum += count;
    }
    return (uint64_t)(sum / PIPE_NUMBER_ONE);
}

/* The scan with its groups, and the pipe behind them. */
static int ask_groups(struct question *q, const struct sieve_query *query, struct diag *diag,
                      uint64_t *hits)
{
    static const struct pipe_bounds BOUNDS = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    struct pipe_budget budget = {0};
    struct scan_stop stop = {.signals = -1, .deadline_ns = INT64_MAX};
    struct pipe_table table = {0};
    struct pipe_feed *feed = NULL;
    const struct pipe_feed_options options = {
        .pipeline = q->pipeline, .budget = &budget, .stop = &stop, .threads = 1};
    int status = pipe_feed_open(&feed, &options);
    if (status == 0) {
        const struct scan_options scan = {
            .keep = SCAN_FEED, .threads = 1, .feed = pipe_feed_scan(feed)};
        status = scan_run(&q->scan, q->index, query, &scan, diag);
    }
    if (status == 0)
        status = pipe_feed_table(feed, &BOUNDS, &table, diag);
    if (status == 0) {
        *hits = table_sum(&table);
        status = pipe_apply(q->pipeline, 1, &BOUNDS, &table, diag);
    }
    pipe_table_release(&table);
    pipe_feed_close(feed);
    return status;
}

/* One answer as the command gives it: read the log's outline, ask every batch. */
static int ask(const struct needle *n, const char *dir, struct diag *diag, uint64_t *hits)
{
    static const struct {
        const char *before;
        const char *after;
    } WORDS[] = {[NEEDLE_ADDRESS] = {"source.ip:", ""},
                 [NEEDLE_URL] = {"url.original:*", "*"},
                 [NEEDLE_PATH] = {"url.path:*", "*"},
                 [NEEDLE_GROUPS] = {"url.path:*", "* | stats count() by url.domain | top 10"}};
    char text[3 * NEEDLE_BYTES];
    (void)snprintf(text, sizeof(text), "%s%s%s", WORDS[n->kind].before, n->text,
                   WORDS[n->kind].after);
    struct question q = {0};
    const struct scan_options options = {.keep = SCAN_COUNT, .threads = 1};
    struct sieve_query query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    int status = pipe_parse(&q.pipeline, &q.arena, slice_from(text), diag);
    if (status == 0) {
        const struct ast *condition = q.pipeline->condition;
        status = pred_compile(&q.pred, &condition, 1, diag);
    }
    query.pred = q.pred;
    if (status == 0)
        status = log_index_open(&q.index, dir, diag);
    if (status == 0 && n->kind == NEEDLE_GROUPS)
        status = ask_groups(&q, &query, diag, hits);
    else if (status == 0)
        status = scan_run(&q.scan, q.index, &query, &options, diag);
    if (status == 0 && n->kind != NEEDLE_GROUPS)
        *hits = scan_counters(q.scan).hits;
    question_release(&q);
    return status;
}

static int measure(struct bench_report *r, const struct needle *n, const char *dir, uint64_t events,
                   const struct bench_options *o)
{
    uint64_t hits = 0;
    int status = ask(n, dir, o->diag, &hits);
    if (status == 0 && hits != n->lines) {
        diag_add(o->diag, "search", 0, 0,
                 "%s \"%s\": %llu hits, a scan of the lines finds %llu: no speed is shown", n->name,
                 n->text, (unsigned long long)hits, (unsigned long long)n->lines);
        return ERR_CORRUPT;
    }
    struct bench_row *row = bench_row_add(r, BENCH_UNIT_SEARCH, "search.%s", n->name);
    if (row == NULL)
        return ERR_RANGE;
    for (unsigned i = 0; i < o->repeat && status == 0; i++) {
        int64_t before = clock_cpu_ns();
        status = ask(n, dir, o->diag, &hits);
        bench_sample(row, (double)(clock_cpu_ns() - before) / (double)events);
    }
    row->events = events;
    return status;
}

int bench_search(struct bench_report *r, const struct bench_options *o)
{
    struct needle needles[NEEDLES];
    struct bench_desk *desk = NULL;
    struct bench_desk_options options = {.events_per_second = SEARCH_RATE, .diag = o->diag};
    uint64_t events = o->events == 0 ? SEARCH_EVENTS : o->events;
    int status = pick_needles(needles, o);
    if (status == 0)
        status = bench_desk_open(&desk, &options);
    if (status == 0)
        status = fill(desk, needles, events, o);
    for (size_t i = 0; i < NEEDLES && status == 0; i++)
        status = measure(r, &needles[i], bench_desk_dir(desk), events, o);
    bench_desk_close(desk);
    return status == 0 ? bench_segments(r, o) : status;
}
