/* store/rowgroup_seal.c - the columns of a group as bytes: chunk by chunk, what they are behind them. */
#include <stdlib.h>

#include "base/err.h"
#include "store/pack.h"
#include "store/rowgroup_plan.h"

/* A group on its way to its bytes. */
struct seal {
    struct rowgroup *g;
    struct chunk_press *press;
    struct column_plan *plans;
    struct buf *body;
    struct buf plain; /* of the chunk at hand */
    struct buf table; /* lengths and checksums of chunks */
    struct buf desc;  /* what the columns are */
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
    uint64_t packed[ROWGROUP_BLOCK_ROWS];
    uint16_t codes[ROWGROUP_BLOCK_ROWS];
    uint32_t exception; /* of the column at hand: the first of the block at hand */
};

/* Where a row belongs. */
struct place {
    int64_t offset;
    int32_t partition;
    uint32_t sub;
    uint32_t row;
};

static int by_offset(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

/* Move items into the order; `scratch` has room for them. */
static void reorder(void *items, void *scratch, const struct place *order, uint32_t rows,
                    size_t size)
{
    char *from = items;
    char *to = scratch;
    for (uint32_t i = 0; i < rows; i++)
        memcpy(to + i * size, from + order[i].row * size, size);
    memcpy(items, scratch, rows * size);
}

static int exception_order(const void *left, const void *right)
{
    const struct rowgroup_exception *a = left;
    const struct rowgroup_exception *b = right;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int extra_order(const void *left, const void *right)
{
    const struct rowgroup_extra *a = left;
    const struct rowgroup_extra *b = right;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int reorder_all(struct rowgroup *g, const struct place *order)
{
    uint32_t rows = g->row_count;
    void *scratch = malloc((size_t)rows * sizeof(int64_t));
    uint32_t *place_of = malloc((size_t)rows * sizeof(*place_of));
    if (scratch == NULL || place_of == NULL) {
        free(scratch);
        free(place_of);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < rows; i++)
        place_of[order[i].row] = i;
    reorder(g->partitions, scratch, order, rows, sizeof(*g->partitions));
    reorder(g->offsets, scratch, order, rows, sizeof(*g->offsets));
    reorder(g->raw_bytes, scratch, order, rows, sizeof(*g->raw_bytes));
    for (uint32_t i = 0; i < g->column_count; i++) {
        struct rowgroup_column *c = &g->columns[i];
        if (c->row_cap == 0)
            continue;
        if (c->worded)
            reorder(c->codes, scratch, order, rows, sizeof(*c->codes));
        else
            reorder(c->numbers, scratch, order, rows, sizeof(*c->numbers));
        for (uint32_t e = 0; e < c->exception_count; e++)
            c->exceptions[e].row = place_of[c->exceptions[e].row];
        if (c->exception_count != 0)
            qsort(c->exceptions, c->exception_count, sizeof(*c->exceptions), exception_order);
    }
    for (uint32_t e = 0; e < g->extra_count; e++)
        g->extras[e].row = place_of[g->extras[e].row];
    if (g->extra_count != 0)
        qsort(g->extras, g->extra_count, sizeof(*g->extras), extra_order);
    free(scratch);
    free(place_of);
    return 0;
}

/* Columns that came late have room for fewer rows than there are. */
static int fill_columns(struct rowgroup *g)
{
    for (uint32_t i = 0; i < g->column_count; i++) {
        if (g->columns[i].row_cap != 0 && rowgroup_column_room(&g->columns[i], g->row_count) != 0)
            return ERR_NOMEM;
    }
    return 0;
}

static int sort_rows(struct rowgroup *g)
{
    struct place *order = malloc(((size_t)g->row_count + 1) * sizeof(*order));
    if (order == NULL || fill_columns(g) != 0) {
        free(order);
        return ERR_NOMEM;
    }
    bool sorted = true;
    for (uint32_t i = 0; i < g->row_count; i++) {
        order[i] = (struct place){.offset = g->offsets[i],
                                  .partition = g->partitions[i],
                                  .sub = (uint32_t)rowgroup_internal(g, ROWGROUP_SUB)->numbers[i],
                                  .row = i};
        sorted = sorted && (i == 0 || by_offset(&order[i - 1], &order[i]) < 0);
    }
    int err = 0;
    if (!sorted) {
        qsort(order, g->row_count, sizeof(*order), by_offset);
        err = reorder_all(g, order);
    }
    free(order);
    return err;
}

static uint32_t block_end(const struct rowgroup *g, uint32_t first)
{
    uint32_t end = first + ROWGROUP_BLOCK_ROWS;
    return end < g->row_count ? end : g->row_count;
}

/* Write what is in s->plain as a chunk. */
static int put_chunk(struct seal *s)
{
    struct chunk made;
    if (!buf_ok(&s->plain))
        return ERR_NOMEM;
    int err = chunk_put(s->press, buf_content(&s->plain), s->body, &made);
    chunk_describe(&s->table, &made, s->press->seal);
    buf_reset(&s->plain);
    return err;
}

/* Runs of consecutive offsets of one partition, as batches have them. */
static int put_runs(struct seal *s, const int32_t *partitions, uint32_t partition_count)
{
    const struct rowgroup *g = s->g;
    const int64_t *subs = rowgroup_internal(s->g, ROWGROUP_SUB)->numbers;
    int err = 0;
    for (uint32_t first = 0; first < g->row_count && err == 0; first += ROWGROUP_BLOCK_ROWS) {
        uint32_t end = block_end(g, first);
        int64_t before = 0;
        for (uint32_t row = first; row < end;) {
            uint32_t next = row + 1;
            while (next < end && g->partitions[next] == g->partitions[row] &&
                   g->offsets[next] == g->offsets[next - 1] + (subs[next] == 0))
                next++;
            uint32_t index = 0;
            while (index + 1 < partition_count && partitions[index] != g->partitions[row])
                index++;
            uint64_t step = (uint64_t)g->offsets[row] - (uint64_t)before;
            buf_varint(&s->plain, index);
            buf_varint(&s->plain, next - row);
            buf_varint(&s->plain, step << 1 ^ (0 - (step >> 63)));
            before = g->offsets[row];
            row = next;
        }
        err = put_chunk(s);
    }
    return err;
}

/* A text of exceptions and extras. */
static struct slice kept_text(const struct rowgroup *g, struct span span)
{
    return span.len == 0 ? (struct slice){0}
                         : slice_of(g->exception_text.data + span.offset, span.len);
}

static int put_extras(struct seal *s)
{
    const struct rowgroup *g = s->g;
    uint32_t before = 0;
    for (uint32_t i = 0; i < g->extra_count; i++) {
        const struct rowgroup_extra *e = &g->extras[i];
        buf_varint(&s->plain, e->row - before);
        before = e->row;
        buf_byte(&s->plain, (char)((e->null_value ? 1 : 0) | (e->has_key ? 2 : 0)));
        buf_varint(&s->plain, e->key.len);
        buf_slice(&s->plain, kept_text(g, e->key));
        buf_varint(&s->plain, e->headers.len);
        buf_slice(&s->plain, kept_text(g, e->headers));
    }
    return put_chunk(s);
}

static int put_shapes(struct seal *s)
{
    const struct words *shapes = &s->g->shapes;
    buf_slice(&s->plain, slice_of(shapes->text.data, shapes->text.len));
    return put_chunk(s);
}

/* Exceptions of a typed column, or times that are none, in rows [first, end). */
static void put_exceptions(struct seal *s, const struct rowgroup_column *c,
                           const struct column_plan *p, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    uint32_t before = first;
    struct buf list = {0};
    if (p->form == FORM_TIME_TEXT) {
        for (uint32_t row = first; row < end; row++) {
            if (c->codes[row] == WORD_NONE || p->numbers[row] != VALUE_NONE)
                continue;
            struct slice text = words_text(&c->words, c->codes[row]);
            buf_varint(&list, row - before);
            buf_varint(&list, text.len);
            buf_slice(&list, text);
            before = row;
            count++;
        }
    }
    for (; s->exception < c->exception_count && c->exceptions[s->exception].row < end;
         s->exception++) {
        const struct rowgroup_exception *e = &c->exceptions[s->exception];
        buf_varint(&list, e->row - before);
        buf_varint(&list, e->text.len);
        buf_slice(&list, kept_text(s->g, e->text));
        before = e->row;
        count++;
    }
    buf_varint(&s->plain, count);
    buf_slice(&s->plain, buf_content(&list));
    s->plain.failed |= list.failed;
    buf_release(&list);
}

static void put_codes(struct seal *s, const struct rowgroup_column *c, const struct column_plan *p,
                      uint32_t first, uint32_t end)
{
    uint32_t n = 0;
    uint32_t most = 0;
    for (uint32_t row = first; row < end; row++) {
        uint32_t code = p->codes[row];
        if (code == CODE_NONE && !c->like.derived)
            continue;
        code = !c->like.derived ? code : code == CODE_NONE ? 0 : code + 1;
        most = code > most ? code : most;
        s->codes[n++] = (uint16_t)code;
    }
    if (most == 0)
        return;
    buf_put16(&s->plain, (uint16_t)most);
    pack_codes(&s->plain, s->codes, n, most + 1);
}

/* Integers; nothing when all are 0. */
static void put_list(struct seal *s, uint32_t n)
{
    bool any = false;
    for (uint32_t i = 0; i < n; i++)
        any |= s->numbers[i] != 0;
    if (any)
        pack_numbers(&s->plain, s->numbers, n, s->packed);
}

static void put_numbers(struct seal *s, const struct rowgroup_column *c,
                        const struct column_plan *p, uint32_t first, uint32_t end)
{
    const int64_t *bases = p->form == FORM_BESIDE ? s->g->columns[p->other].numbers : NULL;
    uint32_t n = 0;
    for (uint32_t row = first; row < end; row++) {
        int64_t v = plan_number(c, p, row);
        if (v == VALUE_NONE && !c->like.derived)
            continue;
        v = v == VALUE_NONE ? 0 : v;
        uint64_t base = bases == NULL || bases[row] == VALUE_NONE ? 0 : (uint64_t)bases[row];
        s->numbers[n++] = (int64_t)((uint64_t)v - base);
    }
    put_list(s, n);
}

static void put_texts(struct seal *s, const struct rowgroup_column *c, uint32_t first, uint32_t end)
{
    uint32_t n = 0;
    for (uint32_t row = first; row < end; row++) {
        if (c->codes[row] != WORD_NONE)
            s->numbers[n++] = (int64_t)c->words.items[c->codes[row]].len;
    }
    pack_numbers(&s->plain, s->numbers, n, s->packed);
    for (uint32_t row = first; row < end; row++) {
        if (c->codes[row] != WORD_NONE)
            buf_slice(&s->plain, words_text(&c->words, c->codes[row]));
    }
}

/* Where the other column's entry does not tell the code. */
static void put_mapped(struct seal *s, const struct rowgroup_column *c, const struct column_plan *p,
                       uint32_t first, uint32_t end)
{
    const struct column_plan *x = &s->plans[p->other];
    uint32_t n = 0;
    uint32_t before = 0;
    for (uint32_t row = first; row < end; row++) {
        uint16_t code = p->codes[row];
        if (code == CODE_NONE && !c->like.derived)
            continue;
        code = plan_code(p, row);
        if (code != p->map[plan_code(x, row)]) {
            buf_varint(&s->plain, n - before);
            buf_varint(&s->plain, code);
            before = n;
        }
        n++;
    }
}

static void put_epochs(struct seal *s, const struct column_plan *p, uint32_t first, uint32_t end)
{
    const struct rowgroup_column *other = &s->g->columns[p->other];
    const int64_t *times = rowgroup_internal(s->g, ROWGROUP_TIME)->numbers;
    uint32_t before = first;
    for (uint32_t row = first; row < end; row++) {
        int64_t v = other->numbers[row];
        if (v != VALUE_NONE && value_epoch_ns(v, other->like.epoch_form) == times[row])
            continue;
        buf_varint(&s->plain, row - before);
        buf_put64(&s->plain, (uint64_t)times[row]);
        before = row;
    }
}

static bool has_exceptions(const struct rowgroup_column *c, const struct column_plan *p)
{
    return c->exception_count != 0 || p->form == FORM_TIME_TEXT;
}

static int put_block(struct seal *s, const struct rowgroup_column *c, const struct column_plan *p,
                     uint32_t first, uint32_t end)
{
    if (has_exceptions(c, p))
        put_exceptions(s, c, p, first, end);
    switch ((enum rowgroup_form)p->form) {
    case FORM_CODES:
        put_codes(s, c, p, first, end);
        break;
    case FORM_NUMBERS:
    case FORM_BESIDE:
    case FORM_TIME_TEXT:
        put_numbers(s, c, p, first, end);
        break;
    case FORM_TEXTS:
        put_texts(s, c, first, end);
        break;
    case FORM_MAPPED:
        put_mapped(s, c, p, first, end);
        break;
    case FORM_EPOCH:
        put_epochs(s, p, first, end);
        break;
    }
    return put_chunk(s);
}

/* The entries of a dictionary, in the order of their codes. */
static int put_dictionary(struct seal *s, const struct rowgroup_column *c,
                          const struct column_plan *p)
{
    for (uint32_t i = 0; i < p->entry_count && !c->worded; i += ROWGROUP_BLOCK_ROWS) {
        uint32_t n = 0;
        while (n < ROWGROUP_BLOCK_ROWS && i + n < p->entry_count) {
            s->numbers[n] = p->values[p->entries[i + n]];
            n++;
        }
        pack_numbers(&s->plain, s->numbers, n, s->packed);
    }
    bool ip4 = c->like.type == FIELD_TYPE_IP && !c->any_v6;
    for (uint32_t i = 0; i < p->entry_count && c->worded && !ip4; i++)
        buf_varint(&s->plain, c->words.items[p->entries[i]].len);
    for (uint32_t i = 0; i < p->entry_count && c->worded; i++) {
        if (ip4)
            buf_put32(&s->plain, plan_ip4(c, p->entries[i]));
        else
            buf_slice(&s->plain, words_text(&c->words, p->entries[i]));
    }
    return put_chunk(s);
}

static int put_map(struct seal *s, const struct column_plan *p)
{
    uint32_t entries = s->plans[p->other].entry_count + 1;
    pack_codes(&s->plain, p->map, entries, p->entry_count + 1);
    return put_chunk(s);
}

/* Which shapes bind the column, a bit each; that of shape 0 where no row is verbatim. */
static void describe(struct seal *s, uint32_t column)
{
    const struct rowgroup_column *c = &s->g->columns[column];
    const struct column_plan *p = &s->plans[column];
    if (c->id != 0)
        buf_put16(&s->desc, c->id);
    else
        rowgroup_kind_put(&s->desc, &c->like);
    uint64_t none = s->g->columns[ROWGROUP_LINE - ROWGROUP_SHAPE].words.count == 0; /* verbatim */
    for (uint32_t i = 0; c->id == 0 && !c->like.derived && i <= s->g->shapes.count; i += 8)
        buf_byte(&s->desc, (char)(c->shapes[i / 64] >> (i % 64) | (i == 0 ? none : 0)));
    buf_byte(&s->desc, (char)p->form);
    buf_byte(&s->desc, (char)((has_exceptions(c, p) ? 1 : 0) | (c->any_v6 ? 2 : 0)));
    if (p->form == FORM_MAPPED || p->form == FORM_BESIDE || p->form == FORM_EPOCH)
        buf_varint(&s->desc, p->other);
    if (p->form == FORM_CODES || p->form == FORM_MAPPED)
        buf_varint(&s->desc, p->entry_count);
    if (p->form == FORM_TIME_TEXT) {
        buf_varint(&s->desc, strlen(p->layout.layout));
        buf_text(&s->desc, p->layout.layout);
    }
}

/* Blocks in which nothing needs to stand. */
static int put_nothing(struct seal *s)
{
    int err = 0;
    for (uint32_t first = 0; first < s->g->row_count && err == 0; first += ROWGROUP_BLOCK_ROWS)
        err = put_chunk(s);
    return err;
}

static int put_column(struct seal *s, uint32_t column)
{
    const struct rowgroup_column *c = &s->g->columns[column];
    const struct column_plan *p = &s->plans[column];
    int err = 0;
    describe(s, column);
    /* A column that no row has came with a batch that was refused: an empty dictionary. */
    if (c->row_cap == 0 && c->tied == NULL)
        err = put_chunk(s);
    else if (p->form == FORM_CODES || p->form == FORM_MAPPED)
        err = put_dictionary(s, c, p);
    if (err == 0 && p->form == FORM_MAPPED)
        err = put_map(s, p);
    bool told = p->form == FORM_MAPPED && p->misses == 0 && !has_exceptions(c, p);
    if (err == 0 && (c->row_cap == 0 || told))
        return put_nothing(s);
    s->exception = 0;
    for (uint32_t first = 0; first < s->g->row_count && err == 0; first += ROWGROUP_BLOCK_ROWS)
        err = put_block(s, c, p, first, block_end(s->g, first));
    return err;
}

static int compare_partitions(const void *left, const void *right)
{
    const int32_t *a = left;
    const int32_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* The distinct partitions, ascending, as the rows are. */
static int32_t *list_partitions(const struct rowgroup *g, uint32_t *count)
{
    uint32_t n = 0;
    size_t cap = 16;
    int32_t *list = malloc(cap * sizeof(*list));
    for (uint32_t row = 0; row < g->row_count && list != NULL; row++) {
        if (n != 0 && list[n - 1] == g->partitions[row])
            continue;
        if (n == cap) {
            int32_t *grown = reallocarray(list, cap * 2, sizeof(*list));
            if (grown == NULL) {
                free(list);
                return NULL;
            }
            list = grown;
            cap *= 2;
        }
        list[n++] = g->partitions[row];
    }
    if (list != NULL)
        qsort(list, n, sizeof(*list), compare_partitions);
    *count = n;
    return list;
}

static int put_columns(struct seal *s, const int32_t *partitions, uint32_t partition_count)
{
    int err = put_shapes(s);
    if (err == 0)
        err = put_extras(s);
    if (err == 0)
        err = put_runs(s, partitions, partition_count);
    buf_varint(&s->desc, s->g->shapes.count);
    for (uint32_t i = 0; i < s->g->names.count; i++) {
        if (i == 0)
            buf_varint(&s->desc, s->g->names.count);
        buf_varint(&s->desc, s->g->names.items[i].len);
        buf_slice(&s->desc, words_text(&s->g->names, i));
    }
    if (s->g->names.count == 0)
        buf_varint(&s->desc, 0);
    buf_varint(&s->desc, s->g->column_count);
    for (uint32_t i = 0; i < s->g->column_count && err == 0; i++)
        err = put_column(s, i);
    return err;
}

static void put_name(struct buf *out, const struct buf *name)
{
    buf_byte(out, (char)name->len);
    buf_slice(out, buf_content(name));
}

/* Least and greatest of values [first, end), as the least and the distance. */
static void put_min_max(struct buf *out, const int64_t *values, uint32_t first, uint32_t end)
{
    int64_t least = values[first];
    int64_t most = values[first];
    for (uint32_t i = first + 1; i < end; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    buf_put64(out, (uint64_t)least);
    buf_varint(out, (uint64_t)most - (uint64_t)least);
}

/* Where what the columns are begins, and how long it is. */
struct seal_places {
    size_t columns_len;
    struct chunk desc;
    struct chunk table;
};

static void put_head(struct seal *s, const struct seal_places *at, const int32_t *partitions,
                     uint32_t partition_count, struct buf *head)
{
    struct rowgroup *g = s->g;
    buf_put16(head, g->format);
    buf_put16(head, g->zone_minutes);
    buf_varint(head, g->generation);
    put_name(head, &g->topic);
    put_name(head, &g->source);
    put_name(head, &g->format_name);
    buf_varint(head, partition_count);
    for (uint32_t i = 0; i < partition_count; i++)
        buf_put32(head, (uint32_t)partitions[i]);
    buf_varint(head, at->columns_len);
    chunk_describe(head, &at->desc, s->press->seal);
    chunk_describe(head, &at->table, s->press->seal);
    buf_varint(head, g->row_count);
    for (uint32_t first = 0; first < g->row_count; first += ROWGROUP_BLOCK_ROWS) {
        uint32_t end = block_end(g, first);
        uint64_t raw = 0;
        uint32_t unparsed = 0;
        for (uint32_t row = first; row < end; row++) {
            raw += g->raw_bytes[row];
            unparsed += rowgroup_internal(g, ROWGROUP_REASON)->numbers[row] != REASON_NONE;
        }
        buf_varint(head, unparsed);
        buf_varint(head, raw);
        put_min_max(head, rowgroup_internal(g, ROWGROUP_TIME)->numbers, first, end);
        put_min_max(head, rowgroup_internal(g, ROWGROUP_ARRIVAL)->numbers, first, end);
    }
    put_min_max(head, rowgroup_internal(g, ROWGROUP_LEAF)->numbers, 0, g->row_count);
}

static int seal_into(struct seal *s, struct buf *head)
{
    struct seal_places at = {0};
    size_t start = s->body->len;
    uint32_t partition_count = 0;
    int32_t *partitions = list_partitions(s->g, &partition_count);
    int err = partitions == NULL ? ERR_NOMEM : 0;
    if (err == 0)
        err = put_columns(s, partitions, partition_count);
    if (err == 0 && (!buf_ok(&s->desc) || !buf_ok(&s->table)))
        err = ERR_NOMEM;
    at.columns_len = s->body->len - start;
    if (err == 0)
        err = chunk_put(s->press, buf_content(&s->desc), s->body, &at.desc);
    if (err == 0)
        err = chunk_put(s->press, buf_content(&s->table), s->body, &at.table);
    if (err == 0) {
        put_head(s, &at, partitions, partition_count, head);
        err = buf_ok(head) ? 0 : ERR_NOMEM;
    }
    free(partitions);
    return err;
}

int rowgroup_seal(struct rowgroup *g, struct chunk_press *press, struct buf *body, struct buf *head)
{
    struct seal *s = calloc(1, sizeof(*s));
    int err = s == NULL ? ERR_NOMEM : sort_rows(g);
    if (err == 0) {
        *s = (struct seal){.g = g, .press = press, .body = body};
        s->plans = rowgroup_plans(g, press);
        err = s->plans == NULL ? ERR_NOMEM : seal_into(s, head);
    }
    if (s != NULL) {
        rowgroup_plans_free(s->plans, g->column_count);
        buf_release(&s->plain);
        buf_release(&s->table);
        buf_release(&s->desc);
    }
    free(s);
    return err;
}
