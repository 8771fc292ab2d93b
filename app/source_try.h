/*
 * app/source_try.h - what the sample of a new source is, and what to do so that it arrives:
 * `sekisho source try`.
 *
 * Ownership: the options are borrowed for the call.
 * Threads:   the main thread.
 * Failures:  are said on standard error.
 */
#pragma once

#include "app/sample_clock.h"
#include "app/sample_detectors.h"
#include "app/sample_envelope.h"
#include "app/sample_formats.h"
#include "app/sample_rules.h"
#include "app/sender_config.h"
#include "app/text_encoding.h"

struct source_try_options {
    const char *path;   /* NULL: standard input */
    const char *format; /* as in --format */
    const char *rules;
    bool rules_given;
    bool has_source; /* tenant and source are there: configurations can be printed */
    bool json;
    bool reference_given;
    int64_t reference_ns;
    int64_t now_ns;
    int print; /* enum sender_kind: print this configuration only; -1: the report */
    struct sender_options sender;
};

enum source_try_limits {
    TRY_UNPARSED_SHOWN = 5,
};

/* A line that did not parse. */
struct try_unparsed {
    size_t at; /* in the sample */
    uint8_t reason;
};

/* All that was found out. */
struct source_try {
    const struct source_try_options *options;
    struct sample sample;
    struct sample_formats formats;
    struct sample_envelope envelope;
    struct sample_clock clock;
    struct text_encodings encodings;
    uint64_t rows;
    uint64_t parsed;
    uint64_t reasons[REASON_COUNT];
    struct try_unparsed unparsed[TRY_UNPARSED_SHOWN]; /* the first ones */
    size_t unparsed_count;
    uint64_t values[FIELD_LOCAL_FIRST]; /* rows by field */
    uint64_t unnamed;                   /* values of fields without a name of the dictionary */
    uint64_t verdicts;
    uint64_t refused;
    const struct sample_rule *rules; /* NULL: no rules were read */
    uint32_t rule_count;
    struct sample_rules *rule_facts;
};

/* Returns the exit code: 0 ready to be sent, 1 something is to be looked at, 2 no sample. */
int source_try(const struct source_try_options *options);

/* Is something to be looked at before the source is sent? */
bool source_try_finds(const struct source_try *t);

/* What the collector and the relay are to be given. */
struct sender_options source_try_sender(const struct source_try *t);

/* The report, for people and as NDJSON (app/source_report.c, app/source_json.c). */
void source_report_print(struct buf *out, const struct source_try *t);
void source_json_print(struct buf *out, const struct source_try *t);
