/*
 * app/proof_check.h - proofs in files, verified.
 *
 * Ownership: nothing is kept.
 * Threads:   any.
 * Failures:  ERR_FORMAT for what is no proof, ERR_CORRUPT for one that proves nothing, with the reason in
 *            the diag; ERR_NOTFOUND, ERR_IO, ERR_NOMEM.
 */
#pragma once

#include "store/store.h"

/* Append to `said` in a line what the proof in the file shows, signed with the key. */
int proof_check_file(struct buf *said, const char *path, const struct note_key *key,
                     struct diag *diag);
