/*
 * app/compact_tenant.h - private to app/compact*.c: the rows of one municipality into its segments.
 *
 * Ownership: the handle owns open segments and groups; options and diagnosis are borrowed.
 * Threads:   one owner.
 * Failures:  as app/compact.h.
 */
#pragma once

#include "app/compact.h"

struct tenant_compaction;

/*
 * Read the municipality's catalog, and remove what no catalog names. through_seq: what the catalog says
 * at least, as was said of it once; 0: there may be none. ERR_CORRUPT when it says less: then nothing
 * is removed.
 */
int tenant_compaction_new(struct tenant_compaction **out, const struct compact_options *options,
                          uint32_t tenant, uint64_t through_seq, struct compact_report *report,
                          struct diag *diag);
/* Without tenant_compaction_finish() nothing counts. NULL is allowed. */
void tenant_compaction_free(struct tenant_compaction *t);

/* The frame up to which the municipality's rows are in segments already. */
uint64_t tenant_compaction_through(const struct tenant_compaction *t);

/* Where the rows are to be counted, and what frames say of them is already; borrowed. */
void tenant_compaction_count(struct tenant_compaction *t, struct totals_count *totals);

/* Take the rows of a batch, whole, the next of the municipality's history. */
int tenant_compaction_add(struct tenant_compaction *t, const struct batch *b);

/* Finish the segments and the control totals, and make them count. */
int tenant_compaction_finish(struct tenant_compaction *t, uint64_t through_seq);
