/*
 * store/verify.h - read everything again, believe no stored hash, name the first difference.
 *
 *   per file    name, header checksum, store id, the checkpoint equals the state of the frames so far
 *   per frame   checksum, chain, numbers, ticks; per partition the ranges join without gap or overlap
 *   per batch   the caller's check (decode, count rows, ...)
 *   remains     of retired files: checksum, chain, that ranges and kept frames join; with them the
 *               checkpoint of the file behind them is computed
 *   at the end  no bytes behind the last frame; every blob that a frame named is there, unchanged
 *
 * Layer:     base < event < store
 * Ownership: nothing is kept.
 * Threads:   any; also beside a running collector, up to the log's end at that time.
 * Failures:  ERR_CORRUPT for the first difference, with its place in `diag`.
 */
#pragma once

#include "base/diag.h"
#include "store/frame.h"

/*
 * Check one batch: `index` of the frame. `frame` is valid during the call. Returns 0, or an error
 * that ends the verification; a text in *why (static, or owned by ctx) goes into the message.
 */
typedef int store_verify_batch(void *ctx, const struct frame_view *frame, uint32_t index,
                               struct slice batch, const char **why);

struct store_verify_options {
    const char *dir;           /* of the store */
    store_verify_batch *batch; /* NULL: batches are opaque bytes */
    /* Sees the checked hash of every frame, retired ones too, in order. NULL: nobody looks. */
    int (*frame)(void *ctx, uint64_t seq, const struct sha256 *hash);
    void *ctx; /* of both */
    /* Beside a running collector: look so long for the rest of an unfinished last frame. 0: not. */
    int64_t wait_ns;
};

/* What was read, also when a difference was found. */
struct store_verify_report {
    uint64_t files;
    uint64_t frames;
    uint64_t remains;        /* files of what is left of retired ones */
    uint64_t retired_frames; /* that they stand for, in addition to frames */
    uint64_t batches;
    uint64_t blobs;
    uint64_t bytes; /* of the log, the remains and the blobs */
};

/*
 * Returns 0 when nothing differs; ERR_CORRUPT, or what the batch check returned; ERR_FORMAT for
 * files of a newer program; ERR_NOTFOUND when there is no log; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int store_verify(struct store_verify_report *out, const struct store_verify_options *opts,
                 struct diag *diag);
