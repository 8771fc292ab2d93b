/* store/rowgroup_fill.c - a batch from the chunks of one block. */
#include "base/err.h"
#include "store/pack.h"
#include "store/rowgroup_reader.h"

static bool wants(const struct column_mask *only, uint32_t column)
{
    return only == NULL || column_mask_has(only, column);
}

static bool wants_part(const struct column_mask *only, uint32_t part)
{
    return only == NULL || (only->parts & part) != 0;
}

/* The next shape of the group's description. */
static int read_shape(struct batch *b, struct reader *in, struct shape *shape)
{
    uint32_t slots = (uint32_t)reader_varint(in, SLOTS_MAX);
    shape->slots = arena_array(&b->arena, slots + 1, sizeof(*shape->slots));
    if (shape->slots == NULL)
        return ERR_NOMEM;
    shape->slot_count = slots;
    for (uint32_t i = 0; i < slots; i++) {
        struct shape_slot *slot = &shape->slots[i];
        struct slice piece = reader_bytes(in, reader_varint(in, CHUNK_BYTES_MAX));
        slot->piece = (uint32_t)b->skeleton.len;
        slot->piece_len = (uint32_t)piece.len;
        buf_slice(&b->skeleton, piece);
        slot->field = reader_get16(in);
        slot->kind = reader_get8(in);
        slot->column = (uint16_t)reader_varint(in, BATCH_COLUMNS_MAX - 1);
        if (in->failed || slot->column >= b->column_count || b->columns[slot->column].derived ||
            b->columns[slot->column].kind != slot->kind)
            return ERR_CORRUPT;
    }
    struct slice tail = reader_bytes(in, reader_varint(in, CHUNK_BYTES_MAX));
    shape->tail = (uint32_t)b->skeleton.len;
    shape->tail_len = (uint32_t)tail.len;
    buf_slice(&b->skeleton, tail);
    return in->failed ? ERR_CORRUPT : 0;
}

/* Whether the shape names exactly the columns that say it binds them. */
static bool shape_binds(const struct rowgroup_reader *r, const struct batch *b, uint32_t number)
{
    struct column_mask named = {0};
    const struct shape *shape = &b->shapes[number];
    for (uint32_t i = 0; i < shape->slot_count; i++)
        column_mask_add(&named, shape->slots[i].column);
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct stored_column *c = &r->columns[i + ROWGROUP_INTERNAL];
        bool says = !c->derived && (c->shapes[number / 64] >> (number % 64) & 1) != 0;
        if (says != column_mask_has(&named, i))
            return false;
    }
    return true;
}

static int load_shapes(struct rowgroup_reader *r, struct batch *b)
{
    struct reader in;
    if (r->shapes_loaded)
        return 0;
    int err = reader_chunk(r, 0, &r->scratch, &in);
    if (err != 0)
        return err;
    b->shapes = arena_array(&b->arena, (size_t)r->shape_count + 1, sizeof(*b->shapes));
    if (b->shapes == NULL || buf_reserve(&b->skeleton, 1) == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 1; i <= r->shape_count && err == 0; i++) {
        err = read_shape(b, &in, &b->shapes[i]);
        if (err == 0 && !shape_binds(r, b, i))
            err = ERR_CORRUPT;
    }
    if (err == 0 && reader_left(&in) != 0)
        err = ERR_CORRUPT;
    if (err == 0 && !buf_ok(&b->skeleton))
        err = ERR_NOMEM;
    b->shape_count = r->shape_count + 1;
    b->shape_cap = b->shape_count;
    r->shapes_loaded = err == 0;
    return err;
}

/* Append a text to those of the group. */
static struct span keep_text(struct batch *b, struct slice text)
{
    struct span span = {.offset = (uint32_t)b->text.len, .len = (uint32_t)text.len};
    buf_slice(&b->text, text);
    return span;
}

