/*
 * event/builder.c - a line and its slots become a row.
 *
 *   line + slots -> shape_find() -- same skeleton as before? --> shape_store(): a value a column
 *                        | no
 *                   shape_add(): bind each slot to a column
 */
#include "event/builder.h"

#include <assert.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "event/columns.h"
#include "event/intern.h"

/* Equal bytes; both sides have SLICE_PADDING_BYTES behind them. */
static inline bool piece_equal(const char *a, const char *b, size_t len)
{
#if defined(__SSE2__)
    if (len <= 16) {
        __m128i va = _mm_loadu_si128((const void *)a);
        __m128i vb = _mm_loadu_si128((const void *)b);
        unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(va, vb));
        unsigned want = (1U << len) - 1;
        return (same & want) == want;
    }
#endif
    return memcmp(a, b, len) == 0;
}

/* Does the line have this shape? Reads only what shape_check() has found to be in order. */
static bool shape_matches(const struct batch *b, const struct shape *shape, struct slice line,
                          const struct slots *slots)
{
    uint32_t at = 0;
    uint32_t value = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY)
            continue;
        if (value == shape->slot_count)
            return false;
        const struct shape_slot *like = &shape->slots[value++];
        if (slot->offset - at != like->piece_len || slot->field != like->field ||
            slot->kind != like->kind ||
            !piece_equal(line.data + at, b->skeleton.data + like->piece, like->piece_len))
            return false;
        at = slot->offset + slot->length;
    }
    return value == shape->slot_count && line.len - at == shape->tail_len &&
           piece_equal(line.data + at, b->skeleton.data + shape->tail, shape->tail_len);
}

static uint64_t shape_hash(const struct batch *b, struct slice line, const struct slots *slots)
{
    uint64_t hash = b->hash_seed;
    uint32_t at = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY)
            continue;
        hash = hash_bytes(hash ^ slot->field ^ (uint64_t)slot->kind << 32, line.data + at,
                          slot->offset - at);
        at = slot->offset + slot->length;
    }
    return hash_bytes(hash, line.data + at, line.len - at);
}

/* Slots in order, inside the line, of known kinds, a KEY before every unnamed value? */
static bool slots_valid(struct slice line, const struct slots *slots)
{
    size_t at = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->offset < at || slot->offset > line.len ||
            slot->length > line.len - slot->offset || slot->kind >= SLOT_KIND_COUNT)
            return false;
        at = (size_t)slot->offset + slot->length;
        if (slot->kind == SLOT_KEY)
            continue;
        bool after_key = i > 0 && slots->items[i - 1].kind == SLOT_KEY;
        if (after_key != (slot->field == FIELD_UNNAMED))
            return false;
        if (slot->field < FIELD_LOCAL_FIRST ? field_info(slot->field) == NULL
                                            : slot->field < FIELD_COLUMN_FIRST)
            return false;
    }
    return slots->count == 0 || slots->items[slots->count - 1].kind != SLOT_KEY;
}

/* The local id of a name, added where it is new. Negative enum err when there is no room. */
static int name_id(struct batch *b, struct slice name)
{
    for (uint32_t i = 0; i < b->name_count; i++) {
        if (slice_equal(batch_span(b, b->names[i]), name))
            return (int)(FIELD_LOCAL_FIRST + i);
    }
    if (b->name_count == BATCH_NAMES_MAX || name.len > BATCH_NAME_BYTES_MAX)
        return ERR_RANGE;
    struct span *names =
        batch_array_grow(b, b->names, &b->name_cap, b->name_count + 1, sizeof(*names));
    if (names == NULL)
        return ERR_NOMEM;
    b->names = names;
    names[b->name_count] =
        (struct span){.offset = (uint32_t)b->text.len, .len = (uint32_t)name.len};
    char copy[BATCH_NAME_BYTES_MAX];
    memcpy(copy, name.data, name.len);
    buf_append(&b->text, copy, name.len);
    if (!buf_ok(&b->text))
        return ERR_NOMEM;
    return (int)(FIELD_LOCAL_FIRST + b->name_count++);
}

/* The id that a slot's column has: its own, or the batch's for an unnamed field. */
static int slot_field(struct batch *b, uint32_t line, const struct slots *slots, uint32_t i)
{
    const struct slot *slot = &slots->items[i];
    if (slot->field < FIELD_LOCAL_FIRST)
        return slot->field;
    if (slot->field == FIELD_UNNAMED) {
        const struct slot *key = &slots->items[i - 1];
        return name_id(b, slice_of(b->text.data + line + key->offset, key->length));
    }
    char name[16 + SLICE_PADDING_BYTES];
    struct buf text = {.data = name, .cap = 16, .limit = 16};
    buf_text(&text, "col");
    buf_decimal(&text, slot->field - FIELD_COLUMN_FIRST);
    return name_id(b, buf_content(&text));
}

