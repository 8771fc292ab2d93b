#include "event/binder.h"

#include <assert.h>

#include "base/err.h"
#include "base/hash.h"
#include "event/columns.h"

enum {
    TABLE_FIRST_SLOTS = 64,
};

static_assert(BATCH_NAMES_MAX < UINT16_MAX && BATCH_COLUMNS_MAX < UINT16_MAX,
              "an id + 1 fits a place of a table");

static uint32_t name_hash(const struct batch *b, uint32_t id)
{
    return (uint32_t)hash_slice(b->hash_seed, batch_span(b, b->names[id]));
}

static uint32_t column_hash(const struct batch *b, const struct column *c)
{
    uint64_t what = (uint64_t)c->field << 24 | (uint64_t)c->ordinal << 16 | (uint64_t)c->kind << 8 |
                    (uint64_t)c->derived;
    return (uint32_t)((what ^ b->hash_seed) * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static uint32_t column_hash_at(const struct batch *b, uint32_t id)
{
    return column_hash(b, &b->columns[id]);
}

/* Ids by a hash of what they stand for: open addressing, at most half full. */
typedef uint32_t hash_at(const struct batch *b, uint32_t id);

/* Put the next id. */
static void table_put(struct id_table *t, uint32_t hash, uint32_t id)
{
    uint32_t at = hash & t->mask;
    while (t->ids[at] != 0)
        at = (at + 1) & t->mask;
    t->ids[at] = (uint16_t)(id + 1);
    t->count = id + 1;
}

/* All ids below `count` are in it, and there is room for one more. */
static int table_fill(struct batch *b, struct id_table *t, uint32_t count, hash_at *hash)
{
    if (t->ids == NULL || (count + 1) * 2 > t->mask + 1) {
        uint32_t slots = TABLE_FIRST_SLOTS;
        while (slots < (count + 1) * 2)
            slots *= 2;
        uint16_t *ids = arena_array(&b->arena, slots, sizeof(*ids));
        if (ids == NULL)
            return ERR_NOMEM;
        *t = (struct id_table){.ids = ids, .mask = slots - 1};
    }
    while (t->count < count) {
        uint32_t id = t->count;
        table_put(t, hash(b, id), id);
    }
    return 0;
}

/* Take out the youngest id: the table is then as it was before it came. */
static void table_take(struct id_table *t, uint32_t hash, uint32_t id)
{
    uint32_t at = hash & t->mask;
    while (t->ids[at] != id + 1)
        at = (at + 1) & t->mask;
    t->ids[at] = 0;
    t->count = id;
}

static int name_add(struct binder *binder, struct batch *b, struct slice name, uint32_t hash)
{
    if (name.len > BATCH_NAME_BYTES_MAX)
        return ERR_FORMAT;
    if (b->name_count == BATCH_NAMES_MAX)
        return ERR_RANGE;
    struct span *names =
        batch_array_grow(b, b->names, &b->name_cap, b->name_count + 1, sizeof(*names));
    if (names == NULL)
        return ERR_NOMEM;
    b->names = names;
    names[b->name_count] =
        (struct span){.offset = (uint32_t)b->text.len, .len = (uint32_t)name.len};
    buf_slice(&b->text, name);
    if (!buf_ok(&b->text))
        return ERR_NOMEM;
    table_put(&b->name_table, hash, b->name_count);
    binder->hint = b->name_count + 1;
    return (int)(FIELD_LOCAL_FIRST + b->name_count++);
}

/* The local id of a name that does not lie in the batch's text, added where it is new. */
static int name_id(struct binder *binder, struct batch *b, struct slice name)
{
    struct id_table *t = &b->name_table;
    uint32_t hint = binder->hint;
    if (hint < b->name_count && slice_equal(batch_span(b, b->names[hint]), name)) {
        binder->hint = hint + 1;
        return (int)(FIELD_LOCAL_FIRST + hint);
    }
    /* The same again: a list. */
    if (hint > 0 && slice_equal(batch_span(b, b->names[hint - 1]), name))
        return (int)(FIELD_LOCAL_FIRST + hint - 1);
    if (table_fill(b, t, b->name_count, name_hash) != 0)
        return ERR_NOMEM;
    uint32_t hash = (uint32_t)hash_slice(b->hash_seed, name);
    for (uint32_t at = hash & t->mask; t->ids[at] != 0; at = (at + 1) & t->mask) {
        uint32_t id = t->ids[at] - 1U;
        if (slice_equal(batch_span(b, b->names[id]), name)) {
            binder->hint = id + 1;
            return (int)(FIELD_LOCAL_FIRST + id);
        }
    }
    return name_add(binder, b, name, hash);
}

/* The id that a slot's column has: its own, or the batch's for an unnamed field. */
static int slot_field(struct binder *binder, struct batch *b, uint32_t line,
                      const struct slots *slots, const struct slot *slot)
{
    if (slot->field < FIELD_LOCAL_FIRST)
        return slot->field;
    char name[BATCH_NAME_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf text = {.data = name, .cap = BATCH_NAME_BYTES_MAX, .limit = BATCH_NAME_BYTES_MAX};
    if (slot->field != FIELD_UNNAMED) {
        buf_text(&text, "col");
        buf_decimal(&text, slot->field - FIELD_COLUMN_FIRST);
        return name_id(binder, b, buf_content(&text));
    }
    for (uint32_t depth = 0; depth <= slot->depth && buf_ok(&text); depth++) {
        const struct slot *key = &slots->items[binder->keys[depth]];
        if (depth > 0)
            buf_byte(&text, '.');
        buf_append(&text, b->text.data + line + key->offset, key->length);
    }
    return buf_ok(&text) ? name_id(binder, b, buf_content(&text)) : ERR_FORMAT;
}

/* How many of the slots are values. */
static uint32_t count_values(const struct slots *slots)
{
    uint32_t values = 0;
    for (uint32_t i = 0; i < slots->count; i++)
        values += slots->items[i].kind != SLOT_KEY;
    return values;
}

int binder_fields(struct binder *binder, struct batch *b, uint32_t line, const struct slots *slots)
{
    if (count_values(slots) > BATCH_COLUMNS_MAX)
        return ERR_FORMAT;
    binder->hint = 0;
    binder->value_count = 0;
    memset(binder->seen, 0, sizeof(binder->seen));
    int field = 0;
    const struct slot *listed = NULL; /* unnamed, and no key has come since */
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if (slot->kind == SLOT_KEY) {
            binder->keys[slot->depth] = i;
            listed = NULL;
            continue;
        }
        if (listed == NULL || slot->field != FIELD_UNNAMED || slot->depth != listed->depth)
            field = slot_field(binder, b, line, slots, slot);
        if (field < 0)
            return field;
        listed = slot->field == FIELD_UNNAMED ? slot : NULL;
        if (++binder->seen[field] > UINT8_MAX + 1)
            return ERR_FORMAT;
        binder->fields[binder->value_count++] = (uint16_t)field;
    }
    binder->hint = 0;
    memset(binder->seen, 0, sizeof(binder->seen));
    return 0;
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

static bool is_like(const struct column *c, const struct column *like)
{
    return c->field == like->field && c->ordinal == like->ordinal && c->kind == like->kind &&
           c->derived == like->derived;
}

/* The column of (field, ordinal, kind, derived or not), added where it is new; or negative. */
static int column_find(struct batch *b, uint32_t hint, const struct column *like)
{
    struct id_table *t = &b->column_table;
    if (hint < b->column_count && is_like(&b->columns[hint], like))
        return (int)hint;
    if (table_fill(b, t, b->column_count, column_hash_at) != 0)
        return ERR_NOMEM;
    uint32_t hash = column_hash(b, like);
    for (uint32_t at = hash & t->mask; t->ids[at] != 0; at = (at + 1) & t->mask) {
        uint32_t id = t->ids[at] - 1U;
        if (is_like(&b->columns[id], like))
            return (int)id;
    }
    int column = batch_column_add(b, like);
    if (column >= 0)
        table_put(t, hash, (uint32_t)column);
    return column;
}

int binder_column(struct binder *binder, struct batch *b, uint32_t value, uint8_t kind)
{
    uint16_t field = binder->fields[value];
    struct column like = column_like(field);
    like.ordinal = (uint8_t)binder->seen[field]++;
    like.kind = kind;
    int column = column_find(b, binder->hint, &like);
    binder->hint = (uint32_t)column + 1;
    return column;
}

int binder_derived(struct batch *b, uint16_t field)
{
    struct column like = column_like(field);
    like.derived = true;
    return column_find(b, 0, &like);
}

struct binder_mark binder_mark(const struct batch *b)
{
    return (struct binder_mark){.names = b->name_count, .columns = b->column_count};
}

void binder_undo(struct batch *b, const struct binder_mark *mark)
{
    while (b->name_count > mark->names) {
        b->name_count--;
        if (b->name_table.count > b->name_count)
            table_take(&b->name_table, name_hash(b, b->name_count), b->name_count);
    }
    while (b->column_count > mark->columns) {
        b->column_count--;
        if (b->column_table.count > b->column_count)
            table_take(&b->column_table, column_hash_at(b, b->column_count), b->column_count);
    }
}
