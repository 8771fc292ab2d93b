/* store/codec_decode.c - bytes to a batch; every number from the bytes is checked before its use. */
#include "base/bytes.h"
#include "base/err.h"
#include "event/columns.h"
#include "store/bound.h"
#include "store/codec_state.h"
#include "store/pack.h"

/* Where the next text of the text block stands. */
struct text_walk {
    uint32_t at;
    uint32_t end;
};

/* As reader_varint(); most are one byte, and there are several a value and slot. */
static inline uint64_t read_varint(struct reader *in, uint64_t max)
{
    if (in->at < in->end && (uint8_t)*in->at <= max && (uint8_t)*in->at < 0x80 && !in->failed)
        return (uint8_t)*in->at++;
    return reader_varint(in, max);
}

/* The next text of a length that stands in the descriptions. */
static struct span walk_text(struct text_walk *walk, struct reader *in)
{
    uint64_t len = read_varint(in, UINT32_MAX);
    if (len > walk->end - walk->at) {
        in->failed = true;
        len = 0;
    }
    struct span span = {.offset = walk->at, .len = (uint32_t)len};
    walk->at += (uint32_t)len;
    return span;
}

/* A count that is followed by at least `each` bytes an item. */
static uint32_t read_count(struct reader *in, uint64_t max, size_t each)
{
    uint64_t count = read_varint(in, max);
    if (count > reader_left(in) / each) {
        in->failed = true;
        return 0;
    }
    return (uint32_t)count;
}

enum {
    SHAPE_SLOT_BYTES = 5, /* at least: length, field, kind, column */
    SLOT_FIXED_BYTES = 3, /* field, kind */
    COLUMN_BYTES = 7,     /* at least */
    COLUMN_FIXED_BYTES = 6,
};

/* The pieces of all shapes stand first in the text: `base` is where the skeleton begins there. */
static int read_shape(struct batch *b, struct reader *in, struct text_walk *walk, uint32_t base,
                      struct shape *shape)
{
    uint32_t slots = read_count(in, SLOTS_MAX, SHAPE_SLOT_BYTES);
    shape->slots = arena_array(&b->arena, slots + 1, sizeof(*shape->slots));
    if (shape->slots == NULL)
        return ERR_NOMEM;
    shape->slot_count = slots;
    for (uint32_t i = 0; i < slots; i++) {
        struct shape_slot *slot = &shape->slots[i];
        struct span piece = walk_text(walk, in);
        struct slice fixed = reader_bytes(in, SLOT_FIXED_BYTES);
        if (fixed.len != SLOT_FIXED_BYTES)
            return ERR_CORRUPT;
        slot->piece = piece.offset - base;
        slot->piece_len = piece.len;
        slot->field = bytes_get16(fixed.data);
        slot->kind = (uint8_t)fixed.data[2];
        slot->column = (uint16_t)read_varint(in, BATCH_COLUMNS_MAX - 1);
        if (!slot_kind_is_value(slot->kind))
            in->failed = true;
    }
    struct span tail = walk_text(walk, in);
    shape->tail = tail.offset - base;
    shape->tail_len = tail.len;
    return 0;
}

static int read_shapes(struct batch *b, struct reader *in, struct text_walk *walk)
{
    uint32_t count = (uint32_t)reader_varint(in, BATCH_SHAPES_MAX);
    if (in->failed || count == 0)
        return ERR_CORRUPT;
    b->shapes = arena_array(&b->arena, count, sizeof(*b->shapes));
    /* Even a skeleton without bytes has an address. */
    if (b->shapes == NULL || buf_reserve(&b->skeleton, 1) == NULL)
        return ERR_NOMEM;
    b->shape_count = count;
    b->shape_cap = count;
    uint32_t base = walk->at;
    for (uint32_t s = 1; s < count && !in->failed; s++) {
        int status = read_shape(b, in, walk, base, &b->shapes[s]);
        if (status != 0)
            return status;
    }
    buf_slice(&b->skeleton, batch_span(b, (struct span){.offset = base, .len = walk->at - base}));
    if (!buf_ok(&b->skeleton))
        return ERR_NOMEM;
    uint32_t names = read_count(in, BATCH_NAMES_MAX, 1);
    b->names = arena_array(&b->arena, names + 1, sizeof(*b->names));
    if (b->names == NULL)
        return ERR_NOMEM;
    b->name_count = names;
    for (uint32_t i = 0; i < names; i++)
        b->names[i] = walk_text(walk, in);
    return in->failed ? ERR_CORRUPT : 0;
}

