/* store/codec_encode.c - a batch to bytes: texts first, then one number a row and column. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "event/pred.h"
#include "store/bound.h"
#include "store/codec_state.h"
#include "store/filter.h"
#include "store/pack.h"

static int filter_value(void *self, uint16_t field, struct slice value)
{
    struct codec *c = self;
    const struct field_info *info = field_info(field);
    struct ip ip;
    if (info == NULL || info->type != FIELD_TYPE_IP || value.len != sizeof(ip.bytes))
        return filter_keys_add(&c->keys, filter_key_text(value, &c->scratch));
    memcpy(ip.bytes, value.data, sizeof(ip.bytes));
    return filter_keys_add(&c->keys, filter_key_ip(&ip));
}

static void put_text(struct codec *c, struct slice text)
{
    buf_varint(&c->meta, text.len);
    buf_slice(&c->text, text);
}

static void put_shapes(struct codec *c, const struct batch *b)
{
    uint32_t shapes = b->shape_count == 0 ? 1 : b->shape_count;
    buf_varint(&c->meta, shapes);
    for (uint32_t s = 1; s < shapes; s++) {
        const struct shape *shape = &b->shapes[s];
        buf_varint(&c->meta, shape->slot_count);
        for (uint32_t i = 0; i < shape->slot_count; i++) {
            const struct shape_slot *slot = &shape->slots[i];
            put_text(c, slice_of(b->skeleton.data + slot->piece, slot->piece_len));
            buf_put16(&c->meta, slot->field);
            buf_byte(&c->meta, (char)slot->kind);
            buf_varint(&c->meta, c->column_id[slot->column]);
        }
        put_text(c, slice_of(b->skeleton.data + shape->tail, shape->tail_len));
    }
    buf_varint(&c->meta, b->name_count);
    for (uint32_t i = 0; i < b->name_count; i++)
        put_text(c, batch_span(b, b->names[i]));
}

static void put_column_texts(struct codec *c, const struct batch *b, const struct column *col)
{
    buf_put16(&c->meta, col->field);
    buf_byte(&c->meta, (char)col->ordinal);
    buf_byte(&c->meta, (char)col->kind);
    buf_byte(&c->meta, (char)(col->storage | col->type << CODEC_TYPE_SHIFT |
                              (col->derived ? CODEC_DERIVED : 0)));
    buf_byte(&c->meta, (char)col->epoch_form);
    if (col->storage == COLUMN_CODES) {
        buf_varint(&c->meta, col->entry_count);
        for (uint32_t i = 0; i < col->entry_count; i++)
            put_text(c, batch_span(b, col->entries[i]));
    }
    if (col->storage == COLUMN_TEXT) {
        buf_varint(&c->meta, col->value_count);
        for (uint32_t row = 0; row < b->row_count; row++) {
            if (col->spans[row].len != SPAN_NONE)
                put_text(c, batch_span(b, col->spans[row]));
        }
    }
    buf_varint(&c->meta, col->exception_count);
    uint32_t before = 0;
    for (uint32_t i = 0; i < col->exception_count; i++) {
        buf_varint(&c->meta, col->exceptions[i].row - before);
        before = col->exceptions[i].row;
        put_text(c, batch_span(b, col->exceptions[i].text));
    }
}

static void put_verbatim(struct codec *c, const struct batch *b)
{
    for (uint32_t row = 0; row < b->row_count; row++) {
        if (b->shape[row] == 0)
            put_text(c, batch_span(b, b->line[row]));
    }
    buf_varint(&c->meta, b->extra_count);
    uint32_t before = 0;
    for (uint32_t i = 0; i < b->extra_count; i++) {
        const struct extra *e = &b->extras[i];
        buf_varint(&c->meta, e->row - before);
        before = e->row;
        buf_byte(&c->meta, (char)((e->null_value ? CODEC_EXTRA_NULL : 0) |
                                  (e->has_key ? CODEC_EXTRA_KEY : 0)));
        put_text(c, batch_span(b, e->key));
        put_text(c, batch_span(b, e->headers));
    }
}

/* A column is written when a row has a value there. */
static bool is_used(const struct column *col)
{
    return col->value_count != 0 || col->derived;
}

/* The texts part, unpacked, in c->plain. */
static void make_texts(struct codec *c, const struct batch *b)
{
    buf_reset(&c->meta);
    buf_reset(&c->text);
    uint16_t used = 0;
    for (uint32_t i = 0; i < b->column_count; i++) {
        c->column_id[i] = used;
        used = (uint16_t)(used + is_used(&b->columns[i]));
    }
    put_shapes(c, b);
    buf_varint(&c->meta, used);
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (is_used(&b->columns[i]))
            put_column_texts(c, b, &b->columns[i]);
    }
    uint32_t verbatim = 0;
    for (uint32_t row = 0; row < b->row_count; row++)
        verbatim += b->shape[row] == 0;
    buf_varint(&c->meta, verbatim);
    put_verbatim(c, b);
    buf_reset(&c->plain);
    buf_put32(&c->plain, (uint32_t)c->meta.len);
    buf_slice(&c->plain, buf_content(&c->meta));
    buf_slice(&c->plain, buf_content(&c->text));
}

