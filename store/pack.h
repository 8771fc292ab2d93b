/*
 * store/pack.h - private to store/: numbers of one column in as few bytes as a local look allows.
 *
 *   u8 mode      0 = values above a base, 1 = differences to the value before, zigzag
 *   u8 scale     every value was divided by 10^scale (0, 3, 6, 9)
 *   u8 width     bytes a number, 0..8; 0 = all alike
 *   varint base  zigzag; the least value (mode 0) or the first (mode 1)
 *   width planes of n bytes each: byte 0 of every number, then byte 1, ...
 *
 * The compressor behind it sees planes of alike bytes; frame of reference and delta are the
 * classic integer encodings (Lemire and Boytsov, "Decoding billions of integers per second").
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "store/reader.h"

/* Append the packed form of n numbers; nothing when n is 0. `scratch` holds at least n numbers. */
void pack_numbers(struct buf *out, const int64_t *values, uint32_t n, uint64_t *scratch);

/* Read what pack_numbers() wrote. ERR_CORRUPT marks the reader as failed too. */
int unpack_numbers(struct reader *in, int64_t *values, uint32_t n);

/* Walk over them; the reader fails where they cannot be. */
void skip_numbers(struct reader *in, uint32_t n);

/* n values below `limit` (1..65536) in 0, 1 or 2 bytes each, low bytes first as a plane. */
void pack_codes(struct buf *out, const uint16_t *codes, uint32_t n, uint32_t limit);
/* ERR_CORRUPT when a code is not below `limit`. */
int unpack_codes(struct reader *in, uint16_t *codes, uint32_t n, uint32_t limit);
void skip_codes(struct reader *in, uint32_t n, uint32_t limit);