/* A column's own line in the descriptions; false where type and storage do not go together. */
static bool read_column_kind(struct reader *in, struct column *like)
{
    struct slice fixed = reader_bytes(in, COLUMN_FIXED_BYTES);
    if (fixed.len != COLUMN_FIXED_BYTES)
        return false;
    like->field = bytes_get16(fixed.data);
    like->ordinal = (uint8_t)fixed.data[2];
    like->kind = (uint8_t)fixed.data[3];
    uint8_t packed = (uint8_t)fixed.data[4];
    like->epoch_form = (uint8_t)fixed.data[5];
    like->storage = packed & CODEC_STORAGE_MASK;
    like->type = packed >> CODEC_TYPE_SHIFT & CODEC_TYPE_MASK;
    like->derived = (packed & CODEC_DERIVED) != 0;
    if (in->failed || !slot_kind_is_value(like->kind) || like->epoch_form > EPOCH_MILLIS_POINT)
        return false;
    switch ((enum column_storage)like->storage) {
    case COLUMN_CODES:
    case COLUMN_TEXT:
        return like->type == FIELD_TYPE_TEXT;
    case COLUMN_INT:
        return like->type == FIELD_TYPE_INT || like->type == FIELD_TYPE_EPOCH;
    case COLUMN_IP4:
    case COLUMN_IP:
        return like->type == FIELD_TYPE_IP;
    }
    return false;
}

static int read_exceptions(struct batch *b, struct reader *in, struct text_walk *walk,
                           struct column *col, uint32_t row_count)
{
    uint32_t count = read_count(in, row_count, 2);
    if (count == 0)
        return in->failed ? ERR_CORRUPT : 0;
    col->exceptions = arena_array(&b->arena, count + 1, sizeof(*col->exceptions));
    if (col->exceptions == NULL)
        return ERR_NOMEM;
    col->exception_count = count;
    uint64_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t step = reader_varint(in, BATCH_LIVE_ROWS_MAX);
        row += step;
        if (row >= row_count || (i > 0 && step == 0))
            in->failed = true;
        col->exceptions[i].row = (uint32_t)row;
        col->exceptions[i].text = walk_text(walk, in);
    }
    return in->failed ? ERR_CORRUPT : 0;
}

static int read_column(struct batch *b, struct reader *in, struct text_walk *walk,
                       uint32_t row_count)
{
    struct column *col = &b->columns[b->column_count];
    if (!read_column_kind(in, col))
        return ERR_CORRUPT;
    b->column_count++;
    uint32_t count = 0;
    if (col->storage == COLUMN_CODES || col->storage == COLUMN_TEXT)
        count = read_count(in, row_count, 1);
    if (count == 0)
        return read_exceptions(b, in, walk, col, row_count);
    /* Dictionary entries, or the values of a text column in the order of its rows. */
    col->entries = arena_array(&b->arena, count + 1, sizeof(*col->entries));
    if (col->entries == NULL)
        return ERR_NOMEM;
    col->entry_count = count;
    for (uint32_t i = 0; i < count; i++)
        col->entries[i] = walk_text(walk, in);
    return read_exceptions(b, in, walk, col, row_count);
}

