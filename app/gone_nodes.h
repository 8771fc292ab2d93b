/*
 * app/gone_nodes.h - the nodes of a municipality's tree over rows that were deleted, out of its
 * certificates: with them the rows beside these can still be proved.
 *
 *   rows      . . . 3 . . . . 8 9 . .        those without a number are gone; a certificate keeps
 *   nodes    [0 1][2]  [4 .. 7]    [10 11]   these
 *
 * Only groups of which some rows stay have nodes: of those that went whole the tree's file has one.
 *
 * Ownership: gone_nodes_open() gives a handle that gone_nodes_close() takes back; the catalog is
 *            borrowed as long, the directory copied.
 * Threads:   one owner; a retention may go on beside it: what the catalog does not know is left out.
 * Failures:  ERR_CORRUPT for certificates that are missing, changed or not signed by the store's key,
 *            named in the diag; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "store/store.h"

struct gone_nodes;

/* Nothing is read as yet. */
int gone_nodes_open(struct gone_nodes **out, const char *dir, const struct catalog *catalog);
/* NULL is allowed. */
void gone_nodes_close(struct gone_nodes *g);

/* Sees the node of that level over gone rows, the first of which is `number`. 0, or an error that ends it. */
typedef int gone_nodes_take(void *self, uint64_t number, unsigned level, const struct sha256 *hash);

/* Nodes that lie in rows [first, end), each once, in no certain order. */
int gone_nodes_each(struct gone_nodes *g, uint64_t first, uint64_t end, gone_nodes_take *take,
                    void *self, struct diag *diag);
