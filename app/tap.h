/*
 * app/tap.h - what stands in Kafka, as batches that nobody keeps: for looking at it live.
 *
 *   kafka_poll -> intake_record -> batches -> packed as for the log -> blob()
 *
 * Rows are read and enriched as the collector would, but offsets are committed nowhere and nothing is
 * detected.
 *
 * Ownership: the tap owns its connection and databases; a blob is valid during the call.
 * Threads:   one owner.
 * Failures:  ERR_CONF with a finding, ERR_NOMEM, and what blob() returns.
 */
#pragma once

#include "app/environment.h"

struct tap;

struct tap_options {
    const struct config *config; /* formats, zones, databases, properties of Kafka */
    const char *brokers;
    bool from_start; /* with the oldest record, else with what comes */
    bool has_tenant;
    uint32_t tenant;
    int (*blob)(void *self, struct slice blob);
    void *self;
};

int tap_open(struct tap **out, const struct tap_options *options, struct diag *diag);
/* NULL is fine. */
void tap_close(struct tap *t);

/* Wait so long for records, and give out what came. What cannot be read is named in `diag`. */
int tap_turn(struct tap *t, int timeout_ms, struct diag *diag);
/* Whether a broker has answered. */
bool tap_is_up(struct tap *t);
