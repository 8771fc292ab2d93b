/*
 * ingest/geo_check.h - private to ingest/: whether a MaxMind DB can be looked into without harm.
 *
 *   file_copy --child process--> metadata, every node of the tree, every value that a node names, once
 *
 * A lookup is a walk from node to node and two paths into one value; all of them are tried here, so
 * what crashes, hangs or eats the memory of a reader does it to the child. Values that are too
 * large (ingest/geo_value.h) are not even tried.
 *
 * Ownership: borrows the copy.
 * Threads:   any one; it waits for the child.
 * Failures:  ERR_FORMAT with the reason as a sentence; ERR_AGAIN, ERR_IO of child_run().
 */
#pragma once

#include "base/child.h"
#include "base/file_copy.h"

enum geo_check_limits {
    GEO_CHECK_CPU_SECONDS = 20,
    GEO_CHECK_WALL_SECONDS = 60,
    GEO_CHECK_MEMORY_BYTES = 256 << 20,       /* beside the file, which is mapped */
    GEO_CHECK_METADATA_BYTES_MAX = 128 << 10, /* where its begin is looked for, from the end */
};

/* `why` of CHILD_TEXT_BYTES_MAX bytes is written with ERR_FORMAT only. */
int geo_check(char *why, const struct file_copy *copy);
/* The same in this process, for tests and fuzzing: it may crash, hang or eat all memory. */
int geo_check_here(char *why, const struct file_copy *copy);