/* One byte a row, in as few values as occur. */
static void put_small(struct codec *c, const uint8_t *values, uint32_t n)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        c->codes[i] = values[i];
        most = values[i] > most ? values[i] : most;
    }
    buf_byte(&c->plain, (char)most);
    pack_codes(&c->plain, c->codes, n, most + 1);
}

/* The column whose epoch gives every row's event time, or -1. */
static int epoch_column(const struct batch *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *col = &b->columns[i];
        if (col->type != FIELD_TYPE_EPOCH || col->value_count != b->row_count ||
            col->exception_count != 0)
            continue;
        uint32_t row = 0;
        while (row < b->row_count &&
               value_epoch_ns(col->numbers[row], col->epoch_form) == b->time_ns[row])
            row++;
        if (row == b->row_count)
            return (int)i;
    }
    return -1;
}

static void put_times(struct codec *c, const struct batch *b)
{
    int epoch = epoch_column(b);
    buf_byte(&c->plain, epoch < 0 ? CODEC_TIME_NUMBERS : CODEC_TIME_EPOCH);
    if (epoch < 0)
        pack_numbers(&c->plain, b->time_ns, b->row_count, c->packed);
    else
        buf_varint(&c->plain, c->column_id[epoch]);
    pack_numbers(&c->plain, b->arrival_ns, b->row_count, c->packed);
    bool any = false;
    for (uint32_t row = 0; row < b->row_count; row++) {
        c->numbers[row] = b->sub[row];
        any |= b->sub[row] != 0;
    }
    buf_byte(&c->plain, (char)any);
    if (any)
        pack_numbers(&c->plain, c->numbers, b->row_count, c->packed);
}

static uint32_t partition_index(const int32_t *partitions, uint32_t count, int32_t partition)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (partitions[middle] < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put_runs(struct codec *c, const struct batch *b, const int32_t *partitions,
                     uint32_t partition_count)
{
    buf_varint(&c->plain, b->run_count);
    int64_t before = 0;
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        buf_varint(&c->plain, partition_index(partitions, partition_count, run->partition));
        buf_varint(&c->plain, run->count);
        uint64_t step = (uint64_t)run->first_offset - (uint64_t)before;
        buf_varint(&c->plain, step << 1 ^ (0 - (step >> 63)));
        before = run->first_offset;
    }
}

/* Number the distinct addresses; returns how many, codes in c->codes, firsts in c->packed. */
static uint32_t number_addresses(struct codec *c, const struct column *col, uint32_t n)
{
    uint32_t mask = 4 * BATCH_LIVE_ROWS_MAX - 1;
    memset(c->table, 0, sizeof(c->table));
    uint32_t distinct = 0;
    bool v4 = col->storage == COLUMN_IP4;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = c->rows[i];
        uint64_t key = v4 ? col->ip4[row] : hash_bytes(0, col->ips[row].bytes, 16);
        uint32_t at = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 40) & mask;
        while (c->table[at] != 0) {
            uint64_t first = c->packed[c->table[at] - 1U];
            if (v4 ? col->ip4[first] == col->ip4[row]
                   : memcmp(&col->ips[first], &col->ips[row], sizeof(struct ip)) == 0)
                break;
            at = (at + 1) & mask;
        }
        if (c->table[at] == 0) {
            c->packed[distinct++] = row;
            c->table[at] = (uint16_t)distinct;
        }
        c->codes[i] = (uint16_t)(c->table[at] - 1U);
    }
    return distinct;
}

static void put_address(struct codec *c, const struct column *col, uint64_t row)
{
    if (col->storage == COLUMN_IP4)
        buf_put32(&c->plain, col->ip4[row]);
    else
        buf_append(&c->plain, col->ips[row].bytes, sizeof(col->ips[row].bytes));
}

static void put_addresses(struct codec *c, const struct column *col, uint32_t n)
{
    uint32_t distinct = number_addresses(c, col, n);
    size_t width = col->storage == COLUMN_IP4 ? 4 : 16;
    size_t code_width = distinct <= 1 ? 0 : distinct <= 256 ? 1 : 2;
    if (distinct * width + n * code_width >= n * width) {
        buf_byte(&c->plain, CODEC_IP_PLAIN);
        for (uint32_t i = 0; i < n; i++)
            put_address(c, col, c->rows[i]);
        return;
    }
    buf_byte(&c->plain, CODEC_IP_DICTIONARY);
    buf_varint(&c->plain, distinct);
    for (uint32_t i = 0; i < distinct; i++)
        put_address(c, col, c->packed[i]);
    pack_codes(&c->plain, c->codes, n, distinct);
}

