/*
 * store/store.h - a node's store on disk: what is kept is durable, what is damaged is named.
 *
 *   DIR/lock            held by the one writer
 *   DIR/log/            frames, one per commit, in files of bounded size    log_reader.h, frame.h
 *                       what is left of the oldest of them                  remains.h
 *   DIR/env/<sha256>    rules, lists, databases, configuration that frames name
 *   DIR/state/          snapshots of detectors
 *   DIR/seg/            segments of the long-term level, a folder each municipality  catalog.h
 *                       and what of its sources was stored, and what not         totals_file.h
 *
 * To write: store_open(), store_env_put() what the next frame names, store_append(). Only after
 * store_append() may rows be shown, alerts be released and Kafka offsets be committed. To read, no
 * store is needed: log_reader_open() and ledger_read() follow the log of a running collector or of
 * none. store_verify() (verify.h) re-reads and re-hashes everything.
 *
 * Format: docs/format.md is authoritative.
 *
 * Layer:     base < event < store
 * Ownership: store_open() gives a handle that store_close() takes back. Everything passed in is
 *            copied or only used during the call; what is handed out says how long it is valid.
 * Threads:   one owner of the store; any number of readers, in any process.
 * Failures:  a failed call changes nothing that it does not say. After ERR_IO from store_append()
 *            the store takes nothing more: stop, and let a restart read from Kafka at the ends.
 */
#pragma once

#include "base/diag.h"
#include "store/catalog.h"
#include "store/census.h"
#include "store/checkpoint_file.h"
#include "store/codec.h"
#include "store/compacted.h"
#include "store/deletion.h"
#include "store/frame.h"
#include "store/hold.h"
#include "store/keyring.h"
#include "store/ledger.h"
#include "store/log_hold.h"
#include "store/log_reader.h"
#include "store/proof.h"
#include "store/remains.h"
#include "store/segment_sweep.h"
#include "store/snapshot.h"
#include "store/stored.h"
#include "store/totals_count.h"
#include "store/totals_file.h"
#include "store/tree_file.h"
#include "store/trusted_time.h"
#include "store/turns.h"
#include "store/verify.h"

struct store;

struct store_options {
    const char *dir;             /* made when missing; borrowed until store_open() returns */
    uint64_t log_file_bytes_max; /* roll to a new file past this; 0: LEDGER_FILE_BYTES_DEFAULT */
    uint64_t log_bytes_max;      /* of the whole log; 0: no limit */
    const uint8_t *store_id;     /* 16 bytes for a new store; NULL: random */
    bool read_only;              /* no lock, nothing made or cut; store_append() gives ERR_IO */
};

/*
 * Open the store in opts->dir, or make it; take the lock; cut a torn tail of the log. Takes time in
 * proportion to the newest log file (about a second per GB), not to the log.
 * Returns 0; ERR_BUSY when another collector holds it; ERR_CORRUPT for damage that is no torn tail
 * (nothing is changed); ERR_FORMAT for files of a newer program; ERR_NOTFOUND when there is none
 * and it is read only; ERR_AGAIN when the disk is too full; ERR_IO, ERR_NOMEM, ERR_RANGE. Says why
 * in `diag`, with file, offset and remedy.
 */
int store_open(struct store **out, const struct store_options *opts, struct diag *diag);
/* NULL is allowed. Appends nothing. */
void store_close(struct store *st);

/* Whether somebody has the store in `dir` open to write; false where that cannot be seen. */
bool store_is_held(const char *dir);

/*
 * Append one frame and make it survive a power loss. Blocks for one fdatasync. Returns 0; ERR_RANGE
 * (an entry does not begin at its partition's end, the tick goes back, a limit is passed) and
 * ERR_NOTFOUND (a blob of parts->envs was not put): nothing happened; ERR_AGAIN (no room on the
 * disk or within log_bytes_max) and ERR_NOMEM: nothing happened, try again later; ERR_IO: final.
 */
int store_append(struct store *st, const struct frame_parts *parts);

/*
 * Keep a blob under its hash, durable on return, for frames to name. Gives what parts->envs needs;
 * out->name borrows `name`. A blob that is there already costs one read of it, and is put right
 * when it is damaged. Returns 0, ERR_RANGE for a bad name, ERR_AGAIN for a full disk, ERR_IO,
 * ERR_NOMEM; other than in store_append() an ERR_IO is not final.
 */
int store_env_put(struct store *st, struct frame_env *out, struct slice name, struct slice content);
/* What `name` means since the last frame. Returns 0 (out->name valid until the next append) or ERR_NOTFOUND. */
int store_env_current(const struct store *st, struct frame_env *out, struct slice name);
/* The same, or NULL. */
const struct frame_env *store_env_find(const struct store *st, struct slice name);
/* DIR/env/<sha256>, NUL-terminated. ERR_RANGE when it is longer than cap. */
int store_env_path(char *out, size_t cap, const char *dir, const struct sha256 *hash);

/* The next offset to read of a partition. Returns 0, or ERR_NOTFOUND when no frame has it. */
int store_end_offset(const struct store *st, struct slice topic, int32_t partition, int64_t *out);
/*
 * Every partition that a frame has, in the order of first sight. Begin with *cursor = 0. False at
 * the end. *out is valid until the next append.
 */
bool store_next_end(const struct store *st, size_t *cursor, struct partition_end *out);

/*
 * Let the log lose its closed files whose last frame is not behind `through_seq`, the oldest first:
 * their rows must be elsewhere, durable, and nobody may need them to be judged again
 * (app/rebuild_needs.h). What they hold beside rows stays in their remains (remains.h). Never the
 * newest file. Reads each file whole, but for those whose remains_make() was called before, which may
 * be done in another thread. Returns 0, also when there was none; ERR_AGAIN while a reader is at
 * closed files or the disk is full: try later; ERR_CORRUPT, ERR_FORMAT for a file that is damaged,
 * which stays; ERR_IO, ERR_NOMEM, ERR_RANGE. *out says what happened, also then; `diag` why not.
 */
int store_retire(struct store *st, uint64_t through_seq, struct retire_report *out,
                 struct diag *diag);

/* The last frame; number 0, and the hash that the chain begins with, before the first. */
struct log_end {
    uint64_t seq;
    struct sha256 hash;
};

struct log_end store_log_end(const struct store *st);
/* Number and tick of the last frame; 0 and INT64_MIN before the first. */
uint64_t store_last_seq(const struct store *st);
int64_t store_last_tick_ns(const struct store *st);
/* Where the next frame will stand: a bookmark for readers. */
struct log_position store_position(const struct store *st);
/* Bytes of all files of the log and of what is left of retired ones, for log_bytes_max. */
uint64_t store_log_bytes(const struct store *st);
/* What opening found: say it when cut_bytes is not 0. Valid as long as the store. */
const struct ledger_recovery *store_recovery(const struct store *st);
/* STORE_ID_BYTES bytes, valid as long as the store. */
const uint8_t *store_id(const struct store *st);
