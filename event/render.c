/* event/render.c - rows back to lines: skeleton and values in turns. */
#include <assert.h>

#include "base/err.h"
#include "event/columns.h"
#include "event/renderer.h"

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
    CONSTANT_BYTES_MAX = 256, /* a longer text is copied from where it is */
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
        if (column_is_present(c, row))
            p->at = value_put_ip4(p->at, c->ip4[row]);
        return true;
    }
    p->out->len = (size_t)(p->at - p->out->data);
    (void)column_print(c, row, p->out);
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

void renderer_release(struct renderer *r)
{
    arena_release(&r->arena);
    buf_release(&r->text);
}

int renderer_begin(struct renderer *r, const struct batch *b, const struct ties *ties)
{
    arena_reset(&r->arena);
    buf_reset(&r->text);
    r->batch = b;
    r->ties = ties;
    r->shapes = arena_array(&r->arena, b->shape_count + 1U, sizeof(*r->shapes));
    return r->shapes == NULL || buf_reserve(&r->text, 1) == NULL ? ERR_NOMEM : 0;
}

/* Append what all rows of a shape have in a column; false when they differ, or it is long. */
static bool put_tied(struct renderer *r, uint32_t shape, uint32_t column)
{
    const struct column *c = &r->batch->columns[column];
    const int64_t *tied = ties_of(r->ties, column);
    if (tied == NULL)
        return false;
    if (tied[shape] == TIE_NONE)
        return true;
    if (c->storage == COLUMN_INT) {
        buf_decimal(&r->text, tied[shape]);
        return true;
    }
    struct span text = c->entries[tied[shape]];
    if (text.len > CONSTANT_BYTES_MAX)
        return false;
    buf_slice(&r->text, batch_span(r->batch, text));
    return true;
}

/* The steps of a shape: bytes that are the same in all its rows, then a value that is not. */
static int learn_shape(struct renderer *r, uint32_t number)
{
    const struct batch *b = r->batch;
    const struct shape *from = &b->shapes[number];
    struct render_shape *to = &r->shapes[number];
    struct buf *text = &r->text;
    to->steps = arena_array(&r->arena, from->slot_count + 1U, sizeof(*to->steps));
    if (to->steps == NULL)
        return ERR_NOMEM;
    size_t start = text->len;
    size_t at = start;
    for (uint32_t i = 0; i < from->slot_count; i++) {
        const struct shape_slot *slot = &from->slots[i];
        buf_append(text, b->skeleton.data + slot->piece, slot->piece_len);
        if (put_tied(r, number, slot->column))
            continue;
        to->steps[to->count++] = (struct render_step){
            .column = slot->column, .piece = (uint32_t)at, .piece_len = (uint32_t)(text->len - at)};
        at = text->len;
    }
    buf_append(text, b->skeleton.data + from->tail, from->tail_len);
    to->tail = (struct span){.offset = (uint32_t)at, .len = (uint32_t)(text->len - at)};
    to->room = text->len - start + (to->count + (size_t)1) * (PEN_SLACK_BYTES + PEN_COPY_BYTES);
    to->known = true;
    return buf_ok(text) && text->len < UINT32_MAX ? 0 : ERR_NOMEM;
}

/* Bytes with padding behind them, to where there is room for 32 more than they are. */
static inline char *copy_padded(char *to, const char *from, size_t len)
{
    char *end = to + len;
    do {
        memcpy(to, from, PEN_COPY_BYTES);
        to += PEN_COPY_BYTES;
        from += PEN_COPY_BYTES;
    } while (to < end);
    return end;
}

/* A number or address that is printed in a few bytes; NULL when it is another. */
static inline char *print_short(char *to, const struct column *c, uint32_t row)
{
    if (c->storage == COLUMN_INT && (c->type == FIELD_TYPE_INT || c->epoch_form == EPOCH_DIGITS))
        return c->numbers[row] == VALUE_NONE ? to : value_put_int(to, c->numbers[row]);
    if (c->storage == COLUMN_IP4)
        return column_is_present(c, row) ? value_put_ip4(to, c->ip4[row]) : to;
    if (c->storage == COLUMN_IP && column_is_present(c, row) && ip_is_v4(&c->ips[row]))
        return value_put_ip4(to, ip_v4(&c->ips[row]));
    return NULL;
}

/* The text of a row's value; false where it is to be printed. */
static inline bool value_text(const struct column *c, uint32_t row, struct span *out)
{
    *out = (struct span){.len = SPAN_NONE};
    if (c->storage == COLUMN_CODES) {
        if (c->codes[row] != CODE_NONE)
            *out = c->entries[c->codes[row]];
        return true;
    }
    if (c->storage == COLUMN_TEXT) {
        *out = c->spans[row];
        return true;
    }
    const struct exception *e = c->exception_count == 0 ? NULL : column_exception(c, row);
    if (e != NULL)
        *out = e->text;
    return e != NULL;
}

/* What takes more room than was made: `need` bytes of it follow. */
static char *put_long(struct buf *out, const char *at, const struct batch *b, struct span text,
                      size_t need)
{
    out->len = (size_t)(at - out->data);
    buf_slice(out, batch_span(b, text));
    return buf_reserve(out, need);
}

static char *print_long(struct buf *out, const char *at, const struct column *c, uint32_t row,
                        size_t need)
{
    out->len = (size_t)(at - out->data);
    (void)column_print(c, row, out);
    return buf_reserve(out, need);
}

int renderer_row(struct renderer *r, uint32_t row, struct buf *out)
{
    const struct batch *b = r->batch;
    const struct render_shape *shape = &r->shapes[b->shape[row]];
    if (b->live || b->shape[row] == 0)
        return batch_render(b, row, out);
    if (!shape->known && learn_shape(r, b->shape[row]) != 0)
        return ERR_NOMEM;
    char *at = buf_reserve(out, shape->room);
    for (uint32_t i = 0; i < shape->count && at != NULL; i++) {
        const struct render_step *step = &shape->steps[i];
        const struct column *c = &b->columns[step->column];
        struct span text;
        at = copy_padded(at, r->text.data + step->piece, step->piece_len);
        if (!value_text(c, row, &text)) {
            char *end = print_short(at, c, row);
            at = end != NULL ? end : print_long(out, at, c, row, shape->room);
        } else if (text.len != 0 && text.len <= PEN_SLACK_BYTES) {
            at = copy_padded(at, b->text.data + text.offset, text.len);
        } else if (text.len != 0 && text.len != SPAN_NONE) {
            at = put_long(out, at, b, text, shape->room);
        }
    }
    if (at == NULL)
        return ERR_NOMEM;
    at = copy_padded(at, r->text.data + shape->tail.offset, shape->tail.len);
    out->len = (size_t)(at - out->data);
    return 0;
}
