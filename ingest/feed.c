#include "ingest/feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "event/builder.h"
#include "ingest/encoding.h"
#include "ingest/enrich.h"
#include "ingest/format_ask.h"
#include "ingest/syslog.h"
#include "ingest/template.h"
#include "ingest/when.h"

enum {
    FEED_FORMATS_MAX = 64,
    SPARE_BYTES_MAX = 24 << 20,    /* in spare batches */
    SPARE_BATCH_LARGE = 256 << 10, /* a batch that holds more is kept for busy sources */
};

/* Spare batches, last in first out. */
struct spares {
    struct batch **items;
    size_t count;
    size_t cap;
};

struct feed_bench {
    struct enrich *enrich;
    const struct feed_environment *env;
    struct slots slots;
    struct spares small;
    struct spares large;
    size_t spare_bytes;
    size_t open_bytes; /* as of each open batch's last look */
};

/* A format of the source, with what its parser remembers and its open batch. */
struct feed_format {
    const struct parser *parser; /* NULL: lines of no format */
    struct parser_state *state;
    struct batch *batch;
    size_t counted_bytes; /* of the batch in bench->open_bytes */
};

struct feed {
    struct feed_options o;
    struct feed_bench *bench;
    struct when_cache when;
    struct format_habit habit;
    struct feed_format formats[FEED_FORMATS_MAX]; /* by format id; a fixed source uses one */
    uint32_t open_rows;                           /* in all open batches */
    int64_t last_time_ns;
    size_t last_bytes; /* what the last closed batch held: busy sources get large batches */
};

int feed_bench_new(struct feed_bench **out, const struct feed_environment *env)
{
    struct feed_bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL)
        return ERR_NOMEM;
    bench->env = env;
    int status = enrich_new(&bench->enrich, env);
    if (status != 0) {
        free(bench);
        return status;
    }
    *out = bench;
    return 0;
}

static void spares_free(struct spares *s)
{
    for (size_t i = 0; i < s->count; i++)
        batch_free(s->items[i]);
    free(s->items);
}

void feed_bench_free(struct feed_bench *bench)
{
    if (bench == NULL)
        return;
    spares_free(&bench->small);
    spares_free(&bench->large);
    enrich_free(bench->enrich);
    free(bench);
}

size_t feed_bench_bytes(const struct feed_bench *bench)
{
    return bench->open_bytes;
}

static struct batch *spares_pop(struct spares *s)
{
    return s->count == 0 ? NULL : s->items[--s->count];
}

static struct batch *batch_take(struct feed_bench *bench, bool large)
{
    struct batch *b = spares_pop(large ? &bench->large : &bench->small);
    if (b == NULL)
        return batch_new();
    bench->spare_bytes -= batch_held_bytes(b);
    return b;
}

static void batch_give(struct feed_bench *bench, struct batch *b)
{
    batch_reset(b);
    size_t bytes = batch_held_bytes(b);
    struct spares *s = bytes > SPARE_BATCH_LARGE ? &bench->large : &bench->small;
    if (bench->spare_bytes + bytes > SPARE_BYTES_MAX) {
        batch_free(b);
        return;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 64 : s->cap * 2;
        struct batch **items = realloc(s->items, cap * sizeof(struct batch *));
        if (items == NULL) {
            batch_free(b);
            return;
        }
        s->items = items;
        s->cap = cap;
    }
    s->items[s->count++] = b;
    bench->spare_bytes += bytes;
}

/* Does the source have a parser for its format? A layout of its own needs none. */
static bool has_parser(const struct feed *f)
{
    uint16_t format = f->o.format;
    if (f->o.layout != NULL)
        return format == FORMAT_TEMPLATE;
    return format == FORMAT_AUTO ||
           (format < FEED_FORMATS_MAX && f->formats[format].parser != NULL);
}

/* An export that devices of all vendors write, and whose lines say what they are. */
static bool names_itself(const struct parser *p)
{
    return p->format == FORMAT_CEF || p->format == FORMAT_LEEF || p->format == FORMAT_JSON;
}

int feed_open(struct feed **out, struct feed_bench *bench, const struct feed_options *options)
{
    struct feed *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->o = *options;
    f->bench = bench;
    f->habit = options->habit;
    f->last_time_ns = CLOCK_NONE;
    when_init(&f->when, options->zone_minutes);
    size_t at = 0;
    for (const struct parser *p = parser_at(at); p != NULL; p = parser_at(++at)) {
        if (p->format < FEED_FORMATS_MAX &&
            (options->format == FORMAT_AUTO || options->format == p->format || names_itself(p)))
            f->formats[p->format].parser = p;
    }
    if (!has_parser(f)) {
        feed_free(f);
        return ERR_NOTFOUND;
    }
    *out = f;
    return 0;
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < FEED_FORMATS_MAX; i++) {
        struct feed_format *format = &f->formats[i];
        if (format->batch != NULL) {
            f->bench->open_bytes -= format->counted_bytes;
            batch_free(format->batch);
        }
        if (format->state != NULL)
            format->parser->state_free(format->state);
    }
    free(f);
}

