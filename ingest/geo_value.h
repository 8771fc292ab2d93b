/*
 * ingest/geo_value.h - private to ingest/: how much a value of a MaxMind DB holds, before a library
 * unfolds it.
 *
 *   map of 2 -> "country" -> pointer -----> map of 1 -> "iso_code" -> "JP"
 *
 * Pointers are followed like a reader does, so a value is as large as its reader would make it: some
 * hundred bytes that point to one another can stand for more values than any memory holds.
 *
 * Format:    MaxMind DB 2.0, "Output Data Section" of its specification.
 * Ownership: borrows the bytes.
 * Threads:   pure functions.
 * Failures:  ERR_FORMAT (broken or outside of the section), ERR_RANGE (a limit).
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum geo_value_limits {
    GEO_VALUE_PARTS_MAX = 4096, /* a city has about 150 */
    GEO_VALUE_DEPTH_MAX = 64,
};

/* `offset` is from the section's begin, as pointers are. */
int geo_value_check(struct slice section, uint64_t offset);
