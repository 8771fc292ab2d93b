/*
 * base/file_copy.h - a file's bytes as they were at one moment, in memory, where nobody can change
 * them any more.
 *
 *   path --read--> memory file, sealed --map--> bytes
 *
 * For files that are looked into for hours while somebody may write over them: a map of the file
 * itself would show the new bytes, and a shorter file would kill the reader (SIGBUS).
 *
 * Ownership: the copy owns its memory until file_copy_free().
 * Threads:   immutable after file_copy_new().
 * Failures:  those of file_open(); ERR_RANGE (more than the limit), ERR_NOMEM, ERR_IO.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct file_copy;

/* Read the file to its end. ERR_RANGE when it holds more than `limit` bytes. */
int file_copy_new(struct file_copy **out, const char *path, uint64_t limit);
/* NULL is allowed. */
void file_copy_free(struct file_copy *copy);

/* All of it, without padding. Empty for an empty file. */
struct slice file_copy_bytes(const struct file_copy *copy);
/* A path by which this process and its children can open the copy, for libraries that want one. */
const char *file_copy_path(const struct file_copy *copy);
/* Its descriptor, which a child has to keep. */
int file_copy_descriptor(const struct file_copy *copy);
