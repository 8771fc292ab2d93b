/*
 * app/disk_room.h - what happens as the disk of the store fills up.
 *
 *   free   ----- disk.warn ------ disk.stop_compaction ------ disk.pause ----- 0
 *                 it is said       no more segments            nothing more from Kafka
 *
 * Each begins below its mark and ends when a tenth more than that is free, so that it does not come
 * and go. Nothing is dropped: what is not taken stays with the broker. Retention goes on.
 *
 * Ownership: values; the configuration is borrowed for the call.
 * Threads:   one owner; the atomic ones may be read by any thread.
 * Failures:  named per function.
 */
#pragma once

#include <stdatomic.h>

#include "app/config.h"
#include "base/metric.h"

enum disk_mark {
    DISK_WARN,
    DISK_STOP_COMPACTION,
    DISK_PAUSE,
    DISK_MARKS,
};

/* Of the disk's size or in bytes; a zeroed one is never reached. */
struct disk_limit {
    uint64_t bytes;
    uint32_t share_ppm; /* 0: bytes */
};

struct disk_room {
    struct disk_limit limits[DISK_MARKS];
    bool below[DISK_MARKS];
    _Atomic uint64_t free_bytes;
    uint64_t total_bytes;
    atomic_bool no_compaction;
    atomic_bool paused;
};

/* Read "15%", "2.5%" or "200GiB". ERR_FORMAT, ERR_RANGE above 99%. */
int disk_limit_parse(struct disk_limit *out, struct slice text);
/* Whether the three of a configuration can be read; each that cannot is a finding. */
void disk_room_check(const struct conf *conf, struct diag *diag);
/* The three of one that was checked. */
void disk_room_init(struct disk_room *r, const struct config *config);
/* Free and total bytes as they are now; says what begins and ends. */
void disk_room_take(struct disk_room *r, uint64_t free_bytes, uint64_t total_bytes);
/* The same of a folder's disk. */
void disk_room_look(struct disk_room *r, const char *dir);
/* Bring the metrics up to date. */
void disk_room_observe(const struct disk_room *r, struct metric_set *metrics);
