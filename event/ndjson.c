#include "event/ndjson.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

/* A column and the name it is printed under. */
struct printed {
    const struct column *column;
    struct span name; /* in struct ndjson's names; only for unnamed fields */
};

struct ndjson {
    const struct batch *batch;
    struct printed order[BATCH_COLUMNS_MAX];
    uint32_t count;
    struct buf names;
    struct buf scratch;
    struct buf decoded;
};

struct ndjson *ndjson_new(void)
{
    return calloc(1, sizeof(struct ndjson));
}

void ndjson_free(struct ndjson *n)
{
    if (n == NULL)
        return;
    buf_release(&n->names);
    buf_release(&n->scratch);
    buf_release(&n->decoded);
    free(n);
}

static bool is_printed(const struct column *c)
{
    if (c->value_count == 0 && !c->derived)
        return false;
    const struct field_info *info = c->field < FIELD_LOCAL_FIRST ? field_info(c->field) : NULL;
    return info == NULL || info->sensitivity != FIELD_SENSITIVITY_INTERNAL;
}

static struct slice printed_name(const struct ndjson *n, const struct printed *p)
{
    return slice_of(n->names.data + p->name.offset, p->name.len);
}

/* Dictionary fields by id, unnamed ones by name; values of one field by ordinal and kind. */
static int printed_compare(const struct ndjson *n, const struct printed *a, const struct printed *b)
{
    bool local_a = a->column->field >= FIELD_LOCAL_FIRST;
    bool local_b = b->column->field >= FIELD_LOCAL_FIRST;
    if (local_a != local_b)
        return local_a ? 1 : -1;
    int order = local_a ? slice_compare(printed_name(n, a), printed_name(n, b))
                        : (int)a->column->field - (int)b->column->field;
    if (order != 0)
        return order;
    order = (int)a->column->ordinal - (int)b->column->ordinal;
    return order != 0 ? order : (int)a->column->kind - (int)b->column->kind;
}

/* Insertion by halves: a batch has tens of columns, once per batch. */
static void order_insert(struct ndjson *n, struct printed p)
{
    uint32_t low = 0;
    uint32_t high = n->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (printed_compare(n, &n->order[middle], &p) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&n->order[low + 1], &n->order[low], (n->count - low) * sizeof(n->order[0]));
    n->order[low] = p;
    n->count++;
}

int ndjson_batch(struct ndjson *n, const struct batch *b)
{
    n->batch = b;
    n->count = 0;
    buf_reset(&n->names);
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (!is_printed(c))
            continue;
        struct printed p = {.column = c};
        if (c->field >= FIELD_LOCAL_FIRST) {
            struct slice name = batch_field_name(b, c->field, &n->scratch);
            p.name = (struct span){.offset = (uint32_t)n->names.len, .len = (uint32_t)name.len};
            buf_slice(&n->names, name);
        }
        if (!buf_ok(&n->names) || !buf_ok(&n->scratch))
            return ERR_NOMEM;
        order_insert(n, p);
    }
    return 0;
}

static void key(struct buf *out, struct slice name)
{
    if (out->data[out->len - 1] != '{')
        buf_byte(out, ',');
    ndjson_string(out, name);
    buf_byte(out, ':');
}

static void key_text(struct buf *out, uint16_t field, struct slice value)
{
    key(out, field_info(field)->name);
    ndjson_string(out, value);
}

