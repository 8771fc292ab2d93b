/*
 * store/frame.h - one commit as bytes: what was consumed, up to where, and the rows it became.
 *
 *   +--------+----------+------------------------------------------------+---------+
 *   | header | sections: PARTITIONS ENVIRONMENT WATERMARKS BATCHES ...   | SHA-256 |
 *   | 80     | body_len bytes, each section {u32 type, u64 len, bytes}    | 32      |
 *   +--------+----------+------------------------------------------------+---------+
 *      prev_hash = the SHA-256 of the frame before: the frames are a chain
 *
 * docs/format.md has the byte tables and is authoritative.
 *
 * Layer:     base < event < store
 * Ownership: parts and views borrow everything they point to; frame_encode() copies.
 * Threads:   any; nothing is kept.
 * Failures:  outputs are untouched. Bytes are checked whole by frame_decode(), so that walking a
 *            view cannot fail.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/sha256.h"

enum frame_limits {
    FRAME_MAGIC_BYTES = 8,
    FRAME_HEADER_BYTES = 80,
    FRAME_SECTION_HEADER_BYTES = 12,
    FRAME_BYTES_MIN = FRAME_HEADER_BYTES + SHA256_BYTES,
    FRAME_BYTES_MAX = 256 << 20,
    FRAME_SECTIONS_MAX = 64,
    FRAME_ENTRIES_MAX = 1 << 16,
    FRAME_RANGES_MAX = 1 << 20, /* of all entries of a frame */
    FRAME_ENVS_MAX = 1024,
    FRAME_WATERMARKS_MAX = 1 << 16,
    FRAME_BLOBS_MAX = 1 << 20,   /* of a section: batches, alerts, ... */
    FRAME_TOPIC_BYTES_MAX = 249, /* Kafka's own limit */
    FRAME_REASON_BYTES_MAX = 1024,
    FRAME_ENV_NAME_BYTES_MAX = 255,
};

#define FRAME_MAGIC "SEKIFRM1"
static_assert(sizeof(FRAME_MAGIC) - 1 == FRAME_MAGIC_BYTES, "magic[8]");
static_assert(FRAME_BYTES_MAX > 2 * (64 << 20), "a frame holds the largest record");

/* Section types; append-only. A reader refuses a type with the required bit that it does not know. */
#define FRAME_SECTION_REQUIRED    UINT32_C(0x80000000)
#define FRAME_SECTION_PARTITIONS  (FRAME_SECTION_REQUIRED | 1)
#define FRAME_SECTION_ENVIRONMENT (FRAME_SECTION_REQUIRED | 2)
#define FRAME_SECTION_WATERMARKS  UINT32_C(3)
#define FRAME_SECTION_BATCHES     (FRAME_SECTION_REQUIRED | 4)
#define FRAME_SECTION_ALERTS      (FRAME_SECTION_REQUIRED | 5)
#define FRAME_SECTION_ORDER       UINT32_C(6)
#define FRAME_SECTION_CONTROLS    (FRAME_SECTION_REQUIRED | 7)
#define FRAME_SECTION_SNAPSHOTS   UINT32_C(8)
#define FRAME_SECTION_SIGNALS     UINT32_C(9)

/* Header flags. A reader refuses a required flag that it does not know. */
#define FRAME_FLAG_TICK_GAP \
    UINT32_C(1) /* nobody was running between the tick before and this one */
#define FRAME_FLAG_INPUT_END UINT32_C(2) /* after its tick nothing more comes: a replay's last */
#define FRAME_FLAG_DAY_END   UINT32_C(4) /* Japan's day ended with its tick */
#define FRAME_FLAGS_KNOWN    (FRAME_FLAG_TICK_GAP | FRAME_FLAG_INPUT_END | FRAME_FLAG_DAY_END)
#define FRAME_FLAGS_REQUIRED UINT32_C(0xffff0000)

/* What became of the offsets start..end-1 of a partition. */
enum frame_range_kind {
    FRAME_RANGE_DATA = 0,       /* their rows are in this frame, and no others are */
    FRAME_RANGE_GAP = 1,        /* the broker has no record there (compaction, transaction marks) */
    FRAME_RANGE_QUARANTINE = 2, /* could not be read; left with the broker */
    FRAME_RANGE_LOST = 3,       /* the broker deleted them before they were read */
    FRAME_RANGE_KIND_COUNT,
};

struct frame_range {
    enum frame_range_kind kind;
    int64_t start;
    int64_t end;         /* exclusive, > start */
    struct slice reason; /* empty for DATA, never empty for the others; for people */
};