/* What records had besides their values, of the whole group. */
static int load_extras(struct rowgroup_reader *r, struct batch *b)
{
    struct reader in;
    uint64_t row = 0;
    if (r->extras_loaded)
        return 0;
    int err = reader_chunk(r, 1, &r->scratch, &in);
    while (err == 0 && reader_left(&in) != 0) {
        struct extra *items =
            batch_array_grow(b, r->extras, &r->extra_cap, r->extra_count + 1, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        r->extras = items;
        uint64_t step = reader_varint(&in, ROWGROUP_ROWS_MAX);
        uint8_t flags = reader_get8(&in);
        row += step;
        struct slice key = reader_bytes(&in, reader_varint(&in, CHUNK_BYTES_MAX));
        struct slice headers = reader_bytes(&in, reader_varint(&in, CHUNK_BYTES_MAX));
        if (in.failed || row >= r->head->row_count || (r->extra_count != 0 && step == 0) ||
            flags > 3)
            return ERR_CORRUPT;
        items[r->extra_count++] = (struct extra){.row = (uint32_t)row,
                                                 .null_value = (flags & 1) != 0,
                                                 .has_key = (flags & 2) != 0,
                                                 .key = keep_text(b, key),
                                                 .headers = keep_text(b, headers)};
    }
    r->extras_loaded = err == 0;
    return err;
}

/* Whether a column, or what an internal one is for, is asked for. */
static bool wants_stored(const struct column_mask *only, uint32_t column)
{
    static const uint8_t PARTS[ROWGROUP_INTERNAL] = {
        [0] = PART_SHAPES,
        [ROWGROUP_REASON - ROWGROUP_SHAPE] = PART_REASONS,
        [ROWGROUP_TIME_SOURCE - ROWGROUP_SHAPE] = PART_TIMES,
        [ROWGROUP_VERDICT - ROWGROUP_SHAPE] = PART_VERDICTS,
        [ROWGROUP_TIME - ROWGROUP_SHAPE] = PART_TIMES,
        [ROWGROUP_ARRIVAL - ROWGROUP_SHAPE] = PART_ARRIVALS,
        [ROWGROUP_SUB - ROWGROUP_SHAPE] = PART_PLACES,
        [ROWGROUP_LINE - ROWGROUP_SHAPE] = PART_SHAPES,
    };
    if (column >= ROWGROUP_INTERNAL)
        return wants(only, column - ROWGROUP_INTERNAL);
    return PARTS[column] != 0 && wants_part(only, PARTS[column]);
}

/* Forget the texts of another block. */
static void begin_block(struct rowgroup_reader *r, uint32_t block, struct batch *b)
{
    if (r->texts_block == block)
        return;
    b->text.len = r->texts_len;
    for (uint32_t i = 0; i < r->column_count; i++)
        r->columns[i].has_texts = false;
    r->texts_block = block;
}

/*
 * Dictionaries, skeletons and extras that are asked for; they stay for the blocks to come, with the
 * texts of this one that stand before them.
 */
static int load(struct rowgroup_reader *r, const struct column_mask *only, struct batch *b)
{
    int err = 0;
    size_t before = b->text.len;
    for (uint32_t i = 0; i < r->column_count && err == 0; i++) {
        if (!wants_stored(only, i))
            continue;
        if (r->columns[i].form == FORM_TIME_TEXT)
            err = reader_load(r, ROWGROUP_TIME - ROWGROUP_SHAPE);
        if (err == 0)
            err = reader_load(r, i);
    }
    if (err == 0 && wants_part(only, PART_SHAPES))
        err = load_shapes(r, b);
    if (err == 0 && wants_part(only, PART_PLACES))
        err = load_extras(r, b);
    if (err == 0 && (!buf_ok(&b->text) || b->text.len > UINT32_MAX))
        err = ERR_NOMEM;
    if (b->text.len != before)
        r->texts_len = b->text.len;
    return err;
}

/* Lengths and bytes of a block's texts: spans of the batch's text, one for each row with a value. */
static int read_spans(struct rowgroup_reader *r, uint32_t column, uint32_t block, struct batch *b,
                      struct span *out, uint32_t *count)
{
    struct reader in;
    bool internal = column < ROWGROUP_INTERNAL;
    int err = reader_block(r, column, block, 0, internal ? NULL : b, &in);
    *count = r->counts[0];
    if (err == 0)
        err = unpack_numbers(&in, r->list, *count);
    uint64_t at = b->text.len;
    for (uint32_t i = 0; i < *count && err == 0; i++) {
        if (r->list[i] < 0 || r->list[i] > CHUNK_BYTES_MAX)
            return ERR_CORRUPT;
        out[i] = (struct span){.offset = (uint32_t)at, .len = (uint32_t)r->list[i]};
        at += (uint64_t)r->list[i];
    }
    if (err != 0 || reader_left(&in) != at - b->text.len || at > UINT32_MAX)
        return err != 0 ? err : ERR_CORRUPT;
    buf_slice(&b->text, reader_bytes(&in, reader_left(&in)));
    return buf_ok(&b->text) ? 0 : ERR_NOMEM;
}

/* What stands beside the dictionary of a typed column: values of the block that are not of its type. */
static int exception_texts(struct rowgroup_reader *r, uint32_t column, uint32_t block,
                           struct batch *out)
{
    struct column *to = &out->columns[column - ROWGROUP_INTERNAL];
    struct reader in;
    to->exceptions = NULL;
    to->exception_count = 0;
    return r->columns[column].has_exceptions ? reader_block(r, column, block, 0, out, &in) : 0;
}

/*
 * Texts of a block that has them one by one; *whole: false where they must be made of the times, and
 * there are no entries.
 */
static int column_texts(struct rowgroup_reader *r, uint32_t column, uint32_t block,
                        struct batch *out, bool *whole)
{
    struct column *c = &out->columns[column - ROWGROUP_INTERNAL];
    struct stored_column *stored = &r->columns[column];
    c->entry_count = stored->has_texts ? stored->text_count : 0;
    if (stored->has_texts)
        return 0;
    if (stored->form != FORM_TEXTS) {
        c->entries = NULL;
        *whole = false;
        return 0;
    }
    c->entries = arena_array(&out->arena, reader_block_rows(r, block) + 1U, sizeof(*c->entries));
    if (c->entries == NULL)
        return ERR_NOMEM;
    int err = read_spans(r, column, block, out, c->entries, &c->entry_count);
    stored->has_texts = err == 0 && !stored->has_exceptions;
    stored->text_count = c->entry_count;
    return err;
}

/* The lines of the block that have no shape. */
static int line_texts(struct rowgroup_reader *r, uint32_t block, struct batch *out)
{
    uint32_t rows = reader_block_rows(r, block);
    uint32_t n = 0;
    int err = reader_shapes(r, block);
    if (err != 0 || memchr(r->shape, 0, rows) == NULL)
        return err;
    struct span *spans = arena_array(&out->arena, rows + 1U, sizeof(*spans));
    if (spans == NULL)
        return ERR_NOMEM;
    return read_spans(r, ROWGROUP_LINE - ROWGROUP_SHAPE, block, out, spans, &n);
}

int rowgroup_texts(struct rowgroup_reader *r, uint32_t block, const struct column_mask *only,
                   struct batch *out, bool *whole)
{
    begin_block(r, block, out);
    int err = load(r, only, out);
    if (err == 0 && r->needs_shapes)
        err = reader_shapes(r, block);
    bool all = true;
    out->row_count = 0;
    for (uint32_t i = 0; i < out->column_count && err == 0; i++) {
        out->columns[i].row_cap = 0;
        if (!wants(only, i))
            continue;
        if (out->columns[i].storage == COLUMN_TEXT)
            err = column_texts(r, i + ROWGROUP_INTERNAL, block, out, &all);
        else
            err = exception_texts(r, i + ROWGROUP_INTERNAL, block, out);
    }
    if (err == 0 && wants_part(only, PART_SHAPES))
        err = line_texts(r, block, out);
    *whole = all;
    return err;
}

/* The texts of a block that tell its rows' times: a text for each distance and moment in turn. */
static int fill_time_texts(struct rowgroup_reader *r, uint32_t column, uint32_t block,
                           struct batch *b, struct column *to)
{
    const struct stored_column *c = &r->columns[column];
    struct reader in;
    int err = reader_numbers(r, ROWGROUP_TIME - ROWGROUP_SHAPE, block, 1);
    if (err == 0)
        err = reader_block(r, column, block, 0, b, &in);
    if (err != 0)
        return err;
    uint32_t n = r->counts[0];
    if (reader_left(&in) == 0)
        memset(r->list, 0, n * sizeof(*r->list));
    else
        err = unpack_numbers(&in, r->list, n);
    int64_t moment = INT64_MIN;
    struct span span = {0};
    struct time_pen pen = time_pen_of(&c->layout);
    for (uint32_t i = 0; i < n && err == 0; i++) {
        uint32_t row = r->rows[0][i];
        int64_t time_ns = r->numbers[1][row];
        int64_t unit = time_ns / c->layout.unit_ns - (time_ns % c->layout.unit_ns < 0 ? 1 : 0);
        int64_t now = (int64_t)((uint64_t)unit + (uint64_t)r->list[i]);
        if (i == 0 || now != moment) {
            span.offset = (uint32_t)b->text.len;
            if (!time_pen_write(&pen, time_ns, r->list[i]))
                return ERR_CORRUPT;
            buf_append(&b->text, pen.text, pen.len);
            span.len = pen.len;
        }
        moment = now;
        to->spans[row] = span;
    }
    if (err == 0 && !buf_ok(&b->text))
        err = ERR_NOMEM;
    return err != 0 || reader_left(&in) == 0 ? err : ERR_CORRUPT;
}

static int fill_texts(struct rowgroup_reader *r, uint32_t column, uint32_t block, struct batch *b,
                      struct column *to)
{
    uint32_t n = 0;
    memset(to->spans, 0xff, b->row_count * sizeof(*to->spans));
    to->entry_count = 0;
    int err = 0;
    if (r->columns[column].form == FORM_TIME_TEXT) {
        err = fill_time_texts(r, column, block, b, to);
    } else if (r->columns[column].has_texts) {
        n = reader_bound_rows(r, column, block);
        for (uint32_t i = 0; i < n; i++)
            to->spans[r->rows[0][i]] = to->entries[i];
    } else {
        struct span *spans = arena_array(&b->arena, b->row_count + 1, sizeof(*spans));
        if (spans == NULL)
            return ERR_NOMEM;
        err = read_spans(r, column, block, b, spans, &n);
        for (uint32_t i = 0; i < n && err == 0; i++)
            to->spans[r->rows[0][i]] = spans[i];
    }
    /* A text that is no time stands among the exceptions, and is a value like the others. */
    for (uint32_t i = 0; i < to->exception_count && err == 0; i++)
        to->spans[to->exceptions[i].row] = to->exceptions[i].text;
    to->exception_count = 0;
    return err;
}

static int fill_codes(struct rowgroup_reader *r, uint32_t column, uint32_t block, struct batch *b,
                      struct column *to)
{
    uint32_t none = r->columns[column].entry_count;
    int err = reader_codes(r, column, block, 0);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++)
        to->codes[row] = r->codes[0][row] == none ? CODE_NONE : r->codes[0][row];
    return err;
}

