/* app/cmd_export.c - sekisho export: what is stored, in order, in the forms that others read. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "app/bundle.h"
#include "app/clickhouse.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/pipe_run.h"
#include "app/record_print.h"
#include "base/clock.h"
#include "event/pred.h"

#define CLICKHOUSE_WAIT_NS INT64_C(300000000000)

static const char HELP[] =
    "usage: sekisho export --data DIR [options]\n"
    "       sekisho export --clickhouse-ddl [--table T]\n"
    "\n"
    "Print everything that is stored, in the order of topic, partition, offset and line within the\n"
    "record, as NDJSON. Each object carries the SHA-256 of its record's bytes.\n"
    "\n"
    "  --data DIR       the store, of a running collector or of none; it is only read\n"
    "  --keyring FILE   keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --tenant CODE    only this municipality (six digits)\n"
    "  --topic T        only this topic (files of `replay`: file)\n"
    "  --partition P    only this partition\n"
    "  --raw            the records' bytes, each Kafka record with a line feed behind it\n"
    "  -0               with --raw: NUL instead of the line feed\n"
    "  --csv            CSV with a header, for spreadsheets: UTF-8 with a byte order mark, and no\n"
    "                   cell that a spreadsheet would run\n"
    "  --fields A,B     with --csv: these columns in this order, 32 at most\n"
    "  --no-bom         with --csv: without the byte order mark\n"
    "  --bundle FILE    evidence to hand over: the chosen rows of one municipality, the proof that\n"
    "                   they are what was recorded, and a verifier; a tar file when the name ends\n"
    "                   with .tar, else a folder\n"
    "  --alert ID       with --bundle: the rows that this alert names\n"
    "  --query Q        with --csv and --bundle: only events that Q holds for, as in search, without\n"
    "                   pipes\n"
    "  --since T        the same: only events of this time and later; a time or a duration back\n"
    "  --until T        the same: only events before this time\n"
    "  --clickhouse URL rows of segments into a table of ClickHouse, each once; start it again to\n"
    "                   send what has come since\n"
    "  --table T        with --clickhouse: NAME or DATABASE.NAME (sekisho)\n"
    "  --user U         with --clickhouse: who the server knows\n"
    "  --password-file F  with --clickhouse: the password, in a file\n"
    "  --ca F           with --clickhouse: certificates to trust, for https\n"
    "  --wait T         with --clickhouse: how long to try a server that does not answer (5m)\n"
    "  --clickhouse-ddl print the statements that make the tables\n"
    "  --threads N      default: one per processor\n"
    "\n"
    "Exit codes: 0 all of it, 1 nothing for a bundle as yet, 2 usage, 3 no store, 5 incomplete (what is damaged is named),\n"
    "4 ClickHouse did not answer, 6 the system refused.\n";

struct export
{
    const char *data;
    struct sieve_query query;
    const char *query_text;
    bool csv;
    const char *fields;
    const char *bundle; /* NULL: none */
    const char *alert;
    struct clickhouse_options clickhouse; /* url NULL: none */
    bool ddl;
    bool no_bom;
    bool chooses; /* a part of the rows of a record */
    struct record_print_options form;
    unsigned threads;
    struct arena arena;
    struct pred *pred;
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_KEYRING,
    OPT_TENANT,
    OPT_TOPIC,
    OPT_PARTITION,
    OPT_RAW,
    OPT_CSV,
    OPT_FIELDS,
    OPT_NO_BOM,
    OPT_BUNDLE,
    OPT_ALERT,
    OPT_CLICKHOUSE,
    OPT_TABLE,
    OPT_USER,
    OPT_PASSWORD_FILE,
    OPT_CA,
    OPT_WAIT,
    OPT_DDL,
    OPT_QUERY,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_THREADS,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"partition", required_argument, NULL, OPT_PARTITION},
    {"raw", no_argument, NULL, OPT_RAW},
    {"csv", no_argument, NULL, OPT_CSV},
    {"fields", required_argument, NULL, OPT_FIELDS},
    {"no-bom", no_argument, NULL, OPT_NO_BOM},
    {"bundle", required_argument, NULL, OPT_BUNDLE},
    {"alert", required_argument, NULL, OPT_ALERT},
    {"clickhouse", required_argument, NULL, OPT_CLICKHOUSE},
    {"table", required_argument, NULL, OPT_TABLE},
    {"user", required_argument, NULL, OPT_USER},
    {"password-file", required_argument, NULL, OPT_PASSWORD_FILE},
    {"ca", required_argument, NULL, OPT_CA},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"clickhouse-ddl", no_argument, NULL, OPT_DDL},
    {"query", required_argument, NULL, OPT_QUERY},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"threads", required_argument, NULL, OPT_THREADS},
    {NULL, 0, NULL, 0},
};

