/*
 * app/output_alert.h - what outputs need to know of an alert's line, by name.
 *
 * Ownership: output_alert_read() fills a struct that output_alert_release() empties; its texts live
 *            until then.
 * Threads:   one owner.
 * Failures:  a line that is not the object of event/alert.h gives ERR_FORMAT and empty texts; the
 *            struct is usable and to be released all the same.
 */
#pragma once

#include <jansson.h>

#include "base/clock.h"
#include "event/alert.h"

enum output_alert_limits {
    OUTPUT_ALERT_KIND_BYTES_MAX = 64,
};

/* Texts are NUL-terminated and never NULL; times are CLOCK_NONE where the line has none. */
struct output_alert {
    json_t *root;
    char id[2 * ALERT_ID_BYTES + 1]; /* hex */
    enum alert_severity severity;    /* informational where the line says nothing known */
    const char *state;
    const char *kind;
    const char *superseded_by;
    const char *tenant_name;
    const char *rule_name;
    const char *message_ja;
    const char *message_en;
    const char *action_ja;
    const char *evidence; /* the first */
    int64_t count;
    int64_t first_ns;
    int64_t last_ns;
};

int output_alert_read(struct output_alert *out, const struct alert_record *record);
void output_alert_release(struct output_alert *a);

/* The text cut to at most `max` bytes, not within a character. */
struct slice output_text_cut(const char *text, size_t max);