static int format_close(struct feed *f, struct feed_format *format)
{
    struct batch *b = format->batch;
    format->batch = NULL;
    f->bench->open_bytes -= format->counted_bytes;
    format->counted_bytes = 0;
    int status = 0;
    f->open_rows -= b->row_count;
    if (b->row_count != 0) {
        status = enrich_rows(f->bench->enrich, b, &f->o, 0, b->row_count);
        f->last_bytes = batch_held_bytes(b);
        if (status == 0)
            status = f->o.closed(f->o.self, b);
    }
    batch_give(f->bench, b);
    return status;
}

int feed_close(struct feed *f)
{
    int status = 0;
    for (size_t i = 0; i < FEED_FORMATS_MAX && status == 0; i++) {
        if (f->formats[i].batch != NULL)
            status = format_close(f, &f->formats[i]);
    }
    return status;
}

uint32_t feed_open_rows(const struct feed *f)
{
    return f->open_rows;
}

int64_t feed_last_time(const struct feed *f)
{
    return f->last_time_ns;
}

/* What stands before the message: its slots are in the bench already. */
struct head {
    uint32_t from;
    uint32_t slots;
};

/* A line and what is known of it so far. */
struct parsed {
    struct feed_format *format;
    uint8_t reason;
};

static enum parse_result parse_message(struct feed *f, struct feed_format *format,
                                       struct slice line, uint32_t from)
{
    struct slots *slots = &f->bench->slots;
    if (f->o.layout != NULL)
        return template_parse(f->o.layout, line, from, slots);
    if (format->parser == NULL)
        return PARSE_MISMATCH;
    return format->parser->parse(format->state, line, from, slots);
}

static uint8_t reason_of(enum parse_result result)
{
    if (result == PARSE_OK)
        return REASON_NONE;
    return result == PARSE_PARTIAL ? REASON_PARTIAL : REASON_FORMAT_MISMATCH;
}

/* Parse the line as one of that format; slots as far as they are good. */
static int parse_as(struct feed *f, struct feed_format *format, struct slice line,
                    const struct head *head, struct parsed *out)
{
    struct slots *slots = &f->bench->slots;
    slots->count = head->slots;
    f->when.device_utc = format->parser != NULL && format->parser->utc;
    if (format->state == NULL && format->parser != NULL && format->parser->state_new != NULL) {
        format->state = format->parser->state_new();
        if (format->state == NULL)
            return ERR_NOMEM;
    }
    enum parse_result result = parse_message(f, format, line, head->from);
    *out = (struct parsed){.format = format, .reason = reason_of(result)};
    if (result == PARSE_MISMATCH)
        slots->count = head->slots;
    return 0;
}

/* The line from its header's structured data on; empty where it has none. */
static struct slice structured_data(const struct slots *header, struct slice line)
{
    const struct slot *last = header->count == 0 ? NULL : &header->items[header->count - 1];
    bool found = last != NULL && last->field == FIELD_LOG_STRUCTURED;
    return found ? slice_from_offset(line, last->offset) : SLICE("");
}

/*
 * By the look of the line: the first format that reads all of it, else the first that reads some,
 * else the first that was asked, else none.
 */
static int parse_auto(struct feed *f, struct slice line, const struct head *head,
                      struct parsed *out)
{
    struct slice message = slice_from_offset(line, head->from);
    struct format_ask ask = {.settled = f->habit.settled,
                             .structured = structured_data(&f->bench->slots, line)};
    struct parsed best = {.format = NULL};
    const struct parser *p = NULL;
    while ((p = format_ask_next(&ask, message)) != NULL) {
        int status = parse_as(f, &f->formats[p->format], line, head, out);
        if (status != 0 || out->reason == REASON_NONE)
            return status;
        if (best.format == NULL ||
            (best.reason == REASON_FORMAT_MISMATCH && out->reason == REASON_PARTIAL))
            best = *out;
    }
    if (best.format == NULL)
        best.format = &f->formats[FORMAT_AUTO];
    if (best.format == out->format)
        return 0;
    return parse_as(f, best.format, line, head, out);
}

