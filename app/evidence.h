/*
 * app/evidence.h - the log lines that alerts name as evidence, found by their places.
 *
 *   "topic/partition/offset/sub" --> the frame that consumed the offset --> its batches of that topic
 *   and partition --> the row, rendered as it came; what no frame of the log has, from segments
 *
 * Only outlines of frames are read, and the batches of those that hold a wanted offset.
 *
 * Ownership: places borrow their text; lines are the caller's to release.
 * Threads:   one owner.
 * Failures:  evidence_parse(): ERR_FORMAT. A line that is in neither level stays not found.
 */
#pragma once

#include "app/log_walk.h"

struct evidence_place {
    struct slice topic;
    int32_t partition;
    int64_t offset;
    uint32_t sub;
};

struct evidence {
    struct evidence_place place;
    size_t owner; /* the caller's */
    bool found;
    struct buf line; /* with its line end, when found */
};

int evidence_parse(struct evidence_place *out, struct slice text);

/* A log to look in. */
struct evidence_log {
    const char *dir;  /* of the store */
    bool from_newest; /* only in its newest file: for what just came */
};

/*
 * Find the lines of `items`, in one walk over the log; their order is changed: by place. Damage is
 * named in `diag` and leaves lines not found. ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int evidence_find(struct evidence *items, size_t count, const struct evidence_log *log,
                  struct diag *diag);
