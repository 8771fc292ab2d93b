#include "store/codec.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/codec_state.h"
#include "store/filter.h"
#include "store/reader.h"

struct codec *codec_new(int zstd_level)
{
    struct codec *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->level = zstd_level;
    c->cctx = ZSTD_createCCtx();
    c->dctx = ZSTD_createDCtx();
    c->keys = calloc(FILTER_KEYS_MAX, sizeof(*c->keys));
    if (c->cctx == NULL || c->dctx == NULL || c->keys == NULL) {
        codec_free(c);
        return NULL;
    }
    return c;
}

void codec_free(struct codec *c)
{
    if (c == NULL)
        return;
    ZSTD_freeCCtx(c->cctx);
    ZSTD_freeDCtx(c->dctx);
    buf_release(&c->meta);
    buf_release(&c->text);
    buf_release(&c->plain);
    buf_release(&c->scratch);
    free(c->keys);
    free(c);
}

/* The name and lengths behind the fixed part. */
static int head_tail(struct batch_head *head, struct reader *in)
{
    head->topic = reader_bytes(in, reader_get8(in));
    head->source = reader_bytes(in, reader_get8(in));
    head->format_name = reader_bytes(in, reader_get8(in));
    uint64_t partitions = reader_varint(in, CODEC_PARTITIONS_MAX);
    head->partitions = reader_bytes(in, partitions * sizeof(int32_t));
    head->filter = reader_bytes(in, reader_varint(in, UINT32_MAX));
    head->texts_len = (uint32_t)reader_varint(in, CODEC_TEXTS_BYTES_MAX);
    head->rows_len = (uint32_t)reader_varint(in, CODEC_ROWS_BYTES_MAX);
    uint64_t texts = reader_varint(in, UINT32_MAX);
    uint64_t rows = reader_varint(in, UINT32_MAX);
    head->texts = reader_bytes(in, texts);
    head->rows = reader_bytes(in, rows);
    return in->failed || reader_left(in) != 0 || partitions == 0 ? ERR_CORRUPT : 0;
}

int codec_head(struct batch_head *out, struct slice blob)
{
    struct reader in = reader_of(blob);
    uint32_t magic = reader_get32(&in);
    uint16_t version = reader_get16(&in);
    struct batch_head head = {.format = reader_get16(&in)};
    uint64_t checksum = reader_get64(&in);
    struct slice covered = {.data = in.at, .len = reader_left(&in)};
    head.tenant = reader_get32(&in);
    head.generation = reader_get32(&in);
    head.row_count = reader_get32(&in);
    head.unparsed_rows = reader_get32(&in);
    head.raw_bytes = reader_get64(&in);
    head.time_min_ns = (int64_t)reader_get64(&in);
    head.time_max_ns = (int64_t)reader_get64(&in);
    head.arrival_min_ns = (int64_t)reader_get64(&in);
    head.arrival_max_ns = (int64_t)reader_get64(&in);
    head.zone_minutes = reader_get16(&in);
    if (in.failed || magic != CODEC_MAGIC || version != CODEC_VERSION ||
        hash_slice(0, covered) != checksum || head.row_count == 0 ||
        head.row_count > BATCH_ROWS_MAX || head_tail(&head, &in) != 0)
        return ERR_CORRUPT;
    *out = head;
    return 0;
}

int32_t codec_head_partition(const struct batch_head *head, size_t i)
{
    return (int32_t)bytes_get32(head->partitions.data + i * sizeof(int32_t));
}

bool codec_head_may_hold_ip(const struct batch_head *head, const struct ip *ip)
{
    return filter_may_hold(head->filter, filter_key_ip(ip));
}

bool codec_head_may_hold_text(const struct batch_head *head, struct slice text)
{
    struct buf scratch = {0};
    uint64_t key = filter_key_text(text, &scratch);
    bool maybe = !buf_ok(&scratch) || filter_may_hold(head->filter, key);
    buf_release(&scratch);
    return maybe;
}
