/* store/rowgroup_rows.c - the chunks of one block to the rows of a batch. */
#include "base/err.h"
#include "store/pack.h"
#include "store/rowgroup_reader.h"

/* Rows of a block's exceptions, and, where `out` is not NULL, their texts. */
static int read_exceptions(struct rowgroup_reader *r, uint32_t rows, unsigned depth,
                           struct reader *in, struct batch *out, struct column *to)
{
    uint32_t count = (uint32_t)reader_varint(in, rows);
    uint64_t row = 0;
    struct exception *items = NULL;
    if (count > reader_left(in) / 2)
        return ERR_CORRUPT;
    if (out != NULL && count != 0) {
        items = arena_array(&out->arena, count, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t step = reader_varint(in, rows);
        struct slice text = reader_bytes(in, reader_varint(in, CHUNK_BYTES_MAX));
        row += step;
        if (in->failed || row >= rows || (i != 0 && step == 0))
            return ERR_CORRUPT;
        r->excepted[depth][row / 64] |= UINT64_C(1) << (row % 64);
        if (items == NULL)
            continue;
        items[i] = (struct exception){
            .row = (uint32_t)row,
            .text = {.offset = (uint32_t)out->text.len, .len = (uint32_t)text.len}};
        buf_slice(&out->text, text);
    }
    if (items != NULL) {
        to->exceptions = items;
        to->exception_count = count;
    }
    return out != NULL && (!buf_ok(&out->text) || out->text.len > UINT32_MAX) ? ERR_NOMEM : 0;
}

bool reader_binds_all(const struct rowgroup_reader *r, const struct stored_column *c)
{
    if (c->derived || (c->id != 0 && c->id != ROWGROUP_LINE))
        return true;
    for (uint32_t shape = 0; c->id == 0 && shape <= r->shape_count; shape++) {
        if ((c->shapes[shape / 64] >> (shape % 64) & 1) == 0)
            return false;
    }
    return c->id == 0;
}

/* The shapes whose rows have a value, where that is not all of them. */
static void binding_shapes(const struct stored_column *c, uint64_t out[BATCH_SHAPES_MAX / 64])
{
    memset(out, 0, BATCH_SHAPES_MAX / 64 * sizeof(*out));
    if (c->id == ROWGROUP_LINE)
        out[0] = 1;
    else
        memcpy(out, c->shapes, sizeof(c->shapes));
}

static bool has_shape(const uint64_t *shapes, unsigned shape)
{
    return (shapes[shape / 64] >> (shape % 64) & 1) != 0;
}

/* The list made longest ago that no depth reads from. */
static struct row_list *free_list(struct rowgroup_reader *r)
{
    for (;;) {
        struct row_list *l = &r->lists[r->next_list++ % READER_LISTS];
        bool used = false;
        for (unsigned depth = 0; depth < READER_DEPTH; depth++)
            used |= r->rows[depth] == l->rows;
        if (!used)
            return l;
    }
}

/* The rows of some shapes: most columns of a line are those of few sets of shapes. */
static const struct row_list *rows_of_shapes(struct rowgroup_reader *r, const uint64_t *shapes,
                                             uint32_t block)
{
    for (uint32_t i = 0; i < READER_LISTS; i++) {
        const struct row_list *l = &r->lists[i];
        if (l->block == block && memcmp(l->shapes, shapes, sizeof(l->shapes)) == 0)
            return l;
    }
    struct row_list *l = free_list(r);
    uint8_t binds[BATCH_SHAPES_MAX];
    uint32_t rows = reader_block_rows(r, block);
    uint32_t n = 0;
    for (uint32_t shape = 0; shape <= r->shape_count; shape++)
        binds[shape] = has_shape(shapes, shape);
    for (uint32_t row = 0; row < rows; row++) {
        l->rows[n] = row;
        n += binds[r->shape[row]] != 0;
    }
    memcpy(l->shapes, shapes, sizeof(l->shapes));
    l->block = block;
    l->count = n;
    return l;
}

/* The rows that have a value, as r->rows[depth]; how many. */
static uint32_t bound_rows_of(struct rowgroup_reader *r, const struct stored_column *c,
                              uint32_t block, unsigned depth, bool any_excepted)
{
    uint32_t rows = reader_block_rows(r, block);
    const uint64_t *excepted = r->excepted[depth];
    uint64_t shapes[BATCH_SHAPES_MAX / 64];
    uint32_t n = 0;
    if (!c->binds_all)
        binding_shapes(c, shapes);
    if (!any_excepted && !c->binds_all) {
        const struct row_list *l = rows_of_shapes(r, shapes, block);
        r->rows[depth] = l->rows;
        return l->count;
    }
    r->rows[depth] = any_excepted ? r->own_rows[depth] : r->every_row;
    for (uint32_t row = 0; row < rows && any_excepted; row++) {
        r->own_rows[depth][n] = row;
        n += (c->binds_all || has_shape(shapes, r->shape[row])) &&
             (excepted[row / 64] >> (row % 64) & 1) == 0;
    }
    return any_excepted ? n : rows;
}

uint32_t reader_bound_rows(struct rowgroup_reader *r, uint32_t column, uint32_t block)
{
    return bound_rows_of(r, &r->columns[column], block, 0, false);
}

/* The shapes that were just read. */
static int take_shapes(struct rowgroup_reader *r, uint32_t rows)
{
    memset(r->shape_rows, 0, sizeof(r->shape_rows));
    for (uint32_t row = 0; row < rows; row++) {
        if (r->numbers[0][row] < 0 || r->numbers[0][row] > r->shape_count)
            return ERR_CORRUPT;
        r->shape[row] = (uint8_t)r->numbers[0][row];
        r->shape_rows[r->shape[row]]++;
    }
    if (r->columns[0].form == FORM_CODES)
        memcpy(r->shape_codes, r->codes[0], rows * sizeof(r->shape_codes[0]));
    return 0;
}

int reader_shapes(struct rowgroup_reader *r, uint32_t block)
{
    if (r->block == block)
        return 0;
    int err = reader_load(r, 0);
    if (err == 0)
        err = reader_numbers(r, 0, block, 0);
    if (err == 0)
        err = take_shapes(r, reader_block_rows(r, block));
    r->block = err == 0 ? block : ROWGROUP_BLOCKS_MAX;
    return err;
}

int reader_block(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth,
                 struct batch *out, struct reader *in)
{
    struct stored_column *c = &r->columns[column];
    if (depth >= READER_DEPTH || (!c->binds_all && r->block != block))
        return ERR_CORRUPT;
    int err = reader_chunk(r, c->blocks + block, &r->plain[depth], in);
    bool excepted = err == 0 && c->has_exceptions && reader_left(in) != 0;
    memset(r->excepted[depth], 0, sizeof(r->excepted[depth]));
    if (excepted) {
        err = read_exceptions(r, reader_block_rows(r, block), depth, in, out,
                              out == NULL ? NULL : &out->columns[column - ROWGROUP_INTERNAL]);
    }
    r->counts[depth] = bound_rows_of(r, c, block, depth, excepted);
    return err;
}

/* n codes below entry_count, or with 0 for "none" before them; all 0 where nothing stands. */
static int read_dense(struct rowgroup_reader *r, const struct stored_column *c, struct reader *in,
                      uint32_t n)
{
    if (reader_left(in) == 0) {
        memset(r->dense, 0, n * sizeof(*r->dense));
        return n == 0 || c->derived || c->entry_count != 0 ? 0 : ERR_CORRUPT;
    }
    uint32_t most = reader_get16(in);
    if (most >= c->entry_count + (c->derived ? 1U : 0U))
        return ERR_CORRUPT;
    int err = unpack_codes(in, r->dense, n, most + 1);
    return err == 0 && reader_left(in) != 0 ? ERR_CORRUPT : err;
}

/* What the other column's codes tell, but for the exceptions that stand here. */
static int read_mapped(struct rowgroup_reader *r, const struct stored_column *c, uint32_t block,
                       unsigned depth, struct reader *in, uint32_t n)
{
    bool by_shapes = c->other == 0 && r->block == block;
    int err = by_shapes ? 0 : reader_codes(r, c->other, block, depth + 1);
    if (err != 0)
        return err;
    const uint16_t *other = by_shapes ? r->shape_codes : r->codes[depth + 1];
    uint16_t *to = r->codes[depth];
    const uint32_t *rows = r->rows[depth];
    for (uint32_t row = 0; row < n && rows == r->every_row; row++)
        to[row] = c->map[other[row]];
    for (uint32_t i = 0; i < n && rows != r->every_row; i++)
        to[rows[i]] = c->map[other[rows[i]]];
    uint64_t at = 0;
    while (reader_left(in) != 0) {
        at += reader_varint(in, n);
        uint32_t code = (uint32_t)reader_varint(in, c->entry_count);
        if (in->failed || at >= n)
            return ERR_CORRUPT;
        to[rows[at]] = (uint16_t)code;
    }
    return 0;
}

int reader_codes(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth)
{
    struct stored_column *c = &r->columns[column];
    struct reader in;
    int err = reader_block(r, column, block, depth, NULL, &in);
    if (err != 0)
        return err;
    uint32_t n = r->counts[depth];
    uint16_t *to = r->codes[depth];
    const uint32_t *rows = r->rows[depth];
    uint32_t count = reader_block_rows(r, block);
    for (uint32_t row = 0; row < count && n != count; row++)
        to[row] = (uint16_t)c->entry_count;
    if (c->form == FORM_MAPPED)
        return read_mapped(r, c, block, depth, &in, n);
    err = read_dense(r, c, &in, n);
    if (err == 0 && n == count && !c->derived) {
        memcpy(to, r->dense, n * sizeof(*to));
        return 0;
    }
    for (uint32_t i = 0; i < n && err == 0 && !c->derived; i++)
        to[rows[i]] = r->dense[i];
    for (uint32_t i = 0; i < n && err == 0 && c->derived; i++)
        to[rows[i]] = r->dense[i] == 0 ? (uint16_t)c->entry_count : (uint16_t)(r->dense[i] - 1);
    return err;
}

/* n integers; all 0 where nothing stands. */
static int read_list(struct rowgroup_reader *r, struct reader *in, uint32_t n)
{
    if (reader_left(in) == 0) {
        memset(r->list, 0, n * sizeof(*r->list));
        return 0;
    }
    int err = unpack_numbers(in, r->list, n);
    return err == 0 && reader_left(in) != 0 ? ERR_CORRUPT : err;
}

static int read_epochs(struct rowgroup_reader *r, const struct stored_column *c, uint32_t block,
                       unsigned depth, struct reader *in)
{
    uint32_t count = reader_block_rows(r, block);
    int err = reader_numbers(r, c->other, block, depth + 1);
    if (err != 0)
        return err;
    if (c->other < ROWGROUP_INTERNAL)
        return ERR_CORRUPT;
    const struct column *other = &r->batch->columns[c->other - ROWGROUP_INTERNAL];
    int64_t *to = r->numbers[depth];
    for (uint32_t row = 0; row < count; row++) {
        int64_t v = r->numbers[depth + 1][row];
        to[row] = v == VALUE_NONE ? 0 : value_epoch_ns(v, other->epoch_form);
    }
    uint64_t row = 0;
    while (reader_left(in) != 0) {
        row += reader_varint(in, count);
        int64_t time_ns = (int64_t)reader_get64(in);
        if (in->failed || row >= count)
            return ERR_CORRUPT;
        to[row] = time_ns;
    }
    return 0;
}

/* Integers that are codes of a dictionary. */
static int coded_numbers(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth)
{
    const struct stored_column *c = &r->columns[column];
    uint32_t count = reader_block_rows(r, block);
    int err = reader_codes(r, column, block, depth);
    for (uint32_t row = 0; row < count && err == 0; row++) {
        uint32_t code = r->codes[depth][row];
        r->numbers[depth][row] = code >= c->entry_count ? VALUE_NONE : c->values[code];
    }
    return err;
}

int reader_numbers(struct rowgroup_reader *r, uint32_t column, uint32_t block, unsigned depth)
{
    const struct stored_column *c = &r->columns[column];
    struct reader in;
    if (c->form == FORM_CODES || c->form == FORM_MAPPED)
        return coded_numbers(r, column, block, depth);
    /* The base first: its list passes through the same memory. */
    int err = c->form == FORM_BESIDE ? reader_numbers(r, c->other, block, depth + 1) : 0;
    if (err == 0)
        err = reader_block(r, column, block, depth, NULL, &in);
    uint32_t n = r->counts[depth];
    if (err == 0 && c->form == FORM_EPOCH)
        return read_epochs(r, c, block, depth, &in);
    if (err == 0)
        err = read_list(r, &in, n);
    if (err != 0)
        return err;
    uint32_t count = reader_block_rows(r, block);
    int64_t *to = r->numbers[depth];
    for (uint32_t row = 0; row < count; row++)
        to[row] = VALUE_NONE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = r->rows[depth][i];
        int64_t base = c->form == FORM_BESIDE ? r->numbers[depth + 1][row] : 0;
        base = base == VALUE_NONE ? 0 : base;
        int64_t v = (int64_t)((uint64_t)r->list[i] + (uint64_t)base);
        to[row] = c->derived && v == 0 ? VALUE_NONE : v;
    }
    return 0;
}
