/*
 * store/census.h - how many rows of a group have which values of fields with few values.
 *
 *   verdict  action  protocol             rows
 *   allow    accept  HTTPS                 812     one line for each combination that occurs,
 *   allow    accept  DNS                   301     stored column by column in the segment's footer:
 *   deny     deny    -                      19     a count by such fields opens no group
 *
 * Fields have places (event/census.h). What a census tells of a place is exact; it leaves out those
 * whose combinations would be too many for so few rows. The bytes: docs/format.md, "Census".
 *
 * Ownership: a maker and a reader own their memory; a batch that was read borrows nothing of the
 *            census, but the names of the head.
 * Threads:   one owner each; census_places() is a pure function.
 * Failures:  ERR_NOMEM, ERR_CORRUPT.
 */
#pragma once

#include "event/census.h"
#include "store/rowgroup_view.h"

enum census_sizes {
    CENSUS_VALUES_MAX = 64,         /* of a place */
    CENSUS_COMBINATIONS_MAX = 1024, /* of all places that are told */
    CENSUS_MADE_MAX = 256,          /* so many are made at most, and */
    CENSUS_MADE_ROWS = 32,          /* one for so many rows, but not fewer than */
    CENSUS_MADE_LEAST = 24,
};

struct census_maker;

int census_maker_new(struct census_maker **out);
/* NULL is allowed. */
void census_maker_free(struct census_maker *m);
/* Begin with a group. */
void census_maker_reset(struct census_maker *m);
/* Add a block, which has every column. */
int census_maker_add(struct census_maker *m, const struct batch *b);
/*
 * Append the census of the rows that were added; nothing where it would tell nothing. `only` says which places,
 * however many combinations they have; 0: as many as there is room for.
 */
int census_maker_seal(struct census_maker *m, uint64_t only, struct buf *out);

/* The places that a census tells of; 0 of an empty one, or one that cannot be. */
uint64_t census_places(struct slice census);

struct census_reader;

struct census_reader *census_reader_new(void);
/* NULL is allowed. */
void census_reader_free(struct census_reader *r);
/*
 * The combinations of some of the places that the census of a group tells of, one a row, into a batch
 * that has these fields alone. (*rows)[i]: how many rows of the group row i stands for, valid until the next call.
 */
int census_read(struct census_reader *r, const struct rowgroup_head *head, uint64_t places,
                struct batch *out, const uint32_t **rows);
