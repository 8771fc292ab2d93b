/* app/cmd_search.c - sekisho search: the stored events that a query holds for. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/pipe_run.h"
#include "base/clock.h"
#include "event/pred.h"

enum {
    TABLE_ROWS = 1000,
    JST_MINUTES = 9 * 60,
    STOP_ROWS = 256, /* between looks at time and interrupt while rows are printed */
};

#define MEMORY_MAX_DEFAULT ((uint64_t)1 << 30)
#define MEMORY_MAX_LEAST   ((uint64_t)1 << 20)
#define MEMORY_MAX_MOST    ((uint64_t)1 << 46)

static const char HELP[] =
    "usage: sekisho search QUERY --data DIR [options]\n"
    "\n"
    "Print the stored events that QUERY holds for, in the order of topic, partition, offset and\n"
    "line within the record; on a terminal a table of the 1,000 newest.\n"
    "\n"
    "  --data DIR       the store, of a running collector or of none; it is only read\n"
    "  --keyring FILE   keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --tenant CODE    only this municipality (six digits)\n"
    "  --since T        only events of this time and later; a time or a duration back (24h)\n"
    "  --until T        only events before this time\n"
    "  --json           NDJSON, also on a terminal\n"
    "  --csv            CSV with a header\n"
    "  --raw            the lines as they came\n"
    "  --count          only how many\n"
    "  --limit N        the first N of the order\n"
    "  --utc            times of the table in UTC instead of JST\n"
    "  --stats json     what the search cost, as JSON on standard error\n"
    "  --threads N      default: one per processor\n"
    "  --max-time T     stop after so long (30s), say what there is, and that it is incomplete\n"
    "  --max-memory N   the same when what pipes hold is larger; bytes, or with K, M, G (1G)\n"
    "\n"
    "Query: field:value with * and ?, field:(a or b), field>=n, field:[a to b], field:a.b.c.d/n,\n"
    "field:* (exists), field:/regex/, a bare word for a part of the line; and, or, not, ( ).\n"
    "Behind it, each after a |: stats count() by url.domain (sum avg min max distinct p95),\n"
    "timechart span=5m count(), top 10 url.domain, rare 10 url.domain, sort -source.bytes, head 10,\n"
    "fields source.ip, url.domain, dedup source.ip, where count>9. An interrupt shows what there is.\n"
    "\n"
    "Exit codes: 0 found, 1 nothing found, 2 query or usage, 3 no store, 5 incomplete (what is\n"
    "damaged is named, or what stopped it), 6 the system refused.\n";

enum search_output {
    OUTPUT_AUTO,
    OUTPUT_NDJSON,
    OUTPUT_CSV,
    OUTPUT_RAW,
    OUTPUT_COUNT,
    OUTPUT_TABLE,
};

struct search {
    const char *query_text;
    const char *data;
    struct sieve_query query;
    enum search_output output;
    bool has_limit;
    bool utc;
    bool stats_json;
    uint64_t limit;
    unsigned threads;
    int64_t start_ns;
    int64_t time_max_ns;
    uint64_t memory_max_bytes;
    struct arena arena;
    struct pipeline *pipeline;
    struct pred *pred;
    struct scan_stop stop;
    uint64_t rows_left; /* not shown on the terminal */
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_KEYRING,
    OPT_TENANT,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_JSON,
    OPT_CSV,
    OPT_RAW,
    OPT_COUNT,
    OPT_LIMIT,
    OPT_UTC,
    OPT_STATS,
    OPT_THREADS,
    OPT_MAX_TIME,
    OPT_MAX_MEMORY,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"json", no_argument, NULL, OPT_JSON},
    {"csv", no_argument, NULL, OPT_CSV},
    {"raw", no_argument, NULL, OPT_RAW},
    {"count", no_argument, NULL, OPT_COUNT},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"utc", no_argument, NULL, OPT_UTC},
    {"stats", required_argument, NULL, OPT_STATS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"max-time", required_argument, NULL, OPT_MAX_TIME},
    {"max-memory", required_argument, NULL, OPT_MAX_MEMORY},
    {NULL, 0, NULL, 0},
};

static int set_output(struct search *s, enum search_output output)
{
    if (s->output != OUTPUT_AUTO && s->output != output) {
        (void)option_usage("search", "--json, --csv, --raw and --count exclude each other");
        return ERR_CONF;
    }
    s->output = output;
    return 0;
}

static int set_time_max(struct search *s, const char *value)
{
    int64_t ns = 0;
    if (clock_parse_duration(&ns, slice_from(value)) != 0 || ns <= 0) {
        (void)option_usage("search", "--max-time wants a duration like 30s, not \"%s\"", value);
        return ERR_CONF;
    }
    s->time_max_ns = ns;
    return 0;
}

