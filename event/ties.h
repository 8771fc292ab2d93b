/*
 * event/ties.h - which columns of a batch say the same in all rows of a shape.
 *
 *   shape 1  vd="root" action="accept" dstip=?     vd, action: tied; shape 1 -> "root", "accept"
 *   shape 2  vd="root" action="deny" dstip=?       shape 2 -> "root", "deny"; dstip is not
 *
 * Most values of a firewall's line are of this kind. Who goes through all rows of all columns looks at
 * these once a shape.
 *
 * Layer:     base < event
 * Ownership: owns its memory until ties_release(); a zeroed one is empty. Borrows nothing: what it says
 *            is of the batch as it was.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/batch.h"

#define TIE_NONE VALUE_NONE

struct ties {
    struct arena arena;
    int64_t **columns;    /* of each column, for each shape; NULL: rows of a shape differ */
    uint32_t *first_rows; /* of each shape; TIES_NO_ROW */
};

#define TIES_NO_ROW UINT32_MAX

void ties_release(struct ties *t);

/* Look at a whole batch that was read back; forgets the one before. 0 or ERR_NOMEM. */
int ties_find(struct ties *t, const struct batch *b);

/*
 * For each shape the entry of a COLUMN_CODES, or the integer, that all of its rows have: TIE_NONE
 * where they have none, undefined where there are no rows. NULL when rows of a shape differ, or the
 * column has exceptions, or is of another kind.
 */
static inline const int64_t *ties_of(const struct ties *t, uint32_t column)
{
    return t->columns[column];
}
