/* app/source_try.c - sekisho source try: everything about one sample, in one pass over each question. */
#include "app/source_try.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/config.h"
#include "app/options.h"
#include "app/sink.h"
#include "base/clock.h"
#include "base/file.h"

enum {
    SURE_OF = 100, /* one line in so many may be unreadable without a word */
};

/* The batches of the sample, read as the collector will. */

static void unparsed_take(struct source_try *t, const struct batch *b, uint32_t row)
{
    int32_t partition = 0;
    int64_t offset = 0;
    batch_place(b, row, &partition, &offset);
    size_t at = t->unparsed_count;
    /* Batches close by format: the first lines are those with the least numbers. */
    while (at > 0 && t->unparsed[at - 1].at > (size_t)offset)
        at--;
    if (at == TRY_UNPARSED_SHOWN)
        return;
    size_t kept = t->unparsed_count;
    kept -= kept == TRY_UNPARSED_SHOWN;
    memmove(&t->unparsed[at + 1], &t->unparsed[at], (kept - at) * sizeof(t->unparsed[0]));
    t->unparsed[at] = (struct try_unparsed){.at = (size_t)offset, .reason = b->reason[row]};
    t->unparsed_count = kept + 1;
}

static void rows_take(struct source_try *t, const struct batch *b)
{
    for (uint32_t i = 0; i < b->row_count; i++) {
        uint8_t verdict = b->verdict[i];
        t->rows++;
        t->parsed += b->reason[i] == REASON_NONE;
        t->reasons[b->reason[i]]++;
        t->verdicts += verdict != VERDICT_UNKNOWN;
        t->refused += verdict == VERDICT_DENY || verdict == VERDICT_DROP ||
                      verdict == VERDICT_RESET || verdict == VERDICT_BLOCK;
        t->values[FIELD_TIMESTAMP] +=
            b->time_source[i] == TIME_SOURCE_DEVICE || b->time_source[i] == TIME_SOURCE_SYSLOG;
        if (b->reason[i] != REASON_NONE)
            unparsed_take(t, b, i);
    }
}

static int batch_take(void *self, struct batch *b)
{
    struct source_try *t = self;
    rows_take(t, b);
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (c->field >= FIELD_LOCAL_FIRST)
            t->unnamed += c->value_count;
        else if (!c->derived && c->ordinal == 0 && c->field > FIELD_TIME_LAST)
            t->values[c->field] += c->value_count;
    }
    return t->rule_facts == NULL ? 0 : sample_rules_take(t->rule_facts, b);
}

/* Rules that nobody asked for may be missing: then nothing is said of them. */
static int rules_open(struct source_try *t, struct diag *diag)
{
    struct file_info info;
    const char *path = t->options->rules;
    if (!t->options->rules_given && file_stat(&info, path) != 0)
        return 0;
    return sample_rules_open(&t->rule_facts, path, t->options->now_ns, diag);
}

/* Does half of the rows name where it went or what was asked for? Then the lines are no envelopes. */
static bool names_places(const struct source_try *t)
{
    return (t->values[FIELD_DESTINATION_IP] + t->values[FIELD_DESTINATION_DOMAIN] +
            t->values[FIELD_URL_DOMAIN] + t->values[FIELD_DNS_QUESTION]) *
               2 >=
           t->rows;
}

