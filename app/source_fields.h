/*
 * app/source_fields.h - the sources whose rows are stored, and which fields have values there.
 *
 *   batch of (municipality, source, format) --> one question a field, asked by the predicate engine
 *                                           --> rows with a value, by field
 *
 * The first SOURCE_SAMPLE_ROWS rows of a source are counted; of later ones only those batches are
 * looked at that have a column for a field which no row had a value of yet. So "no value" is the
 * truth of all rows, and a count is that of the sample.
 *
 * Ownership: source_fields_read() fills a struct that source_fields_release() empties; the fields
 *            are borrowed.
 * Threads:   one owner.
 * Failures:  those of log_index_open() and scan_run(); ERR_RANGE past SOURCES_MAX.
 */
#pragma once

#include "app/rule_needs.h"
#include "app/scan.h"

enum source_limits {
    SOURCES_MAX = 65536,
    SOURCE_SAMPLE_ROWS = 200000,
};

struct source {
    uint32_t tenant;
    struct slice name;
    struct slice format;
    uint64_t rows;
    uint64_t counted_rows; /* the sample */
    uint64_t *values;      /* by field: rows of the sample, and more, that have one */
    bool *known_holds;     /* by leaf on what is known of a source */
};

struct source_fields {
    struct arena arena;
    struct source *items; /* by municipality, name, format */
    uint32_t count;
    uint32_t cap;
    uint64_t missing; /* places of the log that could not be read */
};

/* Look at the rows that `query`, without a predicate, is about. */
int source_fields_read(struct source_fields *out, const char *dir, const struct need_fields *fields,
                       const struct sieve_query *query, struct diag *diag);
void source_fields_release(struct source_fields *s);

/* What is known of a source, as the walk over a condition wants it. */
struct need_facts source_facts(const struct source *s, const struct need_fields *fields);
