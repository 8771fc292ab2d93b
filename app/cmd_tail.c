/* app/cmd_tail.c - sekisho tail: events as they become durable, or as they stand in Kafka. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/follow.h"
#include "app/log_walk.h"
#include "app/options.h"
#include "app/pipe_stream.h"
#include "app/sink.h"
#include "app/table_print.h"
#include "app/tap.h"
#include "base/clock.h"
#include "event/pipe_apply.h"
#include "event/pred.h"

enum {
    WAIT_MS = 200,          /* between looks at the log */
    TAIL_LOOKS = 5,         /* at what stands behind its last frame, before it is named */
    BROKER_WAIT_MS = 10000, /* for the first answer */
    JST_MINUTES = 9 * 60,
    MEMORY_MAX_BYTES = 256 << 20, /* of what dedup remembers */
};

static const char HELP[] =
    "usage: sekisho tail (--data DIR | --brokers LIST) [options] [QUERY]\n"
    "\n"
    "Print events as the collector makes them durable, in the order of the log, or as they stand in\n"
    "Kafka, without a collector; until SIGINT, SIGTERM or a closed output. Only those that QUERY holds\n"
    "for, if one is given; behind its condition may stand | fields a, b | dedup a | where a>5 | head N.\n"
    "On a terminal it is a table with times of Japan, else one JSON object a line.\n"
    "\n"
    "  --data DIR       the store of a running collector; it is only read\n"
    "  --brokers LIST   Kafka; nothing is stored, detected or committed\n"
    "  --config CONF    with --brokers: formats, networks, databases, properties of Kafka\n"
    "  --tenant CODE    only this municipality (six digits)\n"
    "  --from-start     begin with what is there already\n"
    "  --json, --csv, --raw, --table\n"
    "                   the form; raw = the lines as they came\n"
    "  --utc            times of the table in UTC\n"
    "\n"
    "Exit codes: 0 ended by a signal, a closed output or head, 2 query or usage, 3 no store or a wrong\n"
    "configuration, 4 no broker answers, 5 the log is damaged, 6 the system refused.\n";

struct tail {
    const char *data;
    const char *brokers;
    const char *config_path;
    struct config *config;
    struct tap *tap;
    bool has_form;
    bool down;            /* no broker answers */
    unsigned tail_looks;  /* at what stands behind the last frame, */
    uint64_t tail_offset; /* which is there */
    const char *query_text;
    struct sieve_query query;
    bool from_start;
    struct row_print_options form;
    struct arena arena;
    struct pipeline *pipeline;
    struct pred *pred;
    struct pipe_budget budget;
    struct pipe_stream stream;
    const struct pipe *shown; /* `fields`; NULL: whole events */
    struct table_printer fields;
    struct log_reader *reader;
    struct sieve *sieve;
    struct row_printer *printer;
    struct sink sink;
    uint64_t decodings;
    struct follow follow;
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_TENANT,
    OPT_FROM_START,
    OPT_BROKERS,
    OPT_CONFIG,
    OPT_UTC,
    OPT_FORM, /* + enum row_form */
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"from-start", no_argument, NULL, OPT_FROM_START},
    {"brokers", required_argument, NULL, OPT_BROKERS},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"utc", no_argument, NULL, OPT_UTC},
    {"json", no_argument, NULL, OPT_FORM + ROW_NDJSON},
    {"raw", no_argument, NULL, OPT_FORM + ROW_RAW},
    {"csv", no_argument, NULL, OPT_FORM + ROW_CSV},
    {"table", no_argument, NULL, OPT_FORM + ROW_TABLE},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct tail *t = self;
    switch (option) {
    case OPT_DATA:
        t->data = value;
        return 0;
    case OPT_TENANT:
        t->query.has_tenant = true;
        return option_tenant(&t->query.tenant, "--tenant", value);
    case OPT_FROM_START:
        t->from_start = true;
        return 0;
    case OPT_BROKERS:
        t->brokers = value;
        return 0;
    case OPT_CONFIG:
        t->config_path = value;
        return 0;
    case OPT_UTC:
        t->form.zone_minutes = 0;
        return 0;
    default:
        t->has_form = true;
        t->form.form = (enum row_form)(option - OPT_FORM);
        return 0;
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct tail *t = self;
    if (count > 1)
        return option_usage("tail", "one query is enough: put it between quotes");
    t->query_text = count == 0 ? "" : words[0];
    if ((t->data == NULL) == (t->brokers == NULL))
        return option_usage("tail", "give --data DIR, or --brokers LIST");
    if (t->data != NULL && t->config_path != NULL)
        return option_usage("tail", "--config belongs to --brokers; a store's rows are read");
    return 0;
}