/* Drop the rows that stand in the exceptions from c->rows[0, n). */
static uint32_t without_exceptions(struct codec *c, const struct column *col, uint32_t n)
{
    uint32_t kept = 0;
    uint32_t e = 0;
    for (uint32_t i = 0; i < n; i++) {
        while (e < col->exception_count && col->exceptions[e].row < c->rows[i])
            e++;
        if (e < col->exception_count && col->exceptions[e].row == c->rows[i])
            continue;
        c->rows[kept++] = c->rows[i];
    }
    return kept;
}

static void put_column_rows(struct codec *c, const struct batch *b, const struct bound *bound,
                            uint32_t column)
{
    const struct column *col = &b->columns[column];
    uint32_t n = bound_rows(bound, column, c->rows);
    switch ((enum column_storage)col->storage) {
    case COLUMN_TEXT:
        return;
    case COLUMN_CODES:
        /* A derived column has rows without a value: code 0 says so. */
        for (uint32_t i = 0; i < n; i++) {
            uint16_t code = col->codes[c->rows[i]];
            c->codes[i] = col->derived ? (uint16_t)(code + 1) : code;
        }
        pack_codes(&c->plain, c->codes, n, col->entry_count + col->derived);
        return;
    case COLUMN_INT:
        n = without_exceptions(c, col, n);
        for (uint32_t i = 0; i < n; i++) {
            int64_t v = col->numbers[c->rows[i]];
            c->numbers[i] = col->derived && v == VALUE_NONE ? 0 : v;
        }
        pack_numbers(&c->plain, c->numbers, n, c->packed);
        return;
    case COLUMN_IP4:
    case COLUMN_IP:
        n = without_exceptions(c, col, n);
        put_addresses(c, col, n);
        return;
    }
}

/* The rows part, unpacked, in c->plain. */
static void make_rows(struct codec *c, const struct batch *b, const struct bound *bound,
                      const int32_t *partitions, uint32_t partition_count)
{
    buf_reset(&c->plain);
    for (uint32_t row = 0; row < b->row_count; row++)
        c->codes[row] = b->shape[row];
    pack_codes(&c->plain, c->codes, b->row_count, b->shape_count == 0 ? 1 : b->shape_count);
    put_small(c, b->reason, b->row_count);
    put_small(c, b->time_source, b->row_count);
    put_small(c, b->verdict, b->row_count);
    put_runs(c, b, partitions, partition_count);
    put_times(c, b);
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (is_used(&b->columns[i]))
            put_column_rows(c, b, bound, i);
    }
}

static int compare_partitions(const void *a, const void *b)
{
    int32_t x = (int32_t)bytes_get32(a);
    int32_t y = (int32_t)bytes_get32(b);
    return x < y ? -1 : x > y;
}

/* The distinct partitions of the runs, ascending; returns how many. */
static uint32_t list_partitions(const struct batch *b, int32_t *partitions)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->run_count; i++) {
        if (n == 0 || partitions[n - 1] != b->runs[i].partition)
            partitions[n++] = b->runs[i].partition;
    }
    qsort(partitions, n, sizeof(*partitions), compare_partitions);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (distinct == 0 || partitions[distinct - 1] != partitions[i])
            partitions[distinct++] = partitions[i];
    }
    return distinct;
}