/* The column of (field, ordinal, kind), added where it is new; or a negative enum err. */
static int column_find(struct batch *b, const struct column *like)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (c->field == like->field && c->ordinal == like->ordinal && c->kind == like->kind &&
            c->derived == like->derived)
            return (int)i;
    }
    return batch_column_add(b, like);
}

static struct column column_like(uint16_t field)
{
    const struct field_info *info = field < FIELD_LOCAL_FIRST ? field_info(field) : NULL;
    struct column like = {.field = field, .type = info == NULL ? FIELD_TYPE_TEXT : info->type};
    switch ((enum field_type)like.type) {
    case FIELD_TYPE_TEXT:
        like.storage = COLUMN_CODES;
        break;
    case FIELD_TYPE_INT:
    case FIELD_TYPE_EPOCH:
        like.storage = COLUMN_INT;
        break;
    case FIELD_TYPE_IP:
        like.storage = COLUMN_IP4;
        break;
    }
    return like;
}

/* Which value of its field slot i is within the line. */
static uint32_t ordinal_of(const struct shape *shape, const struct batch *b, uint32_t value,
                           uint16_t field)
{
    uint32_t ordinal = 0;
    for (uint32_t i = 0; i < value; i++)
        ordinal += b->columns[shape->slots[i].column].field == field;
    return ordinal;
}

/* Bind value number `value` of a new shape, which is slot i, to its column. */
static int shape_bind(struct batch *b, struct shape *shape, uint32_t line,
                      const struct slots *slots, uint32_t i)
{
    const struct slot *slot = &slots->items[i];
    int field = slot_field(b, line, slots, i);
    if (field < 0)
        return field;
    struct column like = column_like((uint16_t)field);
    uint32_t ordinal = ordinal_of(shape, b, shape->slot_count, (uint16_t)field);
    if (ordinal > UINT8_MAX)
        return ERR_RANGE;
    like.ordinal = (uint8_t)ordinal;
    like.kind = slot->kind;
    int column = column_find(b, &like);
    if (column < 0)
        return column;
    shape->slots[shape->slot_count].field = slot->field;
    shape->slots[shape->slot_count].kind = slot->kind;
    shape->slots[shape->slot_count].column = (uint16_t)column;
    shape->slot_count++;
    return 0;
}

/* Add the shape of the line at text[line]. Returns its id, or a negative enum err. */
static int shape_add(struct batch *b, uint32_t line, uint32_t line_len, const struct slots *slots)
{
    if (b->shape_count == BATCH_SHAPES_MAX)
        return ERR_RANGE;
    uint32_t count = b->shape_count == 0 ? 1 : b->shape_count;
    struct shape *shapes =
        batch_array_grow(b, b->shapes, &b->shape_cap, count + 1, sizeof(*shapes));
    struct shape_slot *places = arena_array(&b->arena, slots->count, sizeof(*places));
    /* A skeleton may be empty; comparing with it still needs readable bytes. */
    if (shapes == NULL || places == NULL || buf_reserve(&b->skeleton, 1) == NULL)
        return ERR_NOMEM;
    b->shapes = shapes;
    struct shape *shape = &shapes[count];
    *shape = (struct shape){.slots = places};
    shape->hash = shape_hash(b, slice_of(b->text.data + line, line_len), slots);
    uint32_t at = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY)
            continue;
        places[shape->slot_count].piece = (uint32_t)b->skeleton.len;
        places[shape->slot_count].piece_len = slot->offset - at;
        buf_append(&b->skeleton, b->text.data + line + at, slot->offset - at);
        int bound = shape_bind(b, shape, line, slots, i);
        if (bound != 0)
            return bound;
        at = slot->offset + slot->length;
    }
    shape->tail = (uint32_t)b->skeleton.len;
    shape->tail_len = line_len - at;
    buf_append(&b->skeleton, b->text.data + line + at, shape->tail_len);
    if (!buf_ok(&b->skeleton))
        return ERR_NOMEM;
    b->shape_count = count + 1;
    return (int)count;
}

/* The shape of the line at text[line], added where it is new; or a negative enum err. */
static int shape_find(struct batch *b, uint32_t line, uint32_t line_len, const struct slots *slots)
{
    struct slice bytes = slice_of(b->text.data + line, line_len);
    if (b->last_shape != 0 && shape_matches(b, &b->shapes[b->last_shape], bytes, slots))
        return b->last_shape;
    if (b->shape_count > 1) {
        uint64_t hash = shape_hash(b, bytes, slots);
        for (uint32_t i = 1; i < b->shape_count; i++) {
            if (b->shapes[i].hash == hash && shape_matches(b, &b->shapes[i], bytes, slots))
                return (int)i;
        }
    }
    return shape_add(b, line, line_len, slots);
}

