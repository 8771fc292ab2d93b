/*
 * app/output_log.h - the alerts of a log in order, from a place on, also while it grows.
 *
 * Ownership: a batch owns copies of its alerts; it is the caller's, zeroed at first.
 * Threads:   one owner; any number of readers of a log.
 * Failures:  as ledger_read(); the reader stays where it was and may be asked again.
 */
#pragma once

#include "app/output_driver.h"

struct output_log;

/* Alerts of the log that wait for their delivery, with what struct output_batch points to. */
struct output_batch_store {
    struct output_batch batch;
    struct alert_record *alerts; /* OUTPUT_BATCH_ALERTS_MAX of them */
    bool *done;
    struct buf bytes;
    size_t *at;       /* of each line in bytes */
    uint64_t damaged; /* alerts that could not be read and are left out */
};

int output_batch_init(struct output_batch_store *b);
void output_batch_release(struct output_batch_store *b);
/* Empty it; the batch then begins and ends at `place`. */
void output_batch_reset(struct output_batch_store *b, struct output_place place);

/*
 * Open the log below `dir` at a place. One before the oldest frame begins there; one behind the
 * newest (of a log that lost its end, or of another store) begins behind the newest. Both are put
 * into *place, so that the caller sees it.
 */
int output_log_open(struct output_log **out, const char *dir, struct output_place *place,
                    struct diag *diag);
/* NULL is allowed. */
void output_log_close(struct output_log *l);
/* STORE_ID_BYTES bytes; valid as long as the log is open. */
const uint8_t *output_log_store_id(const struct output_log *l);

/*
 * Take alerts into an empty batch until it is full, the log ends or many frames had none. Returns 0
 * when it moved, even without alerts; ERR_AGAIN when nothing stands behind the place; else as
 * ledger_read(), saying why in `diag`.
 */
int output_log_fill(struct output_log *l, struct output_batch_store *b, struct diag *diag);