static int read_extras(struct batch *b, struct reader *in, struct text_walk *walk,
                       uint32_t row_count)
{
    uint32_t count = read_count(in, row_count, 4);
    b->extras = arena_array(&b->arena, count + 1, sizeof(*b->extras));
    if (b->extras == NULL)
        return ERR_NOMEM;
    b->extra_count = count;
    uint64_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t step = reader_varint(in, BATCH_LIVE_ROWS_MAX);
        row += step;
        uint8_t flags = reader_get8(in);
        if (row >= row_count || (i > 0 && step == 0) || flags > 3)
            in->failed = true;
        struct extra *e = &b->extras[i];
        e->row = (uint32_t)row;
        e->null_value = (flags & CODEC_EXTRA_NULL) != 0;
        e->has_key = (flags & CODEC_EXTRA_KEY) != 0;
        e->key = walk_text(walk, in);
        e->headers = walk_text(walk, in);
    }
    return in->failed ? ERR_CORRUPT : 0;
}

/* Verbatim lines wait in line[0, verbatim) until the rows' shapes are known. */
static int read_verbatim(struct batch *b, struct reader *in, struct text_walk *walk,
                         uint32_t row_count, uint32_t *verbatim)
{
    uint32_t count = read_count(in, row_count, 1);
    b->line = arena_array(&b->arena, count + 1, sizeof(*b->line));
    if (b->line == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        b->line[i] = walk_text(walk, in);
    *verbatim = count;
    return in->failed ? ERR_CORRUPT : 0;
}

/* Shapes may only name columns that exist, carry their kind and are no derived ones. */
static bool shapes_fit(const struct batch *b)
{
    for (uint32_t s = 1; s < b->shape_count; s++) {
        for (uint32_t i = 0; i < b->shapes[s].slot_count; i++) {
            const struct shape_slot *slot = &b->shapes[s].slots[i];
            if (slot->column >= b->column_count || b->columns[slot->column].derived ||
                b->columns[slot->column].kind != slot->kind)
                return false;
        }
    }
    return true;
}

static int read_texts(struct batch *b, struct reader *in, struct text_walk *walk,
                      uint32_t row_count)
{
    int status = read_shapes(b, in, walk);
    if (status != 0)
        return status;
    uint32_t columns = read_count(in, BATCH_COLUMNS_MAX, COLUMN_BYTES);
    b->columns = arena_array(&b->arena, columns + 1, sizeof(*b->columns));
    if (b->columns == NULL)
        return ERR_NOMEM;
    b->column_cap = columns;
    for (uint32_t i = 0; i < columns && status == 0; i++)
        status = read_column(b, in, walk, row_count);
    uint32_t verbatim = 0;
    if (status == 0)
        status = read_verbatim(b, in, walk, row_count, &verbatim);
    if (status == 0)
        status = read_extras(b, in, walk, row_count);
    if (status != 0)
        return status;
    b->verbatim_count = (uint16_t)verbatim;
    return in->failed || reader_left(in) != 0 || walk->at != walk->end || !shapes_fit(b)
               ? ERR_CORRUPT
               : 0;
}

/* Unpack a whole part to the end of `out`. */
static int unpack(struct codec *c, struct slice packed, uint32_t len, struct buf *out)
{
    char *to = buf_reserve(out, len);
    if (to == NULL) {
        out->failed = false;
        return ERR_NOMEM;
    }
    size_t got = ZSTD_decompressDCtx(c->dctx, to, len, packed.data, packed.len);
    if (ZSTD_isError(got) || got != len)
        return ERR_CORRUPT;
    out->len += len;
    return 0;
}

/* A part of a pack, and what is kept of it between its batches. */
struct part {
    struct slice packed;
    uint32_t total;
    uint32_t at, len; /* the batch's piece */
    struct buf *cache;
    uint64_t *cached; /* the pack whose part is in the cache */
    bool is_plain;    /* `packed` is the piece as it is */
};

/* Append the batch's piece of a part to `out`. */
static int unpack_piece(struct codec *c, const struct part *part, uint64_t pack, struct buf *out)
{
    if (part->is_plain) {
        buf_slice(out, part->packed);
        return buf_ok(out) ? 0 : ERR_NOMEM;
    }
    if (part->len == part->total)
        return unpack(c, part->packed, part->total, out);
    if (*part->cached != pack || part->cache->len != part->total) {
        *part->cached = 0;
        buf_reset(part->cache);
        int status = unpack(c, part->packed, part->total, part->cache);
        if (status != 0)
            return status;
        *part->cached = pack;
    }
    buf_append(out, part->cache->data + part->at, part->len);
    if (part->cache->len > CODEC_CACHE_BYTES_MAX) {
        buf_release(part->cache);
        *part->cached = 0;
    }
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

static struct part texts_of(struct codec *c, const struct batch_head *head)
{
    return (struct part){.packed = head->texts,
                         .total = head->texts_total,
                         .at = head->texts_at,
                         .len = head->texts_len,
                         .cache = &c->texts_cache,
                         .cached = &c->texts_cached,
                         .is_plain = head->is_plain};
}

static struct part rows_of(struct codec *c, const struct batch_head *head)
{
    return (struct part){.packed = head->rows,
                         .total = head->rows_total,
                         .at = head->rows_at,
                         .len = head->rows_len,
                         .cache = &c->rows_cache,
                         .cached = &c->rows_cached,
                         .is_plain = head->is_plain};
}

int codec_pieces(struct codec *c, const struct batch_head *head, struct buf *out)
{
    struct part texts = texts_of(c, head);
    struct part rows = rows_of(c, head);
    int status = unpack_piece(c, &texts, head->pack_checksum, out);
    return status == 0 ? unpack_piece(c, &rows, head->pack_checksum, out) : status;
}

int pack_copy(struct codec *c, struct pack *p, const struct batch_head *head)
{
    struct part texts = texts_of(c, head);
    struct part rows = rows_of(c, head);
    size_t heads_len = p->heads.len;
    size_t texts_len = p->texts.len;
    size_t rows_len = p->rows.len;
    int status = unpack_piece(c, &texts, head->pack_checksum, &p->texts);
    if (status == 0)
        status = unpack_piece(c, &rows, head->pack_checksum, &p->rows);
    buf_slice(&p->heads, head->written);
    if (status == 0 && !buf_ok(&p->heads))
        status = ERR_NOMEM;
    if (status != 0) {
        p->heads = (struct buf){.data = p->heads.data, .len = heads_len, .cap = p->heads.cap};
        p->texts = (struct buf){.data = p->texts.data, .len = texts_len, .cap = p->texts.cap};
        p->rows = (struct buf){.data = p->rows.data, .len = rows_len, .cap = p->rows.cap};
        return status;
    }
    p->count++;
    return 0;
}

struct batch_head codec_plain_head(const struct batch_head *head, const char *pieces)
{
    struct batch_head plain = *head;
    plain.is_plain = true;
    plain.texts = slice_of(pieces, head->texts_len);
    plain.rows = slice_of(pieces + head->texts_len, head->rows_len);
    return plain;
}

int codec_texts(struct codec *c, const struct batch_head *head, struct batch *out)
{
    out->tenant = head->tenant;
    out->format = head->format;
    out->zone_minutes = head->zone_minutes;
    out->generation = head->generation;
    out->topic = head->topic;
    out->source = head->source;
    out->format_name = head->format_name;
    struct part texts = texts_of(c, head);
    int status = unpack_piece(c, &texts, head->pack_checksum, &out->text);
    if (status != 0)
        return status;
    struct reader in = reader_of(buf_content(&out->text));
    uint32_t meta_len = reader_get32(&in);
    struct slice meta = reader_bytes(&in, meta_len);
    if (in.failed)
        return ERR_CORRUPT;
    struct text_walk walk = {.at = meta_len + 4, .end = (uint32_t)out->text.len};
    in = reader_of(meta);
    return read_texts(out, &in, &walk, head->row_count);
}

static int read_small(struct codec *c, struct reader *in, uint8_t *values, uint32_t n,
                      uint32_t limit)
{
    uint32_t most = reader_get8(in);
    if (most >= limit || unpack_codes(in, c->codes, n, most + 1) != 0)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < n; i++)
        values[i] = (uint8_t)c->codes[i];
    return 0;
}

static int read_runs(struct reader *in, const struct batch_head *head, struct batch *b)
{
    uint32_t count = read_count(in, head->row_count, 3);
    b->runs = arena_array(&b->arena, count + 1, sizeof(*b->runs));
    if (b->runs == NULL)
        return ERR_NOMEM;
    b->run_count = count;
    uint64_t row = 0;
    uint64_t offset = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t partition = reader_varint(in, head->partitions.len / sizeof(int32_t) - 1);
        uint64_t rows = reader_varint(in, head->row_count);
        uint64_t step = reader_varint(in, UINT64_MAX);
        offset += step >> 1 ^ (0 - (step & 1));
        if (in->failed || rows == 0 || row + rows > head->row_count)
            return ERR_CORRUPT;
        b->runs[i] = (struct run){.partition = codec_head_partition(head, partition),
                                  .first_row = (uint32_t)row,
                                  .first_offset = (int64_t)offset,
                                  .count = (uint32_t)rows};
        row += rows;
    }
    return row == head->row_count ? 0 : ERR_CORRUPT;
}