/* Bytes, or with K, M, G. */
static int set_memory_max(struct search *s, const char *text)
{
    static const char UNITS[] = "KMG";
    char digits[32];
    size_t len = strlen(text);
    const char *unit = len > 1 ? strchr(UNITS, text[len - 1]) : NULL;
    unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - UNITS + 1);
    len -= unit != NULL;
    len = len < sizeof(digits) ? len : sizeof(digits) - 1;
    memcpy(digits, text, len);
    digits[len] = '\0';
    uint64_t value = 0;
    int err = option_number(&value, "--max-memory", digits, 1, MEMORY_MAX_MOST);
    if (err == 0 && (value > MEMORY_MAX_MOST >> shift || value << shift < MEMORY_MAX_LEAST)) {
        (void)option_usage("search", "--max-memory wants 1M or more, like 512M, not \"%s\"", text);
        return ERR_CONF;
    }
    if (err == 0)
        s->memory_max_bytes = value << shift;
    return err;
}

static int set_number(struct search *s, int option, const char *value)
{
    uint64_t threads = 0;
    if (option == OPT_MAX_TIME)
        return set_time_max(s, value);
    if (option == OPT_MAX_MEMORY)
        return set_memory_max(s, value);
    if (option == OPT_LIMIT) {
        s->has_limit = true;
        return option_number(&s->limit, "--limit", value, 1, UINT64_MAX);
    }
    int err = option_number(&threads, "--threads", value, 1, OPTION_THREADS_MAX);
    s->threads = err == 0 ? (unsigned)threads : s->threads;
    return err;
}

