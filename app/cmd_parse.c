/* app/cmd_parse.c - `sekisho parse`: what the parsers make of lines, as NDJSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/line_reader.h"
#include "app/options.h"
#include "base/clock.h"
#include "event/ndjson.h"

static const char HELP[] =
    "usage: sekisho parse [OPTION...] [FILE]\n"
    "Print one JSON object per line of FILE (or standard input), in order.\n"
    "  --format NAME      one of those below, or auto (the default): by the look of each line\n"
    "  --zone OFFSET      zone of the device's clock where a line does not say it (+09:00)\n"
    "  --encoding NAME    utf-8, cp932, euc-jp, or auto (the default): by the look of each line\n"
    "  --reference-time T a time near the first line, for stamps without a year (now)\n"
    "  -0                 rows end with NUL instead of newline\n"
    "  --raw              print event.original in every object\n"
    "Formats:";

static void list_formats(struct buf *out)
{
    size_t at = 0;
    for (const struct parser *p = parser_at(at); p != NULL; p = parser_at(++at))
        buf_printf(out, " %s", p->name);
    buf_text(out, " template:FILE\n");
}

enum parse_limits {
    WINDOW_ROWS = 1024,     /* printed together: formats have batches of their own until then */
    WINDOW_BYTES = 4 << 20, /* or as soon as these are open or waiting */
};

/* Where the object of a row is. */
struct printed {
    uint32_t order;
    uint32_t len;
    size_t at;
};

struct parse_run {
    struct ndjson *printer;
    struct buf out;
    struct buf rows; /* struct printed, of all that is in `out` */
    uint32_t order;  /* rows so far, counted by the feed */
    unsigned flags;
};

static int take_batch(void *self, struct batch *b)
{
    struct parse_run *run = self;
    int status = ndjson_batch(run->printer, b);
    for (uint32_t row = 0; row < b->row_count && status == 0; row++) {
        struct printed p = {.order = b->order[row], .at = run->out.len};
        status = ndjson_row(run->printer, row, run->flags, &run->out);
        p.len = (uint32_t)(run->out.len - p.at);
        buf_append(&run->rows, &p, sizeof(p));
    }
    return status != 0 || (buf_ok(&run->out) && buf_ok(&run->rows)) ? status : ERR_NOMEM;
}

static int compare_order(const void *a, const void *b)
{
    const struct printed *first = a;
    const struct printed *second = b;
    return first->order < second->order ? -1 : first->order > second->order;
}

/* Close what is open and print it, in the order of the lines. */
static int print_window(struct parse_run *run, struct feed *feed)
{
    int status = feed_close(feed);
    if (status != 0)
        return status;
    size_t count = run->rows.len / sizeof(struct printed);
    void *rows = run->rows.data;
    if (count > 1)
        qsort(rows, count, sizeof(struct printed), compare_order);
    const struct printed *p = rows;
    for (size_t i = 0; i < count && status == 0; i++) {
        if (fwrite(run->out.data + p[i].at, 1, p[i].len, stdout) != p[i].len)
            status = ERR_IO;
    }
    buf_reset(&run->out);
    buf_reset(&run->rows);
    run->order = 0;
    return status;
}

struct parse_options {
    const char *format;
    const char *path;
    int32_t zone_minutes;
    enum charset encoding;
    int64_t now_ns;
    int64_t reference_ns;
    char end;
    unsigned flags;
};

