/*
 * event/builder.c - a line and its slots become a row.
 *
 *   line + slots -> shape_find() -- same skeleton as before? --> shape_store(): a value a column
 *                        | no
 *                   shape_add(): bind each slot to a column (event/binder.h)
 */
#include "event/builder.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "event/binder.h"
#include "event/columns.h"
#include "event/intern.h"

/*
 * Does the line have this shape? The slots need not have been checked: a shape was made of slots in
 * order, so one that overlaps its predecessor has another distance to it, and what runs out of the
 * line is refused before a byte is read.
 */
static bool shape_matches(const struct batch *b, const struct shape *shape, struct slice line,
                          const struct slots *slots)
{
    uint32_t at = 0;
    uint32_t value = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY)
            continue;
        if (value == shape->slot_count || (uint64_t)slot->offset + slot->length > line.len)
            return false;
        const struct shape_slot *like = &shape->slots[value++];
        uint32_t differs = (slot->offset - at) ^ like->piece_len;
        differs |= (uint32_t)(slot->field ^ like->field) | (uint32_t)(slot->kind ^ like->kind);
        if (differs != 0 ||
            !padded_equal(line.data + at, b->skeleton.data + like->piece, like->piece_len))
            return false;
        at = slot->offset + slot->length;
    }
    return value == shape->slot_count && line.len - at == shape->tail_len &&
           padded_equal(line.data + at, b->skeleton.data + shape->tail, shape->tail_len);
}

/*
 * What tells most shapes apart without reading the line: how many values, the sum of their fields
 * and kinds, and the length of the skeleton. Sums, because they do not wait for each other; shapes
 * that share all three are compared, BATCH_SHAPES_MAX of them at most.
 */
static uint64_t shape_hash(const struct batch *b, size_t line_len, const struct slots *slots)
{
    uint64_t fields = 0;
    uint64_t lengths = 0;
    uint64_t values = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        bool is_value = slot->kind != SLOT_KEY;
        fields += is_value ? (uint64_t)slot->field * 8 + slot->kind : 0;
        lengths += is_value ? slot->length : 0;
        values += is_value;
    }
    return b->hash_seed ^ fields ^ (line_len - lengths) << 24 ^ values << 48;
}

/*
 * Slots in order, inside the line, of known kinds; no KEY deeper than one below the KEY before it, no
 * unnamed value deeper than that?
 */
static bool slots_valid(struct slice line, const struct slots *slots)
{
    size_t at = 0;
    uint32_t keys = 0; /* around the place: what the next KEY's depth is at most */
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->offset < at || slot->offset > line.len ||
            slot->length > line.len - slot->offset ||
            (slot->kind != SLOT_KEY && !slot_kind_is_value(slot->kind)))
            return false;
        at = (size_t)slot->offset + slot->length;
        if (slot->kind == SLOT_KEY) {
            if (slot->depth > keys || slot->depth >= SLOT_DEPTH_MAX)
                return false;
            keys = slot->depth + 1U;
            continue;
        }
        if (slot->field == FIELD_UNNAMED && slot->depth >= keys)
            return false;
        if (slot->field < FIELD_LOCAL_FIRST ? field_info(slot->field) == NULL
                                            : slot->field < FIELD_COLUMN_FIRST)
            return false;
    }
    return true;
}

/* Add the shape of the line at text[line]. Returns its id, or what struct binder says. */
static int shape_add(struct batch *b, uint32_t line, uint32_t line_len, const struct slots *slots)
{
    struct binder binder;
    int status = binder_fields(&binder, b, line, slots);
    if (status != 0)
        return status;
    if (b->shape_count == BATCH_SHAPES_MAX)
        return ERR_RANGE;
    uint32_t count = b->shape_count == 0 ? 1 : b->shape_count;
    struct shape *shapes =
        batch_array_grow(b, b->shapes, &b->shape_cap, count + 1, sizeof(*shapes));
    struct shape_slot *places = arena_array(&b->arena, binder.value_count, sizeof(*places));
    /* A skeleton may be empty; comparing with it still needs readable bytes. */
    if (shapes == NULL || places == NULL || buf_reserve(&b->skeleton, 1) == NULL)
        return ERR_NOMEM;
    b->shapes = shapes;
    struct shape *shape = &shapes[count];
    *shape = (struct shape){.slots = places};
    shape->hash = shape_hash(b, line_len, slots);
    uint32_t at = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY)
            continue;
        int column = binder_column(&binder, b, shape->slot_count, slot->kind);
        if (column < 0)
            return column;
        places[shape->slot_count++] = (struct shape_slot){.piece = (uint32_t)b->skeleton.len,
                                                          .piece_len = slot->offset - at,
                                                          .field = slot->field,
                                                          .column = (uint16_t)column,
                                                          .kind = slot->kind};
        buf_append(&b->skeleton, b->text.data + line + at, slot->offset - at);
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

