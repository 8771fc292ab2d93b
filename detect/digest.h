/*
 * detect/digest.h - private to detect/: scored findings that the day's budget had no room for.
 *
 * They are ranked by how unusual they are and released together, as one alert of kind `digest` when
 * the day ends. A finding that is in no entry is still counted.
 *
 * Ownership: entries live in the tenant's block.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "detect/detector.h"

void digest_add(struct detect_run *run, const struct finding *f);
/* Release today's digest, if there is one, and begin another. */
void digest_release(struct detect_run *run);
