#include "app/row_text.h"

#include "base/clock.h"
#include "base/escape.h"

void row_fields_release(struct row_fields *f)
{
    buf_release(&f->scratch);
    buf_release(&f->decoded);
}

void row_fields_batch(struct row_fields *f, const struct batch *b, const uint16_t *fields,
                      size_t count)
{
    f->batch = b;
    for (size_t i = 0; i < count && i < ROW_FIELDS_MAX; i++) {
        struct row_columns *c = &f->columns[i];
        c->count = 0;
        for (uint32_t k = 0; k < b->column_count && c->count < ROW_FIELD_COLUMNS_MAX; k++) {
            if (b->columns[k].field == fields[i])
                c->items[c->count++] = &b->columns[k];
        }
    }
}

/* A value of one column; false when the row has none, or only one that is not valid for its type. */
static bool column_text(struct row_fields *f, const struct column *c, uint32_t row,
                        struct slice *out)
{
    buf_reset(&f->scratch);
    if (c->storage == COLUMN_IP4 || c->storage == COLUMN_IP) {
        if ((c->present[row / 64] >> (row % 64) & 1) == 0)
            return false;
        struct ip ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
        ip_print(&f->scratch, &ip);
        *out = buf_content(&f->scratch);
        return true;
    }
    if (c->storage == COLUMN_INT) {
        if (c->numbers[row] == VALUE_NONE)
            return false;
        buf_decimal(&f->scratch, c->numbers[row]);
        *out = buf_content(&f->scratch);
        return true;
    }
    if (!batch_value(f->batch, c, row, &f->scratch, out) || out->len == 0)
        return false;
    if (value_is_encoded(*out, c->kind)) {
        buf_reset(&f->decoded);
        value_decode(&f->decoded, *out, c->kind);
        *out = buf_content(&f->decoded);
    }
    return true;
}

/* Fields that no column holds; false for others. */
static bool own_text(struct row_fields *f, uint16_t field, uint32_t row,
                     const struct row_place *place, struct slice *out)
{
    const struct batch *b = f->batch;
    buf_reset(&f->scratch);
    switch (field) {
    case FIELD_TIMESTAMP:
        clock_print(&f->scratch, b->time_ns[row]);
        break;
    case FIELD_TENANT:
        buf_printf(&f->scratch, "%06u", b->tenant);
        break;
    case FIELD_SOURCE:
        buf_slice(&f->scratch, b->source);
        break;
    case FIELD_FORMAT:
        buf_slice(&f->scratch, b->format_name);
        break;
    case FIELD_VERDICT:
        buf_slice(&f->scratch, verdict_name(b->verdict[row]));
        break;
    case FIELD_PARSE_ERROR:
        buf_slice(&f->scratch, reason_code(b->reason[row]));
        break;
    case FIELD_KAFKA_TOPIC:
        buf_slice(&f->scratch, b->topic);
        break;
    case FIELD_KAFKA_PARTITION:
        buf_decimal(&f->scratch, place->partition);
        break;
    case FIELD_KAFKA_OFFSET:
        buf_decimal(&f->scratch, place->offset);
        break;
    case FIELD_SUB:
        buf_decimal(&f->scratch, b->sub[row]);
        break;
    default:
        return false;
    }
    *out = buf_content(&f->scratch);
    return true;
}

bool row_field_text(struct row_fields *f, size_t at, uint16_t field, uint32_t row,
                    const struct row_place *place, struct slice *out)
{
    if (own_text(f, field, row, place, out))
        return out->len != 0;
    const struct row_columns *c = &f->columns[at];
    for (uint32_t i = 0; i < c->count; i++) {
        if (column_text(f, c->items[i], row, out))
            return true;
    }
    return false;
}

bool row_field_is_number(uint16_t field)
{
    const struct field_info *info = field_info(field);
    return info != NULL && info->type != FIELD_TYPE_TEXT;
}

void row_text_utf8(struct buf *out, struct slice text)
{
    while (text.len != 0) {
        uint32_t character = 0;
        size_t len = escape_utf8(&character, text);
        if (len == 0)
            buf_append(out, "\xef\xbf\xbd", 3);
        else
            buf_append(out, text.data, len);
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
}

/* Whether the byte is one of a text's. */
static bool is_one_of(char byte, const char *text)
{
    return byte != '\0' && strchr(text, byte) != NULL;
}

static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_one_of(text.data[i], ",\"\r\n"))
            return true;
    }
    return false;
}

void row_text_csv(struct buf *out, struct buf *scratch, struct slice text, bool is_number)
{
    buf_reset(scratch);
    if (!is_number && text.len != 0 && is_one_of(text.data[0], "=+-@\t\r"))
        buf_byte(scratch, '\'');
    row_text_utf8(scratch, text);
    struct slice cell = buf_content(scratch);
    if (!needs_quotes(cell)) {
        buf_slice(out, cell);
        return;
    }
    buf_byte(out, '"');
    for (size_t i = 0; i < cell.len; i++) {
        if (cell.data[i] == '"')
            buf_byte(out, '"');
        buf_byte(out, cell.data[i]);
    }
    buf_byte(out, '"');
}