/* "CEF:" ("0|" where a relay took that for a tag), "LEEF:" or "{": the export that begins there, or NULL. */
static const struct parser *export_at(struct slice message)
{
    while (message.len > 0 && message.data[0] == ' ')
        message = slice_from_offset(message, 1);
    uint16_t format = FORMAT_AUTO;
    if (slice_starts(message, SLICE("CEF:")) || slice_starts(message, SLICE("0|")))
        format = FORMAT_CEF;
    else if (slice_starts(message, SLICE("LEEF:")))
        format = FORMAT_LEEF;
    else if (slice_starts(message, SLICE("{")))
        format = FORMAT_JSON;
    const struct parser *p = parser_get(format);
    return p != NULL && p->probe(message) ? p : NULL;
}

/*
 * As the format that the operator has named; a line that is none may be of an export that the same
 * device or its relay writes beside it. A layout of the operator's own takes all lines.
 */
static int parse_given(struct feed *f, struct slice line, const struct head *head,
                       struct parsed *out)
{
    struct feed_format *given = &f->formats[f->o.format];
    int status = parse_as(f, given, line, head, out);
    if (status != 0 || out->reason != REASON_FORMAT_MISMATCH || f->o.layout != NULL)
        return status;
    const struct parser *p = export_at(slice_from_offset(line, head->from));
    if (p == NULL || p->format == f->o.format)
        return 0;
    status = parse_as(f, &f->formats[p->format], line, head, out);
    if (status != 0 || out->reason != REASON_FORMAT_MISMATCH)
        return status;
    return parse_as(f, given, line, head, out);
}

static int parse_behind(struct feed *f, struct slice line, const struct head *head,
                        struct parsed *out)
{
    return f->o.format == FORMAT_AUTO ? parse_auto(f, line, head, out)
                                      : parse_given(f, line, head, out);
}

/* Whether the line was read better than with the reason `than`, which is not REASON_NONE. */
static bool is_better(uint8_t reason, uint8_t than)
{
    return reason != than && reason != REASON_FORMAT_MISMATCH;
}

/* A line that is nobody's as it stands may begin with a program's tag that has no stamp before it. */
static int parse_line(struct feed *f, struct slice line, struct parsed *out)
{
    struct slots *slots = &f->bench->slots;
    *out = (struct parsed){.format = NULL};
    slots->count = 0;
    struct head head = {.from = syslog_header(line, slots)};
    head.slots = slots->count;
    int status = parse_behind(f, line, &head, out);
    const struct parsed first = *out;
    const bool guessed = f->o.format == FORMAT_AUTO && first.reason == REASON_PARTIAL;
    if (status != 0 || (first.reason != REASON_FORMAT_MISMATCH && !guessed))
        return status;
    const uint32_t count = slots->count;
    slots->count = head.slots;
    struct head behind = {.from = syslog_tag(line, head.from, slots)};
    behind.slots = slots->count;
    if (behind.from == head.from) {
        slots->count = count;
        return 0;
    }
    status = parse_behind(f, line, &behind, out);
    if (status != 0 || is_better(out->reason, first.reason))
        return status;
    return parse_as(f, first.format, line, &head, out);
}

int64_t feed_peek_time(struct feed *f, struct slice line, int64_t arrival_ns, int64_t reference_ns,
                       uint8_t *source)
{
    struct parsed parsed;
    if (parse_line(f, line, &parsed) != 0)
        f->bench->slots.count = 0;
    return when_row(&f->when, line, &f->bench->slots, arrival_ns, reference_ns, source);
}

int64_t feed_peek_header_time(struct feed *f, struct slice line, int64_t reference_ns)
{
    struct slots *slots = &f->bench->slots;
    uint8_t source = TIME_SOURCE_ARRIVAL;
    slots->count = 0;
    (void)syslog_header(line, slots);
    int64_t time_ns = when_row(&f->when, line, slots, reference_ns, reference_ns, &source);
    return source == TIME_SOURCE_SYSLOG ? time_ns : CLOCK_NONE;
}

static void batch_name(const struct feed *f, const struct feed_format *format, struct batch *b)
{
    b->tenant = f->o.tenant;
    b->topic = f->o.topic;
    b->source = f->o.source;
    b->format = FORMAT_AUTO;
    b->format_name = SLICE("auto");
    if (f->o.layout != NULL) {
        b->format = FORMAT_TEMPLATE;
        b->format_name = f->o.layout->name;
    } else if (format->parser != NULL) {
        b->format = format->parser->format;
        b->format_name = slice_from(format->parser->name);
    }
    b->zone_minutes = (uint16_t)(f->o.zone_minutes + 32768);
    b->generation = f->bench->env->generation;
}

