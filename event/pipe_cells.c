#include "event/pipe_cells.h"

#include "base/calendar.h"
#include "base/err.h"
#include "base/escape.h"
#include "event/pred_url.h"

#define CELL_UNKNOWN PIPE_CELLS_MAX

void pipe_cells_release(struct pipe_cells *c)
{
    arena_release(&c->arena);
    buf_release(&c->scratch);
    buf_release(&c->decoded);
    buf_release(&c->clean);
}

int64_t pipe_step(int64_t time_ns, int64_t span_ns)
{
    int64_t shift = span_ns % CALENDAR_DAY_NS == 0 ? CALENDAR_JST_NS : 0;
    int64_t inside = time_ns % span_ns;
    inside += inside < span_ns - shift ? shift : shift - span_ns;
    inside = inside < 0 ? inside + span_ns : inside;
    return time_ns < INT64_MIN + inside ? INT64_MIN : time_ns - inside;
}

static bool is_unnamed(const struct batch *b, const struct column *c, struct slice name,
                       struct buf *scratch)
{
    return c->field >= FIELD_LOCAL_FIRST &&
           slice_equal(batch_field_name(b, c->field, scratch), name);
}

static bool has_field(const struct batch *b, const struct column *c, const struct pipe_field *f,
                      struct buf *scratch)
{
    if (f->field == FIELD_UNNAMED)
        return is_unnamed(b, c, f->name, scratch);
    return c->field == f->field;
}

/* Numbers of a column's values; none where it has no dictionary. */
static struct pipe_numbers numbers_of(const struct column *c)
{
    if (c->storage == COLUMN_CODES)
        return (struct pipe_numbers){.of_row = c->codes, .end = c->entry_count};
    return (struct pipe_numbers){.of_row = c->value_numbers, .end = c->value_numbers_end};
}

static int view_make(struct pipe_cells *c, uint32_t field)
{
    const struct batch *b = c->batch;
    struct pipe_view view = {.last = CELL_UNKNOWN};
    view.columns = arena_array(&c->arena, b->column_count + 1, sizeof(*view.columns));
    if (view.columns == NULL)
        return ERR_NOMEM;
    if (c->fields[field].row_field == ROW_FIELD_NONE) {
        for (uint32_t i = 0; i < b->column_count; i++) {
            if (has_field(b, &b->columns[i], &c->fields[field], &c->scratch))
                view.columns[view.column_count++] = (uint16_t)i;
        }
    }
    if (view.column_count == 1 && c->fields[field].field != FIELD_URL_ORIGINAL)
        view.numbers = numbers_of(&b->columns[view.columns[0]]);
    if (view.numbers.of_row != NULL) {
        view.codes = arena_array(&c->arena, view.numbers.end + 1, sizeof(*view.codes));
        if (view.codes == NULL)
            return ERR_NOMEM;
        memset(view.codes, 0xff, view.numbers.end * sizeof(*view.codes));
    }
    c->views[field] = view;
    return 0;
}

int pipe_cells_batch(struct pipe_cells *c, const struct batch *b)
{
    int err = 0;
    arena_reset(&c->arena);
    c->batch = b;
    c->plans = NULL;
    if (c->resets != c->pool->resets) {
        memset(c->recent, 0, sizeof(c->recent));
        c->resets = c->pool->resets;
    }
    for (uint32_t i = 0; i < c->field_count && err == 0; i++)
        err = view_make(c, i);
    return err;
}

