#include "event/row_hash.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

/* What a term is of; arbitrary odd numbers. */
#define SALT_VALUE  UINT64_C(0x9E3779B97F4A7C15)
#define SALT_TIME   UINT64_C(0xD6E8FEB86659FD93)
#define SALT_ARRIVE UINT64_C(0xA0761D6478BD642F)
#define SALT_PLACE  UINT64_C(0xE7037ED1A0B428DB)
#define SALT_BYTES  UINT64_C(0x8EBC6AF09C88C6E3)
#define SALT_SHAPE  UINT64_C(0x589965CC75374CC3)

void row_hasher_release(struct row_hasher *h)
{
    arena_release(&h->arena);
    buf_release(&h->name);
}

/* Two numbers to one that tells nothing of either: both halves of their product. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)(a ^ SALT_VALUE) * (b ^ SALT_BYTES);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* What a column is, by name: numbers of unnamed fields differ from batch to batch. */
static uint64_t column_id(struct row_hasher *h, const struct batch *b, const struct column *c)
{
    const char what[] = {(char)c->ordinal, (char)c->kind, (char)c->type, (char)c->derived,
                         (char)c->epoch_form};
    uint64_t id = hash_bytes(SALT_VALUE, what, sizeof(what));
    if (c->field < FIELD_LOCAL_FIRST)
        return mix(id, c->field);
    return hash_slice(id, batch_field_name(b, c->field, &h->name));
}

static uint64_t text_term(uint64_t id, const struct batch *b, struct span span)
{
    return mix(id, hash_slice(id, batch_span(b, span)));
}

static uint64_t ip_term(uint64_t id, const struct ip *ip)
{
    if (ip_is_v4(ip))
        return mix(id, ip_v4(ip));
    return mix(id, hash_bytes(id, ip->bytes, sizeof(ip->bytes)));
}

static int add_codes(struct row_hasher *h, const struct batch *b, const struct column *c,
                     uint64_t id, uint64_t *out)
{
    uint64_t *terms = arena_array(&h->arena, c->entry_count + 1U, sizeof(*terms));
    if (terms == NULL)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < b->row_count; row++) {
        uint16_t code = c->codes[row];
        if (code == CODE_NONE)
            continue;
        if (terms[code] == 0)
            terms[code] = text_term(id, b, c->entries[code]);
        out[row] += terms[code];
    }
    return 0;
}

static void add_texts(const struct batch *b, const struct column *c, uint64_t id, uint64_t *out)
{
    struct span before = {.len = SPAN_NONE};
    uint64_t term = 0;
    for (uint32_t row = 0; row < b->row_count; row++) {
        struct span span = c->spans[row];
        if (span.len == SPAN_NONE)
            continue;
        if (span.offset != before.offset || span.len != before.len)
            term = text_term(id, b, span);
        before = span;
        out[row] += term;
    }
}

/* The term of a value that is no text; 0: the row has none. */
static uint64_t typed_term(const struct column *c, uint64_t id, uint32_t row)
{
    if (c->storage == COLUMN_INT)
        return c->numbers[row] == VALUE_NONE ? 0 : mix(id, (uint64_t)c->numbers[row]);
    if ((c->present[row / 64] >> (row % 64) & 1) == 0)
        return 0;
    return c->storage == COLUMN_IP4 ? mix(id, c->ip4[row]) : ip_term(id, &c->ips[row]);
}

static void add_typed(const struct batch *b, const struct column *c, uint64_t id, uint64_t *out)
{
    for (uint32_t row = 0; row < b->row_count && c->storage == COLUMN_INT; row++)
        out[row] += c->numbers[row] == VALUE_NONE ? 0 : mix(id, (uint64_t)c->numbers[row]);
    for (uint32_t row = 0; row < b->row_count && c->storage != COLUMN_INT; row++)
        out[row] += typed_term(c, id, row);
    /* What is not canonical is its text; the value beside it follows from that. */
    for (uint32_t i = 0; i < c->exception_count; i++) {
        uint32_t row = c->exceptions[i].row;
        out[row] += text_term(~id, b, c->exceptions[i].text) - typed_term(c, id, row);
    }
}

static int add_column(struct row_hasher *h, const struct batch *b, const struct column *c,
                      uint64_t id, uint64_t *out)
{
    if (c->storage == COLUMN_CODES)
        return add_codes(h, b, c, id, out);
    if (c->storage == COLUMN_TEXT)
        add_texts(b, c, id, out);
    else
        add_typed(b, c, id, out);
    return 0;
}

