/* app/bench_segment.c - questions to the long-term store while it is open. */
#include <stdlib.h>

#include "app/bench.h"
#include "app/bench_cut.h"
#include "app/bench_desk.h"
#include "app/compact.h"
#include "app/pipe_feed.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    SEGMENT_EVENTS = 2000000,
    SEGMENT_TENANTS = 42,
    SEGMENT_TIMES = 100,   /* samples of an answer */
    SEGMENT_TIMES_MIN = 5, /* of one that takes long */
    SAMPLE_LINES = 20000,
    NEEDLE_BYTES = 47,
    QUERY_BYTES = 160,
    TOP_ROWS = 10,
    HOUR_OF_DAY = 10,
};

#define SEGMENT_FORMATS   "fortigate=70,squid=30"
#define SEGMENT_BUDGET_NS INT64_C(2000000000)
#define NO_SUCH_TEXT      "qzxjvwkq"
#define NO_SUCH_ADDRESS   "203.0.113.253"

static_assert((int)SEGMENT_TIMES <= (int)BENCH_REPEAT_MAX, "a row has room for them");

/* A list of numbers that grows. */
struct numbers {
    uint32_t *items;
    size_t count;
    size_t cap;
};

/* What a look at the lines alone finds. */
struct truth {
    char address[NEEDLE_BYTES + 1]; /* a rare one from outside */
    char item[NEEDLE_BYTES + 1];    /* a number that few URLs have */
    uint64_t address_lines;
    uint64_t item_lines;
    uint64_t download_lines;
    uint32_t tenant; /* whose hour is asked for */
    int64_t hour_ns;
    struct numbers destinations; /* hashes of their texts */
    struct numbers hour_destinations;
    struct numbers tenants; /* of the lines */
    struct bench_proof proof;
    uint64_t events;
};

/* What is asked in one way, and what the answer must be. */
struct segment_ask {
    const char *name;
    char query[QUERY_BYTES];
    enum {
        ASK_COUNT,
        ASK_ROWS, /* every hit rendered */
        ASK_TABLE,
    } kind;
    bool hour; /* of one municipality */
    uint64_t hits;
    const struct numbers
        *groups; /* ASK_TABLE: the keys of the lines; NULL: told by other queries */
    size_t group_max;
};

