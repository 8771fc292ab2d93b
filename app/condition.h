/*
 * app/condition.h - the text of a query as the predicate that batches are asked.
 *
 * Ownership: a zeroed struct is empty; condition_release() frees what condition_compile() made.
 * Threads:   immutable once compiled.
 * Failures:  ERR_CONF with a diagnosis for a query that is wrong, ERR_NOMEM.
 */
#pragma once

#include "event/pred.h"

struct condition {
    struct pred *pred; /* NULL: every row */
};

int condition_compile(struct condition *out, const char *text, struct diag *diag);
void condition_release(struct condition *c);
