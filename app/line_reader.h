/*
 * app/line_reader.h - the lines of a file or pipe as records, whatever their length.
 *
 * Ownership: a line is borrowed until the next call; SLICE_PADDING_BYTES behind it are readable.
 * Threads:   one owner.
 * Failures:  ERR_NOTFOUND, ERR_IO as of base/file.h; ERR_NOMEM.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct line_reader;

/*
 * `end` is the byte that ends a record: '\n' or '\0'. `path` NULL or "-" is standard input. A
 * record of more than `bytes_max` bytes comes in pieces of that size.
 */
int line_reader_open(struct line_reader **out, const char *path, char end, size_t bytes_max);
void line_reader_close(struct line_reader *r);

/* The next record with its end byte, if it has one. ERR_NOTFOUND at the end. */
int line_reader_next(struct line_reader *r, struct slice *out);
