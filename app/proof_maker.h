/*
 * app/proof_maker.h - proofs out of a store: of a row, and that its history only grew.
 *
 * Ownership: texts are appended to the caller's buffer; everything else is borrowed for the call.
 * Threads:   one caller; beside a collector and a compaction.
 * Failures:  ERR_NOTFOUND where the checkpoint does not vouch for it as yet, or the rows are gone; as
 *            app/tree_rows.h and store/proof.h. Why, and what helps, is in the diag.
 */
#pragma once

#include "app/tree_rows.h"

/* A signed checkpoint, and what it says. */
struct signed_checkpoint {
    struct checkpoint is; /* points into `arena` and `text` */
    struct arena arena;
    struct buf text;
};

/* The store's key, as it stands beside its checkpoints. */
int proof_key_read(struct note_key *out, const char *dir, struct diag *diag);
/* The last checkpoint of a store. */
int signed_checkpoint_last(struct signed_checkpoint *out, const char *dir,
                           const struct note_key *key, struct diag *diag);
/* One in a file. */
int signed_checkpoint_read(struct signed_checkpoint *out, const char *path,
                           const struct note_key *key, struct diag *diag);
/* A zeroed one is allowed. */
void signed_checkpoint_release(struct signed_checkpoint *c);

/* Append the proof (store/proof.h) that row `number` is what the checkpoint vouches for. */
int proof_make_row(struct buf *out, struct tree_rows *rows, uint64_t number,
                   const struct signed_checkpoint *c, struct diag *diag);
/* Append the proof that the history of `newer` begins with that of `older`. */
int proof_make_growth(struct buf *out, const char *dir, const struct signed_checkpoint *older,
                      const struct signed_checkpoint *newer, struct diag *diag);
