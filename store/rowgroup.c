/* store/rowgroup.c - rows of batches into columns with one dictionary each. */
#include "store/rowgroup.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/columns.h"
#include "store/rowgroup_state.h"
#include "store/time_text.h"

enum {
    ROWS_FIRST = 1024,
    ENTRIES_SHARE = 4,        /* of rows; fewer entries are all had by some row */
    DISTINCT_ROWS_MIN = 4096, /* from here it is known whether most texts of a column differ */
};

/* Room for `need` items of `size` bytes; NULL without memory. */
static void *room(void *items, uint32_t *cap, uint32_t need, size_t size)
{
    if (need <= *cap)
        return items;
    uint32_t bigger = *cap == 0 ? 16 : *cap;
    while (bigger < need)
        bigger *= 2;
    void *grown = reallocarray(items, bigger, size);
    if (grown != NULL)
        *cap = bigger;
    return grown;
}

static int internal_columns(struct rowgroup *g)
{
    g->columns = calloc(ROWGROUP_INTERNAL, sizeof(*g->columns));
    if (g->columns == NULL)
        return ERR_NOMEM;
    g->column_cap = ROWGROUP_INTERNAL;
    g->column_count = ROWGROUP_INTERNAL;
    for (uint32_t i = 0; i < ROWGROUP_INTERNAL; i++) {
        struct rowgroup_column *c = &g->columns[i];
        c->id = (uint16_t)(ROWGROUP_SHAPE + i);
        c->like.type = FIELD_TYPE_INT;
        c->worded = c->id == ROWGROUP_LINE;
        if (c->worded)
            c->like.type = FIELD_TYPE_TEXT;
    }
    return 0;
}

int rowgroup_new(struct rowgroup **out, const struct batch *b)
{
    struct rowgroup *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ERR_NOMEM;
    g->tenant = b->tenant;
    g->format = b->format;
    g->zone_minutes = b->zone_minutes;
    g->generation = b->generation;
    buf_slice(&g->topic, b->topic);
    buf_slice(&g->source, b->source);
    buf_slice(&g->format_name, b->format_name);
    if (!buf_ok(&g->topic) || !buf_ok(&g->source) || !buf_ok(&g->format_name) ||
        internal_columns(g) != 0) {
        rowgroup_free(g);
        return ERR_NOMEM;
    }
    *out = g;
    return 0;
}

static void column_release(struct rowgroup_column *c)
{
    free(c->tied);
    free(c->codes);
    free(c->numbers);
    free(c->exceptions);
    words_release(&c->words);
}

void rowgroup_free(struct rowgroup *g)
{
    if (g == NULL)
        return;
    for (uint32_t i = 0; i < g->column_count; i++)
        column_release(&g->columns[i]);
    free(g->columns);
    free(g->partitions);
    free(g->offsets);
    free(g->raw_bytes);
    free(g->order);
    free(g->extras);
    words_release(&g->shapes);
    words_release(&g->names);
    words_release(&g->kinds);
    buf_release(&g->topic);
    buf_release(&g->source);
    buf_release(&g->format_name);
    buf_release(&g->exception_text);
    buf_release(&g->scratch);
    free(g);
}

bool rowgroup_is_like(const struct rowgroup *g, const struct batch *b)
{
    return g->tenant == b->tenant && g->format == b->format && g->zone_minutes == b->zone_minutes &&
           g->generation == b->generation && slice_equal(buf_content(&g->topic), b->topic) &&
           slice_equal(buf_content(&g->source), b->source) &&
           slice_equal(buf_content(&g->format_name), b->format_name);
}

uint32_t rowgroup_row_count(const struct rowgroup *g)
{
    return g->row_count;
}

size_t rowgroup_held_bytes(const struct rowgroup *g)
{
    size_t bytes = (size_t)g->row_cap * 20 + g->exception_text.cap;
    for (uint32_t i = 0; i < g->column_count; i++) {
        const struct rowgroup_column *c = &g->columns[i];
        bytes += (size_t)c->row_cap * (c->worded ? sizeof(*c->codes) : sizeof(*c->numbers));
        bytes += (size_t)c->tied_cap * sizeof(*c->tied);
        bytes += c->words.text.cap + (size_t)c->words.cap * WORD_BYTES;
    }
    return bytes;
}

