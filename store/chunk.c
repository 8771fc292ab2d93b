#include "store/chunk.h"

#include <zstd.h>

#include "base/err.h"
#include "base/hash.h"

int chunk_press_init(struct chunk_press *p, int level)
{
    *p = (struct chunk_press){.cctx = ZSTD_createCCtx(), .dctx = ZSTD_createDCtx(), .level = level};
    if (p->cctx != NULL && p->dctx != NULL)
        return 0;
    chunk_press_release(p);
    return ERR_NOMEM;
}

void chunk_press_release(struct chunk_press *p)
{
    ZSTD_freeCCtx(p->cctx);
    ZSTD_freeDCtx(p->dctx);
    buf_release(&p->opened);
    *p = (struct chunk_press){0};
}

static uint32_t chunk_checksum(struct slice bytes, uint32_t plain_len)
{
    return (uint32_t)hash_slice(plain_len, bytes);
}

/* Append the smaller of `plain` and its compressed form; its length, or 0 without memory. */
static size_t squeeze(struct chunk_press *p, struct slice plain, struct buf *out)
{
    size_t bound = ZSTD_compressBound(plain.len);
    char *to = buf_reserve(out, bound);
    if (to == NULL) {
        out->failed = false;
        return 0;
    }
    size_t len = ZSTD_compressCCtx(p->cctx, to, bound, plain.data, plain.len, p->level);
    if (ZSTD_isError(len) || len >= plain.len) {
        memcpy(to, plain.data, plain.len);
        len = plain.len;
    }
    out->len += len;
    return len;
}

/* Seal what stands behind `start`. */
static int seal_behind(const struct chunk_press *p, struct buf *out, size_t start)
{
    if (buf_reserve(out, SEAL_TAG_BYTES) == NULL) {
        out->failed = false;
        return ERR_NOMEM;
    }
    int err = seal_piece(p->seal, p->at + start, out->data + start, out->len - start);
    if (err == 0)
        out->len += SEAL_TAG_BYTES;
    return err;
}

int chunk_put(struct chunk_press *p, struct slice plain, struct buf *out, struct chunk *made)
{
    *made = (struct chunk){0};
    if (plain.len == 0)
        return 0;
    size_t start = out->len;
    size_t len = plain.len > CHUNK_BYTES_MAX ? 0 : squeeze(p, plain, out);
    int err = len == 0 ? ERR_NOMEM : p->seal == NULL ? 0 : seal_behind(p, out, start);
    if (err != 0) {
        out->len = start;
        return err;
    }
    len = out->len - start;
    *made = (struct chunk){.len = (uint32_t)len, .plain_len = (uint32_t)plain.len};
    made->checksum = chunk_checksum(slice_of(out->data + start, len), made->plain_len);
    return 0;
}

size_t chunk_cost(struct chunk_press *p, struct slice plain, struct buf *scratch)
{
    buf_reset(scratch);
    return plain.len == 0 ? 0 : squeeze(p, plain, scratch);
}

/* The packed bytes of a chunk, opened to `to` where they are the plain ones. */
static int open_chunk(struct chunk_press *p, uint64_t at, struct slice *bytes, char *to, bool plain)
{
    if (p->seal == NULL)
        return 0;
    size_t len = bytes->len - SEAL_TAG_BYTES;
    buf_reset(&p->opened);
    if (!plain)
        to = buf_reserve(&p->opened, len);
    if (to == NULL)
        return ERR_NOMEM;
    int err = seal_open(p->seal, p->at + at, *bytes, to);
    *bytes = slice_of(to, len);
    return err;
}

static int unpack(struct chunk_press *p, const struct chunk *c, struct slice bytes, char *to)
{
    if (bytes.len == c->plain_len) {
        if (bytes.data != to)
            memcpy(to, bytes.data, bytes.len);
        return 0;
    }
    size_t got = ZSTD_decompressDCtx(p->dctx, to, c->plain_len, bytes.data, bytes.len);
    return ZSTD_isError(got) || got != c->plain_len ? ERR_CORRUPT : 0;
}

int chunk_get(struct chunk_press *p, const struct chunk *c, struct slice group, uint64_t at,
              struct buf *out)
{
    uint32_t more = seal_bytes_more(p->seal);
    if (c->len == 0)
        return c->plain_len == 0 ? 0 : ERR_CORRUPT;
    if (c->len <= more || c->plain_len < c->len - more || c->plain_len > CHUNK_BYTES_MAX ||
        c->len > group.len || at > group.len - c->len)
        return ERR_CORRUPT;
    struct slice bytes = slice_of(group.data + at, c->len);
    if (chunk_checksum(bytes, c->plain_len) != c->checksum)
        return ERR_CORRUPT;
    char *to = buf_reserve(out, c->plain_len);
    if (to == NULL) {
        out->failed = false;
        return ERR_NOMEM;
    }
    int err = open_chunk(p, at, &bytes, to, c->plain_len == c->len - more);
    if (err == 0)
        err = unpack(p, c, bytes, to);
    if (err == 0)
        out->len += c->plain_len;
    return err;
}

void chunk_describe(struct buf *directory, const struct chunk *c, const struct file_seal *seal)
{
    buf_varint(directory, c->len);
    if (c->len == 0)
        return;
    buf_varint(directory, c->plain_len - (c->len - seal_bytes_more(seal)));
    buf_put32(directory, c->checksum);
}

struct chunk chunk_described(struct reader *directory, const struct file_seal *seal)
{
    uint32_t more = seal_bytes_more(seal);
    struct chunk c = {.len = (uint32_t)reader_varint(directory, CHUNK_BYTES_MAX + more)};
    if (c.len == 0)
        return c;
    if (c.len <= more) {
        directory->failed = true;
        return c;
    }
    uint32_t packed = c.len - more;
    c.plain_len = packed + (uint32_t)reader_varint(directory, CHUNK_BYTES_MAX - packed);
    c.checksum = reader_get32(directory);
    return c;
}
