/* store/codec_encode.c - a batch to bytes: texts first, then one number a row and column. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/bound.h"
#include "store/codec_state.h"
#include "store/filter.h"
#include "store/pack.h"

static void filter_add_text(struct codec *c, const struct column *col, struct slice text)
{
    if (c->key_count == FILTER_KEYS_MAX)
        return;
    if (value_is_encoded(text, col->kind)) {
        struct buf decoded = {0};
        value_decode(&decoded, text, col->kind);
        c->keys[c->key_count++] = filter_key_text(buf_content(&decoded), &c->scratch);
        buf_release(&decoded);
        return;
    }
    c->keys[c->key_count++] = filter_key_text(text, &c->scratch);
}

static bool is_indexed(const struct column *col)
{
    const struct field_info *info = col->field < FIELD_LOCAL_FIRST ? field_info(col->field) : NULL;
    return info != NULL && info->index == FIELD_INDEX_FILTER;
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
    bool indexed = is_indexed(col);
    if (col->storage == COLUMN_CODES) {
        buf_varint(&c->meta, col->entry_count);
        for (uint32_t i = 0; i < col->entry_count; i++) {
            put_text(c, batch_span(b, col->entries[i]));
            if (indexed)
                filter_add_text(c, col, batch_span(b, col->entries[i]));
        }
    }
    if (col->storage == COLUMN_TEXT) {
        buf_varint(&c->meta, col->value_count);
        for (uint32_t row = 0; row < b->row_count; row++) {
            if (col->spans[row].len == SPAN_NONE)
                continue;
            put_text(c, batch_span(b, col->spans[row]));
            if (indexed)
                filter_add_text(c, col, batch_span(b, col->spans[row]));
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
    c->key_count = 0;
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
    uint32_t mask = 4 * BATCH_ROWS_MAX - 1;
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
    bool indexed = is_indexed(col);
    for (uint32_t i = 0; indexed && i < distinct && c->key_count < FILTER_KEYS_MAX; i++) {
        struct ip ip = col->storage == COLUMN_IP4 ? ip_from_v4(col->ip4[c->packed[i]])
                                                  : col->ips[c->packed[i]];
        c->keys[c->key_count++] = filter_key_ip(&ip);
    }
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

/* Addresses that are valid but written otherwise are found through the filter too. */
static void filter_exceptions(struct codec *c, const struct batch *b, const struct column *col)
{
    for (uint32_t i = 0; is_indexed(col) && i < col->exception_count; i++) {
        struct ip ip;
        if (c->key_count < FILTER_KEYS_MAX &&
            ip_parse(batch_span(b, col->exceptions[i].text), &ip) != VALUE_INVALID)
            c->keys[c->key_count++] = filter_key_ip(&ip);
    }
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
        filter_exceptions(c, b, col);
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

/* Pack c->plain to the end of out. Returns the packed length, 0 on failure. */
static size_t pack_part(struct codec *c, struct buf *out)
{
    size_t bound = ZSTD_compressBound(c->plain.len);
    char *to = buf_reserve(out, bound);
    if (to == NULL || !buf_ok(&c->plain))
        return 0;
    size_t len = ZSTD_compressCCtx(c->cctx, to, bound, c->plain.data, c->plain.len, c->level);
    return ZSTD_isError(len) ? 0 : len;
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

static void put_min_max(struct buf *out, const int64_t *values, uint32_t n)
{
    int64_t least = values[0];
    int64_t most = values[0];
    for (uint32_t i = 1; i < n; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    buf_put64(out, (uint64_t)least);
    buf_put64(out, (uint64_t)most);
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

static void put_head(const struct batch *b, const int32_t *partitions, uint32_t partition_count,
                     struct buf *out)
{
    uint32_t unparsed = 0;
    for (uint32_t row = 0; row < b->row_count; row++)
        unparsed += b->reason[row] != REASON_NONE;
    buf_put32(out, CODEC_MAGIC);
    buf_put16(out, CODEC_VERSION);
    buf_put16(out, b->format);
    buf_put64(out, 0); /* checksum, when the rest is known */
    buf_put32(out, b->tenant);
    buf_put32(out, b->generation);
    buf_put32(out, b->row_count);
    buf_put32(out, unparsed);
    buf_put64(out, raw_bytes(b));
    put_min_max(out, b->time_ns, b->row_count);
    put_min_max(out, b->arrival_ns, b->row_count);
    buf_put16(out, b->zone_minutes);
    put_name(out, b->topic);
    put_name(out, b->source);
    put_name(out, b->format_name);
    buf_varint(out, partition_count);
    for (uint32_t i = 0; i < partition_count; i++)
        buf_put32(out, (uint32_t)partitions[i]);
}

enum {
    CHECKSUM_AT = 8,
    CHECKED_FROM = 16,
};

int codec_encode(struct codec *c, const struct batch *b, struct buf *out)
{
    struct batch scratch = {0};
    struct buf texts = {0};
    struct buf rows = {0};
    struct bound bound;
    size_t start = out->len;
    int32_t *partitions = arena_array(&scratch.arena, b->run_count, sizeof(*partitions));
    int status = ERR_NOMEM;
    if (partitions == NULL || bound_init(&bound, &scratch, b) != 0)
        goto out;
    uint32_t partition_count = list_partitions(b, partitions);
    make_texts(c, b);
    size_t texts_len = c->plain.len;
    texts.len = pack_part(c, &texts);
    make_rows(c, b, &bound, partitions, partition_count);
    size_t rows_len = c->plain.len;
    rows.len = pack_part(c, &rows);
    if (texts.len == 0 || rows.len == 0)
        goto out;
    put_head(b, partitions, partition_count, out);
    /* With more keys than it was made for, the filter is left out: it may hold anything. */
    uint32_t keys = c->key_count == FILTER_KEYS_MAX ? 0 : c->key_count;
    buf_varint(out, (keys * FILTER_BITS + 7) / 8);
    (void)filter_build(out, c->keys, keys);
    buf_varint(out, texts_len);
    buf_varint(out, rows_len);
    buf_varint(out, texts.len);
    buf_varint(out, rows.len);
    buf_slice(out, buf_content(&texts));
    buf_slice(out, buf_content(&rows));
    if (!buf_ok(out))
        goto out;
    struct slice blob = slice_of(out->data + start, out->len - start);
    bytes_put64(out->data + start + CHECKSUM_AT,
                hash_slice(0, slice_from_offset(blob, CHECKED_FROM)));
    status = 0;
out:
    if (status != 0)
        out->len = start;
    arena_release(&scratch.arena);
    buf_release(&texts);
    buf_release(&rows);
    return status;
}