static int sample_judge(struct source_try *t, struct sample_reading how, struct diag *diag)
{
    for (size_t i = 0; i < t->sample.count; i++)
        text_encoding_count(&t->encodings, sample_text(&t->sample, i), t->sample.numbers[i]);
    text_encoding_settle(&t->encodings);
    int err = how.layout == NULL ? sample_formats_find(&t->formats, &t->sample, &how) : 0;
    if (how.layout != NULL) {
        t->formats.format = how.format;
        t->formats.name = t->options->format;
    }
    how.format = t->formats.format;
    if (err == 0)
        err = sample_clock_read(&t->clock, &t->sample, &how, t->options->reference_given);
    if (err == 0)
        err = rules_open(t, diag);
    how.zone_minutes = t->clock.zone_minutes;
    how.closed = batch_take;
    how.self = t;
    if (err == 0)
        err = sample_feed(&t->sample, &how);
    if (err == 0 && how.layout == NULL && !names_places(t))
        err = sample_envelope_find(&t->envelope, &t->sample, &how);
    if (err == 0 && t->rule_facts != NULL)
        err = sample_rules_judge(t->rule_facts, &t->rules, &t->rule_count);
    return err;
}

static int sample_take(struct source_try *t, struct diag *diag)
{
    const struct source_try_options *o = t->options;
    struct feed_environment environment = {0};
    struct feed_bench *bench = NULL;
    struct domain_list *domains = NULL;
    struct config *config = NULL;
    struct sample_reading how = {.zone_minutes = o->sender.zone_minutes,
                                 .tenant = o->sender.tenant,
                                 .source = o->sender.source,
                                 .lines_max = SAMPLE_LINES_MAX};
    int err = config_load(&config, NULL, diag);
    if (err == 0)
        err = config_format(config, slice_from(o->format), &how.format, &how.layout, diag);
    if (err == 0)
        err = sample_read(&t->sample, o->path, o->sender.japanese, diag);
    if (err == 0 && domain_open(&domains, NULL) == 0)
        environment.domains = domains;
    if (err == 0)
        err = feed_bench_new(&bench, &environment);
    how.bench = bench;
    how.reference_ns = o->reference_given ? o->reference_ns : t->sample.modified_ns;
    if (err == 0)
        err = sample_judge(t, how, diag);
    feed_bench_free(bench);
    domain_close(domains);
    config_free(config);
    return err;
}

bool source_try_finds(const struct source_try *t)
{
    return t->formats.certainty == FORMAT_MIXED || t->formats.certainty == FORMAT_UNKNOWN ||
           (t->rows - t->parsed) * SURE_OF > t->rows || t->clock.is_off ||
           t->clock.basis == ZONE_NO_TIME || t->envelope.key != NULL ||
           t->encodings.lines[TEXT_BROKEN] != 0;
}

struct sender_options source_try_sender(const struct source_try *t)
{
    struct sender_options o = t->options->sender;
    /* Out of its envelope the line is the device's. */
    o.format = t->envelope.key == NULL ? t->formats.name : t->envelope.format;
    o.zone_minutes = t->clock.zone_minutes;
    o.zone_matters = t->clock.basis != ZONE_IN_LINE;
    return o;
}

static int try_print(const struct source_try *t)
{
    struct sink sink = {.fd = STDOUT_FILENO};
    const struct sender_options sender = source_try_sender(t);
    if (t->options->print >= 0)
        sender_config_print(&sink.out, (enum sender_kind)t->options->print, &sender);
    else if (t->options->json)
        source_json_print(&sink.out, t);
    else
        source_report_print(&sink.out, t);
    return sink_close(&sink);
}

int source_try(const struct source_try_options *options)
{
    struct diag diag = {0};
    struct source_try *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return EXIT_CODE_SYSTEM;
    t->options = options;
    int err = sample_take(t, &diag);
    bool faulty = err == ERR_CONF;
    bool finds = err == 0 && source_try_finds(t);
    if (err == 0)
        err = try_print(t);
    if (err != 0 && diag.count == 0)
        diag_add(&diag, "sekisho source try", 0, 0, "%s", err_name(err));
    option_say(&diag);
    diag_release(&diag);
    sample_rules_close(t->rule_facts);
    sample_release(&t->sample);
    free(t);
    if (faulty)
        return EXIT_CODE_USAGE;
    return err != 0 ? option_exit_code(err) : finds ? EXIT_CODE_FINDINGS : EXIT_CODE_OK;
}
