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

int chunk_put(struct chunk_press *p, struct slice plain, struct buf *out, struct chunk *made)
{
    *made = (struct chunk){0};
    if (plain.len == 0)
        return 0;
    size_t start = out->len;
    size_t len = plain.len > CHUNK_BYTES_MAX ? 0 : squeeze(p, plain, out);
    if (len == 0)
        return ERR_NOMEM;
    *made = (struct chunk){.len = (uint32_t)len, .plain_len = (uint32_t)plain.len};
    made->checksum = chunk_checksum(slice_of(out->data + start, len), made->plain_len);
    return 0;
}

size_t chunk_cost(struct chunk_press *p, struct slice plain, struct buf *scratch)
{
    buf_reset(scratch);
    return plain.len == 0 ? 0 : squeeze(p, plain, scratch);
}

int chunk_get(struct chunk_press *p, const struct chunk *c, struct slice bytes, struct buf *out)
{
    if (c->len == 0)
        return c->plain_len == 0 ? 0 : ERR_CORRUPT;
    if (bytes.len != c->len || c->plain_len < c->len || c->plain_len > CHUNK_BYTES_MAX ||
        chunk_checksum(bytes, c->plain_len) != c->checksum)
        return ERR_CORRUPT;
    char *to = buf_reserve(out, c->plain_len);
    if (to == NULL) {
        out->failed = false;
        return ERR_NOMEM;
    }
    if (c->plain_len == c->len) {
        memcpy(to, bytes.data, bytes.len);
    } else {
        size_t got = ZSTD_decompressDCtx(p->dctx, to, c->plain_len, bytes.data, bytes.len);
        if (ZSTD_isError(got) || got != c->plain_len)
            return ERR_CORRUPT;
    }
    out->len += c->plain_len;
    return 0;
}

void chunk_describe(struct buf *directory, const struct chunk *c)
{
    buf_varint(directory, c->len);
    if (c->len == 0)
        return;
    buf_varint(directory, c->plain_len - c->len);
    buf_put32(directory, c->checksum);
}

struct chunk chunk_described(struct reader *directory)
{
    struct chunk c = {.len = (uint32_t)reader_varint(directory, CHUNK_BYTES_MAX)};
    if (c.len == 0)
        return c;
    c.plain_len = c.len + (uint32_t)reader_varint(directory, CHUNK_BYTES_MAX - c.len);
    c.checksum = reader_get32(directory);
    return c;
}
