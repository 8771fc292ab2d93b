/*
 * detect/signal.h - a row that rules matched, with the values that correlations will ask for.
 *
 * Ownership: the fields live in the arena of who makes them; a signal's values in the arena given.
 * Threads:   fields are immutable once made; a signal has one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "detect/correlate.h"
#include "event/batch.h"

/* The distinct fields that the correlations of a set ask for. */
struct signal_fields {
    struct sigma_field *items;
    uint32_t count;
};

struct signal {
    int64_t time_ns;
    uint64_t event;
    const uint32_t *rules; /* indices in the set, ascending */
    uint32_t rule_count;
    const struct signal_fields *fields;
    struct slice *values; /* by field; data NULL where the row has none */
};

int signal_fields_make(struct signal_fields *out, struct sigma_set *set);

/* Can a column of that field have a value of any of them? What is composed needs all columns. */
bool signal_fields_want(const struct signal_fields *fields, uint16_t field);

/* Copy the values of a row: the first one of each field that is there and not null. */
int signal_take(struct signal *out, const struct signal_fields *fields, const struct batch *b,
                uint32_t row, struct arena *arena);

/* A correlate_field: `self` is the signal. */
bool signal_value(void *self, const struct sigma_field *field, struct slice *out);
