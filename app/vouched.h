/*
 * app/vouched.h - everything that a store's checkpoints vouch for, to be held against what is there.
 *
 *   DIR/checkpoints, and one that somebody kept
 *     --> hashes of frames         against the log and its remains, as they are read
 *     --> roots of trees by size   against the hashes of all rows
 *
 * A checkpoint that was kept must be among the store's own byte for byte: a history that was written
 * again has others, or ends before it.
 *
 * Ownership: vouched_read() gives a handle that vouched_free() takes back.
 * Threads:   one owner.
 * Failures:  ERR_CORRUPT with what differs in the diag; ERR_FORMAT for what is no checkpoint; ERR_IO,
 *            ERR_NOMEM.
 */
#pragma once

#include "store/store.h"

struct vouched;

/* `held`: the text of a checkpoint that was kept; empty: none was. */
int vouched_read(struct vouched **out, const char *dir, const struct note_key *key,
                 struct slice held, struct diag *diag);
/* NULL is allowed. */
void vouched_free(struct vouched *v);
/* How many checkpoints there are. */
uint64_t vouched_count(const struct vouched *v);

/* The next frame, ascending: ERR_CORRUPT when another hash was signed. */
int vouched_frame(struct vouched *v, uint64_t seq, const struct sha256 *hash);
/* After the last frame: ERR_CORRUPT when one was signed that did not come. */
int vouched_frames_end(const struct vouched *v, struct diag *diag);

/* What a municipality's tree must have been, ascending by size, each size once. */
const struct tree_head *vouched_heads(const struct vouched *v, uint32_t tenant, size_t *count);
/* The municipalities that have a tree, ascending; *cursor from 0. False at the end. */
bool vouched_next_tenant(const struct vouched *v, size_t *cursor, uint32_t *tenant);
