/*
 * app/compactor.h - a running collector's compaction: each hour's rows into segments, then the log's
 * oldest files out of the way.
 *
 *   an hour is over, long_term.delay has passed --> compact_run() up to the last durable frame
 *     --> remains of the files that hold no other rows --> the committer lets these go
 *
 * A thread of its own in the idle class of CPU and disk; collection never waits for it. A run that
 * fails is said and tried again with the next one; nothing of the log goes before its rows count in
 * segments, nor while a restart would have to judge them again (app/rebuild_needs.h). Behind each run
 * comes retention (app/keeper.h), also where the disk has no room for segments, or the configuration
 * leaves compaction to who does it by hand.
 *
 * Ownership: options are copied; what they point to is borrowed until compactor_stop().
 * Threads:   all functions from one thread; the work is done in another.
 * Failures:  start: ERR_NOMEM. What goes wrong later is said in the log of the program.
 */
#pragma once

#include "app/collector.h"
#include "app/config.h"
#include "app/disk_room.h"
#include "base/metric.h"

struct compactor;

struct compactor_options {
    const struct config *config;
    const char *dir;
    const uint8_t *store_id;      /* 16 bytes, borrowed */
    struct collector *collector;  /* borrowed: what it made durable, and who lets files go */
    uint64_t first_seq;           /* of the log when it began */
    const struct disk_room *room; /* borrowed; or NULL */
};

int compactor_start(struct compactor **out, const struct compactor_options *options);
/* Bring the metrics up to date. NULL is allowed, here and below. */
void compactor_observe(struct compactor *c, struct metric_set *metrics);
/* End it, soon; free it. */
void compactor_stop(struct compactor *c);
