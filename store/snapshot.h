/*
 * store/snapshot.h - copies of detector states in DIR/state/, so that a restart judges only the log's
 * tail again.
 *
 *   DIR/state/<code6>.<seq>   the state after frame <seq>'s tick
 *
 *   magic[8] u32 tenant u32 0, position of frame seq {u64 file, u64 offset, u64 seq, prev_hash[32]},
 *   prevalence[32] (blob of env/ that was current, zeroes: none), u64 bytes, xxh3_128[16] of the state,
 *   zstd frame of the state
 *
 * A snapshot is no truth: one that is damaged, of another program or of another history (prev_hash)
 * is not used, and an older one or the log itself takes its place. The state's hash is in the log
 * (section SNAPSHOTS), where a check finds a state that does not follow from it.
 *
 * Layer:     base < event < store
 * Ownership: what is read belongs to the caller.
 * Threads:   one owner of the directory.
 * Failures:  ERR_IO and ERR_AGAIN when writing; a bad file is ERR_NOTFOUND.
 */
#pragma once

#include "base/buf.h"
#include "base/hash.h"
#include "store/log_reader.h"
#include "store/sha256.h"

enum snapshot_limits {
    SNAPSHOT_HASH_ITEM_BYTES = 4 + HASH_ID_BYTES, /* of section SNAPSHOTS */
    SNAPSHOT_KEPT = 2,                            /* a municipality */
};

/* A state that is to be written with the next mark's frame. */
struct snapshot {
    uint32_t tenant;
    uint8_t hash[HASH_ID_BYTES]; /* hash_content() of the state */
    struct buf packed;           /* zstd frame */
    uint64_t state_bytes;        /* unpacked */
    struct snapshot *next;
};

int snapshot_make(struct snapshot **out, uint32_t tenant, struct slice state);
void snapshot_free(struct snapshot *s);

/* Where a snapshot stands in the history. */
struct snapshot_place {
    struct log_position at;   /* of the frame with whose tick it was made */
    struct sha256 prevalence; /* zeroes: none */
};

/* Write it, and remove what it replaces. */
int snapshot_write(const struct snapshot *s, const char *dir, const struct snapshot_place *place);

/* Snapshots of a directory, the newest first within a tenant. */
struct snapshot_file {
    uint32_t tenant;
    uint64_t seq;
};
/* `*out` is on the heap. No directory: no files. */
int snapshot_list(struct snapshot_file **out, size_t *count, const char *dir);
/* Where it stands, without a look at the state. ERR_NOTFOUND: not usable. */
int snapshot_read_place(struct snapshot_place *place, const char *dir,
                        const struct snapshot_file *file);
/* ERR_NOTFOUND: not usable. */
int snapshot_read(struct buf *state, struct snapshot_place *place, const char *dir,
                  const struct snapshot_file *file);
