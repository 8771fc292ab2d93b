/*
 * app/rebuild_needs.h - from which frame on a restart needs the log's rows: what must not be retired.
 *
 *   snapshots of a municipality   --o--------o------       both count: the newer one may turn out bad
 *   of another                    -----o--------o---
 *                                   ^ needed from here on
 *
 * Ownership: nothing is kept.
 * Threads:   any; the collector may write snapshots meanwhile.
 * Failures:  ERR_IO, ERR_NOMEM, ERR_RANGE; a snapshot that cannot be used counts as none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The lowest frame that rebuild_run() would read with the snapshots that are in `dir`, whichever of
 * them it falls back to. `tenants` are all with a state, PREFECTURE_CODE among them where correlations
 * over municipalities run: one of them without a usable snapshot, or none at all, needs frame 1. Then
 * store_retire() may go through the frame before *out.
 */
int rebuild_needs_seq(uint64_t *out, const char *dir, const uint32_t *tenants, size_t count);