/* Addresses by dictionary, or, where nearly all differ, as integers or texts of 16 bytes. */
static int fill_addresses(struct rowgroup_reader *r, uint32_t column, uint32_t block,
                          struct batch *b, struct column *to)
{
    const struct stored_column *c = &r->columns[column];
    int err = 0;
    memset(to->present, 0, (b->row_cap + 63) / 64 * sizeof(*to->present));
    if (c->form == FORM_TEXTS) {
        uint32_t n = 0;
        struct span *spans = arena_array(&b->arena, b->row_count + 1, sizeof(*spans));
        if (spans == NULL)
            return ERR_NOMEM;
        err = read_spans(r, column, block, b, spans, &n);
        for (uint32_t i = 0; i < n && err == 0; i++) {
            if (spans[i].len != sizeof(struct ip))
                return ERR_CORRUPT;
            memcpy(to->ips[r->rows[0][i]].bytes, b->text.data + spans[i].offset, spans[i].len);
            column_set_present(to, r->rows[0][i]);
        }
        return err;
    }
    if (c->form == FORM_NUMBERS)
        err = reader_numbers(r, column, block, 0);
    else
        err = reader_codes(r, column, block, 0);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        uint32_t code = r->codes[0][row];
        if (c->form == FORM_NUMBERS ? r->numbers[0][row] == VALUE_NONE : code == c->entry_count)
            continue;
        if (c->form == FORM_NUMBERS)
            to->ip4[row] = (uint32_t)r->numbers[0][row];
        else if (c->any_v6)
            to->ips[row] = c->ips[code];
        else
            to->ip4[row] = (uint32_t)c->values[code];
        column_set_present(to, row);
    }
    return err;
}