/* Mark the runs in which a record has several lines. */
static void mark_multi(struct batch *b)
{
    for (uint32_t i = 0; i < b->run_count; i++) {
        struct run *run = &b->runs[i];
        for (uint32_t row = run->first_row; row < run->first_row + run->count; row++)
            run->multi |= b->sub[row] != 0;
    }
}

/* Event times are read after the columns where they are an epoch column's. */
struct time_plan {
    uint8_t mode; /* enum codec_time_mode */
    uint16_t column;
};

static int read_times(struct codec *c, struct reader *in, struct batch *b, struct time_plan *plan)
{
    plan->mode = reader_get8(in);
    if (plan->mode == CODEC_TIME_EPOCH) {
        plan->column = (uint16_t)reader_varint(in, BATCH_COLUMNS_MAX - 1);
        if (plan->column >= b->column_count || b->columns[plan->column].type != FIELD_TYPE_EPOCH)
            return ERR_CORRUPT;
    } else if (plan->mode != CODEC_TIME_NUMBERS ||
               unpack_numbers(in, b->time_ns, b->row_count) != 0) {
        return ERR_CORRUPT;
    }
    if (unpack_numbers(in, b->arrival_ns, b->row_count) != 0)
        return ERR_CORRUPT;
    if (reader_get8(in) != 0) {
        if (unpack_numbers(in, c->numbers, b->row_count) != 0)
            return ERR_CORRUPT;
        for (uint32_t row = 0; row < b->row_count; row++)
            b->sub[row] = (uint32_t)c->numbers[row];
        mark_multi(b);
    }
    return in->failed ? ERR_CORRUPT : 0;
}

