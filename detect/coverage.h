/*
 * detect/coverage.h - private to detect/: says when detection itself was incomplete.
 *
 * Tables of fixed size give up entries when an outsider fills them, and a municipality's alerts are
 * released one by one only up to a number an hour. Both are alerts of kind `coverage`: one when it
 * begins, and one when it is over that says from when to when, and why.
 *
 * Ownership: what is remembered lives in the tenant's block.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "detect/detector.h"

/* Each tick: has a table begun to give up more than it should? */
void coverage_tick(struct detect_run *run);
/* Each full hour: surges that are over, alerts that were held back. */
void coverage_hour(struct detect_run *run);