/* The ranges follow each other without a gap from off_start to off_end. */
struct frame_entry {
    struct slice topic; /* 1..FRAME_TOPIC_BYTES_MAX bytes */
    int32_t partition;  /* >= 0 */
    int64_t off_start;  /* >= 0 */
    int64_t off_end;    /* exclusive, > off_start */
    const struct frame_range *ranges;
    size_t range_count; /* >= 1 */
};

/* From this frame on, `name` means the blob env/<sha256>. */
struct frame_env {
    struct slice name;
    struct sha256 sha256;
    uint64_t bytes;
};

struct frame_watermark {
    uint32_t tenant;
    int64_t time_ns;
};

/* Items of a section whose inside is not this header's business. */
struct frame_blobs {
    const struct slice *items;
    size_t count;
};

/*
 * What the caller puts in a frame. Sections without items are left out. In the tenants' histories
 * a frame's batches come before its tick, and its controls with it.
 */
struct frame_parts {
    int64_t tick_ns; /* never below the frame before */
    uint32_t flags;  /* of FRAME_FLAGS_KNOWN */
    const struct frame_entry *entries;
    size_t entry_count;
    const struct frame_env *envs;
    size_t env_count;
    const struct frame_watermark *watermarks;
    size_t watermark_count;
    const struct slice *batches; /* encoded batches, in the order of the history; opaque here */
    size_t batch_count;
    struct frame_blobs alerts;    /* event/alert.h */
    struct frame_blobs order;     /* store/turns.h */
    struct frame_blobs controls;  /* what people did to alerts: JSON objects */
    struct frame_blobs snapshots; /* store/snapshot.h */
    struct frame_blobs signals;   /* detect/prefecture.c */
};

/* Where in the chain a frame stands. */
struct frame_link {
    uint64_t epoch; /* 1 on a single node */
    uint64_t seq;   /* from 1 */
    struct sha256 prev_hash;
};

/*
 * Append the frame to `out` and give its hash. Returns 0; ERR_RANGE for parts outside the limits or
 * ranges that do not join; ERR_NOMEM. On failure `out` has its old content.
 */
int frame_encode(struct buf *out, struct sha256 *out_hash, const struct frame_parts *parts,
                 const struct frame_link *link);

/* Items of a section, taken in order. */
struct frame_items {
    struct slice rest;
    uint32_t left;
};

struct frame_view {
    struct slice bytes; /* the whole frame */
    struct frame_link link;
    int64_t tick_ns;
    uint32_t flags;
    struct sha256 hash; /* as written in the trailer */
    uint32_t skipped;   /* optional sections that this program does not know */
    /* What is left of a frame (store/remains.h): its batches and entries are elsewhere. `bytes` is no
       frame then, and numbers of frames jump. */
    bool remains;
    struct frame_items entries;
    struct frame_items envs;
    struct frame_items watermarks;
    struct frame_items batches;
    struct frame_items alerts;
    struct frame_items order;
    struct frame_items controls;
    struct frame_items snapshots;
    struct frame_items signals;
};

struct frame_entry_view {
    struct slice topic;
    int32_t partition;
    int64_t off_start;
    int64_t off_end;
    struct frame_items ranges;
};

/*
 * The length of the frame whose first FRAME_HEADER_BYTES bytes are given. Returns 0, or ERR_CORRUPT
 * with a static text in *why: no frame of this format begins so.
 */
int frame_length(uint64_t *out_bytes, struct slice header, const char **why);

/* The number that such a header claims. */
uint64_t frame_header_seq(struct slice header);

/*
 * Read the frame that begins `bytes` (more may follow it).
 *
 * verify = true  every byte is covered by the hash, which is computed.
 * verify = false the trailer is believed: for frames that were verified before, or whose batches
 *                carry their own checksums.
 *
 * Returns 0; ERR_AGAIN when the frame is longer than `bytes`; ERR_CORRUPT when the bytes are not
 * what was written; ERR_FORMAT when they are, but need a newer program (or were written wrongly):
 * such a frame must never be cut; ERR_NOMEM. *why is a static text on failure.
 */
int frame_decode(struct frame_view *out, struct slice bytes, bool verify, const char **why);

/* The next item, or false at the end. Needs items of a decoded view, by value. */
bool frame_next_entry(struct frame_entry_view *out, struct frame_items *items);
bool frame_next_range(struct frame_range *out, struct frame_items *items);
bool frame_next_env(struct frame_env *out, struct frame_items *items);
bool frame_next_watermark(struct frame_watermark *out, struct frame_items *items);
/* Of batches, alerts, order, controls and snapshots. */
bool frame_next_blob(struct slice *out, struct frame_items *items);

/* "DATA", "GAP", ...; never NULL. */
const char *frame_range_kind_name(enum frame_range_kind kind);
