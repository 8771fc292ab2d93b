#include "detect/signal.h"

#include "base/clock.h"
#include "base/err.h"
#include "event/pred_compose.h"
#include "event/pred_row.h"

static bool same_field(const struct sigma_field *a, const struct sigma_field *b)
{
    return a->field == b->field && (a->field < FIELD_LOCAL_FIRST || slice_equal(a->name, b->name));
}

static void fields_add(struct signal_fields *f, const struct sigma_field *field)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (same_field(&f->items[i], field))
            return;
    }
    f->items[f->count++] = *field;
}

int signal_fields_make(struct signal_fields *out, struct sigma_set *set)
{
    size_t most = 0;
    for (uint32_t i = 0; i < set->order_count; i++) {
        const struct sigma_correlation *c = set->rules[set->order[i]].correlation;
        most += (size_t)c->reference_count * c->group_count + c->field_count;
    }
    struct signal_fields f = {.items = arena_array(&set->arena, most + 1, sizeof(*f.items))};
    if (f.items == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < set->order_count; i++) {
        const struct sigma_correlation *c = set->rules[set->order[i]].correlation;
        for (uint32_t r = 0; r < c->reference_count; r++) {
            for (uint32_t g = 0; g < c->group_count; g++)
                fields_add(&f, &c->references[r].groups[g]);
        }
        for (uint32_t v = 0; v < c->field_count; v++)
            fields_add(&f, &c->fields[v]);
    }
    *out = f;
    return 0;
}

bool signal_fields_want(const struct signal_fields *fields, uint16_t field)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        uint16_t wanted = fields->items[i].field;
        if (wanted == field || wanted == FIELD_URL_ORIGINAL ||
            (wanted >= FIELD_LOCAL_FIRST && field >= FIELD_LOCAL_FIRST))
            return true;
    }
    return false;
}

/* A field of the batch or the row; false for one that is a column. */
static bool row_text(const struct batch *b, uint32_t row, struct slice name, struct buf *out)
{
    switch (row_field_find(name)) {
    case ROW_FIELD_TENANT:
        buf_printf(out, "%06u", b->tenant);
        return true;
    case ROW_FIELD_SOURCE:
        buf_slice(out, b->source);
        return true;
    case ROW_FIELD_FORMAT:
        buf_slice(out, b->format_name);
        return true;
    case ROW_FIELD_TOPIC:
        buf_slice(out, b->topic);
        return true;
    case ROW_FIELD_VERDICT:
        buf_slice(out, verdict_name(b->verdict[row]));
        return true;
    case ROW_FIELD_TIMESTAMP:
        clock_print(out, b->time_ns[row]);
        return true;
    case ROW_FIELD_NONE:
    case ROW_FIELD_PARSE_ERROR:
    case ROW_FIELD_TIME_SOURCE:
    case ROW_FIELD_INGESTED:
    case ROW_FIELD_PARTITION:
    case ROW_FIELD_OFFSET:
    case ROW_FIELD_SUB:
    case ROW_FIELD_COUNT:
    default:
        return false;
    }
}

/* A number or an address as it prints, however it is written; false for what is none. */
static bool typed_text(const struct column *c, struct slice text, struct buf *out)
{
    struct ip ip;
    int64_t number = 0;
    if (c->type == FIELD_TYPE_IP && ip_parse(text, &ip) != VALUE_INVALID) {
        ip_print(out, &ip);
        return true;
    }
    if (c->type == FIELD_TYPE_INT && text.len != 0 && value_int(text, &number) != VALUE_INVALID) {
        buf_decimal(out, number);
        return true;
    }
    return false;
}

/* url.original where the line writes it in parts. */
static bool url_text(const struct batch *b, uint32_t row, struct buf *scratch, struct buf *out)
{
    struct arena arena = {0};
    struct url_plan plan;
    uint32_t at = 0;
    bool found = b->shape[row] != 0 &&
                 url_plan_make(&plan, &arena, b, &b->shapes[b->shape[row]]) == 0 &&
                 url_compose(b, &plan, row, &at, scratch, out);
    arena_release(&arena);
    return found;
}

/* The first value of a field in a row, decoded, appended to *out; false when there is none. */
static bool field_text(const struct batch *b, uint32_t row, const struct sigma_field *field,
                       struct buf *scratch, struct buf *out)
{
    if (row_text(b, row, field->name, out))
        return true;
    const struct column *best = NULL;
    struct slice text;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        bool same = c->field == field->field;
        if (field->field >= FIELD_LOCAL_FIRST && c->field >= FIELD_LOCAL_FIRST)
            same = slice_equal(batch_field_name(b, c->field, scratch), field->name);
        if (!same || c->kind == SLOT_NULL || (best != NULL && best->ordinal <= c->ordinal))
            continue;
        if (batch_value(b, c, row, scratch, &text))
            best = c;
    }
    if (best == NULL && field->field == FIELD_URL_ORIGINAL)
        return url_text(b, row, scratch, out);
    if (best == NULL || !batch_value(b, best, row, scratch, &text))
        return false;
    if (!typed_text(best, text, out))
        value_decode(out, text, best->kind);
    return true;
}

int signal_take(struct signal *out, const struct signal_fields *fields, const struct batch *b,
                uint32_t row, struct arena *arena)
{
    struct buf scratch = {0};
    struct buf text = {0};
    int err = 0;
    out->fields = fields;
    out->time_ns = b->time_ns[row];
    out->values = arena_array(arena, fields->count + 1U, sizeof(*out->values));
    if (out->values == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < fields->count && err == 0; i++) {
        buf_reset(&text);
        if (!field_text(b, row, &fields->items[i], &scratch, &text))
            continue;
        const char *copy = arena_copy(arena, buf_content(&text));
        err = copy == NULL || !buf_ok(&text) || !buf_ok(&scratch) ? ERR_NOMEM : 0;
        out->values[i] = slice_of(copy, text.len);
    }
    buf_release(&scratch);
    buf_release(&text);
    return err;
}

bool signal_value(void *self, const struct sigma_field *field, struct slice *out)
{
    const struct signal *s = self;
    for (uint32_t i = 0; i < s->fields->count; i++) {
        if (!same_field(&s->fields->items[i], field))
            continue;
        *out = s->values[i];
        return out->data != NULL;
    }
    return false;
}