void rowgroup_kind_put(struct buf *out, const struct column *like)
{
    buf_put16(out, like->field);
    buf_byte(out, (char)like->ordinal);
    buf_byte(out, (char)like->kind);
    buf_byte(out, (char)like->type);
    buf_byte(out, (char)like->derived);
    buf_byte(out, (char)like->epoch_form);
}

int rowgroup_column_room(struct rowgroup_column *c, uint32_t rows)
{
    if (c->row_cap >= rows)
        return 0;
    if (c->worded) {
        uint32_t *codes = reallocarray(c->codes, rows, sizeof(*codes));
        if (codes == NULL)
            return ERR_NOMEM;
        memset(codes + c->row_cap, 0xff, (rows - c->row_cap) * sizeof(*codes));
        c->codes = codes;
    } else {
        int64_t *numbers = reallocarray(c->numbers, rows, sizeof(*numbers));
        if (numbers == NULL)
            return ERR_NOMEM;
        for (uint32_t i = c->row_cap; i < rows; i++)
            numbers[i] = VALUE_NONE;
        c->numbers = numbers;
    }
    c->row_cap = rows;
    return 0;
}

static_assert(WORD_NONE == 0xffffffff, "rows without a word are made by memset");

/* The group's column for one of a batch; its number, or an error. */
static int column_of(struct rowgroup *g, const struct batch *b, const struct column *from,
                     uint32_t *out)
{
    struct column like = *from;
    if (like.field >= FIELD_LOCAL_FIRST) {
        struct slice text = batch_span(b, b->names[like.field - FIELD_LOCAL_FIRST]);
        uint32_t name = words_find(&g->names, text);
        if (name == WORD_NONE && g->names.count == BATCH_NAMES_MAX)
            return ERR_RANGE;
        name = words_put(&g->names, text);
        if (name == WORD_NONE)
            return ERR_NOMEM;
        like.field = (uint16_t)(FIELD_LOCAL_FIRST + name);
    }
    buf_reset(&g->scratch);
    rowgroup_kind_put(&g->scratch, &like);
    uint32_t number = words_put(&g->kinds, buf_content(&g->scratch));
    if (number == WORD_NONE || !buf_ok(&g->scratch))
        return ERR_NOMEM;
    if (number >= BATCH_COLUMNS_MAX)
        return ERR_RANGE;
    *out = number + ROWGROUP_INTERNAL;
    if (*out < g->column_count)
        return 0;
    struct rowgroup_column *columns =
        room(g->columns, &g->column_cap, g->column_count + 1, sizeof(*columns));
    if (columns == NULL)
        return ERR_NOMEM;
    g->columns = columns;
    columns[g->column_count++] = (struct rowgroup_column){.like = {.field = like.field,
                                                                   .ordinal = like.ordinal,
                                                                   .kind = like.kind,
                                                                   .type = like.type,
                                                                   .derived = like.derived,
                                                                   .epoch_form = like.epoch_form},
                                                          .worded = like.type == FIELD_TYPE_TEXT ||
                                                                    like.type == FIELD_TYPE_IP};
    return 0;
}

/* A batch's columns and shapes in the terms of the group. */
struct translation {
    uint32_t columns[BATCH_COLUMNS_MAX];
    struct shape_rows shapes;
    bool has[ROWGROUP_COLUMNS_MAX]; /* of the group's columns: the batch has it */
};

/* A shape as it is stored: for each value the bytes before it, field, kind, column; then the tail. */
static void describe_shape(struct buf *out, const struct batch *b, const struct shape *shape,
                           const struct translation *t)
{
    buf_varint(out, shape->slot_count);
    for (uint32_t i = 0; i < shape->slot_count; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        buf_varint(out, slot->piece_len);
        buf_append(out, b->skeleton.data + slot->piece, slot->piece_len);
        buf_put16(out, slot->field);
        buf_byte(out, (char)slot->kind);
        buf_varint(out, t->columns[slot->column] - ROWGROUP_INTERNAL);
    }
    buf_varint(out, shape->tail_len);
    buf_append(out, b->skeleton.data + shape->tail, shape->tail_len);
}

