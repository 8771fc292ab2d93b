/*
 * app/rule_source.h - raw lines for tests of rules, as batches of a test municipality.
 *
 *   198.18.0.0/20   zone internet       198.18.16.0/20  zone lgwan
 *   198.18.32.0/20  zone mynumber       198.18.48.0/24  zone dmz, asset public_server
 *
 * Lines go through the parsers and the enrichment of the collector, with the system's list of public
 * suffixes and without databases of countries. A stamp without a year is one of November 2026.
 *
 * Ownership: batches are lent for the call.
 * Threads:   one owner.
 * Failures:  ERR_CONF with a diagnosis for an unknown format; ERR_NOMEM; what the callback returns.
 */
#pragma once

#include "base/diag.h"
#include "event/batch.h"
#include "event/source_class.h"

struct rule_source;

typedef int rule_source_batch(void *self, struct batch *b);

struct rule_source_lines {
    struct slice format; /* as in --format */
    struct slice lines;  /* each with its newline; empty ones are passed over */
    uint32_t tenant;     /* 0: the test municipality */
    enum source_class class;
    rule_source_batch *take;
    void *self;
};

int rule_source_open(struct rule_source **out, struct diag *diag);
void rule_source_close(struct rule_source *s);

/* Offsets go on from call to call. *unparsed: rows that are not of the format. */
int rule_source_feed(struct rule_source *s, const struct rule_source_lines *lines,
                     uint32_t *unparsed, struct diag *diag);
