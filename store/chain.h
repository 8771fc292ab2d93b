/*
 * store/chain.h - private to store/: files of records that are chained by their hashes.
 *
 *   [header | record 1 | record 2 | ...]            appended to, a record at a time
 *   a record      len[8] | content | hash[32] | len of it all[8], where the form has it at the end too
 *   its hash      SHA-256 of the hash before it, len, content; of the first one: the hash of the header
 *
 * Header and content are the owner's. What stands behind the last whole record is torn, and the next append is
 * written over it; but where a whole record stands behind one that is not whole, that one was whole once, and
 * the file is damaged.
 *
 * Layer:     base < event < store
 * Ownership: nothing is kept; slices are of the bytes that were given.
 * Threads:   any; one writer of a file.
 * Failures:  ERR_CORRUPT for damage, which the caller names; ERR_AGAIN for a full disk; ERR_IO, ERR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/sha256.h"

/* What records of a kind of file are like. */
struct chain_form {
    bool len_behind;          /* the length of all stands behind a record, to be read backwards */
    size_t content_bytes_min; /* of what can be a record at all */
    /* Whether content can be what it says; asked where a record may begin at any byte. NULL: always. */
    bool (*can_be)(struct slice content);
    /* Called when a record is written and not yet durable: the place where a test breaks off. */
    void (*written)(void);
};

/* Bytes of a record beside its content. */
size_t chain_framing_bytes(const struct chain_form *form);

/* The hash of a record that follows `before`. */
int chain_hash(struct sha256 *out, const struct sha256 *before, struct slice content);
/* Append the record to `out`, and give its hash. */
int chain_put(struct buf *out, struct sha256 *hash, const struct chain_form *form,
              const struct sha256 *before, struct slice content);

/* What has the outline of a record at the beginning of `bytes`, and the hash written with it. */
bool chain_outline(struct slice *content, struct sha256 *hash, const struct chain_form *form,
                   struct slice bytes);
/*
 * The record of the file `bytes` that begins at `from`, where the whole ones before it end; `before` is the
 * last one's hash. Without data in *content there is none: the end, or a torn one. ERR_CORRUPT.
 */
int chain_next(struct slice *content, struct sha256 *hash, const struct chain_form *form,
               struct slice bytes, size_t from, const struct sha256 *before);

/*
 * Write a record at `end`, where the whole ones before it end, durable on return; what stands there is cut
 * off. At 0 the file is made, whole or not at all: an empty one would be a damaged one; `bytes` begin with
 * the header then.
 */
int chain_append(const char *path, uint64_t end, struct slice bytes, const struct chain_form *form);