static void column_binds(struct rowgroup_column *c, uint32_t shape)
{
    c->shapes[shape / 64] |= UINT64_C(1) << (shape % 64);
}

static int translate(struct rowgroup *g, const struct batch *b, struct translation *t)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        int err = column_of(g, b, &b->columns[i], &t->columns[i]);
        if (err != 0)
            return err;
        t->has[t->columns[i]] = true;
    }
    t->shapes.numbers[0] = 0;
    for (uint32_t s = 1; s < b->shape_count; s++) {
        buf_reset(&g->scratch);
        describe_shape(&g->scratch, b, &b->shapes[s], t);
        if (!buf_ok(&g->scratch))
            return ERR_NOMEM;
        struct slice shape = buf_content(&g->scratch);
        uint32_t number = words_find(&g->shapes, shape);
        if (number == WORD_NONE && g->shapes.count == BATCH_SHAPES_MAX - 1)
            return ERR_RANGE;
        number = words_put(&g->shapes, shape);
        if (number == WORD_NONE)
            return ERR_NOMEM;
        t->shapes.numbers[s] = (uint8_t)(number + 1);
        for (uint32_t i = 0; i < b->shapes[s].slot_count; i++)
            column_binds(&g->columns[t->columns[b->shapes[s].slots[i].column]], number + 1);
    }
    return 0;
}

static int keep_text(struct rowgroup *g, struct slice text, struct span *out)
{
    size_t at = g->exception_text.len;
    buf_slice(&g->exception_text, text);
    if (!buf_ok(&g->exception_text) || g->exception_text.len > UINT32_MAX)
        return ERR_NOMEM;
    *out = (struct span){.offset = (uint32_t)at, .len = (uint32_t)text.len};
    return 0;
}

static int add_exception(struct rowgroup *g, struct rowgroup_column *c, uint32_t row,
                         struct slice text)
{
    struct rowgroup_exception *items =
        room(c->exceptions, &c->exception_cap, c->exception_count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    c->exceptions = items;
    items[c->exception_count] = (struct rowgroup_exception){.row = row};
    return keep_text(g, text, &items[c->exception_count++].text);
}

/* The words of the entries in list[0, count), into known[entry]. */
static int know_entries(struct rowgroup_column *to, const struct batch *b, const struct column *c,
                        const uint16_t *list, uint32_t count, uint32_t *known)
{
    struct slice texts[WORDS_AT_ONCE];
    uint32_t words[WORDS_AT_ONCE];
    for (uint32_t first = 0; first < count; first += WORDS_AT_ONCE) {
        uint32_t n = count - first < WORDS_AT_ONCE ? count - first : WORDS_AT_ONCE;
        for (uint32_t i = 0; i < n; i++)
            texts[i] = batch_span(b, c->entries[list[first + i]]);
        if (words_put_each(&to->words, texts, n, words) != 0)
            return ERR_NOMEM;
        for (uint32_t i = 0; i < n; i++)
            known[list[first + i]] = words[i];
    }
    return 0;
}

/* The entries that the rows have, into list[]; where they are few all of them, as it is likely. */
static uint32_t list_entries(const struct rowgroup_rows *from, const struct column *c,
                             uint32_t *met, uint16_t *list)
{
    uint32_t count = 0;
    if (c->entry_count <= from->count / ENTRIES_SHARE) {
        for (; count < c->entry_count; count++)
            list[count] = (uint16_t)count;
        return count;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        uint16_t code = c->codes[from->rows[i]];
        if (code != CODE_NONE && met[code]++ == 0)
            list[count++] = code;
    }
    return count;
}

/* Codes of a dictionary: each entry is looked up once. */
static int add_codes(struct rowgroup_column *to, uint32_t at, const struct rowgroup_rows *from,
                     const struct column *c, struct arena *arena)
{
    uint32_t *known = arena_array(arena, c->entry_count + 1, sizeof(*known));
    uint16_t *list = arena_array(arena, c->entry_count + 1, sizeof(*list));
    uint32_t values = 0;
    if (known == NULL || list == NULL)
        return ERR_NOMEM;
    uint32_t count = list_entries(from, c, known, list);
    if (know_entries(to, from->batch, c, list, count, known) != 0)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < from->count; i++) {
        uint16_t code = c->codes[from->rows[i]];
        if (code == CODE_NONE)
            continue;
        to->codes[at + i] = known[code];
        values++;
    }
    to->value_rows += values;
    return 0;
}