/* Text as it is printed. */
static int text_cell(struct pipe_cells *c, struct slice text, uint32_t *out)
{
    unsigned char bits = 0;
    for (size_t i = 0; i < text.len; i++)
        bits |= (unsigned char)text.data[i];
    if (bits < 0x80)
        return pipe_pool_text(c->pool, text, out);
    buf_reset(&c->clean);
    while (text.len != 0) {
        uint32_t character = 0;
        size_t len = escape_utf8(&character, text);
        if (len == 0)
            buf_append(&c->clean, "\xef\xbf\xbd", 3);
        else
            buf_append(&c->clean, text.data, len);
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
    return buf_ok(&c->clean) ? pipe_pool_text(c->pool, buf_content(&c->clean), out) : ERR_NOMEM;
}

/* Written text as a cell; null where it is empty. */
static int written_cell(struct pipe_cells *c, struct slice text, uint8_t kind, uint32_t *out)
{
    *out = PIPE_CELL_NULL;
    if (text.len != 0 && value_is_encoded(text, kind)) {
        buf_reset(&c->decoded);
        value_decode(&c->decoded, text, kind);
        if (!buf_ok(&c->decoded))
            return ERR_NOMEM;
        text = buf_content(&c->decoded);
    }
    return text.len == 0 ? 0 : text_cell(c, text, out);
}

static int column_cell(struct pipe_cells *c, const struct column *col, uint32_t row, uint32_t *out)
{
    struct slice text;
    *out = PIPE_CELL_NULL;
    switch ((enum column_storage)col->storage) {
    case COLUMN_INT:
        if (col->numbers[row] == VALUE_NONE)
            return 0;
        return pipe_pool_number(c->pool, pipe_number_of(col->numbers[row]), out);
    case COLUMN_IP4:
    case COLUMN_IP: {
        if (!column_is_present(col, row))
            return 0;
        struct ip ip = col->storage == COLUMN_IP4 ? ip_from_v4(col->ip4[row]) : col->ips[row];
        return pipe_pool_ip(c->pool, &ip, out);
    }
    case COLUMN_CODES:
    case COLUMN_TEXT:
    default:
        if (!batch_value(c->batch, col, row, &c->scratch, &text))
            return 0;
        return written_cell(c, text, col->kind, out);
    }
}

/* One column of IPv4 addresses; those that came lately need no look into the pool. */
static int addresses_fill(struct pipe_cells *c, const struct column *col, const uint16_t *rows,
                          uint32_t count, uint32_t *out)
{
    int err = 0;
    for (uint32_t i = 0; i < count && err == 0; i++) {
        out[i] = PIPE_CELL_NULL;
        if (!column_is_present(col, rows[i]))
            continue;
        uint32_t ip4 = col->ip4[rows[i]];
        struct pipe_recent_ip *recent =
            &c->recent[ip4 * UINT32_C(0x9e3779b1) >> 19 & (PIPE_RECENT_IPS - 1)];
        if (recent->cell == PIPE_CELL_NULL || recent->ip4 != ip4) {
            struct ip ip = ip_from_v4(ip4);
            err = pipe_pool_ip(c->pool, &ip, &out[i]);
            if (err == 0)
                *recent = (struct pipe_recent_ip){.ip4 = ip4, .cell = out[i]};
        }
        out[i] = recent->cell;
    }
    return err;
}

/* One column whose values have numbers: each value is made once. */
static int codes_fill(struct pipe_cells *c, const struct pipe_view *view, const uint16_t *rows,
                      uint32_t count, uint32_t *out)
{
    const struct column *col = &c->batch->columns[view->columns[0]];
    bool is_ip4 = col->storage == COLUMN_IP4;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t code = view->numbers.of_row[rows[i]];
        if (code >= view->numbers.end) {
            out[i] = PIPE_CELL_NULL;
            continue;
        }
        if (view->codes[code] == CELL_UNKNOWN) {
            int err = is_ip4 ? addresses_fill(c, col, &rows[i], 1, &view->codes[code])
                             : column_cell(c, col, rows[i], &view->codes[code]);
            if (err != 0)
                return err;
        }
        out[i] = view->codes[code];
    }
    return 0;
}

static void set_add(struct pipe_cells *c, uint32_t cell)
{
    if (cell != PIPE_CELL_NULL && c->set_count < PIPE_SET_MAX)
        c->set[c->set_count++] = cell;
}

static int plans_make(struct pipe_cells *c)
{
    const struct batch *b = c->batch;
    struct url_plan *plans = arena_array(&c->arena, b->shape_count + 1, sizeof(*plans));
    int err = plans == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 1; i < b->shape_count && err == 0; i++)
        err = url_plan_make(&plans[i], &c->arena, b, &b->shapes[i]);
    if (err == 0)
        c->plans = plans;
    return err;
}