/* Exceptions of a typed column, whose rows hold what the texts are worth. */
static int fill_exceptions(struct rowgroup_reader *r, uint32_t column, uint32_t block,
                           struct batch *b, struct column *to)
{
    struct reader in;
    int err = reader_block(r, column, block, 0, b, &in);
    if (err == 0)
        column_take_exceptions(b, to);
    return err;
}

/* How many of the block's rows a shape binds to the column. */
static uint32_t count_bound(const struct rowgroup_reader *r, const struct stored_column *c,
                            uint32_t rows)
{
    if (c->derived || c->binds_all)
        return c->derived ? 0 : rows;
    uint32_t n = 0;
    for (uint32_t shape = 0; shape <= r->shape_count; shape++)
        n += (c->shapes[shape / 64] >> (shape % 64) & 1) != 0 ? r->shape_rows[shape] : 0;
    return n;
}

/* The codes of typed values, just read, are their numbers: but for values beside the dictionary. */
static int fill_numbers(struct rowgroup_reader *r, struct stored_column *c, const struct batch *b,
                        struct column *to)
{
    bool coded = c->form == FORM_CODES || c->form == FORM_MAPPED;
    if (!coded || to->exception_count != 0)
        return 0;
    if (c->row_codes == NULL)
        c->row_codes = arena_array(&r->arena, b->row_cap, sizeof(*c->row_codes));
    if (c->row_codes == NULL)
        return ERR_NOMEM;
    memcpy(c->row_codes, r->codes[0], b->row_count * sizeof(*c->row_codes));
    to->value_numbers = c->row_codes;
    to->value_numbers_end = c->entry_count;
    return 0;
}