/* Options of ClickHouse. */
static int set_clickhouse(struct export *e, int option, const char *value)
{
    struct clickhouse_options *c = &e->clickhouse;
    switch (option) {
    case OPT_CLICKHOUSE:
        c->url = value;
        return 0;
    case OPT_TABLE:
        c->table = value;
        return 0;
    case OPT_USER:
        c->user = value;
        return 0;
    case OPT_PASSWORD_FILE:
        c->password_file = value;
        return 0;
    case OPT_CA:
        c->ca = value;
        return 0;
    case OPT_DDL:
        e->ddl = true;
        return 0;
    default:
        if (clock_parse_duration(&c->wait_ns, slice_from(value)) == 0 && c->wait_ns >= 0)
            return 0;
        (void)option_usage("export", "--wait wants a duration like 5m, not \"%s\"", value);
        return ERR_CONF;
    }
}

/* Options of the forms. */
static int set_form(struct export *e, int option, const char *value)
{
    switch (option) {
    case OPT_RAW:
        e->form.raw = true;
        return 0;
    case '0':
        e->form.terminator = '\0';
        return 0;
    case OPT_CSV:
        e->csv = true;
        return 0;
    case OPT_BUNDLE:
        e->bundle = value;
        return 0;
    case OPT_ALERT:
        e->alert = value;
        return 0;
    case OPT_FIELDS:
        e->fields = value;
        return 0;
    default:
        e->no_bom = true;
        return 0;
    }
}

/* Which rows. */
static int set_choice(struct export *e, int option, const char *value)
{
    uint64_t partition = 0;
    int err = 0;
    switch (option) {
    case OPT_TENANT:
        e->query.has_tenant = true;
        return option_tenant(&e->query.tenant, "--tenant", value);
    case OPT_TOPIC:
        e->query.topic = slice_from(value);
        return 0;
    case OPT_PARTITION:
        err = option_number(&partition, "--partition", value, 0, INT32_MAX);
        e->query.has_partition = true;
        e->query.partition = (int32_t)partition;
        return err;
    case OPT_QUERY:
        e->query_text = value;
        e->chooses = true;
        return 0;
    case OPT_SINCE:
        e->chooses = true;
        return option_time(&e->query.since_ns, "--since", value, clock_now_ns());
    default:
        e->chooses = true;
        return option_time(&e->query.until_ns, "--until", value, clock_now_ns());
    }
}

static int take_option(void *self, int option, const char *value)
{
    struct export *e = self;
    uint64_t threads = 0;
    int err = 0;
    switch (option) {
    case OPT_DATA:
        e->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    case OPT_TENANT:
    case OPT_TOPIC:
    case OPT_PARTITION:
    case OPT_QUERY:
    case OPT_SINCE:
    case OPT_UNTIL:
        return set_choice(e, option, value);
    case OPT_THREADS:
        err = option_number(&threads, "--threads", value, 1, OPTION_THREADS_MAX);
        e->threads = err == 0 ? (unsigned)threads : e->threads;
        return err;
    case OPT_CLICKHOUSE:
    case OPT_TABLE:
    case OPT_USER:
    case OPT_PASSWORD_FILE:
    case OPT_CA:
    case OPT_WAIT:
    case OPT_DDL:
        return set_clickhouse(e, option, value);
    default:
        return set_form(e, option, value);
    }
}

static bool has_clickhouse(const struct clickhouse_options *c)
{
    return c->table != NULL || c->user != NULL || c->password_file != NULL || c->ca != NULL ||
           c->wait_ns >= 0;
}

static const char *check_clickhouse(const struct export *e)
{
    const char *url = e->clickhouse.url;
    const char *host = strstr(url, "://");
    if (e->form.raw || e->csv || e->bundle != NULL || e->alert != NULL || e->fields != NULL)
        return "--clickhouse and other forms exclude each other";
    if (e->chooses || e->query.topic.len != 0 || e->query.has_partition)
        return "--clickhouse sends whole segments: of the choices it takes --tenant alone";
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return "--clickhouse wants the server's HTTP interface, like http://127.0.0.1:8123";
    if (strchr(host, '@') != NULL || strstr(url, "password=") != NULL)
        return "a password in a URL is seen by others: take --user and --password-file";
    return NULL;
}

