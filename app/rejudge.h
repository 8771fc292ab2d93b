/*
 * app/rejudge.h - the rows of a log judged again: what `sekisho replay --log` does.
 *
 * Every frame from the first is shown to fresh detectors, as a collector's restart would without
 * snapshots, with the configuration, rules and lists that the log names for it (app/past.h). What they
 * say must be what the log holds as alerts, and their states must have the hashes that the log names.
 *
 * A configuration that is given and is not the log's last one judges all rows instead: what it would
 * have said. Then no states are compared.
 *
 * Threads:   the calling one.
 * Failures:  as rebuild_run().
 */
#pragma once

#include "app/config.h"
#include "base/diag.h"

/* Store id of every replay; the seed of keyed tables comes from it. */
extern const uint8_t REJUDGE_REPLAY_ID[16];

struct rejudge {
    const char *dir;
    const struct config *config; /* or NULL */
    const char *rules;           /* in place of the configuration's, or NULL */
};

/* Print the alerts to standard output. *different counts states with another hash. */
int rejudge_run(const struct rejudge *what, uint64_t *different, struct diag *diag);