/* The URLs that a row writes in parts. */
static int urls_add(struct pipe_cells *c, uint32_t row)
{
    uint32_t at = 0;
    int err = c->plans == NULL ? plans_make(c) : 0;
    while (err == 0) {
        uint32_t cell = PIPE_CELL_NULL;
        buf_reset(&c->decoded);
        if (!url_compose(c->batch, &c->plans[c->batch->shape[row]], row, &at, &c->scratch,
                         &c->decoded))
            break;
        if (!buf_ok(&c->decoded))
            return ERR_NOMEM;
        if (c->decoded.len != 0)
            err = text_cell(c, buf_content(&c->decoded), &cell);
        set_add(c, cell);
    }
    return err;
}

static int columns_fill(struct pipe_cells *c, uint32_t field, const uint16_t *rows, uint32_t count,
                        uint32_t *out)
{
    const struct pipe_view *view = &c->views[field];
    bool is_url = c->fields[field].field == FIELD_URL_ORIGINAL;
    const struct column *columns = c->batch->columns;
    int err = 0;
    if (view->column_count == 1 && columns[view->columns[0]].storage == COLUMN_IP4)
        return addresses_fill(c, &columns[view->columns[0]], rows, count, out);
    for (uint32_t i = 0; i < count && err == 0; i++) {
        c->set_count = 0;
        for (uint32_t k = 0; k < view->column_count && err == 0; k++) {
            uint32_t cell = PIPE_CELL_NULL;
            err = column_cell(c, &columns[view->columns[k]], rows[i], &cell);
            set_add(c, cell);
        }
        if (err == 0 && is_url)
            err = urls_add(c, rows[i]);
        if (err == 0)
            err = pipe_pool_set(c->pool, c->set, c->set_count, &out[i]);
    }
    return err;
}

/* The line without its end. */
static int line_fill(struct pipe_cells *c, const uint16_t *rows, uint32_t count, uint32_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_reset(&c->decoded);
        if (batch_render(c->batch, rows[i], &c->decoded) != 0 || !buf_ok(&c->decoded))
            return ERR_NOMEM;
        struct slice line = buf_content(&c->decoded);
        if (line.len != 0 && line.data[line.len - 1] == '\n')
            line.len--;
        if (line.len != 0 && line.data[line.len - 1] == '\r')
            line.len--;
        out[i] = PIPE_CELL_NULL;
        int err = line.len == 0 ? 0 : text_cell(c, line, &out[i]);
        if (err != 0)
            return err;
    }
    return 0;
}

/* A field of the batch: the same for all rows. False where it is one of the row. */
static bool batch_text(struct pipe_cells *c, uint8_t row_field, struct slice *out)
{
    const struct batch *b = c->batch;
    switch (row_field) {
    case ROW_FIELD_TENANT:
        buf_reset(&c->scratch);
        buf_printf(&c->scratch, "%06u", b->tenant);
        *out = buf_content(&c->scratch);
        return true;
    case ROW_FIELD_SOURCE:
        *out = b->source;
        return true;
    case ROW_FIELD_FORMAT:
        *out = b->format_name;
        return true;
    case ROW_FIELD_TOPIC:
        *out = b->topic;
        return true;
    default:
        return false;
    }
}

/* What a row's field is, as a number that tells its values apart. */
static int64_t row_value(const struct batch *b, const struct pipe_field *f, uint32_t row)
{
    int32_t partition = 0;
    int64_t offset = 0;
    switch (f->row_field) {
    case ROW_FIELD_VERDICT:
        return b->verdict[row];
    case ROW_FIELD_PARSE_ERROR:
        return b->reason[row];
    case ROW_FIELD_TIME_SOURCE:
        return b->time_source[row];
    case ROW_FIELD_TIMESTAMP:
        return f->span_ns != 0 ? pipe_step(b->time_ns[row], f->span_ns) : b->time_ns[row];
    case ROW_FIELD_INGESTED:
        return b->arrival_ns[row];
    case ROW_FIELD_SUB:
        return b->sub[row];
    default:
        batch_place(b, row, &partition, &offset);
        return f->row_field == ROW_FIELD_PARTITION ? partition : offset;
    }
}