static int numbers_add(struct numbers *n, uint32_t value)
{
    if (n->count == n->cap) {
        size_t cap = n->cap == 0 ? 4096 : n->cap * 2;
        uint32_t *items = reallocarray(n->items, cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        n->items = items;
        n->cap = cap;
    }
    n->items[n->count++] = value;
    return 0;
}

static int by_number(const void *left, const void *right)
{
    const uint32_t *a = left;
    const uint32_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

static int by_size(const void *left, const void *right)
{
    return by_number(right, left);
}

/* How often each of the sorted numbers occurs, the most frequent first. */
static int numbers_sizes(const struct numbers *n, struct numbers *out)
{
    int status = 0;
    for (size_t i = 0; i < n->count && status == 0;) {
        size_t end = i + 1;
        while (end < n->count && n->items[end] == n->items[i])
            end++;
        status = numbers_add(out, (uint32_t)(end - i));
        i = end;
    }
    if (out->count != 0)
        qsort(out->items, out->count, sizeof(*out->items), by_size);
    return status;
}

static void sort_numbers(struct numbers *n)
{
    if (n->count != 0)
        qsort(n->items, n->count, sizeof(*n->items), by_number);
}

static int open_gen(struct gen **out, uint64_t events, const struct bench_options *o)
{
    struct gen_options options;
    gen_options_init(&options);
    options.seed = o->seed;
    options.tenants = SEGMENT_TENANTS;
    options.days = 1;
    options.events = events;
    int status = gen_options_formats(&options, SLICE(SEGMENT_FORMATS), o->diag);
    return status == 0 ? gen_open(out, &options, o->diag) : status;
}

/* An address that the first lines have once, and an item of a shop. */
static int pick(struct truth *t, uint64_t events, const struct bench_options *o)
{
    struct gen *gen = NULL;
    int status = open_gen(&gen, events, o);
    for (uint32_t i = 0; i < SAMPLE_LINES && status == 0; i++) {
        struct gen_line line;
        status = gen_next(gen, &line);
        if (status != 0)
            break;
        const struct parser *parser = parser_find(slice_from(line.format));
        struct slice address = bench_cut_address(line.line, parser->format);
        struct slice item =
            bench_cut_between(bench_cut_url(line.line, parser->format), SLICE("/item/"), '?');
        if (address.len > 4 && memcmp(address.data, "198.", 4) == 0)
            (void)snprintf(t->address, sizeof(t->address), "%.*s", (int)address.len, address.data);
        if (item.len == 6)
            (void)snprintf(t->item, sizeof(t->item), "%.*s", (int)item.len, item.data);
        t->hour_ns = i == 0 ? line.time_ns - line.time_ns % SEGMENT_HOUR_NS : t->hour_ns;
    }
    if (gen != NULL)
        t->tenant = gen_tenant(gen, 0)->code;
    t->hour_ns += HOUR_OF_DAY * SEGMENT_HOUR_NS;
    gen_close(gen);
    return status == ERR_NOTFOUND ? 0 : status;
}

/* What one line adds. */
static int look(struct truth *t, const struct gen_line *line, uint16_t format, int64_t offset)
{
    struct slice url = bench_cut_url(line->line, format);
    struct slice to = bench_cut_destination(line->line, format);
    struct slice from = bench_cut_address(line->line, format);
    bool in_hour = line->tenant == t->tenant && line->time_ns >= t->hour_ns &&
                   line->time_ns < t->hour_ns + SEGMENT_HOUR_NS;
    t->events++;
    t->address_lines += slice_equal(from, slice_from(t->address));
    t->item_lines += slice_has(url, slice_from(t->item));
    t->download_lines += slice_has(url, SLICE("/download/"));
    bench_prove_line(&t->proof, line->tenant, offset, line->line);
    int status = numbers_add(&t->tenants, line->tenant);
    bool is_address = to.len != 0 && to.data[0] >= '0' && to.data[0] <= '9';
    uint32_t hash = is_address ? (uint32_t)hash_slice(0, to) : 0;
    if (status == 0)
        status = numbers_add(&t->destinations, hash);
    return status == 0 && in_hour ? numbers_add(&t->hour_destinations, hash) : status;
}

static int fill(struct bench_desk *desk, struct truth *t, uint64_t events,
                const struct bench_options *o)
{
    struct gen *gen = NULL;
    struct bench_lines table = {0}; /* of the streams alone */
    struct numbers offsets = {0};
    int status = open_gen(&gen, events, o);
    while (status == 0) {
        struct gen_line line;
        status = gen_next(gen, &line);
        size_t stream = status == 0 ? bench_stream_find(&table, &line) : 0;
        if (status != 0 || stream == SIZE_MAX)
            break;
        while (offsets.count <= stream && status == 0)
            status = numbers_add(&offsets, 0);
        if (status != 0)
            break;
        status = look(t, &line, table.streams[stream].format, offsets.items[stream]++);
        if (status == 0)
            status =
                bench_desk_line_at(desk, stream, &table.streams[stream], line.line, line.time_ns);
    }
    gen_close(gen);
    bench_lines_release(&table);
    free(offsets.items);
    sort_numbers(&t->tenants);
    sort_numbers(&t->destinations);
    sort_numbers(&t->hour_destinations);
    return status == ERR_NOTFOUND ? bench_desk_finish(desk) : status;
}

static void truth_release(struct truth *t)
{
    free(t->destinations.items);
    free(t->hour_destinations.items);
    free(t->tenants.items);
    buf_release(&t->proof.text);
}

/* An answer. */
struct answer {
    uint64_t hits;
    struct bench_proof proof; /* of rows */
    struct pipe_table table;
    struct pipe_feed *feed; /* the table's */
    struct pipe_budget budget;
    struct scan_stop stop;
};

static void answer_release(struct answer *a)
{
    buf_release(&a->proof.text);
    pipe_table_release(&a->table);
    pipe_feed_close(a->feed);
    *a = (struct answer){.hits = 0};
}

static int take_row(void *self, const struct scan_row *row)
{
    struct answer *a = self;
    struct bench_proof *p = &a->proof;
    buf_reset(&p->text);
    if (batch_render(row->batch, row->row, &p->text) != 0)
        return ERR_NOMEM;
    bench_prove_line(p, row->batch->tenant, row->offset, buf_content(&p->text));
    return 0;
}

struct asking {
    const struct log_index *index;
    const struct truth *truth;
    struct diag *diag;
};

static int run_scan(const struct asking *q, const struct segment_ask *ask,
                    const struct pipeline *pipeline, const struct sieve_query *query,
                    struct answer *out)
{
    static const struct pipe_bounds BOUNDS = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    struct scan_options options = {.keep = ask->kind == ASK_ROWS ? SCAN_ORDER : SCAN_COUNT,
                                   .threads = 1};
    out->stop = (struct scan_stop){.signals = -1, .deadline_ns = INT64_MAX};
    const struct pipe_feed_options feed = {
        .pipeline = pipeline, .budget = &out->budget, .stop = &out->stop, .threads = 1};
    struct scan *scan = NULL;
    int status = ask->kind == ASK_TABLE ? pipe_feed_open(&out->feed, &feed) : 0;
    if (ask->kind == ASK_TABLE && status == 0) {
        options.keep = SCAN_FEED;
        options.feed = pipe_feed_scan(out->feed);
    }
    if (status == 0)
        status = scan_run(&scan, q->index, query, &options, q->diag);
    if (status == 0 && ask->kind == ASK_ROWS)
        status = scan_walk(scan, take_row, out);
    if (status == 0 && ask->kind == ASK_TABLE)
        status = pipe_feed_table(out->feed, &BOUNDS, &out->table, q->diag);
    if (status == 0 && ask->kind == ASK_TABLE)
        status = pipe_apply(pipeline, 1, &BOUNDS, &out->table, q->diag);
    if (status == 0)
        out->hits = scan_counters(scan).hits;
    if (status == 0 && scan_missing(scan) != 0)
        status = ERR_CORRUPT;
    scan_free(scan);
    return status;
}

/* One answer, from the text of the query on. The table's cells live as long as it. */
static int answer(const struct asking *q, const struct segment_ask *ask, struct answer *out)
{
    struct arena arena = {0};
    struct pipeline *pipeline = NULL;
    struct pred *pred = NULL;
    struct sieve_query query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    if (ask->hour) {
        query.has_tenant = true;
        query.tenant = q->truth->tenant;
        query.since_ns = q->truth->hour_ns;
        query.until_ns = query.since_ns + SEGMENT_HOUR_NS;
    }
    int status = pipe_parse(&pipeline, &arena, slice_from(ask->query), q->diag);
    if (status == 0 && pipeline->condition->kind != AST_TRUE) {
        const struct ast *condition = pipeline->condition;
        status = pred_compile(&pred, &condition, 1, q->diag);
    }
    query.pred = pred;
    if (status == 0)
        status = run_scan(q, ask, pipeline, &query, out);
    pred_free(pred);
    arena_release(&arena);
    return status;
}

static int wrong(const struct asking *q, const struct segment_ask *ask, uint64_t is, uint64_t must)
{
    diag_add(q->diag, "segment", 0, 0, "%s \"%s\": %llu, the lines say %llu: no speed is shown",
             ask->name, ask->query, (unsigned long long)is, (unsigned long long)must);
    return ERR_CORRUPT;
}

static uint64_t row_count_of(const struct pipe_table *t, size_t row)
{
    pipe_number count = 0;
    (void)pipe_cell_number(t->pool, pipe_table_row(t, row)[t->column_count - 1], &count);
    return (uint64_t)(count / PIPE_NUMBER_ONE);
}

static int by_size_of_row(const void *left, const void *right)
{
    return by_size(left, right);
}

/* The sizes of the table's groups against those of the lines' keys. */
static int check_sizes(const struct asking *q, const struct segment_ask *ask,
                       const struct pipe_table *t)
{
    struct numbers must = {0};
    struct numbers is = {0};
    int status = numbers_sizes(ask->groups, &must);
    for (size_t row = 0; row < t->row_count && status == 0; row++)
        status = numbers_add(&is, (uint32_t)row_count_of(t, row));
    if (is.count != 0)
        qsort(is.items, is.count, sizeof(*is.items), by_size_of_row);
    size_t count = must.count < ask->group_max ? must.count : ask->group_max;
    if (status == 0 && is.count != count)
        status = wrong(q, ask, is.count, count);
    for (size_t i = 0; i < count && status == 0; i++) {
        if (is.items[i] != must.items[i])
            status = wrong(q, ask, is.items[i], must.items[i]);
    }
    free(must.items);
    free(is.items);
    return status;
}

/* One key of a row as a condition. */
static void put_condition(struct buf *out, const char *field, const struct pipe_table *t,
                          uint32_t cell)
{
    if (cell == PIPE_CELL_NULL) {
        buf_slice(out, SLICE("not "));
        buf_slice(out, slice_from(field));
        buf_slice(out, SLICE(":*"));
        return;
    }
    buf_slice(out, slice_from(field));
    buf_slice(out, SLICE(":\""));
    pipe_cell_print(t->pool, cell, out);
    buf_byte(out, '"');
}

/* Ask for each group of (action, protocol) by a condition. */
static int check_groups(const struct asking *q, const struct segment_ask *ask,
                        const struct pipe_table *t)
{
    struct buf text = {0};
    uint64_t sum = 0;
    int status = 0;
    for (size_t row = 0; row < t->row_count && status == 0; row++) {
        struct segment_ask one = {.name = ask->name, .kind = ASK_COUNT};
        struct answer a = {0};
        buf_reset(&text);
        put_condition(&text, "event.action", t, pipe_table_row(t, row)[0]);
        buf_slice(&text, SLICE(" and "));
        put_condition(&text, "network.protocol", t, pipe_table_row(t, row)[1]);
        (void)snprintf(one.query, sizeof(one.query), "%.*s", (int)text.len, text.data);
        status = buf_ok(&text) ? answer(q, &one, &a) : ERR_NOMEM;
        if (status == 0 && a.hits != row_count_of(t, row))
            status = wrong(q, &one, row_count_of(t, row), a.hits);
        sum += a.hits;
        answer_release(&a);
    }
    buf_release(&text);
    return status == 0 && sum != q->truth->events ? wrong(q, ask, sum, q->truth->events) : status;
}

static int check(const struct asking *q, const struct segment_ask *ask, const struct answer *a)
{
    if (a->hits != ask->hits)
        return wrong(q, ask, a->hits, ask->hits);
    if (ask->kind == ASK_ROWS && a->proof.rows != ask->hits)
        return wrong(q, ask, a->proof.rows, ask->hits);
    if (ask->kind == ASK_ROWS && ask->hits == q->truth->events)
        return bench_prove_equal(&q->truth->proof, &a->proof, ask->name, q->diag);
    if (ask->kind != ASK_TABLE)
        return 0;
    return ask->groups == NULL ? check_groups(q, ask, &a->table) : check_sizes(q, ask, &a->table);
}

static int measure(struct bench_report *r, const struct asking *q, const struct segment_ask *ask,
                   unsigned times)
{
    bool all = ask->kind == ASK_ROWS && ask->hits == q->truth->events;
    struct answer a = {0};
    double events = (double)q->truth->events;
    int status = answer(q, ask, &a);
    if (status == 0)
        status = check(q, ask, &a);
    answer_release(&a);
    if (status != 0)
        return status;
    struct bench_row *row =
        bench_row_add(r, all ? BENCH_UNIT_CPU : BENCH_UNIT_SEARCH, "segment.%s", ask->name);
    if (row == NULL)
        return ERR_RANGE;
    row->events = q->truth->events;
    int64_t begun_ns = clock_cpu_ns();
    for (unsigned i = 0; i < times && status == 0; i++) {
        int64_t before = clock_cpu_ns();
        if (i >= SEGMENT_TIMES_MIN && before - begun_ns > SEGMENT_BUDGET_NS)
            break;
        status = answer(q, ask, &a);
        double ns = (double)(clock_cpu_ns() - before);
        answer_release(&a);
        bench_sample(row, all ? ns / 1e3 / events : ns / events);
    }
    return status;
}

enum {
    ASKS = 10,
};

static void asks_init(struct segment_ask asks[ASKS], const struct truth *t)
{
    const struct segment_ask all[ASKS] = {
        {.name = "address", .kind = ASK_ROWS, .hits = t->address_lines},
        {.name = "url.rare", .hits = t->item_lines},
        {.name = "url.common", .query = "url.original:*/download/*", .hits = t->download_lines},
        {.name = "raw.none", .query = NO_SUCH_TEXT},
        {.name = "raw.address.none", .query = "\"" NO_SUCH_ADDRESS "\""},
        {.name = "top.hour",
         .query = "| top 10 destination.ip",
         .kind = ASK_TABLE,
         .hour = true,
         .hits = t->hour_destinations.count,
         .groups = &t->hour_destinations,
         .group_max = TOP_ROWS},
        {.name = "top",
         .query = "| top 10 destination.ip",
         .kind = ASK_TABLE,
         .hits = t->events,
         .groups = &t->destinations,
         .group_max = TOP_ROWS},
        {.name = "count.action",
         .query = "| stats count() by event.action, network.protocol",
         .kind = ASK_TABLE,
         .hits = t->events},
        {.name = "count.tenant",
         .query = "| stats count() by sekisho.tenant",
         .kind = ASK_TABLE,
         .hits = t->events,
         .groups = &t->tenants,
         .group_max = SIZE_MAX},
        {.name = "export.raw", .query = "", .kind = ASK_ROWS, .hits = t->events},
    };
    memcpy(asks, all, sizeof(all));
    (void)snprintf(asks[0].query, QUERY_BYTES, "source.ip:%s", t->address);
    (void)snprintf(asks[1].query, QUERY_BYTES, "url.original:*%s*", t->item);
}

static int compact(struct bench_report *r, const struct bench_desk *desk, const struct truth *t,
                   struct diag *diag)
{
    const struct compact_options options = {.dir = bench_desk_dir(desk),
                                            .store_id = bench_desk_store_id(desk),
                                            .through_seq = UINT64_MAX};
    struct compact_report done;
    double events = (double)t->events;
    int64_t before = clock_cpu_ns();
    int status = compact_run(&options, &done, diag);
    int64_t ns = clock_cpu_ns() - before;
    struct bench_row *cpu = bench_row_add(r, BENCH_UNIT_CPU, "segment.compact.day");
    struct bench_row *size = bench_row_add(r, BENCH_UNIT_BYTES, "segment.size.day");
    if (status != 0 || cpu == NULL || size == NULL)
        return status == 0 ? ERR_RANGE : status;
    cpu->events = t->events;
    size->events = t->events;
    bench_sample(cpu, (double)ns / 1e3 / events);
    bench_sample(size, (double)done.segment_bytes / events);
    return 0;
}

int bench_segments(struct bench_report *r, const struct bench_options *o)
{
    struct truth truth = {0};
    struct bench_desk *desk = NULL;
    struct log_index *index = NULL;
    const struct bench_desk_options options = {.diag = o->diag};
    uint64_t events = o->events == 0 ? SEGMENT_EVENTS : o->events;
    int status = pick(&truth, events, o);
    if (status == 0)
        status = bench_desk_open(&desk, &options);
    if (status == 0)
        status = fill(desk, &truth, events, o);
    if (status == 0)
        status = compact(r, desk, &truth, o->diag);
    if (status == 0)
        status = log_index_open(&index, bench_desk_dir(desk), o->diag);
    struct segment_ask asks[ASKS];
    asks_init(asks, &truth);
    const struct asking q = {.index = index, .truth = &truth, .diag = o->diag};
    for (size_t i = 0; i < ASKS && status == 0; i++)
        status = measure(r, &q, &asks[i], i + 1 == ASKS ? o->repeat : SEGMENT_TIMES);
    log_index_close(index);
    bench_desk_close(desk);
    truth_release(&truth);
    return status;
}
