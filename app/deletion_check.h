/*
 * app/deletion_check.h - whether what is missing of a municipality's rows was deleted as it says.
 *
 *   certificates 1, 2, 3, ...   signed, each names the hash of the one before
 *   catalog                     segments that were deleted, each by the certificate that names it
 *   numbers of rows             each is in a segment, or in one certificate that counts
 *
 * Layer:     app
 * Ownership: nothing is kept; the gather is the caller's.
 * Threads:   one caller; a collector may delete meanwhile: certificates that the catalog at hand does not
 *            know yet are checked and not counted.
 * Failures:  ERR_CORRUPT with the first difference named; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "app/leaf_gather.h"

struct deletion_check_report {
    uint64_t certificates;
    uint64_t rows; /* that they say are gone */
};

/* Check a municipality's, add to the report, and tell the gather which rows come no more. */
int deletion_check(struct deletion_check_report *out, struct leaf_gather *g, const char *dir,
                   const struct catalog *catalog, struct diag *diag);
