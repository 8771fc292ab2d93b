/* app/cmd_export.c - sekisho export: everything that is stored, in order, byte for byte. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/options.h"
#include "app/record_print.h"
#include "app/sink.h"

static const char HELP[] =
    "usage: sekisho export --data DIR [options]\n"
    "\n"
    "Print everything that is stored, in the order of topic, partition, offset and line within the\n"
    "record, as NDJSON. Each object carries the SHA-256 of its record's bytes.\n"
    "\n"
    "  --data DIR       the store, of a running collector or of none; it is only read\n"
    "  --tenant CODE    only this municipality (six digits)\n"
    "  --topic T        only this topic (files of `replay`: file)\n"
    "  --partition P    only this partition\n"
    "  --raw            the records' bytes, each Kafka record with a line feed behind it\n"
    "  -0               with --raw: NUL instead of the line feed\n"
    "  --threads N      default: one per processor\n"
    "\n"
    "Exit codes: 0 all of it, 2 usage, 3 no store, 5 incomplete (what is damaged is named), 6 the\n"
    "system refused.\n";

struct export
{
    const char *data;
    struct sieve_query query;
    struct record_print_options form;
    unsigned threads;
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_TENANT,
    OPT_TOPIC,
    OPT_PARTITION,
    OPT_RAW,
    OPT_THREADS,
    OPT_HELP,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"partition", required_argument, NULL, OPT_PARTITION},
    {"raw", no_argument, NULL, OPT_RAW},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int set_option(struct export *e, int got)
{
    uint64_t value = 0;
    int err = 0;
    switch (got) {
    case OPT_DATA:
        e->data = optarg;
        return 0;
    case OPT_TENANT:
        e->query.has_tenant = true;
        return option_tenant(&e->query.tenant, "--tenant", optarg);
    case OPT_TOPIC:
        e->query.topic = slice_from(optarg);
        return 0;
    case OPT_PARTITION:
        err = option_number(&value, "--partition", optarg, 0, INT32_MAX);
        e->query.has_partition = true;
        e->query.partition = (int32_t)value;
        return err;
    case OPT_RAW:
        e->form.raw = true;
        return 0;
    case '0':
        e->form.terminator = '\0';
        return 0;
    default:
        err = option_number(&value, "--threads", optarg, 1, OPTION_THREADS_MAX);
        e->threads = err == 0 ? (unsigned)value : e->threads;
        return err;
    }
}

/* Read the command line. Returns true to go on, false to end with *exit_code. */
static bool read_options(struct export *e, int argc, char **argv, int *exit_code)
{
    int got = 0;
    *exit_code = EXIT_CODE_USAGE;
    opterr = 0;
    while ((got = getopt_long(argc, argv, ":0", OPTIONS, NULL)) != -1) {
        if (got == OPT_HELP) {
            *exit_code = fputs(HELP, stdout) < 0 ? EXIT_CODE_SYSTEM : EXIT_CODE_OK;
            return false;
        }
        if (got == '?' || got == ':') {
            *exit_code = option_refuse(argc, argv, got, OPTIONS);
            return false;
        }
        if (set_option(e, got) != 0)
            return false;
    }
    if (optind != argc)
        *exit_code = option_usage("export", "it takes options only; to choose events use search");
    else if (e->data == NULL)
        *exit_code = option_usage("export", "--data DIR is missing");
    else if (e->form.terminator == '\0' && !e->form.raw)
        *exit_code = option_usage("export", "-0 goes with --raw");
    else
        return true;
    return false;
}

struct exporting {
    struct record_printer *printer;
    struct sink sink;
};

static int print_row(void *self, const struct scan_row *row)
{
    struct exporting *x = self;
    int err = record_print_row(x->printer, row, &x->sink.out);
    return err == 0 ? sink_check(&x->sink) : err;
}

static int print_all(const struct export *e, struct scan *scan)
{
    struct exporting x = {.sink = {.fd = STDOUT_FILENO}};
    int err = record_printer_new(&x.printer, &e->form);
    if (err == 0)
        err = scan_walk(scan, print_row, &x);
    if (err == 0)
        err = record_print_end(x.printer, &x.sink.out);
    record_printer_free(x.printer);
    int closed = sink_close(&x.sink);
    return err != 0 ? err : closed;
}

static int export_store(struct export *e)
{
    struct log_index *index = NULL;
    struct scan *scan = NULL;
    const struct scan_options options = {.keep = SCAN_ORDER, .threads = e->threads};
    int err = scan_index_open(&index, e->data, &e->query, &e->diag);
    if (err == 0)
        err = scan_run(&scan, index, &e->query, &options, &e->diag);
    option_say(&e->diag);
    size_t said = e->diag.text.len;
    if (err == 0)
        err = print_all(e, scan);
    option_say_more(&e->diag, said);
    int code = option_exit_code(err);
    if (err == 0 && scan_missing(scan) != 0) {
        (void)fprintf(stderr, "sekisho export: INCOMPLETE: what is named above is missing\n");
        code = EXIT_CODE_INCOMPLETE;
    } else if (err != 0 && e->diag.count == 0) {
        (void)fprintf(stderr, "sekisho export: %s%s%s\n", err_name(err), err == ERR_IO ? ": " : "",
                      err == ERR_IO ? strerrordesc_np(errno) : "");
    }
    scan_free(scan);
    log_index_close(index);
    return code;
}

int cmd_export(int argc, char **argv)
{
    struct export e = {.query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
                       .form = {.terminator = '\n'},
                       .threads = option_processors()};
    int code = EXIT_CODE_OK;
    if (read_options(&e, argc, argv, &code))
        code = export_store(&e);
    diag_release(&e.diag);
    return code;
}