static int fill_column(struct rowgroup_reader *r, uint32_t column, uint32_t block, struct batch *b)
{
    struct column *to = &b->columns[column - ROWGROUP_INTERNAL];
    struct stored_column *c = &r->columns[column];
    int err = to->rows == NULL ? column_reserve(b, to) : 0;
    to->row_cap = b->row_cap;
    to->value_numbers = NULL;
    to->exceptions = NULL;
    to->exception_count = 0;
    to->value_count = count_bound(r, c, b->row_count);
    if (err != 0)
        return err;
    switch ((enum column_storage)to->storage) {
    case COLUMN_CODES:
        return fill_codes(r, column, block, b, to);
    case COLUMN_TEXT:
        return fill_texts(r, column, block, b, to);
    case COLUMN_INT:
        err = reader_numbers(r, column, block, 0);
        if (err == 0)
            memcpy(to->numbers, r->numbers[0], b->row_count * sizeof(*to->numbers));
        break;
    case COLUMN_IP4:
    case COLUMN_IP:
        err = fill_addresses(r, column, block, b, to);
        break;
    }
    if (err == 0 && c->has_exceptions)
        err = fill_exceptions(r, column, block, b, to);
    return err == 0 ? fill_numbers(r, c, b, to) : err;
}

static int fill_bytes(struct rowgroup_reader *r, uint32_t id, uint32_t block, uint32_t limit,
                      uint32_t rows, uint8_t *out)
{
    int err = reader_numbers(r, id - ROWGROUP_SHAPE, block, 0);
    for (uint32_t row = 0; row < rows && err == 0; row++) {
        if (r->numbers[0][row] < 0 || r->numbers[0][row] >= limit)
            return ERR_CORRUPT;
        out[row] = (uint8_t)r->numbers[0][row];
    }
    return err;
}