static const struct option OPTIONS[] = {
    {"format", required_argument, NULL, 'f'},
    {"zone", required_argument, NULL, 'z'},
    {"encoding", required_argument, NULL, 'e'},
    {"reference-time", required_argument, NULL, 't'},
    {"raw", no_argument, NULL, 'r'},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct parse_options *o = self;
    switch (option) {
    case 'f':
        o->format = value;
        return 0;
    case 'z':
        if (clock_parse_zone(&o->zone_minutes, slice_from(value)) == 0)
            return 0;
        return option_usage("parse", "--zone takes an offset such as +09:00");
    case 'e':
        return option_encoding(&o->encoding, "--encoding", value);
    case 't':
        return option_time(&o->reference_ns, "--reference-time", value, o->now_ns);
    case 'r':
        o->flags = NDJSON_ORIGINAL;
        return 0;
    default:
        o->end = '\0';
        return 0;
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct parse_options *o = self;
    if (count > 1)
        return option_usage("parse", "one FILE at a time; further ones go to further calls");
    o->path = count == 0 ? NULL : words[0];
    return 0;
}

static const struct command_line LINE = {.command = "parse",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .help_more = list_formats,
                                         .letters = "0f:"};

/* Rows that end with NUL are records of their own: the NUL is not part of them. */
static int feed_rows(struct feed *feed, struct line_reader *reader, const struct parse_options *o,
                     struct parse_run *run, const struct feed_bench *bench)
{
    struct slice row;
    struct feed_result result;
    struct record record = {.reference_ns = o->reference_ns};
    int status = 0;
    while ((status = line_reader_next(reader, &row)) == 0) {
        if (o->end == '\0' && row.len != 0 && row.data[row.len - 1] == '\0')
            row.len--;
        record.value = row;
        record.arrival_ns = o->reference_ns;
        status = feed_record(feed, &record, &result);
        if (status != 0)
            return status;
        record.offset++;
        int64_t last = feed_last_time(feed);
        record.reference_ns = last == CLOCK_NONE ? o->reference_ns : last;
        if (run->order >= WINDOW_ROWS || feed_bench_bytes(bench) + run->out.len > WINDOW_BYTES)
            status = print_window(run, feed);
        if (status != 0)
            return status;
    }
    return status == ERR_NOTFOUND ? print_window(run, feed) : status;
}

static int run_parse(struct config *config, struct feed_bench *bench, const struct parse_options *o,
                     struct diag *diag)
{
    struct parse_run run = {.printer = ndjson_new(), .flags = o->flags};
    struct feed_options options = {.zone_minutes = o->zone_minutes,
                                   .rows_max = WINDOW_ROWS,
                                   .order = &run.order,
                                   .encoding = o->encoding,
                                   .split = o->end == '\0' ? SPLIT_NONE : SPLIT_LINES,
                                   .closed = take_batch,
                                   .self = &run};
    struct feed *feed = NULL;
    struct line_reader *reader = NULL;
    int status = run.printer == NULL ? ERR_NOMEM : 0;
    if (status == 0)
        status =
            config_format(config, slice_from(o->format), &options.format, &options.layout, diag);
    if (status == 0)
        status = feed_open(&feed, bench, &options);
    if (status == 0) {
        status = line_reader_open(&reader, o->path, o->end, BATCH_RECORD_BYTES_MAX);
        if (status != 0)
            diag_add(diag, o->path == NULL ? "standard input" : o->path, 0, 0,
                     "cannot be opened: %s", err_name(status));
    }
    if (status == 0)
        status = feed_rows(feed, reader, o, &run, bench);
    if (fflush(stdout) != 0 && status == 0)
        status = ERR_IO;
    line_reader_close(reader);
    feed_free(feed);
    ndjson_free(run.printer);
    buf_release(&run.rows);
    buf_release(&run.out);
    return status;
}

int cmd_parse(int argc, char **argv)
{
    int64_t now_ns = clock_now_ns();
    struct parse_options o = {.format = "auto",
                              .zone_minutes = 9 * 60,
                              .encoding = CHARSET_AUTO,
                              .now_ns = now_ns,
                              .reference_ns = now_ns,
                              .end = '\n'};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &o, argc, argv, &code))
        return code;
    struct diag diag = {0};
    struct config *config = NULL;
    struct feed_bench *bench = NULL;
    struct domain_list *domains = NULL;
    struct feed_environment environment = {0};
    int status = config_load(&config, NULL, &diag);
    /* Without the suffix list everything but the registrable domain is printed. */
    if (status == 0 && domain_open(&domains, NULL) == 0)
        environment.domains = domains;
    if (status == 0)
        status = feed_bench_new(&bench, &environment);
    if (status == 0)
        status = run_parse(config, bench, &o, &diag);
    if (status != 0 && diag.count == 0)
        diag_add(&diag, "sekisho parse", 0, 0, "%s", err_name(status));
    option_say(&diag);
    code = status == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(status);
    feed_bench_free(bench);
    domain_close(domains);
    config_free(config);
    diag_release(&diag);
    return code;
}
