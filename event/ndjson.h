/*
 * event/ndjson.h - rows as flat JSON objects, one a line.
 *
 * Keys are ECS names in the order of event/fields.def, then unnamed fields as <format>.<key> by
 * name. A field with several values is an array. Times are RFC 3339 UTC. Numbers and addresses are
 * printed by value; text is decoded, and bytes that are not UTF-8 become U+FFFD. Empty texts and
 * parts of the event time are left out.
 *
 * Ownership: a printer borrows the batch from ndjson_batch() until the next call of it.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/batch.h"

struct ndjson;

enum ndjson_flags {
    NDJSON_ORIGINAL = 1, /* event.original in every object, not only in those that did not parse */
    NDJSON_PLACE = 2,    /* tenant, source, topic, partition, offset, sub, arrival */
};

struct ndjson *ndjson_new(void);
void ndjson_free(struct ndjson *n);

/* Look at the columns of a batch whose rows are known. */
int ndjson_batch(struct ndjson *n, const struct batch *b);

/* Append the row's object and a newline. */
int ndjson_row(struct ndjson *n, uint32_t row, unsigned flags, struct buf *out);

/* Append a JSON string with its quotes: escapes, and U+FFFD for what is not UTF-8. */
void ndjson_string(struct buf *out, struct slice text);
