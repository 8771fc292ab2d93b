/*
 * store/sha256_lanes.h - private to store/: SHA-256 of many texts, two at a time.
 *
 *   lane 0   | text 0 ..... | text 2 .. | text 3 ..........
 *   lane 1   | text 1 ........... | text 4 ... | text 5 ..
 *
 * A round of the processor's own SHA-256 instructions waits for the one before it. With the rounds of
 * a second text between them hashing takes little more than half the time. Who has no such
 * instructions goes on with libcrypto: store/sha256.h chooses.
 *
 * Layer:     base < event < store
 * Ownership: borrows the texts.
 * Threads:   any.
 * Failures:  none.
 */
#pragma once

#include "store/sha256.h"

/* Whether this processor can. */
bool sha256_lanes_there(void);
/* out[i] is the hash of texts[i]. Needs sha256_lanes_there(). */
void sha256_lanes_hash(struct sha256 *out, const struct slice *texts, size_t count);