static int add_words(struct rowgroup_column *to, uint32_t at, const struct rowgroup_rows *from,
                     const struct column *c)
{
    struct slice texts[WORDS_AT_ONCE];
    uint32_t words[WORDS_AT_ONCE];
    uint32_t places[WORDS_AT_ONCE];
    for (uint32_t first = 0; first < from->count; first += WORDS_AT_ONCE) {
        uint32_t end = first + WORDS_AT_ONCE < from->count ? first + WORDS_AT_ONCE : from->count;
        uint32_t n = 0;
        for (uint32_t i = first; i < end; i++) {
            texts[n] = batch_span(from->batch, c->spans[from->rows[i]]);
            places[n] = at + i;
            n += c->spans[from->rows[i]].len != SPAN_NONE;
        }
        if (words_put_each(&to->words, texts, n, words) != 0)
            return ERR_NOMEM;
        for (uint32_t i = 0; i < n; i++)
            to->codes[places[i]] = words[i];
        to->value_rows += n;
    }
    return 0;
}

static int add_ips(struct rowgroup_column *to, uint32_t at, const struct rowgroup_rows *from,
                   const struct column *c)
{
    struct ip ips[WORDS_AT_ONCE];
    uint32_t words[WORDS_AT_ONCE];
    uint32_t places[WORDS_AT_ONCE];
    for (uint32_t first = 0; first < from->count; first += WORDS_AT_ONCE) {
        uint32_t end = first + WORDS_AT_ONCE < from->count ? first + WORDS_AT_ONCE : from->count;
        uint32_t n = 0;
        for (uint32_t i = first; i < end; i++) {
            uint32_t row = from->rows[i];
            if (!column_is_present(c, row))
                continue;
            ips[n] = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
            to->any_v6 |= !ip_is_v4(&ips[n]);
            places[n++] = at + i;
        }
        if (words_put_ip_each(&to->words, ips, n, !to->any_v6, words) != 0)
            return ERR_NOMEM;
        for (uint32_t i = 0; i < n; i++)
            to->codes[places[i]] = words[i];
        to->value_rows += n;
    }
    return 0;
}

/* Of rows that have text each a word of its own: there would be few to share. */
static int append_words(struct rowgroup_column *to, uint32_t at, const struct rowgroup_rows *from,
                        const struct column *c)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct span text = c->storage == COLUMN_TEXT ? c->spans[from->rows[i]]
                           : c->codes[from->rows[i]] == CODE_NONE
                               ? (struct span){.len = SPAN_NONE}
                               : c->entries[c->codes[from->rows[i]]];
        if (text.len == SPAN_NONE)
            continue;
        to->codes[at + i] = words_append(&to->words, batch_span(from->batch, text));
        if (to->codes[at + i] == WORD_NONE)
            return ERR_NOMEM;
    }
    return 0;
}

/*
 * Where so few texts came again that, drawn at random, half of them would not at the end of the group
 * (they grow with the square of the rows): a dictionary will never do. Nor where texts tell the time
 * finer than in seconds; that is seen by the first.
 */
static bool turns_distinct(struct rowgroup_column *to)
{
    struct time_text layout;
    if (to->like.type != FIELD_TYPE_TEXT || to->like.derived || to->words.count == 0)
        return false;
    bool is_first = !to->guessed;
    to->guessed = true;
    if (is_first && time_text_guess(&layout, words_text(&to->words, 0)) &&
        layout.unit_ns < CLOCK_NS_PER_SECOND)
        return true;
    uint64_t rows = to->value_rows;
    uint64_t again = rows < to->words.count ? 0 : rows - to->words.count;
    return rows >= DISTINCT_ROWS_MIN && again * 2 * ROWGROUP_ROWS_MAX <= rows * rows;
}