static int fill_runs(struct rowgroup_reader *r, uint32_t block, struct batch *b)
{
    struct reader in;
    uint64_t row = 0;
    uint64_t offset = 0;
    uint32_t cap = 0;
    uint64_t partitions = r->head->partitions.len / sizeof(int32_t);
    b->run_count = 0;
    b->runs = NULL;
    int err = reader_chunk(r, 2 + block, &r->scratch, &in);
    while (err == 0 && reader_left(&in) != 0) {
        struct run *runs = batch_array_grow(b, b->runs, &cap, b->run_count + 1, sizeof(*runs));
        if (runs == NULL)
            return ERR_NOMEM;
        b->runs = runs;
        uint64_t partition = reader_varint(&in, partitions - 1);
        uint64_t count = reader_varint(&in, b->row_count);
        uint64_t step = reader_varint(&in, UINT64_MAX);
        offset += step >> 1 ^ (0 - (step & 1));
        if (in.failed || count == 0 || row + count > b->row_count)
            return ERR_CORRUPT;
        struct run *run = &runs[b->run_count++];
        *run = (struct run){.partition = (int32_t)bytes_get32(r->head->partitions.data +
                                                              partition * sizeof(int32_t)),
                            .first_row = (uint32_t)row,
                            .first_offset = (int64_t)offset,
                            .count = (uint32_t)count};
        for (uint32_t i = 0; i < count; i++)
            run->multi |= b->sub[row + i] != 0;
        row += count;
    }
    b->run_cap = cap;
    return err == 0 && row != b->row_count ? ERR_CORRUPT : err;
}

/* The extras of the block's rows, counted from its first. */
static int fill_extras(struct rowgroup_reader *r, uint32_t block, struct batch *b)
{
    uint32_t first = block * ROWGROUP_BLOCK_ROWS;
    uint32_t from = 0;
    while (from < r->extra_count && r->extras[from].row < first)
        from++;
    uint32_t end = from;
    while (end < r->extra_count && r->extras[end].row < first + b->row_count)
        end++;
    b->extras = arena_array(&b->arena, end - from + 1, sizeof(*b->extras));
    if (b->extras == NULL)
        return ERR_NOMEM;
    b->extra_count = end - from;
    for (uint32_t i = from; i < end; i++) {
        b->extras[i - from] = r->extras[i];
        b->extras[i - from].row -= first;
    }
    return 0;
}

static int fill_places(struct rowgroup_reader *r, uint32_t block, struct batch *b)
{
    int err = reader_numbers(r, ROWGROUP_SUB - ROWGROUP_SHAPE, block, 0);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        if (r->numbers[0][row] < 0 || r->numbers[0][row] > UINT32_MAX)
            return ERR_CORRUPT;
        b->sub[row] = (uint32_t)r->numbers[0][row];
    }
    if (err == 0)
        err = fill_runs(r, block, b);
    return err == 0 ? fill_extras(r, block, b) : err;
}

/* Shapes of the rows, and the lines of those that have none. */
static int fill_lines(struct rowgroup_reader *r, uint32_t block, struct batch *b)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < b->shape_count; s++)
        b->shapes[s].row_count = 0;
    memcpy(b->shape, r->shape, b->row_count);
    for (uint32_t row = 0; row < b->row_count; row++)
        b->shapes[b->shape[row]].row_count++;
    if (b->shapes[0].row_count == 0)
        return 0;
    struct span *spans = arena_array(&b->arena, b->row_count + 1, sizeof(*spans));
    if (spans == NULL)
        return ERR_NOMEM;
    int err = read_spans(r, ROWGROUP_LINE - ROWGROUP_SHAPE, block, b, spans, &n);
    for (uint32_t i = 0; i < n && err == 0; i++)
        b->line[r->rows[0][i]] = spans[i];
    return err;
}

