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
    if (c->cctx == NULL || c->dctx == NULL) {
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
    buf_release(&c->texts_cache);
    buf_release(&c->rows_cache);
    buf_release(&c->scratch);
    pack_release(&c->single);
    arena_release(&c->desk.arena);
    filter_keys_release(&c->keys);
    free(c);
}

void pack_release(struct pack *p)
{
    buf_release(&p->heads);
    buf_release(&p->texts);
    buf_release(&p->rows);
    p->count = 0;
}

bool pack_fits(const struct pack *p, const struct pack *more)
{
    return p->count + more->count <= CODEC_BATCHES_MAX &&
           p->texts.len + more->texts.len <= CODEC_TEXTS_BYTES_MAX &&
           p->rows.len + more->rows.len <= CODEC_ROWS_BYTES_MAX;
}

int pack_join(struct pack *p, const struct pack *more)
{
    /* Room in all three first, so that nothing is half there. */
    if (buf_reserve(&p->heads, more->heads.len) == NULL ||
        buf_reserve(&p->texts, more->texts.len) == NULL ||
        buf_reserve(&p->rows, more->rows.len) == NULL) {
        p->heads.failed = false;
        p->texts.failed = false;
        p->rows.failed = false;
        return ERR_NOMEM;
    }
    buf_slice(&p->heads, buf_content(&more->heads));
    buf_slice(&p->texts, buf_content(&more->texts));
    buf_slice(&p->rows, buf_content(&more->rows));
    p->count += more->count;
    return 0;
}

int pack_open(struct pack_view *out, struct slice blob)
{
    struct reader in = reader_of(blob);
    uint32_t magic = reader_get32(&in);
    uint16_t version = reader_get16(&in);
    struct pack_view v = {.left = reader_get16(&in)};
    v.shared.pack_checksum = reader_get64(&in);
    struct slice covered = {.data = in.at, .len = reader_left(&in)};
    v.shared.texts_total = (uint32_t)reader_varint(&in, CODEC_TEXTS_BYTES_MAX);
    v.shared.rows_total = (uint32_t)reader_varint(&in, CODEC_ROWS_BYTES_MAX);
    uint64_t heads = reader_varint(&in, UINT32_MAX);
    uint64_t texts = reader_varint(&in, UINT32_MAX);
    uint64_t rows = reader_varint(&in, UINT32_MAX);
    v.heads = reader_bytes(&in, heads);
    v.shared.texts = reader_bytes(&in, texts);
    v.shared.rows = reader_bytes(&in, rows);
    if (in.failed || reader_left(&in) != 0 || magic != CODEC_MAGIC || version != CODEC_VERSION ||
        v.left == 0 || v.left > CODEC_BATCHES_MAX ||
        hash_slice(v.left, covered) != v.shared.pack_checksum)
        return ERR_CORRUPT;
    *out = v;
    return 0;
}

/* Names, partitions, filter and lengths behind the fixed part of a head. */
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
    return in->failed || partitions == 0 || head->row_count == 0 ||
                   head->texts_len > head->texts_total - head->texts_at ||
                   head->rows_len > head->rows_total - head->rows_at
               ? ERR_CORRUPT
               : 0;
}

/* Times from the beginning of time wrap; the sum is what was written. */
static void get_min_max(struct reader *in, int64_t *least, int64_t *most)
{
    uint64_t from = reader_get64(in);
    *least = (int64_t)from;
    *most = (int64_t)(from + reader_varint(in, UINT64_MAX));
}

int pack_next(struct pack_view *v, struct batch_head *out)
{
    if (v->left == 0) {
        return v->heads.len == 0 && v->shared.texts_at == v->shared.texts_total &&
                       v->shared.rows_at == v->shared.rows_total
                   ? ERR_NOTFOUND
                   : ERR_CORRUPT;
    }
    struct reader in = reader_of(v->heads);
    struct batch_head head = v->shared;
    head.format = reader_get16(&in);
    head.zone_minutes = reader_get16(&in);
    head.tenant = reader_get32(&in);
    head.generation = (uint32_t)reader_varint(&in, UINT32_MAX);
    head.row_count = (uint32_t)reader_varint(&in, BATCH_LIVE_ROWS_MAX);
    head.unparsed_rows = (uint32_t)reader_varint(&in, BATCH_LIVE_ROWS_MAX);
    head.raw_bytes = reader_varint(&in, UINT64_MAX);
    get_min_max(&in, &head.time_min_ns, &head.time_max_ns);
    get_min_max(&in, &head.arrival_min_ns, &head.arrival_max_ns);
    if (head_tail(&head, &in) != 0)
        return ERR_CORRUPT;
    head.written = slice_of(v->heads.data, (size_t)(in.at - v->heads.data));
    v->heads = slice_of(in.at, reader_left(&in));
    v->left--;
    v->shared.texts_at += head.texts_len;
    v->shared.rows_at += head.rows_len;
    *out = head;
    return 0;
}

int codec_head(struct batch_head *out, struct slice blob)
{
    struct pack_view v;
    int status = pack_open(&v, blob);
    return status == 0 ? pack_next(&v, out) : status;
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
