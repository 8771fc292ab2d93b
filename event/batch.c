#include "event/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"

struct batch *batch_new(void)
{
    struct batch *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    b->hash_seed = hash_seed();
    batch_reset(b);
    return b;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    buf_release(&b->text);
    buf_release(&b->skeleton);
    arena_release(&b->arena);
    free(b);
}

void batch_reset(struct batch *b)
{
    struct buf text = b->text;
    struct buf skeleton = b->skeleton;
    struct arena arena = b->arena;
    uint64_t seed = b->hash_seed;
    buf_reset(&text);
    buf_reset(&skeleton);
    arena_reset(&arena);
    *b = (struct batch){.text = text, .skeleton = skeleton, .arena = arena, .hash_seed = seed};
}

size_t batch_held_bytes(const struct batch *b)
{
    return sizeof(*b) + b->text.cap + b->skeleton.cap + b->arena.held_bytes;
}

static const struct run *run_of(const struct batch *b, uint32_t row)
{
    uint32_t low = 0;
    uint32_t high = b->run_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (b->runs[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return &b->runs[low];
}

void batch_place(const struct batch *b, uint32_t row, int32_t *partition, int64_t *offset)
{
    const struct run *run = run_of(b, row);
    int64_t at = run->first_offset;
    if (!run->multi) {
        at += row - run->first_row;
    } else {
        for (uint32_t r = run->first_row + 1; r <= row; r++)
            at += b->sub[r] == 0;
    }
    *partition = run->partition;
    *offset = at;
}

struct slice batch_field_name(const struct batch *b, uint16_t field, struct buf *scratch)
{
    if (field < FIELD_LOCAL_FIRST) {
        const struct field_info *info = field_info(field);
        return info == NULL ? SLICE("") : info->name;
    }
    uint32_t name = (uint32_t)field - FIELD_LOCAL_FIRST;
    buf_reset(scratch);
    buf_slice(scratch, b->format_name);
    buf_byte(scratch, '.');
    if (name < b->name_count)
        buf_slice(scratch, batch_span(b, b->names[name]));
    return buf_content(scratch);
}

const struct exception *column_exception(const struct column *c, uint32_t row)
{
    uint32_t low = 0;
    uint32_t high = c->exception_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->exceptions[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->exception_count && c->exceptions[low].row == row ? &c->exceptions[low] : NULL;
}

static void epoch_print(struct buf *out, int64_t value, uint8_t form)
{
    if (form == EPOCH_DIGITS) {
        buf_decimal(out, value);
        return;
    }
    buf_decimal(out, value / 1000);
    char rest[4] = {'.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
                    (char)('0' + value % 10)};
    buf_append(out, rest, sizeof(rest));
}

static bool address_present(const struct column *c, uint32_t row)
{
    return (c->present[row / 64] >> (row % 64) & 1) != 0;
}

/* Print a value that is not in text; false when the row has none. */
static bool typed_print(const struct column *c, uint32_t row, struct buf *out)
{
    switch ((enum column_storage)c->storage) {
    case COLUMN_INT:
        if (c->numbers[row] == VALUE_NONE)
            return false;
        if (c->type == FIELD_TYPE_EPOCH)
            epoch_print(out, c->numbers[row], c->epoch_form);
        else
            buf_decimal(out, c->numbers[row]);
        return true;
    case COLUMN_IP4:
        if (!address_present(c, row))
            return false;
        ip4_print(out, c->ip4[row]);
        return true;
    case COLUMN_IP:
        if (!address_present(c, row))
            return false;
        ip_print(out, &c->ips[row]);
        return true;
    case COLUMN_CODES:
    case COLUMN_TEXT:
        break;
    }
    return false;
}

bool batch_value(const struct batch *b, const struct column *c, uint32_t row, struct buf *scratch,
                 struct slice *out)
{
    if (c->storage == COLUMN_CODES) {
        uint16_t code = c->codes[row];
        if (code == CODE_NONE)
            return false;
        *out = batch_span(b, c->entries[code]);
        return true;
    }
    if (c->storage == COLUMN_TEXT) {
        if (c->spans[row].len == SPAN_NONE)
            return false;
        *out = batch_span(b, c->spans[row]);
        return true;
    }
    const struct exception *e = c->exception_count == 0 ? NULL : column_exception(c, row);
    if (e != NULL) {
        *out = batch_span(b, e->text);
        return true;
    }
    buf_reset(scratch);
    if (!typed_print(c, row, scratch))
        return false;
    *out = buf_content(scratch);
    return true;
}

/* Where a row is written to: room up to `end`, and PEN_SLACK_BYTES behind it. */
struct pen {
    struct buf *out;
    char *at;
    char *end;
};

enum {
    PEN_SLACK_BYTES = 64,
    PEN_COPY_BYTES = 32, /* at a time; what is read beyond the text is padding */
    PEN_FIRST_BYTES = 2048,
};

static bool pen_room(struct pen *p, size_t len)
{
    if (p->at != NULL)
        p->out->len = (size_t)(p->at - p->out->data);
    size_t more = len < PEN_FIRST_BYTES ? PEN_FIRST_BYTES : len;
    p->at = buf_reserve(p->out, more + PEN_SLACK_BYTES);
    p->end = p->at == NULL ? NULL : p->at + more;
    return p->at != NULL;
}

/* Of a batch's texts or skeletons, which have SLICE_PADDING_BYTES behind them. */
static inline bool pen_copy(struct pen *p, const char *from, size_t len)
{
    if (len > (size_t)(p->end - p->at) && !pen_room(p, len))
        return false;
    if (len > PEN_COPY_BYTES)
        memcpy(p->at, from, len);
    else if (len != 0)
        memcpy(p->at, from, PEN_COPY_BYTES);
    p->at += len;
    return true;
}

static_assert((int)PEN_COPY_BYTES <= (int)SLICE_PADDING_BYTES, "copies read padding");

/* A value that no text stands for, printed. */
static bool pen_typed(struct pen *p, const struct column *c, uint32_t row)
{
    if (PEN_SLACK_BYTES > p->end - p->at && !pen_room(p, PEN_SLACK_BYTES))
        return false;
    if (c->storage == COLUMN_INT && c->type == FIELD_TYPE_INT) {
        if (c->numbers[row] != VALUE_NONE)
            p->at = value_put_int(p->at, c->numbers[row]);
        return true;
    }
    if (c->storage == COLUMN_IP4) {
        if (address_present(c, row))
            p->at = value_put_ip4(p->at, c->ip4[row]);
        return true;
    }
    p->out->len = (size_t)(p->at - p->out->data);
    (void)typed_print(c, row, p->out);
    p->at = NULL;
    return pen_room(p, PEN_SLACK_BYTES);
}

/* A bound value as written. */
static inline bool pen_value(struct pen *p, const struct batch *b, const struct column *c,
                             uint32_t row)
{
    struct span span = {.len = SPAN_NONE};
    if (c->storage == COLUMN_CODES && c->codes[row] != CODE_NONE)
        span = c->entries[c->codes[row]];
    else if (c->storage == COLUMN_TEXT)
        span = c->spans[row];
    else if (c->storage > COLUMN_TEXT) {
        const struct exception *e = c->exception_count == 0 ? NULL : column_exception(c, row);
        if (e == NULL)
            return pen_typed(p, c, row);
        span = e->text;
    }
    return span.len == SPAN_NONE || pen_copy(p, b->text.data + span.offset, span.len);
}

int batch_render(const struct batch *b, uint32_t row, struct buf *out)
{
    if (b->live || b->shape[row] == 0) {
        buf_slice(out, batch_span(b, b->line[row]));
        return buf_ok(out) ? 0 : ERR_NOMEM;
    }
    const struct shape *shape = &b->shapes[b->shape[row]];
    struct pen p = {.out = out};
    bool ok = pen_room(&p, PEN_FIRST_BYTES);
    for (uint32_t i = 0; i < shape->slot_count && ok; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        ok = pen_copy(&p, b->skeleton.data + slot->piece, slot->piece_len) &&
             pen_value(&p, b, &b->columns[slot->column], row);
    }
    if (!ok || !pen_copy(&p, b->skeleton.data + shape->tail, shape->tail_len))
        return ERR_NOMEM;
    out->len = (size_t)(p.at - out->data);
    return 0;
}
