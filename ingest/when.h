/*
 * ingest/when.h - private to ingest/: when a row happened, out of what its line says.
 *
 * The first that can be read wins:
 *   TIME_EPOCH                            a number: UTC
 *   TIME_HIGH, then TIME_STAMP            own offset, else TIME_ZONE, else the source's zone
 *   TIME_DATE + TIME_CLOCK                the same
 *   TIME_GENERATED                        own offset, else the source's zone
 *   TIME_SYSLOG, the last of several      own offset, else the source's zone
 *   arrival
 * The zone of a relay's header never decides what the device's local time means.
 *
 * Threads:   a cache has one owner.
 * Failures:  none: a line without a readable time happened when it arrived.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "event/slot.h"
#include "event/verdict.h"
#include "ingest/stamp.h"

enum when_limits {
    WHEN_ZONE_DEFAULT_MINUTES = 9 * 60, /* of a source without a configured zone */
};

/* What one source's rows have in common. */
struct when_cache {
    int32_t zone_minutes; /* of the source, east of UTC */
    bool device_utc;      /* the format's own times are UTC where the line has no offset */
    int32_t text_minutes; /* what zone_text means */
    uint64_t zone_text;   /* the last TIME_ZONE, up to 8 bytes; 0 = none */
    struct stamp_cache device;
    struct stamp_cache syslog;
};

void when_init(struct when_cache *cache, int32_t zone_minutes);

/*
 * The event time of a row, in nanoseconds. Needs the line that the slots were made of, with
 * SLICE_PADDING_BYTES behind it. `reference_ns` gives stamps without a year theirs: the arrival,
 * or in a replay the time of the line before. *source says what was used (enum time_source).
 */
int64_t when_row(struct when_cache *cache, struct slice line, const struct slots *slots,
                 int64_t arrival_ns, int64_t reference_ns, uint8_t *source);