static const struct command_line LINE = {.command = "tail",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

/* The pipes' answer for an event. When dedup has no room left, it begins anew. */
static int take_event(struct tail *t, const struct scan_row *hit, bool *passes)
{
    int err = pipe_stream_take(&t->stream, hit, passes);
    if (err != ERR_RANGE)
        return err;
    (void)fprintf(stderr, "sekisho tail: dedup remembers no more than %d MB: it begins anew\n",
                  MEMORY_MAX_BYTES >> 20);
    atomic_store(&t->budget.exceeded, false);
    err = pipe_stream_forget(&t->stream);
    return err == 0 ? pipe_stream_take(&t->stream, hit, passes) : err;
}

static int print_fields(struct tail *t)
{
    uint32_t cells[PIPE_KEYS_MAX];
    int err = 0;
    for (uint32_t i = 0; i < t->shown->key_count && err == 0; i++)
        err = pipe_stream_cell(&t->stream, t->shown->keys[i].column, &cells[i]);
    return err == 0
               ? table_print_row(&t->fields, t->form.form, &t->stream.pool, cells, &t->sink.out)
               : err;
}

static int print_event(struct tail *t, const struct scan_row *hit)
{
    bool passes = false;
    int err = take_event(t, hit, &passes);
    if (err != 0 || !passes)
        return err;
    err = t->shown != NULL ? print_fields(t) : row_print(t->printer, hit, &t->sink.out);
    return err == 0 ? sink_check(&t->sink) : err;
}

static int print_hits(struct tail *t)
{
    const struct sieve *s = t->sieve;
    int err = 0;
    sieve_places(t->sieve);
    t->decodings++;
    for (uint32_t i = 0; i < s->row_count && err == 0 && !t->stream.ended; i++) {
        uint32_t row = s->rows[i];
        const struct scan_row hit = {.batch = s->batch,
                                     .decoding = t->decodings,
                                     .row = row,
                                     .partition = s->partitions[row],
                                     .offset = s->offsets[row],
                                     .sub = s->batch->sub[row]};
        err = print_event(t, &hit);
    }
    return err;
}

static int print_blob(struct tail *t, struct slice blob)
{
    int err = sieve_open(t->sieve, (struct stored_blob){.pack = blob});
    while (err == 0 && !t->stream.ended) {
        err = sieve_next(t->sieve);
        if (err == 0 && t->sieve->row_count != 0)
            err = print_hits(t);
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static int print_frame(struct tail *t, const struct frame_view *frame)
{
    struct frame_items items = frame->batches;
    struct slice blob;
    int err = 0;
    while (err == 0 && frame_next_blob(&blob, &items)) {
        err = print_blob(t, blob);
        if (err == ERR_CORRUPT || err == ERR_RANGE) {
            uint64_t place = log_reader_position(t->reader).offset - frame->bytes.len +
                             (uint64_t)(blob.data - frame->bytes.data);
            diag_add(&t->diag, log_reader_path(t->reader), 0, 0,
                     "offset %" PRIu64 ", frame %" PRIu64 ": %s", place, frame->link.seq,
                     err == ERR_RANGE ? "a regular expression gave up on a row here"
                                      : "the batches here are damaged");
            err = ERR_CORRUPT;
        }
    }
    return err;
}

/* What keeps standing behind the last frame and has no writer: said once for each place. */
static void look_at_tail(struct tail *t)
{
    struct log_tail tail = log_reader_tail(t->reader);
    uint64_t offset = log_reader_position(t->reader).offset;
    if (tail.bytes == 0 || offset != t->tail_offset) {
        t->tail_looks = 0;
        t->tail_offset = offset;
        return;
    }
    if (++t->tail_looks != TAIL_LOOKS || store_is_held(t->data))
        return;
    log_walk_name_tail(t->reader, &tail, &t->diag);
    option_say(&t->diag);
    diag_release(&t->diag);
}

/* Everything that stands in the log now. */
static int catch_up(struct tail *t, bool print)
{
    struct frame_view frame;
    int err = 0;
    while (!t->stream.ended && (err = ledger_read(&frame, t->reader, &t->diag)) == 0) {
        if (print)
            err = print_frame(t, &frame);
        if (err != 0)
            return err;
    }
    if (err == ERR_AGAIN)
        look_at_tail(t);
    return err == ERR_AGAIN || t->stream.ended ? sink_flush(&t->sink) : err;
}

static int follow_log(struct tail *t)
{
    const struct log_reader_options reader = {.dir = t->data, .from_newest = !t->from_start};
    int err = log_reader_open(&t->reader, &reader, &t->diag);
    if (err == 0 && !t->from_start)
        err = catch_up(t, false);
    while (err == 0) {
        err = catch_up(t, true);
        if (err == 0 && (t->stream.ended || follow_wait(&t->follow, WAIT_MS)))
            break;
    }
    log_reader_close(t->reader);
    return err;
}

static int print_tapped(void *self, struct slice blob)
{
    struct tail *t = self;
    return t->stream.ended ? 0 : print_blob(t, blob);
}

/* What the tap could not read is said, and is no end. */
static void say_skipped(struct tail *t)
{
    if (t->diag.count == 0)
        return;
    option_say(&t->diag);
    diag_release(&t->diag);
}

static int follow_kafka(struct tail *t)
{
    const struct tap_options options = {.config = t->config,
                                        .brokers = t->brokers,
                                        .from_start = t->from_start,
                                        .has_tenant = t->query.has_tenant,
                                        .tenant = t->query.tenant,
                                        .blob = print_tapped,
                                        .self = t};
    int64_t start_ns = clock_monotonic_ns();
    bool up = false;
    int err = tap_open(&t->tap, &options, &t->diag);
    while (err == 0 && !t->stream.ended) {
        err = tap_turn(t->tap, WAIT_MS, &t->diag);
        say_skipped(t);
        if (err == 0)
            err = sink_flush(&t->sink);
        up = up || tap_is_up(t->tap);
        if (err == 0 && !up &&
            clock_monotonic_ns() - start_ns > BROKER_WAIT_MS * INT64_C(1000000)) {
            diag_add(&t->diag, t->brokers, 0, 0, "no broker answers; is Kafka running there?");
            t->down = true;
            break;
        }
        if (err == 0 && follow_wait(&t->follow, 0))
            break;
    }
    tap_close(t->tap);
    return err;
}

static void print_header(struct tail *t)
{
    if (t->shown == NULL)
        row_print_header(t->printer, &t->sink.out);
    else if (t->form.form == ROW_CSV)
        table_print_header(&t->fields, &t->sink.out);
}

static int follow(struct tail *t)
{
    int err = follow_begin(&t->follow, STDOUT_FILENO);
    if (err == 0)
        err = sieve_new(&t->sieve, &t->query);
    if (err == 0)
        t->sieve->whole = true;
    if (err == 0)
        err = row_printer_new(&t->printer, &t->form);
    if (err == 0)
        err = pipe_stream_open(&t->stream, t->pipeline, t->pipeline->pipe_count, &t->budget);
    if (err == 0)
        print_header(t);
    if (err == 0)
        err = t->brokers == NULL ? follow_log(t) : follow_kafka(t);
    if (err == ERR_DOWN)
        err = 0;
    sieve_free(t->sieve);
    row_printer_free(t->printer);
    pipe_stream_close(&t->stream);
    table_printer_release(&t->fields);
    buf_release(&t->sink.out);
    follow_end(&t->follow);
    return err;
}

/* Only pipes that one event at a time is enough for, and an output that has words for them. */
static int check_pipes(struct tail *t)
{
    const struct pipeline *p = t->pipeline;
    for (uint32_t i = 0; i < p->pipe_count; i++) {
        const struct pipe *pipe = &p->pipes[i];
        if (pipe->kind == PIPE_FIELDS || pipe->kind == PIPE_HEAD || pipe->kind == PIPE_DEDUP ||
            pipe->kind == PIPE_WHERE)
            continue;
        (void)option_usage("tail",
                           "%s wants all events, and these never end; here are fields, head, dedup "
                           "and where, and sekisho search has the rest",
                           pipe_kind_name((enum pipe_kind)pipe->kind));
        return ERR_CONF;
    }
    uint32_t columns = 0;
    const struct slice *names = pipe_columns(p, &columns);
    t->shown = pipe_shown_fields(p);
    t->fields = (struct table_printer){.names = names, .count = columns};
    if (!t->has_form)
        t->form.form = names == NULL && isatty(STDOUT_FILENO) == 1 ? ROW_TABLE : ROW_NDJSON;
    if (names == NULL || t->form.form == ROW_NDJSON || t->form.form == ROW_CSV)
        return 0;
    (void)option_usage("tail", t->form.form == ROW_RAW
                                   ? "--raw prints lines, and fields makes columns: leave out one"
                                   : "--table needs all rows to be aligned, and these never end: "
                                     "--csv or --json prints fields");
    return ERR_CONF;
}

static int read_query(struct tail *t)
{
    int err = pipe_parse(&t->pipeline, &t->arena, slice_from(t->query_text), &t->diag);
    if (err == 0 && t->pipeline->condition->kind != AST_TRUE) {
        const struct ast *expression = t->pipeline->condition;
        err = pred_compile(&t->pred, &expression, 1, &t->diag);
    }
    t->query.pred = t->pred;
    return err;
}

int cmd_tail(int argc, char **argv)
{
    struct tail t = {.query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
                     .form = {.zone_minutes = JST_MINUTES},
                     .sink = {.fd = STDOUT_FILENO},
                     .budget = {.limit_bytes = MEMORY_MAX_BYTES},
                     .follow = {.signals = -1}};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &t, argc, argv, &code))
        return code;
    int err = read_query(&t);
    bool usage = err == 0 && check_pipes(&t) != 0;
    bool wrong = false;
    if (err == 0 && !usage && t.brokers != NULL) {
        err = config_load(&t.config, t.config_path, &t.diag);
        wrong = err != 0;
    }
    if (err == 0 && !usage) {
        err = follow(&t);
        wrong = err == ERR_CONF;
    }
    int saved = errno;
    option_say(&t.diag);
    if (err != 0 && t.diag.count == 0)
        option_why("tail", err, saved);
    config_free(t.config);
    pred_free(t.pred);
    arena_release(&t.arena);
    diag_release(&t.diag);
    if (usage)
        return EXIT_CODE_USAGE;
    if (t.down)
        return EXIT_CODE_DOWN;
    return wrong && err == ERR_CONF ? EXIT_CODE_CONFIG : option_exit_code(err);
}
