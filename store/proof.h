/*
 * store/proof.h - evidence that stands alone: a row that a signed checkpoint vouches for, and that of two
 * checkpoints one continues the other.
 *
 *   sekisho proof v1                          sekisho growth v1
 *   tenant 052027                             tenants 1
 *   index 1234                                tenant 052027 2      of every tenant in the older one:
 *   topic seclog.raw.052027.fw1               hash <hash>          the proof of tree_prove_growth()
 *   partition 0                               hash <hash>
 *   offset 77120                              older 7              lines of the older checkpoint, whole
 *   sub 0                                     sekisho checkpoint v1
 *   hashes 11                                 ...
 *   hash <hash>                               newer 7              lines of the newer one
 *   raw 598                                   sekisho checkpoint v1
 *   data <base64 of 54 bytes>                 ...
 *   ...
 *   checkpoint 7
 *   sekisho checkpoint v1
 *   ...
 *
 * Size and root are those of the tenant in the checkpoint. The topic is written with bytes other than
 * A-Z a-z 0-9 . _ - as %XX.
 *
 * Layer:     base < event < store
 * Ownership: what was parsed borrows the text and the arena.
 * Threads:   values; one owner of the hasher.
 * Failures:  ERR_FORMAT for a text of another form, ERR_CORRUPT for one that proves nothing, ERR_RANGE
 *            for what cannot be written, ERR_NOMEM. Why, and in which line, is in the diag.
 */
#pragma once

#include "store/checkpoint.h"

enum proof_limits {
    PROOF_RAW_BYTES_MAX = 64 << 20, /* BATCH_RECORD_BYTES_MAX */
    PROOF_BYTES_MAX = 100 << 20,    /* of a text */
    PROOF_DATA_BYTES = 54,          /* in a line */
};

struct proof_row {
    uint32_t tenant;
    uint64_t index; /* of the leaf */
    struct tree_row row;
    struct tree_proof path;
    struct slice checkpoint; /* the whole text */
};

/* Append the text. */
int proof_row_print(struct buf *out, const struct proof_row *p);
int proof_row_parse(struct proof_row *out, struct arena *arena, struct slice text, const char *file,
                    struct diag *diag);
/* Whether the row is in the tree that the checkpoint vouches for, and that is signed with the key. */
int proof_row_verify(struct hasher *h, const struct proof_row *p, const struct note_key *key,
                     const char *file, struct diag *diag);

struct proof_growth_tenant {
    uint32_t tenant;
    struct tree_proof path;
};

struct proof_growth {
    const struct proof_growth_tenant *tenants; /* as in the older checkpoint */
    uint32_t tenant_count;
    struct slice older; /* the whole texts */
    struct slice newer;
};

int proof_growth_print(struct buf *out, const struct proof_growth *p);
int proof_growth_parse(struct proof_growth *out, struct arena *arena, struct slice text,
                       const char *file, struct diag *diag);
/* Whether both are signed with the key, and the newer one's trees begin with those of the older. */
int proof_growth_verify(struct hasher *h, const struct proof_growth *p, const struct note_key *key,
                        const char *file, struct diag *diag);
