/*
 * detect/indicator_unused.h - what of a feed is right, but nothing that a list can hold: by kind, counted.
 *
 *   12 sha256, 3 revoked, 1 file:hashes.MD5
 *
 * Ownership: plain data; names are copied and cut.
 * Threads:   one owner while it counts, then any number of readers.
 * Failures:  none: past INDICATOR_UNUSED_KINDS_MAX kinds the rest is counted together.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

enum indicator_unused_limits {
    INDICATOR_UNUSED_KINDS_MAX = 32,
    INDICATOR_UNUSED_NAME_BYTES = 64,
};

struct indicator_unused {
    struct {
        char name[INDICATOR_UNUSED_NAME_BYTES];
        uint32_t count;
    } kinds[INDICATOR_UNUSED_KINDS_MAX];
    uint32_t kind_count;
    uint32_t others; /* of further kinds */
};

void indicator_unused_add(struct indicator_unused *u, const char *name);
/* Append them, the most first. */
void indicator_unused_print(struct buf *out, const struct indicator_unused *u);