/* The least value, and how far the greatest is above it. */
static void put_min_max(struct buf *out, const int64_t *values, uint32_t n)
{
    int64_t least = values[0];
    int64_t most = values[0];
    for (uint32_t i = 1; i < n; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    buf_put64(out, (uint64_t)least);
    buf_varint(out, (uint64_t)most - (uint64_t)least);
}

static uint64_t raw_bytes(const struct batch *b)
{
    uint64_t bytes = 0;
    for (uint32_t row = 0; row < b->row_count; row++)
        bytes += b->line[row].len;
    return bytes;
}

static void put_name(struct buf *out, struct slice name)
{
    buf_byte(out, (char)(name.len > UINT8_MAX ? UINT8_MAX : name.len));
    buf_append(out, name.data, name.len > UINT8_MAX ? UINT8_MAX : name.len);
}

/* What is known of a batch; the lengths of its pieces come behind it. */
static void put_head(struct codec *c, const struct batch *b, const int32_t *partitions,
                     uint32_t partition_count, struct buf *out)
{
    uint32_t unparsed = 0;
    for (uint32_t row = 0; row < b->row_count; row++)
        unparsed += b->reason[row] != REASON_NONE;
    buf_put16(out, b->format);
    buf_put16(out, b->zone_minutes);
    buf_put32(out, b->tenant);
    buf_varint(out, b->generation);
    buf_varint(out, b->row_count);
    buf_varint(out, unparsed);
    buf_varint(out, raw_bytes(b));
    put_min_max(out, b->time_ns, b->row_count);
    put_min_max(out, b->arrival_ns, b->row_count);
    put_name(out, b->topic);
    put_name(out, b->source);
    put_name(out, b->format_name);
    buf_varint(out, partition_count);
    for (uint32_t i = 0; i < partition_count; i++)
        buf_put32(out, (uint32_t)partitions[i]);
    filter_build(out, &c->keys);
}

static bool pack_ok(const struct pack *p)
{
    return buf_ok(&p->heads) && buf_ok(&p->texts) && buf_ok(&p->rows);
}

/* Back to what the pack was. */
static void pack_cut(struct pack *p, const struct pack *before)
{
    p->heads.len = before->heads.len;
    p->texts.len = before->texts.len;
    p->rows.len = before->rows.len;
    p->heads.failed = false;
    p->texts.failed = false;
    p->rows.failed = false;
}

int pack_add(struct codec *c, struct pack *p, const struct batch *b)
{
    struct bound bound;
    struct pack before = *p;
    int status = ERR_NOMEM;
    arena_reset(&c->desk.arena);
    int32_t *partitions = arena_array(&c->desk.arena, b->run_count, sizeof(*partitions));
    if (partitions == NULL || bound_init(&bound, &c->desk, b) != 0 ||
        filter_keys_reset(&c->keys) != 0 || pred_filter_values(b, filter_value, c) != 0)
        goto out;
    uint32_t partition_count = list_partitions(b, partitions);
    make_texts(c, b);
    size_t texts_len = c->plain.len;
    bool made = buf_ok(&c->plain) && buf_ok(&c->meta) && buf_ok(&c->text);
    buf_slice(&p->texts, buf_content(&c->plain));
    make_rows(c, b, &bound, partitions, partition_count);
    buf_slice(&p->rows, buf_content(&c->plain));
    put_head(c, b, partitions, partition_count, &p->heads);
    buf_varint(&p->heads, texts_len);
    buf_varint(&p->heads, c->plain.len);
    if (!made || !buf_ok(&c->plain) || !pack_ok(p))
        goto out;
    p->count++;
    status = 0;
out:
    if (status != 0)
        pack_cut(p, &before);
    return status;
}

/* Compress a part to the end of out. Returns its packed length, 0 on failure. */
static size_t squeeze(struct codec *c, const struct buf *part, struct buf *out)
{
    size_t bound = ZSTD_compressBound(part->len);
    char *to = buf_reserve(out, bound);
    if (to == NULL)
        return 0;
    size_t len = ZSTD_compressCCtx(c->cctx, to, bound, part->data, part->len, c->level);
    if (ZSTD_isError(len))
        return 0;
    out->len += len;
    return len;
}

enum {
    CHECKSUM_AT = 8,
    CHECKED_FROM = 16,
};

int pack_seal(struct codec *c, struct pack *p, struct buf *out)
{
    size_t start = out->len;
    buf_reset(&c->plain);
    size_t texts = squeeze(c, &p->texts, &c->plain);
    size_t rows = texts == 0 ? 0 : squeeze(c, &p->rows, &c->plain);
    buf_put32(out, CODEC_MAGIC);
    buf_put16(out, CODEC_VERSION);
    buf_put16(out, (uint16_t)p->count);
    buf_put64(out, 0); /* checksum, when the rest is known */
    buf_varint(out, p->texts.len);
    buf_varint(out, p->rows.len);
    buf_varint(out, p->heads.len);
    buf_varint(out, texts);
    buf_varint(out, rows);
    buf_slice(out, buf_content(&p->heads));
    buf_slice(out, buf_content(&c->plain));
    if (rows == 0 || !buf_ok(out)) {
        out->len = start;
        return ERR_NOMEM;
    }
    struct slice blob = slice_of(out->data + start, out->len - start);
    bytes_put64(out->data + start + CHECKSUM_AT,
                hash_slice(p->count, slice_from_offset(blob, CHECKED_FROM)));
    buf_reset(&p->heads);
    buf_reset(&p->texts);
    buf_reset(&p->rows);
    p->count = 0;
    return 0;
}

int codec_encode(struct codec *c, const struct batch *b, struct buf *out)
{
    int status = pack_add(c, &c->single, b);
    return status == 0 ? pack_seal(c, &c->single, out) : status;
}