static int row_cell(struct pipe_cells *c, const struct pipe_field *f, int64_t value, uint32_t *out)
{
    struct slice text = {0};
    switch (f->row_field) {
    case ROW_FIELD_VERDICT:
        text = verdict_name((enum verdict)value);
        break;
    case ROW_FIELD_PARSE_ERROR:
        text = reason_code((enum reason)value);
        break;
    case ROW_FIELD_TIME_SOURCE:
        text = time_source_name((enum time_source)value);
        break;
    case ROW_FIELD_TIMESTAMP:
    case ROW_FIELD_INGESTED:
        return pipe_pool_time(c->pool, value, out);
    default:
        return pipe_pool_number(c->pool, pipe_number_of(value), out);
    }
    return written_cell(c, text, SLOT_PLAIN, out);
}

static int row_fill(struct pipe_cells *c, uint32_t field, const uint16_t *rows, uint32_t count,
                    uint32_t *out)
{
    const struct pipe_field *f = &c->fields[field];
    struct pipe_view *view = &c->views[field];
    struct slice text = {0};
    if (batch_text(c, f->row_field, &text)) {
        uint32_t cell = PIPE_CELL_NULL;
        int err = written_cell(c, text, SLOT_PLAIN, &cell);
        for (uint32_t i = 0; i < count; i++)
            out[i] = cell;
        return err;
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t value = row_value(c->batch, f, rows[i]);
        if (view->last == CELL_UNKNOWN || view->last_value != value) {
            int err = row_cell(c, f, value, &view->last);
            if (err != 0)
                return err;
            view->last_value = value;
        }
        out[i] = view->last;
    }
    return 0;
}

int pipe_cells_fill(struct pipe_cells *c, uint32_t field, const uint16_t *rows, uint32_t count,
                    uint32_t *out)
{
    const struct pipe_view *view = &c->views[field];
    if (c->fields[field].row_field != ROW_FIELD_NONE)
        return row_fill(c, field, rows, count, out);
    if (c->fields[field].field == FIELD_EVENT_ORIGINAL)
        return line_fill(c, rows, count, out);
    if (view->codes != NULL)
        return codes_fill(c, view, rows, count, out);
    return columns_fill(c, field, rows, count, out);
}

bool pipe_cells_numbers(const struct pipe_cells *c, uint32_t field, struct pipe_numbers *out)
{
    const struct pipe_view *view = &c->views[field];
    const struct pipe_field *f = &c->fields[field];
    bool is_batch = f->row_field != ROW_FIELD_NONE && f->row_field <= ROW_FIELD_TOPIC;
    bool is_absent = f->row_field == ROW_FIELD_NONE && view->column_count == 0 &&
                     f->field != FIELD_URL_ORIGINAL && f->field != FIELD_EVENT_ORIGINAL;
    if (view->numbers.of_row == NULL && !is_batch && !is_absent)
        return false;
    *out = view->numbers;
    return true;
}

static void field_columns(const struct pipe_field *f, const struct batch *b, struct buf *scratch,
                          struct column_mask *out)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        bool part = f->field == FIELD_URL_ORIGINAL && url_is_part(c->field);
        if (part || f->field == FIELD_EVENT_ORIGINAL || has_field(b, c, f, scratch))
            column_mask_add(out, i);
    }
}

void pipe_cells_columns(const struct pipe_field *fields, uint32_t count, const struct batch *b,
                        struct column_mask *out)
{
    struct buf scratch = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (fields[i].row_field == ROW_FIELD_NONE)
            field_columns(&fields[i], b, &scratch, out);
        else
            out->parts |= fields[i].row_field > ROW_FIELD_TOPIC ? PART_ALL & ~PART_SHAPES : 0U;
        if (fields[i].field == FIELD_URL_ORIGINAL || fields[i].field == FIELD_EVENT_ORIGINAL)
            out->parts |= PART_SHAPES;
    }
    buf_release(&scratch);
}
