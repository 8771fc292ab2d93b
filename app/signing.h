/*
 * app/signing.h - the next checkpoint of a store: the end of its log, the trees of its
 * municipalities, and what else is to be vouched for, signed.
 *
 *   DIR/seg/<code6>/catalog  --> size and root of each tree     --+
 *   the log                  --> last frame and its hash          +--> checkpoint --> DIR/checkpoints
 *   DIR/seg/<code6>/totals   --> hash of all control totals     --+
 *
 * Ownership: signing_open() gives a handle that signing_close() takes back; the directory is copied.
 * Threads:   one owner; a compaction may go on beside it. One signer per store at a time: who holds the
 *            store's lock.
 * Failures:  ERR_CONF for a key that is lost, another's or readable by others; ERR_CORRUPT for a store
 *            that is damaged or not what was signed before; ERR_AGAIN for a full disk; ERR_IO, ERR_NOMEM,
 *            ERR_RANGE. Why, and what helps, is in the diag. After ERR_IO close it and open it again.
 */
#pragma once

#include "store/store.h"

struct signing;

/* `key_path` NULL: DIR/checkpoint.key; made when there is none, with the public one in DIR/checkpoint.pub. */
int signing_open(struct signing **out, const char *dir, const uint8_t store_id[STORE_ID_BYTES],
                 const char *key_path, struct diag *diag);
/* NULL is allowed. */
void signing_close(struct signing *s);

/* Read how long the trees are. Take the log's end afterwards: then it is not before any of them. */
int signing_look(struct signing *s, struct diag *diag);
/* Sign what was looked at, durable on return. The checkpoint is appended to `text`. */
int signing_next(struct signing *s, const struct log_end *log, struct buf *text, struct diag *diag);
/* Number of the last checkpoint; 0: none. */
uint64_t signing_number(const struct signing *s);