static int fill_parts(struct rowgroup_reader *r, uint32_t block, const struct column_mask *only,
                      struct batch *b)
{
    int err = 0;
    if (wants_part(only, PART_TIMES)) {
        err = reader_numbers(r, ROWGROUP_TIME - ROWGROUP_SHAPE, block, 0);
        if (err == 0)
            memcpy(b->time_ns, r->numbers[0], b->row_count * sizeof(*b->time_ns));
        if (err == 0)
            err = fill_bytes(r, ROWGROUP_TIME_SOURCE, block, TIME_SOURCE_COUNT, b->row_count,
                             b->time_source);
    }
    if (err == 0 && wants_part(only, PART_ARRIVALS)) {
        err = reader_numbers(r, ROWGROUP_ARRIVAL - ROWGROUP_SHAPE, block, 0);
        if (err == 0)
            memcpy(b->arrival_ns, r->numbers[0], b->row_count * sizeof(*b->arrival_ns));
    }
    if (err == 0 && wants_part(only, PART_VERDICTS))
        err = fill_bytes(r, ROWGROUP_VERDICT, block, UINT8_MAX + 1, b->row_count, b->verdict);
    if (err == 0 && wants_part(only, PART_REASONS))
        err = fill_bytes(r, ROWGROUP_REASON, block, UINT8_MAX + 1, b->row_count, b->reason);
    if (err == 0 && wants_part(only, PART_PLACES))
        err = fill_places(r, block, b);
    return err == 0 && wants_part(only, PART_SHAPES) ? fill_lines(r, block, b) : err;
}

/* Room for the rows of any block of the group. */
static int room(const struct rowgroup_reader *r, struct batch *b)
{
    uint32_t columns = b->column_count;
    if (b->row_cap != 0)
        return 0;
    b->column_count = 0;
    int err = batch_reserve_rows(b, r->head->blocks[0].row_count);
    b->column_count = columns;
    return err;
}

/* What was there of another block is none of this one. */
static void forget_rows(struct column *c)
{
    c->row_cap = 0;
    c->exceptions = NULL;
    c->exception_count = 0;
}

int rowgroup_rows(struct rowgroup_reader *r, uint32_t block, const struct column_mask *only,
                  struct batch *out)
{
    const uint32_t numbers = ROWGROUP_LEAF - ROWGROUP_SHAPE;
    begin_block(r, block, out);
    int err = load(r, only, out);
    out->row_count = 0;
    if (err == 0 && only == NULL)
        err = reader_load(r, numbers);
    if (err == 0)
        err = room(r, out);
    if (err == 0 && (r->needs_shapes || wants_part(only, PART_SHAPES)))
        err = reader_shapes(r, block);
    if (err != 0)
        return err;
    out->row_count = reader_block_rows(r, block);
    err = fill_parts(r, block, only, out);
    for (uint32_t i = 0; i < out->column_count && err == 0; i++) {
        if (wants(only, i))
            err = fill_column(r, i + ROWGROUP_INTERNAL, block, out);
        else
            forget_rows(&out->columns[i]);
    }
    if (err == 0 && only == NULL) /* numbers are no part of a batch, and yet of everything */
        err = reader_numbers(r, numbers, block, 0);
    if (err != 0)
        out->row_count = 0;
    return err;
}

int rowgroup_leaves(struct rowgroup_reader *r, uint32_t block, int64_t *out)
{
    const uint32_t column = ROWGROUP_LEAF - ROWGROUP_SHAPE;
    int err = reader_load(r, column);
    if (err == 0 && r->needs_shapes)
        err = reader_shapes(r, block);
    if (err == 0)
        err = reader_numbers(r, column, block, 0);
    if (err == 0)
        memcpy(out, r->numbers[0], reader_block_rows(r, block) * sizeof(*out));
    return err;
}