/* Exceptions of the rows, which hold no value beside: it follows from the text. */
static int add_exceptions(struct rowgroup *g, struct rowgroup_column *to, uint32_t at,
                          const struct rowgroup_rows *from, const struct column *c)
{
    uint32_t e = 0;
    int err = 0;
    for (uint32_t i = 0; i < from->count && err == 0; i++) {
        while (e < c->exception_count && c->exceptions[e].row < from->rows[i])
            e++;
        if (e == c->exception_count || c->exceptions[e].row != from->rows[i])
            continue;
        if (to->worded)
            to->codes[at + i] = WORD_NONE;
        else
            to->numbers[at + i] = VALUE_NONE;
        err = add_exception(g, to, at + i, batch_span(from->batch, c->exceptions[e].text));
    }
    return err;
}

/* The rows' values in the batch's column of that number. */
static int add_column(struct rowgroup *g, const struct rowgroup_rows *from, uint32_t column,
                      const struct translation *t, struct arena *arena)
{
    const struct column *c = &from->batch->columns[column];
    struct rowgroup_column *to = &g->columns[t->columns[column]];
    int err = rowgroup_add_tied(g, to, from, column, &t->shapes);
    if (err != ERR_NOTFOUND)
        return err;
    err = rowgroup_column_room(to, g->row_cap);
    if (err != 0)
        return err;
    to->distinct = to->distinct || turns_distinct(to);
    if (to->distinct) {
        err = append_words(to, g->row_count, from, c);
    } else if (c->storage == COLUMN_CODES) {
        err = add_codes(to, g->row_count, from, c, arena);
    } else if (c->storage == COLUMN_INT) {
        for (uint32_t i = 0; i < from->count; i++)
            to->numbers[g->row_count + i] = c->numbers[from->rows[i]];
    } else if (c->storage == COLUMN_TEXT) {
        err = add_words(to, g->row_count, from, c);
    } else {
        err = add_ips(to, g->row_count, from, c);
    }
    return err == 0 && c->exception_count != 0 ? add_exceptions(g, to, g->row_count, from, c) : err;
}

static int add_internal(struct rowgroup *g, const struct rowgroup_rows *from,
                        const struct translation *t)
{
    const struct batch *b = from->batch;
    for (uint32_t i = 0; i < ROWGROUP_INTERNAL; i++) {
        if (rowgroup_column_room(&g->columns[i], g->row_cap) != 0)
            return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t row = from->rows[i];
        uint32_t at = g->row_count + i;
        rowgroup_internal(g, ROWGROUP_SHAPE)->numbers[at] = t->shapes.numbers[b->shape[row]];
        rowgroup_internal(g, ROWGROUP_REASON)->numbers[at] = b->reason[row];
        rowgroup_internal(g, ROWGROUP_TIME_SOURCE)->numbers[at] = b->time_source[row];
        rowgroup_internal(g, ROWGROUP_VERDICT)->numbers[at] = b->verdict[row];
        rowgroup_internal(g, ROWGROUP_TIME)->numbers[at] = b->time_ns[row];
        rowgroup_internal(g, ROWGROUP_ARRIVAL)->numbers[at] = b->arrival_ns[row];
        rowgroup_internal(g, ROWGROUP_SUB)->numbers[at] = b->sub[row];
        rowgroup_internal(g, ROWGROUP_LEAF)->numbers[at] = (int64_t)from->leaves[i];
        g->partitions[at] = from->partitions[row];
        g->offsets[at] = from->offsets[row];
        g->raw_bytes[at] = from->raw_bytes[i];
        if (b->shape[row] != 0)
            continue;
        struct rowgroup_column *lines = rowgroup_internal(g, ROWGROUP_LINE);
        lines->codes[at] = words_put(&lines->words, batch_span(b, b->line[row]));
        if (lines->codes[at] == WORD_NONE)
            return ERR_NOMEM;
    }
    return 0;
}

