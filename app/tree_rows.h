/*
 * app/tree_rows.h - a municipality's rows by their number in its history, out of its segments: what
 * proofs are made of.
 *
 *   number 1234 --catalog--> segments that may hold it --numbers of a block's rows--> row, leaf
 *
 * Only rows in segments have a number here; those that stand in the log alone get one when they are
 * compacted. A number that retention has deleted is in no segment; beside rows that stay the nodes over
 * such rows are known (app/gone_nodes.h).
 *
 * Ownership: tree_rows_open() gives a handle that tree_rows_close() takes back. Directory is copied,
 *            the diagnosis borrowed for the handle's life.
 * Threads:   one owner; a collector and a compaction may go on beside it.
 * Failures:  ERR_NOTFOUND for a row that is in no segment, and for a municipality without any;
 *            ERR_AGAIN for a segment that was written anew meanwhile: open it again; ERR_CORRUPT,
 *            ERR_FORMAT with the file named; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "app/gone_nodes.h"

struct tree_rows;

int tree_rows_open(struct tree_rows **out, const char *dir, uint32_t tenant, struct diag *diag);
/* NULL is allowed. */
void tree_rows_close(struct tree_rows *r);

/* What its segments are, and the tree of their rows; valid as long as the handle. */
const struct catalog *tree_rows_catalog(const struct tree_rows *r);
/* The tree to prove from; valid as long as the handle, as is who reads leaves for it. */
const struct tree_source *tree_rows_source(struct tree_rows *r);

/* Sees a row, which is valid during the call. Returns 0, or an error that ends the reading. */
typedef int tree_rows_take(void *self, uint64_t number, const struct tree_row *row);

/* Rows with numbers in [first, end), each once, in no certain order. Those that are gone are left out. */
int tree_rows_read(struct tree_rows *r, uint64_t first, uint64_t end, tree_rows_take *take,
                   void *self);
/* The nodes over rows of [first, end) that were deleted, where others of their group stay. */
int tree_rows_gone(struct tree_rows *r, uint64_t first, uint64_t end, gone_nodes_take *take,
                   void *self);
/* The number of the row at a place, whose raw bytes are not looked at. */
int tree_rows_find(struct tree_rows *r, const struct tree_row *place, uint64_t *number);
