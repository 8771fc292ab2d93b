/*
 * app/retain_segment.h - a segment written again without some of its groups.
 *
 * Blocks are read back from the bytes that go to disk and their lines compared with those of the old
 * segment, as in compaction.
 *
 * Ownership: nothing is kept.
 * Threads:   one caller; readers of the old segment go on.
 * Failures:  ERR_CORRUPT when the old one is damaged or what comes back differs: nothing has its name
 *            then; ERR_SEALED when it is sealed and there is no active key; ERR_AGAIN for a full disk; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "app/retain_groups.h"

/* Where the next generation goes. */
struct retain_place {
    const char *folder;
    const struct keyring
        *keys; /* what was sealed is sealed again, with the active key; may be NULL else */
};

/* Write what stays of `s` as the next generation; *out: what it is. */
int retain_rewrite(struct segment_info *out, const struct segment *s,
                   const struct retain_scope *scope, const struct retain_place *place,
                   struct diag *diag);