/* A batch of the format with room for a row of `len` bytes. */
static int format_open(struct feed *f, struct feed_format *format, size_t len,
                       struct feed_result *result)
{
    if (format->batch != NULL && !batch_fits(format->batch, len, f->o.rows_max)) {
        int status = format_close(f, format);
        if (status != 0)
            return status;
        result->closed = true;
    }
    if (format->batch == NULL) {
        format->batch = batch_take(f->bench, f->last_bytes > SPARE_BATCH_LARGE);
        if (format->batch == NULL)
            return ERR_NOMEM;
        batch_name(f, format, format->batch);
    }
    return 0;
}

static void count_bytes(struct feed *f, struct feed_format *format)
{
    size_t bytes = batch_held_bytes(format->batch);
    f->bench->open_bytes += bytes - format->counted_bytes;
    format->counted_bytes = bytes;
}

/* Append the row to the format's open batch, or where that has no more layouts to the next one. */
static int put_row(struct feed *f, struct feed_format *format, const struct record *record,
                   const struct row *row, struct feed_result *result)
{
    struct extra flags = {.null_value = record->null_value, .has_key = record->has_key};
    bool has_extra =
        row->sub == 0 && (record->null_value || record->has_key || record->headers.len != 0);
    int status = ERR_RANGE;
    for (int tries = 0; tries < 2 && status == ERR_RANGE; tries++) {
        status = format_open(f, format, row->bytes.len, result);
        if (status == 0 && has_extra)
            status = batch_extra(format->batch, &flags, record->key, record->headers);
        if (status == 0)
            status = batch_append(format->batch, row);
    }
    return status;
}

static int append_row(struct feed *f, const struct record *record, struct row *row,
                      uint32_t terminator, struct feed_result *result)
{
    struct parsed parsed = {.format = &f->formats[f->o.format], .reason = row->reason};
    struct slice line = {.data = row->bytes.data, .len = row->bytes.len - terminator};
    if (row->reason == REASON_NONE) {
        int status = parse_line(f, line, &parsed);
        if (status != 0)
            return status;
    } else {
        f->bench->slots.count = 0;
    }
    row->time_ns = when_row(&f->when, line, &f->bench->slots, record->arrival_ns,
                            record->reference_ns, &row->time_source);
    if (row->time_source == TIME_SOURCE_ARRIVAL && f->o.replay && f->last_time_ns != CLOCK_NONE) {
        row->time_ns = f->last_time_ns;
        row->time_source = TIME_SOURCE_PREDECESSOR;
    }
    /* No clock in a replay: a line arrives when it happened, but never before the one before it. */
    if (f->o.replay && row->time_ns > row->arrival_ns)
        row->arrival_ns = row->time_ns;
    f->last_time_ns = row->time_ns;
    encoding_mark(&f->bench->slots, line, f->o.encoding);
    row->reason = parsed.reason;
    row->slots = &f->bench->slots;
    int status = put_row(f, parsed.format, record, row, result);
    struct batch *b = parsed.format->batch;
    if (status == 0) {
        if (f->o.order != NULL)
            b->order[b->row_count - 1] = (*f->o.order)++;
        f->open_rows++;
        count_bytes(f, parsed.format);
    }
    result->rows++;
    if (status == 0 && b->reason[b->row_count - 1] == REASON_NONE)
        format_habit_row(&f->habit, b->format);
    else
        result->unparsed += status == 0;
    return status;
}

bool feed_has_room(const struct feed *f, struct slice value)
{
    uint32_t open = feed_open_rows(f);
    if (open == 0)
        return true;
    const struct batch *b = f->formats[f->o.format].batch;
    return open + split_count(value, f->o.split) <= f->o.rows_max &&
           (b == NULL || batch_fits(b, value.len, f->o.rows_max));
}

int feed_record(struct feed *f, const struct record *record, struct feed_result *result)
{
    *result = (struct feed_result){0};
    int status = 0;
    struct split split;
    split_start(&split, record->value, f->o.split);
    struct row row = {
        .arrival_ns = record->arrival_ns, .partition = record->partition, .offset = record->offset};
    uint32_t terminator = 0;
    bool too_long = false;
    while (status == 0 && split_next(&split, &row.bytes, &terminator, &too_long)) {
        row.reason = REASON_NONE;
        if (too_long)
            row.reason = REASON_TOO_LONG;
        else if (record->null_value)
            row.reason = REASON_NULL_VALUE;
        status = append_row(f, record, &row, terminator, result);
        row.sub++;
    }
    return status;
}