static int exception_add(struct batch *b, struct column *c, uint32_t row, struct span text)
{
    struct exception *exceptions = batch_array_grow(b, c->exceptions, &c->exception_cap,
                                                    c->exception_count + 1, sizeof(*exceptions));
    if (exceptions == NULL)
        return ERR_NOMEM;
    c->exceptions = exceptions;
    exceptions[c->exception_count++] = (struct exception){.row = row, .text = text};
    return 0;
}

static int store_epoch(struct batch *b, struct column *c, uint32_t row, struct span span)
{
    int64_t number = VALUE_NONE;
    enum epoch_form form = EPOCH_DIGITS;
    enum value_class class = value_epoch(batch_span(b, span), &number, &form);
    if (c->value_count == 0 && class == VALUE_CANONICAL)
        c->epoch_form = (uint8_t)form;
    /* A column has one way of writing; the other way's unit would be read wrongly. */
    if (class == VALUE_INVALID || form != c->epoch_form)
        return exception_add(b, c, row, span);
    c->numbers[row] = number;
    return class == VALUE_CANONICAL ? 0 : exception_add(b, c, row, span);
}

static int store_int(struct batch *b, struct column *c, uint32_t row, struct span span)
{
    int64_t number = VALUE_NONE;
    enum value_class class = value_int(batch_span(b, span), &number);
    if (class != VALUE_INVALID)
        c->numbers[row] = number;
    return class == VALUE_CANONICAL ? 0 : exception_add(b, c, row, span);
}

static int store_ip(struct batch *b, struct column *c, uint32_t row, struct span span)
{
    struct slice text = batch_span(b, span);
    uint32_t v4 = 0;
    if (c->storage == COLUMN_IP4 && value_ip4(text, &v4) == VALUE_CANONICAL) {
        c->ip4[row] = v4;
        column_set_present(c, row);
        return 0;
    }
    struct ip ip;
    enum value_class class = ip_parse(text, &ip);
    if (class == VALUE_INVALID)
        return exception_add(b, c, row, span);
    if (c->storage == COLUMN_IP4 && !ip_is_v4(&ip) && column_widen(b, c) != 0)
        return ERR_NOMEM;
    if (c->storage == COLUMN_IP4)
        c->ip4[row] = ip_v4(&ip);
    else
        c->ips[row] = ip;
    column_set_present(c, row);
    return class == VALUE_CANONICAL ? 0 : exception_add(b, c, row, span);
}

static int store_text(struct batch *b, struct column *c, uint32_t row, struct span span)
{
    if (c->storage == COLUMN_TEXT) {
        c->spans[row] = span;
        return 0;
    }
    uint16_t code = 0;
    if (intern_code(b, c, span, &code) != 0)
        return ERR_NOMEM;
    c->codes[row] = code;
    if (c->value_count == BATCH_TEXT_SWITCH_ROWS && c->entry_count > BATCH_TEXT_SWITCH_ROWS / 2)
        return intern_drop(b, c);
    return 0;
}

/* Put each value of the line at text[line] into its column. 0 or ERR_NOMEM. */
static int shape_store(struct batch *b, const struct shape *shape, uint32_t line,
                       const struct slots *slots)
{
    const struct shape_slot *bound = shape->slots;
    uint32_t row = b->row_count;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY)
            continue;
        struct column *c = &b->columns[(bound++)->column];
        struct span span = {.offset = line + slot->offset, .len = slot->length};
        int status = 0;
        switch ((enum field_type)c->type) {
        case FIELD_TYPE_TEXT:
            status = store_text(b, c, row, span);
            break;
        case FIELD_TYPE_INT:
            status = store_int(b, c, row, span);
            break;
        case FIELD_TYPE_EPOCH:
            status = store_epoch(b, c, row, span);
            break;
        case FIELD_TYPE_IP:
            status = store_ip(b, c, row, span);
            break;
        }
        if (status != 0)
            return status;
        c->value_count++;
    }
    return 0;
}