static int read_codes(struct codec *c, struct reader *in, struct column *col, uint32_t n)
{
    if (n == 0)
        return 0;
    if (unpack_codes(in, c->codes, n, col->entry_count + col->derived) != 0)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t code = c->codes[i];
        col->codes[c->rows[i]] = !col->derived ? code
                                 : code == 0   ? CODE_NONE
                                               : (uint16_t)(code - 1);
    }
    return 0;
}

static int read_numbers(struct codec *c, struct reader *in, struct column *col, uint32_t n)
{
    if (unpack_numbers(in, c->numbers, n) != 0)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < n; i++) {
        int64_t v = c->numbers[i];
        col->numbers[c->rows[i]] = col->derived && v == 0 ? VALUE_NONE : v;
    }
    return 0;
}

static void put_address(struct column *col, uint32_t row, const char *bytes)
{
    if (col->storage == COLUMN_IP4)
        col->ip4[row] = bytes_get32(bytes);
    else
        memcpy(col->ips[row].bytes, bytes, sizeof(col->ips[row].bytes));
    column_set_present(col, row);
}

static int read_addresses(struct codec *c, struct reader *in, struct column *col, uint32_t n)
{
    size_t width = col->storage == COLUMN_IP4 ? 4 : 16;
    uint8_t mode = reader_get8(in);
    if (mode == CODEC_IP_PLAIN) {
        struct slice bytes = reader_bytes(in, n * width);
        for (uint32_t i = 0; !in->failed && i < n; i++)
            put_address(col, c->rows[i], bytes.data + i * width);
        return in->failed ? ERR_CORRUPT : 0;
    }
    uint32_t distinct = read_count(in, n, width);
    struct slice bytes = reader_bytes(in, distinct * width);
    if (in->failed || mode != CODEC_IP_DICTIONARY || unpack_codes(in, c->codes, n, distinct) != 0)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < n; i++)
        put_address(col, c->rows[i], bytes.data + c->codes[i] * width);
    return 0;
}

