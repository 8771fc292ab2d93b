/*
 * app/rebuild.h - detection states from the log: at a collector's start, and to check that the log's
 * alerts are what its rows give.
 *
 *   newest usable snapshot of each municipality -> its state after that frame
 *   every later frame: batches in their turns, then controls and the tick
 *
 * Rows are judged with what their frames name (app/past.h); the watch changes its sets where the log
 * does, as the collector did.
 *
 * Ownership: the watch, which must be fresh, receives the states.
 * Threads:   one.
 * Failures:  as ledger_read(); ERR_NOTFOUND when rows would have to be judged that are no longer in the
 *            log (see rebuild_needs.h); ERR_CORRUPT for batches that do not decode, or turns that do not fit
 *            them; said in the diagnosis.
 */
#pragma once

#include "app/past.h"
#include "app/watch.h"
#include "base/diag.h"
#include "store/store.h"

struct rebuild_options {
    const char *dir;
    struct watch *watch;
    struct past
        *past; /* outlives the watch's use of its sets; NULL: the watch's sets for every row */
    const struct watch_sets *now; /* in place of sets that cannot be read; NULL: that is an error */
    bool from_start;              /* without snapshots: judge everything again */
    watch_alert *alert;           /* sees what the log's rows give; NULL: nobody */
    void *self;
    /* A state's hash that the log names differs from what was computed; NULL: nobody asks. */
    void (*differs)(void *self, uint32_t tenant, uint64_t seq);
};

struct rebuild_stats {
    uint64_t frames;
    uint64_t rows;
    uint64_t changes; /* of the sets, the first one not counted */
    uint64_t states;  /* that were compared with the log's hashes */
    size_t snapshots;
};

int rebuild_run(const struct rebuild_options *options, struct rebuild_stats *stats,
                struct diag *diag);
