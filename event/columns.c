#include "event/columns.h"

#include <assert.h>

#include "base/err.h"

static const uint32_t ROW_STEPS[] = {64, 512, BATCH_LIVE_ROWS_MAX};

size_t column_width(uint8_t storage)
{
    static const size_t WIDTH[] = {
        [COLUMN_CODES] = sizeof(uint16_t), [COLUMN_TEXT] = sizeof(struct span),
        [COLUMN_INT] = sizeof(int64_t),    [COLUMN_IP4] = sizeof(uint32_t),
        [COLUMN_IP] = sizeof(struct ip),
    };
    return WIDTH[storage];
}

void *batch_array_grow(struct batch *b, void *items, uint32_t *cap, uint32_t need, size_t size)
{
    if (need <= *cap)
        return items;
    uint32_t bigger = *cap < 8 ? 8 : *cap * 2;
    if (bigger < need)
        bigger = need;
    void *grown = arena_array(&b->arena, bigger, size);
    if (grown == NULL)
        return NULL;
    if (*cap != 0)
        memcpy(grown, items, *cap * size);
    *cap = bigger;
    return grown;
}

/* A larger copy of a row array, or NULL; new rows are zero. */
static void *rows_grow(struct batch *b, const void *items, uint32_t cap, size_t size)
{
    void *grown = arena_array(&b->arena, cap, size);
    if (grown != NULL && b->row_count != 0)
        memcpy(grown, items, b->row_count * size);
    return grown;
}

static void column_blank(struct column *c, uint32_t from, uint32_t to)
{
    switch ((enum column_storage)c->storage) {
    case COLUMN_CODES:
        memset(c->codes + from, 0xff, (to - from) * sizeof(*c->codes));
        break;
    case COLUMN_TEXT:
        memset(c->spans + from, 0xff, (to - from) * sizeof(*c->spans));
        break;
    case COLUMN_INT:
        for (uint32_t row = from; row < to; row++)
            c->numbers[row] = VALUE_NONE;
        break;
    case COLUMN_IP4:
    case COLUMN_IP:
        break;
    }
}

static_assert(CODE_NONE == 0xffff && SPAN_NONE == 0xffffffff, "blank rows are made by memset");

static int column_grow(struct batch *b, struct column *c, uint32_t cap)
{
    const bool addresses = c->storage == COLUMN_IP4 || c->storage == COLUMN_IP;
    const size_t width = column_width(c->storage);
    /* What is not addresses is written below from end to end. */
    void *rows = (addresses ? arena_alloc : arena_take)(&b->arena, cap * width);
    if (rows == NULL)
        return ERR_NOMEM;
    if (c->row_cap != 0)
        memcpy(rows, c->rows, c->row_cap * width);
    if (addresses) {
        uint64_t *present = arena_array(&b->arena, (cap + 63) / 64, sizeof(*present));
        if (present == NULL)
            return ERR_NOMEM;
        if (c->row_cap != 0)
            memcpy(present, c->present, (c->row_cap + 63) / 64 * sizeof(*present));
        c->present = present;
    }
    c->rows = rows;
    column_blank(c, c->row_cap, cap);
    c->row_cap = cap;
    return 0;
}

int batch_reserve_rows(struct batch *b, uint32_t rows)
{
    if (rows > BATCH_ROWS_MAX)
        return ERR_RANGE;
    b->time_ns = rows_grow(b, b->time_ns, rows, sizeof(*b->time_ns));
    b->arrival_ns = rows_grow(b, b->arrival_ns, rows, sizeof(*b->arrival_ns));
    b->shape = rows_grow(b, b->shape, rows, sizeof(*b->shape));
    b->reason = rows_grow(b, b->reason, rows, sizeof(*b->reason));
    b->time_source = rows_grow(b, b->time_source, rows, sizeof(*b->time_source));
    b->verdict = rows_grow(b, b->verdict, rows, sizeof(*b->verdict));
    b->sub = rows_grow(b, b->sub, rows, sizeof(*b->sub));
    b->order = rows_grow(b, b->order, rows, sizeof(*b->order));
    b->line = rows_grow(b, b->line, rows, sizeof(*b->line));
    /* Without memory the batch is lost as a whole: its arrays have gone. */
    if (b->time_ns == NULL || b->arrival_ns == NULL || b->shape == NULL || b->reason == NULL ||
        b->time_source == NULL || b->verdict == NULL || b->sub == NULL || b->order == NULL ||
        b->line == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (column_grow(b, &b->columns[i], rows) != 0)
            return ERR_NOMEM;
    }
    b->row_cap = rows;
    return 0;
}

int batch_reserve_row(struct batch *b)
{
    if (b->row_count < b->row_cap)
        return 0;
    for (size_t i = 0; i < sizeof(ROW_STEPS) / sizeof(ROW_STEPS[0]); i++) {
        if (ROW_STEPS[i] > b->row_cap)
            return batch_reserve_rows(b, ROW_STEPS[i]);
    }
    return ERR_RANGE;
}

int batch_column_add(struct batch *b, const struct column *like)
{
    if (b->column_count == BATCH_COLUMNS_MAX)
        return ERR_RANGE;
    struct column *columns =
        batch_array_grow(b, b->columns, &b->column_cap, b->column_count + 1, sizeof(*columns));
    if (columns == NULL)
        return ERR_NOMEM;
    b->columns = columns;
    struct column *c = &b->columns[b->column_count];
    *c = (struct column){.field = like->field,
                         .ordinal = like->ordinal,
                         .kind = like->kind,
                         .type = like->type,
                         .storage = like->storage,
                         .epoch_form = like->epoch_form,
                         .derived = like->derived};
    if (column_grow(b, c, b->row_cap) != 0)
        return ERR_NOMEM;
    return (int)b->column_count++;
}

int column_reserve(struct batch *b, struct column *c)
{
    return c->row_cap < b->row_cap ? column_grow(b, c, b->row_cap) : 0;
}

int column_widen(struct batch *b, struct column *c)
{
    struct ip *ips = arena_array(&b->arena, c->row_cap, sizeof(*ips));
    if (ips == NULL)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < c->row_cap; row++) {
        if (column_is_present(c, row))
            ips[row] = ip_from_v4(c->ip4[row]);
    }
    c->ips = ips;
    c->storage = COLUMN_IP;
    return 0;
}

void column_take_exceptions(struct batch *b, struct column *col)
{
    for (uint32_t i = 0; i < col->exception_count; i++) {
        struct slice text = batch_span(b, col->exceptions[i].text);
        uint32_t row = col->exceptions[i].row;
        struct ip ip;
        int64_t number = VALUE_NONE;
        enum epoch_form form = EPOCH_DIGITS;
        if (col->type == FIELD_TYPE_IP && ip_parse(text, &ip) != VALUE_INVALID) {
            if (col->storage == COLUMN_IP)
                col->ips[row] = ip;
            else if (ip_is_v4(&ip))
                col->ip4[row] = ip_v4(&ip);
            else
                continue;
            column_set_present(col, row);
        } else if ((col->type == FIELD_TYPE_INT && value_int(text, &number) != VALUE_INVALID) ||
                   (col->type == FIELD_TYPE_EPOCH &&
                    value_epoch(text, &number, &form) != VALUE_INVALID &&
                    form == col->epoch_form)) {
            col->numbers[row] = number;
        }
    }
}
