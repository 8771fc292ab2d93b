/*
 * event/pred_url.h - private: which rows' url.original could hold a literal, from its parts alone.
 *
 *   "https://" host "/a" "?" query     a part holds the literal, or hides it in %XX, or
 *              ---~~~~~~~~~            the literal stands across a joint of two parts
 *
 * So URLs are put together only where it matters. Works with rows and without (texts only).
 *
 * Ownership, threads, failures: as event/pred_plan.h.
 */
#pragma once

#include "event/pred_plan.h"

/* Is the field one of those that url.original is composed of? */
bool url_is_part(uint16_t field);

/* Could any composed URL satisfy the leaf? False only when certainly none does. */
bool url_possible(struct pred_scratch *s, const struct leaf *leaf);

/* The rows of `mask` whose composed URL might satisfy the leaf, into *out. 0 or ERR_NOMEM. */
int url_candidates(struct pred_scratch *s, const struct leaf *leaf, const struct rows *mask,
                   struct rows *out);
