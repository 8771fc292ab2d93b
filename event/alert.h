/*
 * event/alert.h - a released alert as a record: what frames hold and outputs deliver.
 *
 * Ownership: the record borrows its line.
 * Threads:   plain data.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/slice.h"

enum alert_limits {
    ALERT_ID_BYTES = 16,
    ALERT_LINE_BYTES_MAX = 64 * 1024,
    ALERT_EVIDENCE_MAX = 16,
};

/* BLAKE2b-128 of what the alert is about; the same in every replay. */
struct alert_id {
    uint8_t bytes[ALERT_ID_BYTES];
};

enum alert_state {
    ALERT_OPEN = 0,
    ALERT_AMENDED = 1,
    ALERT_CLOSED = 2,
    ALERT_SUPERSEDED = 3,
    ALERT_STATE_COUNT,
};

/* Sigma's levels. */
enum alert_severity {
    ALERT_INFORMATIONAL = 0,
    ALERT_LOW = 1,
    ALERT_MEDIUM = 2,
    ALERT_HIGH = 3,
    ALERT_CRITICAL = 4,
    ALERT_SEVERITY_COUNT,
};

/* One revision of an alert. Receivers keep the highest revision per id. */
struct alert_record {
    uint32_t tenant;
    uint32_t revision; /* from 1 */
    struct alert_id id;
    struct slice line; /* the JSON object of ALERT.md without its line end */
};

static inline bool alert_id_equal(const struct alert_id *a, const struct alert_id *b)
{
    return memcmp(a->bytes, b->bytes, ALERT_ID_BYTES) == 0;
}

/* Static text; "" for numbers out of range. */
const char *alert_state_name(unsigned state);
const char *alert_severity_name(unsigned severity);

/* Append the record as a frame holds it: u32 tenant, u32 revision, id, line to the end. */
void alert_record_put(struct buf *out, const struct alert_record *record);
/* Read one; out->line borrows the bytes. 0, or ERR_CORRUPT. */
int alert_record_take(struct alert_record *out, struct slice bytes);
