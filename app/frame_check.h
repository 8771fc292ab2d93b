/*
 * app/frame_check.h - whether the batches of a frame are what the frame says it holds.
 *
 *   per batch   checksum, every value decodes, every row renders, the head tells the truth about
 *               tenant, times, partitions and bytes
 *   per frame   DATA ranges      [100 ........ 105)  [110 .. 112)
 *               records of rows   100 101 ... 104     110   111     each once, lines from 0 on
 *
 * Ownership: the checker owns its memory; a frame is borrowed during the call.
 * Threads:   one owner.
 * Failures:  ERR_CORRUPT for the first difference, which `diag` names with its place; ERR_NOMEM.
 */
#pragma once

#include "store/store.h"

struct frame_checker;

struct frame_check_counts {
    uint64_t batches;
    uint64_t records;
    uint64_t rows;
    uint64_t unparsed;  /* rows with a reason */
    uint64_t raw_bytes; /* rendered */
};

int frame_checker_new(struct frame_checker **out);
void frame_checker_free(struct frame_checker *c);

/* `path` and `offset` are the frame's place, for the message. */
int frame_check(struct frame_checker *c, const struct frame_view *frame, const char *path,
                uint64_t offset, struct diag *diag);
/* Of all frames so far. */
struct frame_check_counts frame_checker_counts(const struct frame_checker *c);