static int add_extras(struct rowgroup *g, const struct rowgroup_rows *from)
{
    const struct batch *b = from->batch;
    uint32_t i = 0;
    for (uint32_t e = 0; e < b->extra_count; e++) {
        while (i < from->count && from->rows[i] < b->extras[e].row)
            i++;
        if (i == from->count || from->rows[i] != b->extras[e].row)
            continue;
        struct rowgroup_extra *items =
            room(g->extras, &g->extra_cap, g->extra_count + 1, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        g->extras = items;
        struct rowgroup_extra *x = &items[g->extra_count++];
        *x = (struct rowgroup_extra){.row = g->row_count + i,
                                     .null_value = b->extras[e].null_value,
                                     .has_key = b->extras[e].has_key};
        if (keep_text(g, batch_span(b, b->extras[e].key), &x->key) != 0 ||
            keep_text(g, batch_span(b, b->extras[e].headers), &x->headers) != 0)
            return ERR_NOMEM;
    }
    return 0;
}

/* Room for `rows` rows in the arrays of the group itself; those of columns follow when used. */
static int group_room(struct rowgroup *g, uint32_t rows)
{
    if (rows <= g->row_cap)
        return 0;
    uint32_t cap = g->row_cap == 0 ? ROWS_FIRST : g->row_cap;
    while (cap < rows)
        cap *= 2;
    int32_t *partitions = reallocarray(g->partitions, cap, sizeof(*partitions));
    g->partitions = partitions == NULL ? g->partitions : partitions;
    int64_t *offsets = reallocarray(g->offsets, cap, sizeof(*offsets));
    g->offsets = offsets == NULL ? g->offsets : offsets;
    uint32_t *raw = reallocarray(g->raw_bytes, cap, sizeof(*raw));
    g->raw_bytes = raw == NULL ? g->raw_bytes : raw;
    if (partitions == NULL || offsets == NULL || raw == NULL)
        return ERR_NOMEM;
    g->row_cap = cap;
    return 0;
}

/* Whether so many more rows leave texts small enough, and derived ones few enough for a dictionary. */
static bool texts_fit(const struct rowgroup *g, uint32_t rows)
{
    for (uint32_t i = 0; i < g->column_count; i++) {
        const struct rowgroup_column *c = &g->columns[i];
        if (c->words.text.len > ROWGROUP_TEXT_BYTES_MAX ||
            (c->like.derived && c->words.count + rows > ROWGROUP_CODES_MAX))
            return false;
    }
    return g->exception_text.len <= ROWGROUP_TEXT_BYTES_MAX;
}

static void count_rows(struct rowgroup *g, const struct rowgroup_rows *rows,
                       const struct translation *t)
{
    for (uint32_t s = 0; s < rows->batch->shape_count; s++)
        g->shape_rows[t->shapes.numbers[s]] += t->shapes.rows[s];
    g->row_count += rows->count;
}

int rowgroup_add(struct rowgroup *g, const struct rowgroup_rows *rows)
{
    struct arena arena = {0};
    if (rows->count > ROWGROUP_ROWS_MAX - g->row_count || !texts_fit(g, rows->count) ||
        !rowgroup_is_like(g, rows->batch))
        return ERR_RANGE;
    struct translation *t = arena_alloc(&arena, sizeof(*t));
    int err = t == NULL ? ERR_NOMEM : translate(g, rows->batch, t);
    if (err == 0)
        err = group_room(g, g->row_count + rows->count);
    if (err == 0)
        err = add_internal(g, rows, t);
    for (uint32_t i = 0; i < rows->count && err == 0; i++)
        t->shapes.rows[rows->batch->shape[rows->rows[i]]]++;
    for (uint32_t i = 0; i < rows->batch->column_count && err == 0; i++)
        err = add_column(g, rows, i, t, &arena);
    for (uint32_t i = ROWGROUP_INTERNAL; i < g->column_count && err == 0; i++)
        err = t->has[i] ? 0 : rowgroup_add_none(g, &g->columns[i], rows->batch, &t->shapes);
    if (err == 0)
        err = add_extras(g, rows);
    if (err == 0)
        count_rows(g, rows, t);
    arena_release(&arena);
    return err;
}