/* Extend the last run by the row, or begin another. 0 or ERR_NOMEM. */
static int run_extend(struct batch *b, const struct row *row)
{
    struct run *last = b->run_count == 0 ? NULL : &b->runs[b->run_count - 1];
    if (last != NULL && last->partition == row->partition) {
        bool next_line = row->offset == b->last_offset && row->sub == b->sub[b->row_count - 1] + 1;
        bool next_record = row->offset == b->last_offset + 1 && row->sub == 0;
        if (next_line || next_record) {
            last->count++;
            last->multi |= row->sub != 0;
            return 0;
        }
    }
    struct run *runs = batch_array_grow(b, b->runs, &b->run_cap, b->run_count + 1, sizeof(*runs));
    if (runs == NULL)
        return ERR_NOMEM;
    b->runs = runs;
    runs[b->run_count++] = (struct run){.partition = row->partition,
                                        .first_row = b->row_count,
                                        .first_offset = row->offset,
                                        .count = 1,
                                        .multi = row->sub != 0};
    return 0;
}

/* The shape for a row, storing its values; 0 = verbatim. Sets *reason. Negative enum err: ERR_NOMEM. */
static int row_shape(struct batch *b, const struct row *row, uint32_t line, uint8_t *reason)
{
    *reason = row->reason;
    if (row->slots == NULL || (row->reason != REASON_NONE && row->reason != REASON_PARTIAL))
        return 0;
    if (!slots_valid(row->bytes, row->slots)) {
        *reason = REASON_PARTIAL;
        return 0;
    }
    int shape = shape_find(b, line, (uint32_t)row->bytes.len, row->slots);
    if (shape == ERR_RANGE) {
        *reason = b->shape_count == BATCH_SHAPES_MAX ? REASON_SHAPES_FULL : REASON_TOO_MANY_VALUES;
        b->shapes_full = true;
        return 0;
    }
    if (shape > 0) {
        if (shape_store(b, &b->shapes[shape], line, row->slots) != 0)
            return ERR_NOMEM;
        b->shapes[shape].row_count++;
        b->last_shape = (uint16_t)shape;
    }
    return shape;
}

int batch_append(struct batch *b, const struct row *row)
{
    assert(b->row_count < BATCH_ROWS_MAX);
    if (batch_reserve_row(b) != 0)
        return ERR_NOMEM;
    if (b->row_count == 0)
        b->live = true;
    uint32_t line = (uint32_t)b->text.len;
    if (buf_reserve(&b->text, row->bytes.len + 1) == NULL)
        return ERR_NOMEM;
    buf_slice(&b->text, row->bytes);
    uint8_t reason = REASON_NONE;
    int shape = row_shape(b, row, line, &reason);
    if (shape < 0 || run_extend(b, row) != 0)
        return ERR_NOMEM;
    uint32_t at = b->row_count;
    b->time_ns[at] = row->time_ns;
    b->arrival_ns[at] = row->arrival_ns;
    b->shape[at] = (uint8_t)shape;
    b->reason[at] = reason;
    b->time_source[at] = row->time_source;
    b->sub[at] = row->sub;
    b->line[at] = (struct span){.offset = line, .len = (uint32_t)row->bytes.len};
    b->last_offset = row->offset;
    b->row_count++;
    return 0;
}

bool batch_fits(const struct batch *b, size_t len, uint32_t rows_max)
{
    if (b->row_count == 0)
        return true;
    return b->row_count < rows_max && b->row_count < BATCH_ROWS_MAX && !b->shapes_full &&
           b->text.len + len <= BATCH_RAW_BYTES_MAX;
}

int batch_extra(struct batch *b, const struct extra *flags, struct slice key, struct slice headers)
{
    struct extra *extras =
        batch_array_grow(b, b->extras, &b->extra_cap, b->extra_count + 1, sizeof(*extras));
    if (extras == NULL)
        return ERR_NOMEM;
    b->extras = extras;
    struct extra *e = &extras[b->extra_count];
    *e = (struct extra){
        .row = b->row_count, .null_value = flags->null_value, .has_key = flags->has_key};
    e->key = (struct span){.offset = (uint32_t)b->text.len, .len = (uint32_t)key.len};
    buf_slice(&b->text, key);
    e->headers = (struct span){.offset = (uint32_t)b->text.len, .len = (uint32_t)headers.len};
    buf_slice(&b->text, headers);
    if (!buf_ok(&b->text))
        return ERR_NOMEM;
    b->extra_count++;
    return 0;
}

struct column *batch_derived(struct batch *b, uint16_t field)
{
    struct column like = column_like(field);
    like.derived = true;
    int at = column_find(b, &like);
    return at < 0 ? NULL : &b->columns[at];
}

uint16_t column_intern(struct batch *b, struct column *c, struct slice value)
{
    uint16_t code = intern_find(b, c, value);
    if (code != CODE_NONE)
        return code;
    struct span span = {.offset = (uint32_t)b->text.len, .len = (uint32_t)value.len};
    buf_slice(&b->text, value);
    if (!buf_ok(&b->text) || intern_code(b, c, span, &code) != 0)
        return CODE_NONE;
    return code;
}