/* What is wrong with the options together, or NULL. */
static const char *find_fault(const struct export *e)
{
    bool alone = e->data == NULL && e->clickhouse.url == NULL;
    if (e->ddl)
        return alone ? NULL : "--clickhouse-ddl goes with --table alone";
    if (e->data == NULL)
        return "--data DIR is missing";
    if (e->clickhouse.url != NULL)
        return check_clickhouse(e);
    if (has_clickhouse(&e->clickhouse))
        return "--table, --user, --password-file, --ca and --wait go with --clickhouse";
    if (e->form.terminator == '\0' && !e->form.raw)
        return "-0 goes with --raw";
    if (e->form.raw + e->csv + (e->bundle != NULL) > 1)
        return "--raw, --csv and --bundle exclude each other";
    if (!e->csv && (e->fields != NULL || e->no_bom))
        return "--fields and --no-bom go with --csv";
    if (e->bundle == NULL && e->alert != NULL)
        return "--alert goes with --bundle";
    if (e->bundle != NULL && !e->query.has_tenant)
        return "a bundle holds rows of one municipality: --tenant CODE is missing";
    if (e->alert != NULL && (e->chooses || e->query.topic.len != 0 || e->query.has_partition))
        return "--alert chooses by itself: leave out --query, --since, --until, --topic, --partition";
    if (!e->csv && e->bundle == NULL && e->chooses)
        return "NDJSON and --raw are whole records: --query, --since and --until go with --csv and "
               "--bundle, and with `sekisho search`";
    return NULL;
}

static int take_operands(void *self, char **words, int count)
{
    const char *fault =
        count == 0 ? find_fault(self) : "it takes options only; to choose events use search";
    (void)words;
    return fault == NULL ? 0 : option_usage("export", "%s", fault);
}

static const struct command_line LINE = {.command = "export",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .letters = "0"};

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

static int export_records(struct export *e, struct log_index *index, struct scan **scan)
{
    const struct scan_options options = {.keep = SCAN_ORDER, .threads = e->threads};
    int err = scan_run(scan, index, &e->query, &options, &e->diag);
    option_say(&e->diag);
    size_t said = e->diag.text.len;
    if (err == 0)
        err = print_all(e, *scan);
    option_say_more(&e->diag, said);
    return err;
}

/* The pipe that makes the columns. */
static int read_fields(struct export *e, struct pipeline **out)
{
    struct buf text = {0};
    buf_text(&text, "| fields ");
    if (e->fields != NULL)
        buf_text(&text, e->fields);
    else
        row_print_csv_fields(&text);
    char *kept = buf_ok(&text) ? arena_array(&e->arena, text.len + SLICE_PADDING_BYTES, 1) : NULL;
    if (kept != NULL)
        memcpy(kept, text.data, text.len);
    size_t len = text.len;
    buf_release(&text);
    if (kept == NULL)
        return ERR_NOMEM;
    int err = pipe_parse(out, &e->arena, slice_of(kept, len), &e->diag);
    if (err == 0 && (*out)->pipe_count != 1) {
        (void)option_usage("export", "--fields wants names with commas between them");
        err = ERR_CONF;
    }
    if (err != 0 && e->diag.count != 0)
        (void)fprintf(stderr, "sekisho export: --fields is not right (read as: %.*s)\n", (int)len,
                      kept);
    return err;
}

static int export_csv(struct export *e, struct log_index *index, struct scan **scan)
{
    struct sink sink = {.fd = STDOUT_FILENO};
    struct pipeline *pipeline = NULL;
    struct scan_stop stop = {.deadline_ns = INT64_MAX, .signals = -1};
    int err = read_fields(e, &pipeline);
    option_say(&e->diag);
    if (err != 0)
        return err;
    struct pipe_run run = {.pipeline = pipeline,
                           .index = index,
                           .query = &e->query,
                           .form = {.form = ROW_CSV},
                           .threads = e->threads,
                           .row_max = UINT64_MAX,
                           .stop = &stop,
                           .sink = &sink,
                           .diag = &e->diag};
    size_t said = e->diag.text.len;
    if (!e->no_bom)
        buf_text(&sink.out, "\xef\xbb\xbf");
    err = pipe_run(&run);
    *scan = run.scan;
    int closed = sink_close(&sink);
    option_say_more(&e->diag, said);
    return err != 0 ? err : closed;
}

/* The condition, which the rows must meet. */
static int read_query(struct export *e)
{
    struct pipeline *p = NULL;
    if (e->query_text == NULL)
        return 0;
    int err = pipe_parse(&p, &e->arena, slice_from(e->query_text), &e->diag);
    if (err == 0 && p->pipe_count != 0) {
        (void)option_usage("export", "--query takes a condition without pipes; with pipes use "
                                     "`sekisho search`");
        return ERR_CONF;
    }
    if (err == 0 && p->condition->kind != AST_TRUE) {
        const struct ast *expression = p->condition;
        err = pred_compile(&e->pred, &expression, 1, &e->diag);
        e->query.pred = e->pred;
    }
    if (err != 0)
        option_say(&e->diag);
    return err;
}

