/*
 * store/checkpoint_file.h - all checkpoints of a store, one behind the other in DIR/checkpoints.
 *
 * The last one may be torn by a crash: it then lacks its end, or holds zeroes where it never reached
 * the disk. Such bytes mean nothing, and the next writer cuts them off. All else is damage.
 *
 * Layer:     base < event < store
 * Ownership: checkpoint_file_open() gives a handle that checkpoint_file_close() takes back.
 * Threads:   one owner. Readers may work beside the one writer.
 * Failures:  ERR_FORMAT and ERR_CORRUPT for damage, another key and a history that does not continue;
 *            ERR_IO, ERR_NOMEM. Why is in the diag.
 */
#pragma once

#include "base/file.h"
#include "store/checkpoint.h"

struct checkpoint_file;

/*
 * The key that signs for a store, made when there is none, with its public half in
 * DIR/checkpoint.pub. `key_path` NULL: DIR/checkpoint.key.
 */
int checkpoint_signer_open(struct note_signer *out, const char *dir,
                           const uint8_t store_id[STORE_ID_BYTES], const char *key_path,
                           struct diag *diag);
/* The public half. ERR_NOTFOUND where nothing was signed as yet, which is not said in the diag. */
int checkpoint_key_read(struct note_key *out, const char *dir, struct diag *diag);

/* Open the file to append, or make it; the last checkpoint must be signed with the signer's key. */
int checkpoint_file_open(struct checkpoint_file **out, const char *dir,
                         const struct note_signer *signer, struct diag *diag);
/* NULL is allowed. */
void checkpoint_file_close(struct checkpoint_file *f);
/* Number of the last checkpoint; 0: there is none. */
uint64_t checkpoint_file_number(const struct checkpoint_file *f);
/* Bytes of a torn write that opening cut off. */
uint64_t checkpoint_file_cut_bytes(const struct checkpoint_file *f);
/* The last one, or NULL; valid until the next append. */
const struct checkpoint *checkpoint_file_last(const struct checkpoint_file *f);
/*
 * Sign the next checkpoint and make it survive a power loss. `c` without number and previous, which
 * are filled in. Its text is appended to `text` unless that is NULL. ERR_CORRUPT when it is none that
 * can follow the last one, ERR_RANGE when it can be none at all: nothing happened. After ERR_IO close
 * the file and open it again.
 */
int checkpoint_file_append(struct checkpoint_file *f, const struct checkpoint *c, struct buf *text,
                           struct diag *diag);

/*
 * Append the text of the last whole checkpoint to `text`, beside a writer or without. ERR_NOTFOUND:
 * there is none.
 */
int checkpoint_file_read_last(struct buf *text, const char *dir, const struct note_key *key,
                              struct diag *diag);

struct checkpoint_check {
    const struct note_key *key;
    struct slice held; /* a checkpoint that somebody kept, whole; empty: none */
    /* Called with every checkpoint in order and its text; not 0 ends the walk. NULL: nobody looks. */
    int (*visit)(void *self, const struct checkpoint *c, struct slice text);
    void *self;
};

struct checkpoint_summary {
    uint64_t count;
    uint64_t torn_bytes; /* behind the last one */
};

/*
 * Read all checkpoints: signatures, numbers, chain, that nothing shrinks, and that the held one is
 * among them byte for byte. No file is no checkpoints: ERR_CORRUPT only when one is held.
 */
int checkpoint_file_check(struct checkpoint_summary *out, const char *dir,
                          const struct checkpoint_check *check, struct diag *diag);
