/*
 * store/checkpoint.h - what a store says of itself at a moment, signed: whoever keeps a copy can tell
 * later that nothing from before was changed.
 *
 *   sekisho checkpoint v1
 *   store 73656b6973686f20746573742031000a
 *   number 17                                       1, 2, 3, ... over the store's life
 *   time 2026-11-22T09:00:00Z                       what the clock said
 *   log 123456 <hash>                               last frame of the log, and its hash
 *   previous <hash>                                 of the whole checkpoint before; zeroes in number 1
 *   tenants 1
 *   tenant 052027 1048576 <hash>                    size and root of its tree, ascending
 *   records 1
 *   record ledger <hash>                            hashes of other things, ascending by name
 *
 *   — sekisho/73656b6973686f20746573742031000a <base64>
 *
 * A text has one form only, so equal checkpoints are equal bytes. Each names the one before: two
 * holders of checkpoints of different histories see that there are two.
 *
 * Layer:     base < event < store
 * Ownership: a parsed checkpoint borrows its arena; names in records are slices of the text.
 * Threads:   values.
 * Failures:  ERR_FORMAT for a text of another form, ERR_CORRUPT for a wrong signature or a history that
 *            does not continue, ERR_RANGE for what cannot be a checkpoint, ERR_NOMEM. Why, and in
 *            which line, is in the diag.
 */
#pragma once

#include "base/arena.h"
#include "store/log_file.h"
#include "store/note.h"
#include "store/tree_proof.h"

enum checkpoint_limits {
    CHECKPOINT_TENANTS_MAX = 4096,
    CHECKPOINT_RECORDS_MAX = 64,
    CHECKPOINT_RECORD_NAME_BYTES_MAX = 64,
    CHECKPOINT_CODE_MAX = 999999,
    CHECKPOINT_BYTES_MAX = 1 << 20, /* of the whole text */
};

struct checkpoint_tenant {
    uint32_t tenant;
    struct tree_head head;
};

struct checkpoint_record {
    struct slice name; /* 1..CHECKPOINT_RECORD_NAME_BYTES_MAX of a-z 0-9 . _ - */
    struct sha256 hash;
};

struct checkpoint {
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t number;
    int64_t time_ns;
    uint64_t log_seq; /* 0: the log has no frame yet */
    struct sha256 log_hash;
    struct sha256 previous;
    const struct checkpoint_tenant *tenants;
    uint32_t tenant_count;
    uint32_t record_count;
    const struct checkpoint_record *records;
};

/* The name of the key that signs for a store: "sekisho/" and the store id in hexadecimal. */
void checkpoint_key_name(char out[NOTE_NAME_BYTES_MAX + 1], const uint8_t store_id[STORE_ID_BYTES]);

/* Append the whole text. ERR_RANGE for lists out of order or a limit passed. */
int checkpoint_sign(struct buf *out, const struct checkpoint *c, const struct note_signer *signer);
/*
 * Read a whole text and check its signature (`key` NULL: leave it unchecked); `file` names it in
 * messages.
 */
int checkpoint_parse(struct checkpoint *out, struct arena *arena, struct slice text,
                     const struct note_key *key, const char *file, struct diag *diag);
/* The head of a tenant's tree, or NULL. */
const struct tree_head *checkpoint_head(const struct checkpoint *c, uint32_t tenant);

/* The hash by which the next one names this one. */
int checkpoint_hash(struct sha256 *out, struct slice text);
/*
 * Whether `newer` can be later in the same history as `older`: the same store, a greater number, no
 * tenant gone, no log or tree shorter, and the same root at the same size.
 */
int checkpoint_check_later(const struct checkpoint *older, const struct checkpoint *newer,
                           const char *file, struct diag *diag);
/* The same of neighbours: also that `newer` names `older`, whose hash is given. */
int checkpoint_check_next(const struct checkpoint *older, const struct sha256 *older_hash,
                          const struct checkpoint *newer, const char *file, struct diag *diag);
/*
 * Whether the store's tree of a tenant is the one that the checkpoint vouches for: its root at the
 * checkpoint's size, from the stored nodes and the rows behind them. A tenant that the checkpoint
 * does not know is fine. ERR_CORRUPT for another root or a tree that is shorter.
 */
int checkpoint_check_tree(struct hasher *h, const struct checkpoint *c, uint32_t tenant,
                          const struct tree_source *source, const char *file, struct diag *diag);
