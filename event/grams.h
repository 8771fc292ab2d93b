/*
 * event/grams.h - which runs of four letters and digits the lines of a group of rows may hold.
 *
 *   /download/9.exe   down ownl wnlo nloa load   one bit each of a table, folded until it is small
 *
 * Runs with a letter of every text of the lines, and numbers with dots between them (event/dotted.h), so that
 * addresses are told, too; all runs of the texts that URLs are made of, those decoded and percent-decoded, too. A run stands in one text or one piece of a skeleton: where
 * it could stand across two of them the filter says so, and rules nothing out there. Bytes of a
 * sealed filter: docs/format.md. (A Bloom filter with one hash; q-grams as in Navarro and Raffinot,
 * "Flexible Pattern Matching in Strings".)
 *
 * Ownership: grams_new() makes a table, grams_free() ends it; sealed bytes are the caller's.
 * Threads:   one owner; what asks a sealed filter is a pure function.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/batch.h"

struct grams;

enum grams_limits {
    GRAMS_RUN_BYTES = 4,
    GRAMS_BITS_PER_ROW = 16, /* of a sealed filter, at most, but for GRAMS_BITS_SMALL */
    GRAMS_BITS_SMALL = 8192, /* so many for few rows, where they need them */
    GRAMS_LOG_MIN = 9,       /* logarithm of the bits of a sealed filter */
    GRAMS_LOG_MAX = 20,
};

int grams_new(struct grams **out);
/* NULL is allowed. */
void grams_free(struct grams *g);
/* Forget everything. */
void grams_reset(struct grams *g);

/*
 * Add a batch with all its rows. Batches of one group have the same columns and skeletons; `first`:
 * its dictionaries, which are those of all, were not added yet.
 */
int grams_add(struct grams *g, const struct batch *b, bool first);

/*
 * Append the filter of `rows` rows to `out`; nothing where it would rule out next to nothing. The table
 * is to be reset afterwards.
 */
void grams_seal(struct grams *g, uint64_t rows, struct buf *out);

/* Where a text may be asked for. */
enum grams_place {
    GRAMS_URL_PART = 1, /* in one value of a url.* field */
    GRAMS_URL = 2,      /* in a URL composed of its parts, too */
    GRAMS_LINE = 4,     /* anywhere in a line */
    GRAMS_DOTTED = 8,   /* of a filter alone: its lines' numbers with dots are told */
};

/* Is it a filter, or empty? */
bool grams_is_filter(struct slice filter);
/* May a text that holds this one stand there? The empty filter stands for "not known". */
bool grams_may_hold(struct slice filter, enum grams_place place, struct slice text);
/* Does a filter rule nothing out of what was added? The table is one that was not sealed. */
bool grams_within(const struct grams *g, struct slice filter);
