/*
 * app/alert_print.h - alerts as text for people, in Japanese or English.
 *
 *   霞野市 (992011)  緊急 1、高 2
 *
 *   [緊急] D14 lgwan  2026-10-05 09:00:19 - 09:05:00 JST  5件  未対応
 *     内容  ...            what happened and why it is unusual
 *     対応  ...            what to do
 *     証拠  topic/0/13278/0 ほか3件
 *     原文  ...            the first line of the evidence, hostile bytes escaped
 *     記録  ...            what people did to it
 *     番号  71420266704e9e9735c6b933f54afbe0 (第2版)
 *
 * Ownership: appends to the caller's buffer; everything is borrowed for the call.
 * Threads:   any.
 * Failures:  the buffer's.
 */
#pragma once

#include "app/alert_store.h"
#include "app/output_alert.h"

struct alert_print {
    bool japanese;
    bool utc;         /* times in UTC instead of JST */
    bool name_tenant; /* in each block: for alerts that come one by one */
};

/* What is known of an alert. */
struct alert_text {
    const struct alert_entry *entry;
    const struct output_alert *alert;
    const struct alert_control *control; /* what somebody did to it, or NULL */
    const struct slice *line;            /* of its first evidence, or NULL */
};

/* Alerts of a municipality by severity. */
struct alert_counts {
    size_t by[ALERT_SEVERITY_COUNT];
};

void alert_print_tenant(struct buf *out, const struct alert_print *p, uint32_t tenant,
                        const char *name, const struct alert_counts *counts);
void alert_print_block(struct buf *out, const struct alert_print *p, const struct alert_text *t);

/* The parts of a block one by one, for an alert that is shown with everything that is known. */
void alert_print_head(struct buf *out, const struct alert_print *p, const struct alert_text *t);
/* Group keys, techniques, and the numbers that the decision rests on. */
void alert_print_numbers(struct buf *out, const struct alert_print *p,
                         const struct output_alert *a);
/* The at-th place of the evidence and its line, whose data is NULL when the log has it no more. */
void alert_print_evidence(struct buf *out, const struct alert_print *p,
                          const struct output_alert *a, size_t at, const struct slice *line);
void alert_print_control(struct buf *out, const struct alert_print *p,
                         const struct alert_control *c);
void alert_print_tail(struct buf *out, const struct alert_print *p, const struct alert_entry *e);

/* Whether a member of an alert's line is one of the keys that detection groups by. */
bool alert_print_is_key(const char *name);

/* A table of suppressions: its head, then a line for each. */
void alert_print_suppressions_head(struct buf *out, const struct alert_print *p);
void alert_print_suppression(struct buf *out, const struct alert_print *p,
                             const struct alert_control *c);
/* The same as a JSON object on a line. */
void alert_print_suppression_json(struct buf *out, const struct alert_control *c);

/* "2026-10-05 09:00:19 JST" */
void alert_print_time(struct buf *out, const struct alert_print *p, int64_t ns);
/* Words of that language; "" for numbers out of range. */
const char *alert_print_severity(const struct alert_print *p, unsigned severity);

/* Read "ja" or "en"; ERR_CONF for anything else. */
int alert_language(bool *japanese, const char *text);
/* What the environment (LC_ALL, LC_MESSAGES, LANG) says. */
bool alert_language_default(void);

/* 32 hex digits. */
void alert_print_id(struct buf *out, const struct alert_id *id);