/* Keep the rows of c->rows[0, n) that are no exceptions. */
static uint32_t keep_canonical(struct codec *c, const struct column *col, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (column_exception(col, c->rows[i]) == NULL)
            c->rows[kept++] = c->rows[i];
    }
    return kept;
}

static int skip_addresses(struct reader *in, const struct column *col, uint32_t n)
{
    size_t width = col->storage == COLUMN_IP4 ? 4 : 16;
    uint8_t mode = reader_get8(in);
    if (mode == CODEC_IP_PLAIN) {
        (void)reader_bytes(in, n * width);
    } else if (mode == CODEC_IP_DICTIONARY) {
        uint32_t distinct = read_count(in, n, width);
        (void)reader_bytes(in, distinct * width);
        skip_codes(in, n, distinct);
    } else {
        return ERR_CORRUPT;
    }
    return in->failed ? ERR_CORRUPT : 0;
}

/* Walk over the rows of a column that nobody asked for. */
static int skip_column(struct reader *in, const struct batch *b, const struct bound *bound,
                       uint32_t column)
{
    const struct column *col = &b->columns[column];
    uint32_t n = bound_count(bound, column);
    if (col->exception_count > n)
        return ERR_CORRUPT;
    n -= col->exception_count;
    switch ((enum column_storage)col->storage) {
    case COLUMN_CODES:
        if (n != 0)
            skip_codes(in, n, col->entry_count + col->derived);
        break;
    case COLUMN_TEXT:
        return n == col->entry_count ? 0 : ERR_CORRUPT;
    case COLUMN_INT:
        skip_numbers(in, n);
        break;
    case COLUMN_IP4:
    case COLUMN_IP:
        return skip_addresses(in, col, n);
    }
    return in->failed ? ERR_CORRUPT : 0;
}

static int read_column_rows(struct codec *c, struct reader *in, struct batch *b,
                            const struct bound *bound, uint32_t column)
{
    struct column *col = &b->columns[column];
    uint32_t n = bound_rows(bound, column, c->rows);
    col->value_count = col->derived ? 0 : n;
    int status = column_reserve(b, col);
    if (status != 0)
        return status;
    if (col->exception_count != 0)
        n = keep_canonical(c, col, n);
    switch ((enum column_storage)col->storage) {
    case COLUMN_CODES:
        return read_codes(c, in, col, n);
    case COLUMN_TEXT:
        if (n != col->entry_count)
            return ERR_CORRUPT;
        for (uint32_t i = 0; i < n; i++)
            col->spans[c->rows[i]] = col->entries[i];
        col->entry_count = 0;
        return 0;
    case COLUMN_INT:
        status = read_numbers(c, in, col, n);
        break;
    case COLUMN_IP4:
    case COLUMN_IP:
        status = read_addresses(c, in, col, n);
        break;
    }
    if (status == 0 && col->value_count != n + col->exception_count && !col->derived)
        status = ERR_CORRUPT;
    if (status == 0)
        column_take_exceptions(b, col);
    return status;
}

