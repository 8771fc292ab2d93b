/*
 * store/chunk.h - private to store/: one compressed piece of a segment, with its checksum.
 *
 *   plain bytes --zstd, where it is smaller--> packed --seal, by wish--> bytes in the file,
 *                                     {length, how much longer unpacked, checksum} in the directory
 *
 * An empty chunk takes no bytes. The checksum (XXH3-64, its lower half, seed: the plain length) is
 * of the bytes in the file, so that nothing damaged reaches the decompressor.
 *
 * Ownership: a press owns its zstd contexts until chunk_press_release() and borrows the seal;
 *            everything else is the caller's.
 * Threads:   a press has one owner.
 * Failures:  ERR_NOMEM; ERR_CORRUPT for bytes that are not what the directory says.
 */
#pragma once

#include "base/buf.h"
#include "store/reader.h"
#include "store/seal.h"

enum chunk_limits {
    CHUNK_BYTES_MAX = 256 * 1024 * 1024, /* plain, and packed */
};

/* What the directory says of a chunk. */
struct chunk {
    uint32_t len;       /* in the file, with the tag of what is sealed */
    uint32_t plain_len; /* equal to the packed length: not compressed */
    uint32_t checksum;
};

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct chunk_press {
    struct ZSTD_CCtx_s *cctx;
    struct ZSTD_DCtx_s *dctx;
    int level;
    const struct file_seal *seal; /* of the file; NULL: it has none */
    uint64_t at;                  /* of the first byte of the group's bytes in the file */
    struct buf opened;
};

/* zstd level 1..19. 0 or ERR_NOMEM. */
int chunk_press_init(struct chunk_press *p, int level);
void chunk_press_release(struct chunk_press *p);

/* Append the chunk of `plain` to the group's bytes. 0, or ERR_NOMEM or ERR_IO with `out` as it was. */
int chunk_put(struct chunk_press *p, struct slice plain, struct buf *out, struct chunk *made);
/* How many bytes chunk_put() would take unsealed; 0 without memory. */
size_t chunk_cost(struct chunk_press *p, struct slice plain, struct buf *scratch);

/* Append the plain bytes of a chunk that begins at a place of the group's bytes. */
int chunk_get(struct chunk_press *p, const struct chunk *c, struct slice group, uint64_t at,
              struct buf *out);

/* A chunk's line in the directory of a file with that seal, or with none. */
void chunk_describe(struct buf *directory, const struct chunk *c, const struct file_seal *seal);
struct chunk chunk_described(struct reader *directory, const struct file_seal *seal);
