/*
 * detect/row_origin.h - private to detect/: the row at hand, and who is behind its address.
 *
 *   row --row_origin_meet()--> of a host itself:      noted; who waited for it goes on
 *                              of a shared address:   its host, if it is known, and the findings of
 *                                                     detectors that are shown the row are told so
 *   any --------------------> what has waited for long enough goes on
 *
 * Ownership: borrows the run.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "detect/tenant_state.h"

/*
 * Before the row is shown to anybody. `trace`: NULL where the municipality has no shared addresses;
 * lives until row_origin_leave(). Where only X-Forwarded-For tells of hosts, the flow becomes the
 * host's.
 */
void row_origin_meet(struct detect_run *run, struct flow *f, const struct origin_trace *trace);
/* No row is at hand any more: ticks and correlations speak of rows of before. */
void row_origin_leave(struct detect_run *run);
/*
 * Where the flow became the host's, source.ip does among the values of rules->fields, too; *text
 * holds it.
 */
void row_origin_name(const struct detect_run *run, struct slice *values, struct buf *text,
                     const struct flow *flow);
