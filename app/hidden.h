/*
 * app/hidden.h - what filters took out, from a municipality's detection into the tally.
 *
 *   detection --hidden_take()--> records of a parcel --commit--> hidden_tally() --> tally
 *
 * A record: u32 bytes of what follows, u32 tenant, u64 rows, the filter's id. A row counts once for
 * each rule that it is taken out of.
 *
 * Ownership: nothing is kept.
 * Threads:   hidden_take() by the owner of the detection; the others any.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdio.h>

#include "app/tally.h"
#include "detect/detect.h"

/* Append what was taken out since the last call. */
int hidden_take(struct buf *out, struct detect_tenant *detect, uint32_t tenant);
/* Forget it: rows that were judged again to come to a state were counted in their time. */
void hidden_forget(struct detect_tenant *detect);
/* Count the records. */
void hidden_tally(struct tally *tally, struct slice records);
/* A line for each filter and municipality, for people. */
void hidden_print(struct tally *tally, FILE *to);