static void key_time(struct buf *out, uint16_t field, int64_t ns)
{
    key(out, field_info(field)->name);
    buf_byte(out, '"');
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void key_number(struct buf *out, uint16_t field, int64_t v)
{
    key(out, field_info(field)->name);
    buf_decimal(out, v);
}

/* Append the value of a column in a row as JSON; false when there is none to print. */
static bool value_print(struct ndjson *n, const struct column *c, uint32_t row, struct buf *out)
{
    if (c->storage == COLUMN_INT) {
        if (c->numbers[row] == VALUE_NONE)
            return false;
        buf_decimal(out, c->numbers[row]);
        return true;
    }
    if (c->storage == COLUMN_IP4 || c->storage == COLUMN_IP) {
        if ((c->present[row / 64] >> (row % 64) & 1) == 0)
            return false;
        buf_byte(out, '"');
        struct ip ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
        ip_print(out, &ip);
        buf_byte(out, '"');
        return true;
    }
    struct slice text;
    if (!batch_value(n->batch, c, row, &n->scratch, &text) || text.len == 0)
        return false;
    if (c->kind == SLOT_NULL) {
        buf_text(out, "null");
        return true;
    }
    if (value_is_encoded(text, c->kind)) {
        buf_reset(&n->decoded);
        value_decode(&n->decoded, text, c->kind);
        text = buf_content(&n->decoded);
    }
    ndjson_string(out, text);
    return true;
}

static bool same_field(const struct ndjson *n, uint32_t a, uint32_t b)
{
    return b < n->count && n->order[a].column->field == n->order[b].column->field;
}

/* Print the columns order[from, to) of one field: a value, or an array of them. */
static void field_print(struct ndjson *n, uint32_t from, uint32_t to, uint32_t row, struct buf *out)
{
    size_t start = out->len;
    const struct printed *p = &n->order[from];
    key(out, p->column->field < FIELD_LOCAL_FIRST ? field_info(p->column->field)->name
                                                  : printed_name(n, p));
    size_t first = out->len;
    uint32_t values = 0;
    for (uint32_t i = from; i < to; i++) {
        size_t before = out->len;
        if (values != 0)
            buf_byte(out, ',');
        if (value_print(n, n->order[i].column, row, out))
            values++;
        else
            out->len = before;
    }
    if (values == 0) {
        out->len = start;
        return;
    }
    if (values > 1 && buf_reserve(out, 2) != NULL) {
        memmove(out->data + first + 1, out->data + first, out->len - first);
        out->data[first] = '[';
        out->len++;
        buf_byte(out, ']');
    }
}

static void place_print(const struct batch *b, uint32_t row, struct buf *out)
{
    int32_t partition = 0;
    int64_t offset = 0;
    batch_place(b, row, &partition, &offset);
    key_time(out, FIELD_EVENT_INGESTED, b->arrival_ns[row]);
    key_text(out, FIELD_KAFKA_TOPIC, b->topic);
    key_number(out, FIELD_KAFKA_PARTITION, partition);
    key_number(out, FIELD_KAFKA_OFFSET, offset);
    key_number(out, FIELD_SUB, b->sub[row]);
}

/* The encoding that the line's values are marked with; without one, what it looks like. */
static enum charset line_charset(const struct batch *b, uint32_t row)
{
    if (b->shape[row] == 0) /* unparsed; there may be no shape at all */
        return CHARSET_AUTO;
    const struct shape *shape = &b->shapes[b->shape[row]];
    for (uint32_t i = 0; i < shape->slot_count; i++) {
        if (slot_charset(shape->slots[i].kind) != CHARSET_UTF8)
            return slot_charset(shape->slots[i].kind);
    }
    return CHARSET_AUTO;
}

static int original_print(struct ndjson *n, uint32_t row, struct buf *out)
{
    buf_reset(&n->scratch);
    if (batch_render(n->batch, row, &n->scratch) != 0)
        return ERR_NOMEM;
    struct slice line = buf_content(&n->scratch);
    if (line.len != 0 && line.data[line.len - 1] == '\n')
        line.len--;
    if (line.len != 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (line.len != 0 && !charset_is_ascii(line)) {
        buf_reset(&n->decoded);
        charset_to_utf8(&n->decoded, line, line_charset(n->batch, row));
        line = buf_content(&n->decoded);
    }
    key_text(out, FIELD_EVENT_ORIGINAL, line);
    return buf_ok(&n->decoded) ? 0 : ERR_NOMEM;
}

static void batch_print(const struct batch *b, uint32_t row, unsigned flags, struct buf *out)
{
    key_text(out, FIELD_VERDICT, verdict_name(b->verdict[row]));
    if ((flags & NDJSON_PLACE) != 0) {
        char code[8 + SLICE_PADDING_BYTES];
        struct buf text = {.data = code, .cap = 8, .limit = 8};
        buf_printf(&text, "%06u", b->tenant);
        key_text(out, FIELD_TENANT, buf_content(&text));
        key_text(out, FIELD_SOURCE, b->source);
    }
    key_text(out, FIELD_FORMAT, b->format_name);
    key_text(out, FIELD_TIME_SOURCE, time_source_name(b->time_source[row]));
    if (b->reason[row] != REASON_NONE)
        key_text(out, FIELD_PARSE_ERROR, reason_code(b->reason[row]));
}

int ndjson_row(struct ndjson *n, uint32_t row, unsigned flags, struct buf *out)
{
    const struct batch *b = n->batch;
    uint32_t i = 0;
    bool placed = false;
    bool batched = false;
    buf_byte(out, '{');
    if (!buf_ok(out))
        return ERR_NOMEM;
    key_time(out, FIELD_TIMESTAMP, b->time_ns[row]);
    int status = 0;
    while (i <= n->count && status == 0) {
        uint16_t field = i < n->count ? n->order[i].column->field : UINT16_MAX;
        if (!placed && field >= FIELD_EVENT_INGESTED) {
            placed = true;
            if ((flags & NDJSON_PLACE) != 0)
                place_print(b, row, out);
            if ((flags & NDJSON_ORIGINAL) != 0 || b->reason[row] != REASON_NONE)
                status = original_print(n, row, out);
        }
        if (!batched && field > FIELD_VERDICT) {
            batched = true;
            batch_print(b, row, flags, out);
        }
        if (i == n->count)
            break;
        uint32_t end = i + 1;
        while (same_field(n, i, end))
            end++;
        field_print(n, i, end, row, out);
        i = end;
    }
    buf_append(out, "}\n", 2);
    return buf_ok(out) ? status : ERR_NOMEM;
}
