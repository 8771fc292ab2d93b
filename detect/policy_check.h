/*
 * detect/policy_check.h - private to detect/: contradictions in what a municipality wrote down.
 *
 *   zones       more than POLICY_ZONES_MAX
 *   networks    without a zone; a zone inside a My-Number or LGWAN zone or around one; an exclusion
 *               inside the My-Number zone
 *   gateways    in no zone, in none that they join, joining fewer than two, as wide as a segment,
 *               joining My-Number and the Internet, of a role that the model does not foresee without a
 *               reason, overlapping another one
 *   flows       in no zone, between zones where everything passes already, where nothing may ever
 *               pass, where the model foresees none without a reason; two that say the same
 *               differently
 *   clouds      where the model has none; an address of the municipality's own
 *   matrix      My-Number and the Internet; more than the model without a reason; two lines for the same
 *               two zones
 *
 * Ownership: nothing is kept.
 * Threads:   pure.
 * Failures:  ERR_CONF when a fault was told; ERR_NOMEM.
 */
#pragma once

#include "detect/policy.h"

/*
 * Where a name without an address leads: *place is the LGWAN zone for names of the LGWAN, else the
 * Internet; false for names that stay inside (no dot, .local and the like).
 */
bool policy_name_place(const struct policy_options *options, struct slice name, uint8_t *place);

/* Whether `name` is the domain or under it; both lower case. */
bool policy_is_under(struct slice name, struct slice domain);

int policy_check(const struct policy_options *options, const struct policy_reader *reader);