/* A skeleton, and which column each of its values is in; ids: of the batch's columns. */
static uint64_t shape_term(const struct batch *b, const struct shape *shape, const uint64_t *ids)
{
    uint64_t term = mix(SALT_SHAPE, shape->slot_count);
    for (uint32_t i = 0; i < shape->slot_count; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        term = hash_bytes(term, b->skeleton.data + slot->piece, slot->piece_len);
        term = mix(term, (uint64_t)slot->field << 8 | slot->kind);
        term = mix(term, ids[slot->column]);
    }
    return hash_bytes(term, b->skeleton.data + shape->tail, shape->tail_len);
}

/* Add what a tied column says to the term of each shape. */
static void add_tied(const struct batch *b, uint32_t column, const struct ties *ties, uint64_t id,
                     uint64_t *terms)
{
    const struct column *c = &b->columns[column];
    const int64_t *tied = ties_of(ties, column);
    int64_t before = TIE_NONE;
    uint64_t term = 0;
    for (uint32_t s = 0; s < b->shape_count; s++) {
        if (ties->first_rows[s] == TIES_NO_ROW || tied[s] == TIE_NONE)
            continue;
        if (tied[s] != before)
            term = c->storage == COLUMN_INT ? mix(id, (uint64_t)tied[s])
                                            : text_term(id, b, c->entries[tied[s]]);
        before = tied[s];
        terms[s] += term;
    }
}

/* What rows of each shape have in common: the skeleton, and columns that say the same in all of them. */
static int add_shapes(struct row_hasher *h, const struct batch *b, const struct ties *ties,
                      const uint64_t *ids, uint64_t *out)
{
    uint64_t *terms = arena_array(&h->arena, b->shape_count + 1U, sizeof(*terms));
    if (terms == NULL)
        return ERR_NOMEM;
    for (uint32_t s = 1; s < b->shape_count; s++)
        terms[s] = ties->first_rows[s] == TIES_NO_ROW ? 0 : shape_term(b, &b->shapes[s], ids);
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (ties_of(ties, i) != NULL)
            add_tied(b, i, ties, ids[i], terms);
    }
    for (uint32_t row = 0; row < b->row_count; row++)
        out[row] += terms[b->shape[row]];
    for (uint32_t row = 0; row < b->row_count && ties->first_rows[0] != TIES_NO_ROW; row++)
        out[row] += b->shape[row] != 0 ? 0 : text_term(SALT_SHAPE, b, b->line[row]);
    return 0;
}

static void add_rest(const struct batch *b, uint64_t *out)
{
    for (uint32_t row = 0; row < b->row_count; row++) {
        uint64_t small = (uint64_t)b->reason[row] << 16 | (uint64_t)b->time_source[row] << 8 |
                         b->verdict[row] | (uint64_t)b->sub[row] << 32;
        out[row] += mix(SALT_TIME, (uint64_t)b->time_ns[row]) + mix(SALT_BYTES, small) +
                    mix(SALT_ARRIVE, (uint64_t)b->arrival_ns[row]);
    }
    for (uint32_t i = 0; i < b->extra_count; i++) {
        const struct extra *e = &b->extras[i];
        uint64_t what = (e->null_value ? 1 : 0) | (e->has_key ? 2 : 0);
        out[e->row] += mix(text_term(what, b, e->key), text_term(SALT_PLACE, b, e->headers));
    }
}

static void add_places(const struct batch *b, uint64_t *out)
{
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        uint64_t partition = SALT_PLACE + (uint32_t)run->partition;
        uint64_t offset = (uint64_t)run->first_offset;
        for (uint32_t row = run->first_row; row < run->first_row + run->count; row++) {
            if (row != run->first_row)
                offset += !run->multi || b->sub[row] == 0;
            out[row] += mix(partition, offset);
        }
    }
}

int row_hashes(struct row_hasher *h, const struct batch *b, const struct ties *ties, uint64_t *out)
{
    arena_reset(&h->arena);
    uint64_t *ids = arena_array(&h->arena, b->column_count + 1U, sizeof(*ids));
    if (ids == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < b->column_count; i++)
        ids[i] = column_id(h, b, &b->columns[i]);
    memset(out, 0, b->row_count * sizeof(*out));
    add_rest(b, out);
    add_places(b, out);
    int err = add_shapes(h, b, ties, ids, out);
    for (uint32_t i = 0; i < b->column_count && err == 0; i++)
        err = ties_of(ties, i) != NULL ? 0 : add_column(h, b, &b->columns[i], ids[i], out);
    return err == 0 && !buf_ok(&h->name) ? ERR_NOMEM : err;
}
