/*
 * app/segment_check.h - reads every segment of a store again and believes nothing that it says of itself.
 *
 *   catalog --> segments --> every chunk, block, row, line --> leaves by number --> nodes --> root
 *
 * Every checksum is computed, every row decoded and rendered; what heads say of their blocks is
 * counted again; and the hashes of all rows must make the tree whose nodes stand in the tree's file
 * and whose peaks stand in the catalog. So a changed byte is found also where its checksum was
 * changed with it. Nothing is compared with the log here.
 *
 * Ownership: nothing is kept.
 * Threads:   one caller; a collector and a compaction may go on beside it.
 * Failures:  ERR_CORRUPT with the first difference named; ERR_FORMAT for files of a newer program;
 *            ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "store/store.h"

struct segment_check_report {
    uint64_t tenants;
    uint64_t segments;
    uint64_t bytes; /* of segments */
    uint64_t blocks;
    uint64_t rows;
    uint64_t raw_bytes;
};

int segment_check_run(struct segment_check_report *out, const char *dir, struct diag *diag);