/*
 * The shape of the line that is there already, or 0. Lines of several kinds come in turns; most
 * often the number of their values tells which is which.
 */
static uint32_t shape_find(const struct batch *b, struct slice line, const struct slots *slots)
{
    uint32_t guess = b->shape_guess[slots->count % BATCH_SHAPE_GUESSES];
    if (guess != 0 && shape_matches(b, &b->shapes[guess], line, slots))
        return guess;
    if (b->shape_count <= 1)
        return 0;
    uint64_t hash = shape_hash(b, line.len, slots);
    for (uint32_t i = 1; i < b->shape_count; i++) {
        if (b->shapes[i].hash == hash && shape_matches(b, &b->shapes[i], line, slots))
            return i;
    }
    return 0;
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
    if (value_ip4(text, &v4) == VALUE_CANONICAL) {
        if (c->storage == COLUMN_IP4)
            c->ip4[row] = v4;
        else
            c->ips[row] = ip_from_v4(v4);
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

/*
 * Most often a device says what it said the line before: then its code is the row's. Not for the
 * value that decides about TEXT.
 */
static inline bool said_before(const struct batch *b, struct column *c, uint32_t row,
                               struct span span)
{
    if (c->storage != COLUMN_CODES || row == 0 || c->value_count == BATCH_TEXT_SWITCH_ROWS)
        return false;
    uint16_t code = c->codes[row - 1];
    if (!intern_is(b, c, code, span))
        return false;
    c->codes[row] = code;
    c->value_count++;
    return true;
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
        if (said_before(b, c, row, span))
            continue;
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

/*
 * The shape for a row, storing its values; 0 = verbatim, as where no batch would have room for it.
 * Sets *reason. Negative enum err: ERR_NOMEM, ERR_RANGE (an empty batch has room for what this one has
 * not; nothing was stored).
 */
static int row_shape(struct batch *b, const struct row *row, uint32_t line, uint8_t *reason)
{
    *reason = row->reason;
    if (row->slots == NULL || (row->reason != REASON_NONE && row->reason != REASON_PARTIAL))
        return 0;
    uint32_t len = (uint32_t)row->bytes.len;
    int shape = (int)shape_find(b, slice_of(b->text.data + line, len), row->slots);
    if (shape == 0 && !slots_valid(row->bytes, row->slots)) {
        *reason = REASON_PARTIAL;
        return 0;
    }
    const struct binder_mark before = binder_mark(b);
    const size_t skeleton_len = b->skeleton.len;
    if (shape == 0)
        shape = shape_add(b, line, len, row->slots);
    if (shape == ERR_RANGE || shape == ERR_FORMAT) {
        /* Names above all, whose text goes with the line. */
        binder_undo(b, &before);
        b->skeleton.len = skeleton_len;
        b->text.len = line + len;
        if (shape == ERR_RANGE)
            return ERR_RANGE;
        *reason = REASON_TOO_MANY_VALUES;
        return 0;
    }
    if (shape > 0) {
        if (shape_store(b, &b->shapes[shape], line, row->slots) != 0)
            return ERR_NOMEM;
        b->shapes[shape].row_count++;
        b->shape_guess[row->slots->count % BATCH_SHAPE_GUESSES] = (uint8_t)shape;
    }
    return shape;
}

/* Take the bytes at text[line] and what stands with the row that did not come back out. */
static void refuse_row(struct batch *b, uint32_t line)
{
    b->text.len = line;
    b->shapes_full = true;
    if (b->extra_count != 0 && b->extras[b->extra_count - 1].row == b->row_count)
        b->text.len = b->extras[--b->extra_count].key.offset;
}

int batch_append(struct batch *b, const struct row *row)
{
    assert(b->row_count < BATCH_LIVE_ROWS_MAX);
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
    if (shape == ERR_RANGE) {
        refuse_row(b, line);
        return ERR_RANGE;
    }
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
    return b->row_count < rows_max && b->row_count < BATCH_LIVE_ROWS_MAX && !b->shapes_full &&
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
    int at = binder_derived(b, field);
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
