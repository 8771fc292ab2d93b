/*
 * app/scan_window.h - private to app/scan*.c: the batches whose turn comes next, unpacked ahead.
 *
 *   in the walk's order  | topic a: batch of pack 1, pack 2, pack 3 | topic b: pack 1, pack 2, ...
 *   a window             |<------------- unpacked in the order of the log ------------->|
 *
 * Small batches of many sources share a pack, and the walk takes them source by source. So a window
 * of stretches is read in the order of the log, each pack once, and the batches' pieces are kept
 * until they are asked for. The first windows are small: a walk may end early.
 *
 * Ownership: the window owns pieces and heads; a head given out borrows them until a stretch behind
 *            the window is asked for.
 * Threads:   one owner.
 * Failures:  ERR_CORRUPT, ERR_NOMEM.
 */
#pragma once

#include "app/scan_state.h"

enum scan_window_limits {
    SCAN_WINDOW_FIRST_BYTES = 1 << 20,
    SCAN_WINDOW_BYTES_MAX = 128 << 20, /* unpacked, heads included; a larger batch has its own */
};

/* Where a stretch's batch stands in the window. */
struct window_item {
    struct batch_head head;
    size_t at; /* of its pieces; blocks of segments have none, and are read in their turn */
};

/* A zeroed struct is an empty window. */
struct scan_window {
    struct codec *codec;
    struct stored_reader *reader;
    struct buf pieces;
    struct window_item *items; /* of stretches [first, end) */
    size_t first;
    size_t end;
    size_t budget; /* bytes of the last window */
};

void scan_window_release(struct scan_window *w);

/*
 * The head of the batch of stretch `at`, for sieve_take(). The stretches are sorted; `at` never goes
 * back.
 */
int scan_window_head(struct scan_window *w, const struct scan *s, size_t at,
                     struct batch_head *out);
