/*
 * app/segment_check.h - reads every segment of a store again and believes nothing that it says of itself.
 *
 *   catalog --> segments --> every chunk, block, row, line --> leaves by number --> nodes --> root
 *
 * Every checksum is computed, every row decoded and rendered; what heads say of their blocks is
 * counted again; and the hashes of all rows must make the tree whose nodes stand in the tree's file
 * and whose peaks stand in the catalog, and every tree that a checkpoint vouches for. So a changed
 * byte is found also where its checksum was changed with it. Rows that are in no segment must be
 * covered by certificates of deletion (app/deletion_check.h). Nothing is compared with the log here.
 *
 * Of an encrypted segment without its key (app/keyring_option.h) the hashes of all bytes are checked; its rows
 * cannot be, nor can the tree that they are leaves of.
 *
 * Ownership: nothing is kept.
 * Threads:   one caller; a collector and a compaction may go on beside it.
 * Failures:  ERR_CORRUPT with the first difference named; ERR_SEALED when there is none, and keys are missing; ERR_FORMAT for files of a newer program;
 *            ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "app/deletion_check.h"
#include "app/vouched.h"

struct segment_check_report {
    uint64_t tenants;
    uint64_t segments;
    uint64_t bytes; /* of segments */
    uint64_t blocks;
    uint64_t rows;
    uint64_t raw_bytes;
    struct deletion_check_report deletions;
    uint64_t locked_segments; /* encrypted, and the key is not there */
    uint64_t locked_rows;
};

/* `vouched`: what the trees must have been, or NULL. */
int segment_check_run(struct segment_check_report *out, const char *dir,
                      const struct vouched *vouched, struct diag *diag);