static int take_option(void *self, int option, const char *value)
{
    struct search *s = self;
    switch (option) {
    case OPT_DATA:
        s->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    case OPT_TENANT:
        s->query.has_tenant = true;
        return option_tenant(&s->query.tenant, "--tenant", value);
    case OPT_SINCE:
        return option_time(&s->query.since_ns, "--since", value, clock_now_ns());
    case OPT_UNTIL:
        return option_time(&s->query.until_ns, "--until", value, clock_now_ns());
    case OPT_JSON:
        return set_output(s, OUTPUT_NDJSON);
    case OPT_CSV:
        return set_output(s, OUTPUT_CSV);
    case OPT_RAW:
        return set_output(s, OUTPUT_RAW);
    case OPT_COUNT:
        return set_output(s, OUTPUT_COUNT);
    case OPT_UTC:
        s->utc = true;
        return 0;
    case OPT_STATS:
        s->stats_json = true;
        if (strcmp(value, "json") == 0)
            return 0;
        (void)option_usage("search", "--stats knows one form: json");
        return ERR_CONF;
    default:
        return set_number(s, option, value);
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct search *s = self;
    if (count != 1)
        return option_usage("search", count == 0 ? "a query is missing (\"\" is every event)"
                                                 : "one query is enough: put it between quotes");
    if (s->data == NULL)
        return option_usage("search", "--data DIR is missing");
    s->query_text = words[0];
    if (s->output == OUTPUT_AUTO)
        s->output = isatty(STDOUT_FILENO) == 1 ? OUTPUT_TABLE : OUTPUT_NDJSON;
    return 0;
}

static const struct command_line LINE = {.command = "search",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

static const enum row_form FORMS[] = {[OUTPUT_NDJSON] = ROW_NDJSON,
                                      [OUTPUT_CSV] = ROW_CSV,
                                      [OUTPUT_RAW] = ROW_RAW,
                                      [OUTPUT_TABLE] = ROW_TABLE};

/* Rows on their way out. */
struct printing {
    struct row_printer *printer;
    struct sink sink;
    uint64_t left;
    struct scan_stop *stop; /* NULL: what was found until the stop is printed */
};

static int print_hit(void *self, const struct scan_row *row)
{
    struct printing *p = self;
    if (p->left == 0)
        return 1;
    if (p->stop != NULL && p->left % STOP_ROWS == 0 && scan_stop_now(p->stop))
        return 1;
    p->left--;
    int err = row_print(p->printer, row, &p->sink.out);
    return err == 0 ? sink_check(&p->sink) : err;
}

/* The table's rows come batch by batch: keep their texts until all are there. */
struct table {
    struct row_printer *printer;
    struct buf text;
    struct span *rows;
};

static int keep_hit(void *self, const struct scan_row *row)
{
    struct table *t = self;
    size_t at = t->text.len;
    int err = row_print(t->printer, row, &t->text);
    if (err != 0 || t->text.len > UINT32_MAX)
        return ERR_NOMEM;
    t->rows[row->rank] = (struct span){.offset = (uint32_t)at, .len = (uint32_t)(t->text.len - at)};
    return 0;
}

static int print_table(struct scan *scan, struct printing *p)
{
    struct table t = {.printer = p->printer};
    struct arena arena = {0};
    t.rows = arena_array(&arena, SCAN_NEWEST_MAX, sizeof(*t.rows));
    int err = t.rows == NULL ? ERR_NOMEM : scan_newest(scan, keep_hit, &t);
    for (size_t i = 0; err == 0 && i < SCAN_NEWEST_MAX; i++) {
        buf_append(&p->sink.out, t.text.data + t.rows[i].offset, t.rows[i].len);
        err = sink_check(&p->sink);
    }
    buf_release(&t.text);
    arena_release(&arena);
    return err;
}

static int print_hits(struct search *s, struct scan *scan)
{
    struct printing p = {.sink = {.fd = STDOUT_FILENO},
                         .left = s->has_limit ? s->limit : UINT64_MAX,
                         .stop = scan_stopped(scan) ? NULL : &s->stop};
    int err = 0;
    if (s->output == OUTPUT_COUNT) {
        buf_printf(&p.sink.out, "%llu\n", (unsigned long long)scan_counters(scan).hits);
    } else {
        const struct row_print_options options = {.form = FORMS[s->output],
                                                  .zone_minutes = s->utc ? 0 : JST_MINUTES};
        err = row_printer_new(&p.printer, &options);
        if (err == 0 && (s->output == OUTPUT_CSV || scan_counters(scan).hits != 0))
            row_print_header(p.printer, &p.sink.out);
        if (err == 0)
            err =
                s->output == OUTPUT_TABLE ? print_table(scan, &p) : scan_walk(scan, print_hit, &p);
    }
    row_printer_free(p.printer);
    int closed = sink_close(&p.sink);
    return err != 0 ? err : closed;
}

/* Whether nothing is damaged and nothing stopped it. */
static bool is_complete(const struct search *s, const struct scan *scan)
{
    return scan_missing(scan) == 0 && scan_stop_text(&s->stop) == NULL;
}

static void say_json(const struct search *s, const struct scan *scan)
{
    const struct sieve_counters c = scan_counters(scan);
    const char *stopped = scan_stop_text(&s->stop);
    (void)fprintf(
        stderr,
        "{\"hits\":%llu,\"rows\":%llu,\"rows_unpacked\":%llu,\"batches\":%llu,\"bytes\":%llu,"
        "\"pruned\":{\"scope\":%llu,\"time\":%llu,\"filter\":%llu,\"texts\":%llu,\"segments\":%llu},"
        "\"complete\":%s,\"missing\":%llu,\"stopped\":%s%s%s,\"threads\":%u,"
        "\"milliseconds\":%.3f,\"cpu_milliseconds\":%.3f}\n",
        (unsigned long long)c.hits, (unsigned long long)c.rows, (unsigned long long)c.rows_unpacked,
        (unsigned long long)c.batches, (unsigned long long)c.bytes,
        (unsigned long long)c.pruned_scope, (unsigned long long)c.pruned_time,
        (unsigned long long)c.pruned_filter, (unsigned long long)c.pruned_texts,
        (unsigned long long)c.segments_skipped, is_complete(s, scan) ? "true" : "false",
        (unsigned long long)scan_missing(scan), stopped == NULL ? "" : "\"",
        stopped == NULL ? "null" : stopped, stopped == NULL ? "" : "\"", s->threads,
        (double)(clock_monotonic_ns() - s->start_ns) / 1e6, (double)clock_cpu_ns() / 1e6);
}

static void say_statistics(const struct search *s, const struct scan *scan)
{
    const struct sieve_counters c = scan_counters(scan);
    const char *stopped = scan_stop_text(&s->stop);
    int64_t ns = clock_monotonic_ns() - s->start_ns;
    if (s->rows_left != 0)
        (void)fprintf(stderr, "%llu rows more: --limit N shows N, --json all\n",
                      (unsigned long long)s->rows_left);
    if (s->stats_json) {
        say_json(s, scan);
        return;
    }
    uint64_t skipped = c.pruned_filter + c.pruned_texts + c.pruned_time + c.pruned_scope;
    (void)fprintf(
        stderr,
        "%llu hits in %llu rows (%llu unpacked), %.1f MB read, %llu of %llu batches "
        "skipped (filter %llu, texts %llu, time %llu, scope %llu; %llu segments by time), %.0f ms, %s%s%s\n",
        (unsigned long long)c.hits, (unsigned long long)c.rows, (unsigned long long)c.rows_unpacked,
        (double)c.bytes / 1e6, (unsigned long long)skipped, (unsigned long long)c.batches,
        (unsigned long long)c.pruned_filter, (unsigned long long)c.pruned_texts,
        (unsigned long long)c.pruned_time, (unsigned long long)c.pruned_scope,
        (unsigned long long)c.segments_skipped, (double)ns / 1e6,
        is_complete(s, scan) ? "complete" : "INCOMPLETE: ", stopped != NULL ? stopped : "",
        is_complete(s, scan) || stopped != NULL ? "" : "what is named above is missing");
}

/* Whole events: scan, then print. */
static int search_events(struct search *s, const struct log_index *index, struct scan **scan)
{
    struct scan_options options = {.keep = SCAN_ORDER, .threads = s->threads, .stop = &s->stop};
    if (s->output == OUTPUT_COUNT)
        options.keep = SCAN_COUNT;
    if (s->output == OUTPUT_TABLE) {
        options.keep = SCAN_NEWEST;
        options.newest = !s->has_limit                ? TABLE_ROWS
                         : s->limit < SCAN_NEWEST_MAX ? (size_t)s->limit
                                                      : SCAN_NEWEST_MAX;
    }
    int err = scan_run(scan, index, &s->query, &options, &s->diag);
    option_say(&s->diag);
    size_t said = s->diag.text.len;
    if (err == 0)
        err = print_hits(s, *scan);
    option_say_more(&s->diag, said);
    return err;
}

static int search_pipes(struct search *s, const struct log_index *index, struct scan **scan)
{
    struct sink sink = {.fd = STDOUT_FILENO};
    struct pipe_run run = {
        .pipeline = s->pipeline,
        .index = index,
        .query = &s->query,
        .form = {.form = FORMS[s->output], .zone_minutes = s->utc ? 0 : JST_MINUTES},
        .threads = s->threads,
        .row_max = s->has_limit ? s->limit : UINT64_MAX,
        .memory_max_bytes = s->memory_max_bytes,
        .stop = &s->stop,
        .sink = &sink,
        .diag = &s->diag,
    };
    int err = pipe_run(&run);
    *scan = run.scan;
    s->rows_left = run.rows_left;
    int closed = sink_close(&sink);
    option_say(&s->diag);
    return err != 0 ? err : closed;
}

/* Scan and print. Returns the exit code. */
static int search_store(struct search *s)
{
    struct log_index *index = NULL;
    struct scan *scan = NULL;
    option_give_way(s->data);
    int err = scan_stop_begin(&s->stop, s->time_max_ns);
    if (err == 0)
        err = scan_index_open(&index, s->data, &s->query, &s->diag);
    if (err != 0)
        option_say(&s->diag);
    else if (s->pipeline->pipe_count == 0)
        err = search_events(s, index, &scan);
    else
        err = search_pipes(s, index, &scan);
    int saved = errno;
    scan_stop_end(&s->stop);
    int code = option_exit_code(err);
    if (err == 0) {
        say_statistics(s, scan);
        code = scan_counters(scan).hits != 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
        code = is_complete(s, scan) ? code : EXIT_CODE_INCOMPLETE;
    } else if (s->diag.count == 0) {
        option_why("search", err, saved);
    }
    scan_free(scan);
    log_index_close(index);
    return code;
}

/* The query, and whether the output has words for what it gives. */
static int read_query(struct search *s)
{
    int err = pipe_parse(&s->pipeline, &s->arena, slice_from(s->query_text), &s->diag);
    if (err == 0 && s->pipeline->condition->kind != AST_TRUE) {
        const struct ast *expression = s->pipeline->condition;
        err = pred_compile(&s->pred, &expression, 1, &s->diag);
    }
    option_say(&s->diag);
    if (err != 0 || s->pipeline->pipe_count == 0)
        return err;
    uint32_t columns = 0;
    bool makes_columns = pipe_columns(s->pipeline, &columns) != NULL;
    if (s->output == OUTPUT_COUNT) {
        (void)option_usage("search", "--count counts events; with pipes write | stats count()");
        return ERR_CONF;
    }
    if (s->output == OUTPUT_RAW && makes_columns) {
        (void)option_usage("search",
                           "--raw prints lines, and these pipes make columns; take --json "
                           "or --csv, or leave out the pipes behind the condition");
        return ERR_CONF;
    }
    return 0;
}

int cmd_search(int argc, char **argv)
{
    struct search s = {.query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
                       .threads = option_processors(),
                       .time_max_ns = INT64_MAX,
                       .memory_max_bytes = MEMORY_MAX_DEFAULT,
                       .stop = {.signals = -1},
                       .start_ns = clock_monotonic_ns()};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &s, argc, argv, &code))
        return code;
    int err = read_query(&s);
    s.query.pred = s.pred;
    code = err == 0 ? search_store(&s) : option_exit_code(err);
    pred_free(s.pred);
    arena_release(&s.arena);
    diag_release(&s.diag);
    return code;
}