/* Give each verbatim row its line. */
static int place_verbatim(struct batch *b, const struct span *lines, uint32_t verbatim)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < b->row_count; row++)
        count += b->shape[row] == 0;
    if (count != verbatim)
        return ERR_CORRUPT;
    for (uint32_t row = b->row_count; row-- > 0;) {
        if (b->shape[row] == 0)
            b->line[row] = lines[--count];
    }
    return 0;
}

/* The event times are those of a column. */
static void take_epochs(struct batch *b, const struct column *epoch)
{
    for (uint32_t row = 0; row < b->row_count; row++)
        b->time_ns[row] = value_epoch_ns(epoch->numbers[row], epoch->epoch_form);
}

/* Rows of all columns, or of those wanted and of the one that gives the time. */
static int read_columns(struct codec *c, struct reader *in, struct batch *b,
                        const struct time_plan *plan, const struct column_mask *only)
{
    struct bound bound;
    int status = bound_init(&bound, b, b);
    for (uint32_t i = 0; i < b->column_count && status == 0; i++) {
        bool is_time = plan->mode == CODEC_TIME_EPOCH && plan->column == i;
        if (only == NULL || is_time || column_mask_has(only, i))
            status = read_column_rows(c, in, b, &bound, i);
        else
            status = skip_column(in, b, &bound, i);
    }
    return status;
}

/* Arrays for the rows, none yet for those of columns; the verbatim lines are kept in *lines. */
static int reserve_rows(struct batch *b, uint32_t row_count, const struct span **lines)
{
    uint32_t columns = b->column_count;
    *lines = b->line;
    b->column_count = 0;
    int status = batch_reserve_rows(b, row_count);
    b->column_count = columns;
    b->row_count = row_count;
    return status;
}

static int read_rows(struct codec *c, struct reader *in, const struct batch_head *head,
                     struct batch *b, const struct column_mask *only)
{
    const struct span *lines = NULL;
    int status = reserve_rows(b, head->row_count, &lines);
    if (status != 0)
        return status;
    if (unpack_codes(in, c->codes, b->row_count, b->shape_count) != 0)
        return ERR_CORRUPT;
    for (uint32_t row = 0; row < b->row_count; row++) {
        b->shape[row] = (uint8_t)c->codes[row];
        b->shapes[c->codes[row]].row_count++;
    }
    struct time_plan plan = {0};
    if (place_verbatim(b, lines, b->verbatim_count) != 0 ||
        read_small(c, in, b->reason, b->row_count, UINT8_MAX + 1) != 0 ||
        read_small(c, in, b->time_source, b->row_count, TIME_SOURCE_COUNT) != 0 ||
        read_small(c, in, b->verdict, b->row_count, UINT8_MAX + 1) != 0)
        return ERR_CORRUPT;
    status = read_runs(in, head, b);
    if (status == 0)
        status = read_times(c, in, b, &plan);
    if (status == 0)
        status = read_columns(c, in, b, &plan, only);
    if (status != 0)
        return status;
    if (plan.mode == CODEC_TIME_EPOCH)
        take_epochs(b, &b->columns[plan.column]);
    return in->failed || reader_left(in) != 0 ? ERR_CORRUPT : 0;
}

int codec_rows(struct codec *c, const struct batch_head *head, struct batch *out,
               const struct column_mask *only)
{
    buf_reset(&c->plain);
    struct part rows = rows_of(c, head);
    int status = unpack_piece(c, &rows, head->pack_checksum, &c->plain);
    if (status != 0)
        return status;
    struct reader in = reader_of(buf_content(&c->plain));
    return read_rows(c, &in, head, out, only);
}