static int export_store(struct export *e)
{
    struct log_index *index = NULL;
    struct scan *scan = NULL;
    int err = scan_index_open(&index, e->data, &e->query, &e->diag);
    if (err != 0)
        option_say(&e->diag);
    else if (e->csv)
        err = export_csv(e, index, &scan);
    else
        err = export_records(e, index, &scan);
    int code = option_exit_code(err);
    if (err == 0 && scan_missing(scan) != 0) {
        (void)fprintf(stderr, "sekisho export: INCOMPLETE: what is named above is missing\n");
        code = EXIT_CODE_INCOMPLETE;
    } else if (err != 0 && err != ERR_CONF && e->diag.count == 0) {
        option_why("export", err, errno);
    }
    scan_free(scan);
    log_index_close(index);
    return code;
}

static int export_bundle(struct export *e)
{
    const struct bundle_options options = {.dir = e->data,
                                           .out = e->bundle,
                                           .query = &e->query,
                                           .query_text = e->query_text,
                                           .alert = e->alert};
    const struct store_options look = {.dir = e->data, .read_only = true};
    struct bundle_report report = {0};
    struct store *st = NULL;
    int err = store_open(&st, &look, &e->diag);
    store_close(st);
    int code = option_exit_code(err);
    if (err == 0) {
        err = bundle_make(&report, &options, &e->diag);
        code = err == ERR_NOTFOUND ? EXIT_CODE_FINDINGS : option_exit_code(err);
    }
    if (err != 0 && e->diag.count == 0)
        diag_add(&e->diag, e->bundle, 0, 0, "no bundle was made: %s", err_name(err));
    option_say(&e->diag);
    if (err != 0)
        return code;
    (void)fprintf(stderr,
                  "%s: %llu rows of %06u, %llu bytes, %llu hashes, under checkpoint %llu%s\n",
                  e->bundle, (unsigned long long)report.rows, e->query.tenant,
                  (unsigned long long)report.bytes, (unsigned long long)report.hashes,
                  (unsigned long long)report.checkpoint,
                  report.damage == 0 ? "" : "; INCOMPLETE: what is named above could not be read");
    return report.damage == 0 ? EXIT_CODE_OK : EXIT_CODE_INCOMPLETE;
}

static int print_ddl(struct export *e)
{
    struct sink sink = {.fd = STDOUT_FILENO};
    int err = clickhouse_ddl(&sink.out, e->clickhouse.table, &e->diag);
    option_say(&e->diag);
    int closed = sink_close(&sink);
    return option_exit_code(err != 0 ? err : closed);
}

static int export_clickhouse(struct export *e)
{
    struct clickhouse_report r = {0};
    e->clickhouse.dir = e->data;
    e->clickhouse.has_tenant = e->query.has_tenant;
    e->clickhouse.tenant = e->query.tenant;
    int err = clickhouse_send(&r, &e->clickhouse, &e->diag);
    if (err != 0 && e->diag.count == 0)
        diag_add(&e->diag, e->clickhouse.url, 0, 0, "nothing more was sent: %s", err_name(err));
    option_say(&e->diag);
    (void)fprintf(stderr,
                  "%llu rows of %llu segments in %.1f MB, %llu segments were there; %llu requests "
                  "again%s\n",
                  (unsigned long long)r.rows, (unsigned long long)r.segments, (double)r.bytes / 1e6,
                  (unsigned long long)r.segments_known, (unsigned long long)r.retries,
                  r.damage == 0 ? "" : "; INCOMPLETE: what is named above is missing");
    return err == 0 && r.damage != 0 ? EXIT_CODE_INCOMPLETE : option_exit_code(err);
}

/* One of the forms. */
static int export_as(struct export *e)
{
    if (e->clickhouse.table == NULL)
        e->clickhouse.table = "sekisho";
    if (e->clickhouse.wait_ns < 0)
        e->clickhouse.wait_ns = CLICKHOUSE_WAIT_NS;
    if (e->ddl)
        return print_ddl(e);
    option_give_way(e->data);
    if (e->clickhouse.url != NULL)
        return export_clickhouse(e);
    int err = read_query(e);
    if (err != 0)
        return option_exit_code(err);
    return e->bundle != NULL ? export_bundle(e) : export_store(e);
}

int cmd_export(int argc, char **argv)
{
    struct export e = {.query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
                       .form = {.terminator = '\n'},
                       .clickhouse = {.wait_ns = -1},
                       .threads = option_processors()};
    int code = EXIT_CODE_OK;
    if (command_line_read(&LINE, &e, argc, argv, &code))
        code = export_as(&e);
    pred_free(e.pred);
    arena_release(&e.arena);
    diag_release(&e.diag);
    return code;
}
