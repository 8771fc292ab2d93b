/*
 * store/segment_sweep.h - removing the files of a municipality's folder that its catalog does not name.
 *
 *   DIR/seg/<code6>/   0007aef3.1.seg        replaced: goes when nobody reads (store/log_hold.h)
 *                      0007aef3.2.seg        live
 *                      0007aef4.1.seg.tmp    begun by a run that was killed: goes
 *
 * Layer:     base < event < store
 * Threads:   for the municipality's one writer, before it begins segments of its own.
 * Failures:  ERR_IO, ERR_NOMEM, ERR_RANGE; what was removed stays so, a later sweep goes on.
 */
#pragma once

#include "store/catalog.h"

struct segment_sweep {
    uint64_t removed;
    uint64_t left; /* somebody reads and may have read of them: for a later sweep */
};

/* `live` is the catalog of a municipality of the store in `dir`. Removals are durable on return. */
int segment_sweep(struct segment_sweep *out, const char *dir, const struct catalog *live);
