/*
 * app/keeper.h - a running collector's retention: the trusted time, the deletion, the forecast.
 *
 *   each second   a look at the clocks: ours, and the stamps of brokers
 *   each hour     DIR/clock, bytes by municipality, days that the disk suffices
 *   each retention.every   retain_run()
 *
 * Ownership: what the options point to is borrowed until keeper_free().
 * Threads:   the compactor's; keeper_observe() by any.
 * Failures:  said in the log of the program.
 */
#pragma once

#include "app/collector.h"
#include "app/config.h"
#include "app/disk_room.h"
#include "base/metric.h"

struct keeper;

struct keeper_options {
    const struct config *config;
    const char *dir;
    const uint8_t *store_id;
    struct collector *collector;
    const struct disk_room *room; /* or NULL */
    atomic_bool *stop;
};

/* Goes on from DIR/clock. ERR_NOMEM. */
int keeper_new(struct keeper **out, const struct keeper_options *options);
/* Leaves DIR/clock behind. NULL is allowed, here and below. */
void keeper_free(struct keeper *k);
void keeper_look(struct keeper *k);
/* After a compaction. */
void keeper_run(struct keeper *k);
void keeper_observe(struct keeper *k, struct metric_set *metrics);
