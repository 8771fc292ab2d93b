#include "app/row_text.h"

#include "base/clock.h"
#include "base/escape.h"

void row_fields_release(struct row_fields *f)
{
    buf_release(&f->scratch);
    buf_release(&f->decoded);
    buf_release(&f->values);
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

/* Values of a field so far, bytewise, each once. */
struct values {
    struct span items[ROW_FIELD_COLUMNS_MAX]; /* of row_fields.values */
    uint32_t count;
};

static struct slice value_at(const struct row_fields *f, const struct values *v, uint32_t i)
{
    return slice_of(f->values.data + v->items[i].offset, v->items[i].len);
}

static void keep_value(struct row_fields *f, struct values *v, struct slice text)
{
    uint32_t at = v->count;
    while (at > 0 && slice_compare(value_at(f, v, at - 1), text) > 0)
        at--;
    if (at > 0 && slice_equal(value_at(f, v, at - 1), text))
        return;
    memmove(&v->items[at + 1], &v->items[at], (v->count - at) * sizeof(v->items[0]));
    v->items[at] = (struct span){.offset = (uint32_t)f->values.len, .len = (uint32_t)text.len};
    v->count++;
    buf_slice(&f->values, text);
}

uint32_t row_field_join(struct row_fields *f, size_t at, uint16_t field, uint32_t row,
                        const struct row_place *place, struct buf *out)
{
    struct slice text;
    struct values v = {.count = 0};
    if (own_text(f, field, row, place, &text)) {
        buf_slice(out, text);
        return text.len != 0;
    }
    const struct row_columns *c = &f->columns[at];
    buf_reset(&f->values);
    for (uint32_t i = 0; i < c->count && buf_ok(&f->values); i++) {
        if (column_text(f, c->items[i], row, &text))
            keep_value(f, &v, text);
    }
    for (uint32_t i = 0; i < v.count && buf_ok(&f->values); i++) {
        if (i != 0)
            buf_byte(out, ';');
        buf_slice(out, value_at(f, &v, i));
    }
    if (!buf_ok(&f->values))
        out->failed = true;
    return v.count;
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

/* What spreadsheets skip at the beginning of a cell, or show as nothing. */
static bool is_blank(uint32_t character)
{
    return character == ' ' || character == '\t' || character == '\n' || character == '\v' ||
           character == '\f' || character == '\r' || character == 0xa0 || character == 0x3000 ||
           character == 0x200b || character == 0xfeff;
}

/*
 * Whether a spreadsheet may take the text for a formula: = + - @ and their full-width forms, also
 * behind blanks; TAB, CR and LF, which end a cell for some. An apostrophe, so that exactly one can
 * be taken off again.
 */
static bool is_formula(struct slice text)
{
    uint32_t character = 0;
    if (text.len != 0 && is_one_of(text.data[0], "'\t\r\n"))
        return true;
    while (text.len != 0) {
        size_t len = escape_utf8(&character, text);
        if (len == 0 || !is_blank(character))
            break;
        text = slice_from_offset(text, len);
    }
    if (text.len == 0)
        return false;
    return is_one_of(text.data[0], "=+-@") || slice_starts(text, SLICE("\xef\xbc\x9d")) ||
           slice_starts(text, SLICE("\xef\xbc\x8b")) || slice_starts(text, SLICE("\xef\xbc\x8d")) ||
           slice_starts(text, SLICE("\xef\xbc\xa0"));
}

/* Controls but TAB, LF and CR, and characters that turn the direction of the text around them. */
static bool is_control(uint32_t character)
{
    if (character == '\t' || character == '\n' || character == '\r')
        return false;
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x61c ||
           character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* UTF-8 without controls: \x00, \u{202e}; U+FFFD for what is no UTF-8. */
static void csv_text(struct buf *out, struct slice text)
{
    while (text.len != 0) {
        uint32_t character = 0;
        size_t len = escape_utf8(&character, text);
        if (len == 0)
            buf_append(out, "\xef\xbf\xbd", 3);
        else if (!is_control(character))
            buf_append(out, text.data, len);
        else if (character < 0x100)
            buf_printf(out, "\\x%02x", character);
        else
            buf_printf(out, "\\u{%04x}", character);
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
}

void row_text_csv(struct buf *out, struct buf *scratch, struct slice text, bool is_number)
{
    buf_reset(scratch);
    if (!is_number && is_formula(text))
        buf_byte(scratch, '\'');
    csv_text(scratch, text);
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
