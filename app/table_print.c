#include "app/table_print.h"

#include <stdlib.h>

#include "app/row_text.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"
#include "event/ndjson.h"

enum {
    COLUMN_WIDTH_MAX = 60, /* of TABLE; a longer cell moves the rest of its row */
};

void table_printer_release(struct table_printer *p)
{
    buf_release(&p->cell);
    buf_release(&p->scratch);
    buf_release(&p->sets);
}

/* How a value prints, and where that stands in printer->sets. */
struct member {
    const struct buf *sets;
    size_t at;
    size_t len;
    uint32_t cell;
};

static int member_compare(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    return slice_compare(slice_of(a->sets->data + a->at, a->len),
                         slice_of(b->sets->data + b->at, b->len));
}

/* The values of a cell in the order in which they are printed. */
static uint32_t members_of(struct table_printer *p, const struct pipe_pool *pool, uint32_t cell,
                           struct member *out)
{
    uint32_t count = pipe_cell_count(pool, cell);
    buf_reset(&p->sets);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t member = pipe_cell_member(pool, cell, i);
        size_t at = p->sets.len;
        if (count > 1)
            pipe_cell_print(pool, member, &p->sets);
        out[i] = (struct member){&p->sets, at, p->sets.len - at, member};
    }
    if (count > 1)
        qsort(out, count, sizeof(*out), member_compare);
    return count;
}

static void json_value(struct table_printer *p, const struct pipe_pool *pool, uint32_t cell,
                       struct buf *out)
{
    buf_reset(&p->cell);
    pipe_cell_print(pool, cell, &p->cell);
    if (pipe_cell_kind(pool, cell) == PIPE_NUMBER)
        buf_slice(out, buf_content(&p->cell));
    else
        ndjson_string(out, buf_content(&p->cell));
}

static void json_cell(struct table_printer *p, const struct pipe_pool *pool, uint32_t cell,
                      struct buf *out)
{
    struct member members[PIPE_SET_MAX];
    uint32_t count = members_of(p, pool, cell, members);
    buf_text(out, count == 0 ? "null" : count > 1 ? "[" : "");
    for (uint32_t i = 0; i < count; i++) {
        if (i != 0)
            buf_byte(out, ',');
        json_value(p, pool, members[i].cell, out);
    }
    if (count > 1)
        buf_byte(out, ']');
}

/* The values of a cell, joined; true where it is one number. */
static bool text_cell(struct table_printer *p, const struct pipe_pool *pool, uint32_t cell,
                      bool zoned, struct buf *out)
{
    struct member members[PIPE_SET_MAX];
    uint32_t count = members_of(p, pool, cell, members);
    for (uint32_t i = 0; i < count; i++) {
        if (i != 0)
            buf_byte(out, ';');
        if (zoned && pipe_cell_kind(pool, members[i].cell) == PIPE_TIME)
            clock_print_zone(out, pipe_cell_time(pool, members[i].cell), p->zone_minutes);
        else
            pipe_cell_print(pool, members[i].cell, out);
    }
    return count == 1 && pipe_cell_kind(pool, members[0].cell) == PIPE_NUMBER;
}

void table_print_header(struct table_printer *p, struct buf *out)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_byte(out, ',');
        row_text_csv(out, &p->cell, p->names[i], p->names[i].data[0] == '@');
    }
    buf_append(out, "\r\n", 2);
}

/* An empty cell alone in its row is quoted: readers take an empty line for none. */
static void csv_row(struct table_printer *p, const struct pipe_pool *pool, const uint32_t *row,
                    struct buf *out)
{
    if (p->count == 1 && row[0] == PIPE_CELL_NULL)
        buf_text(out, "\"\"");
    for (uint32_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_byte(out, ',');
        buf_reset(&p->scratch);
        bool is_number = text_cell(p, pool, row[i], false, &p->scratch);
        row_text_csv(out, &p->cell, buf_content(&p->scratch), is_number);
    }
    buf_append(out, "\r\n", 2);
}

int table_print_row(struct table_printer *p, enum row_form form, const struct pipe_pool *pool,
                    const uint32_t *row, struct buf *out)
{
    if (form == ROW_CSV) {
        csv_row(p, pool, row, out);
    } else {
        for (uint32_t i = 0; i < p->count; i++) {
            buf_byte(out, i == 0 ? '{' : ',');
            ndjson_string(out, p->names[i]);
            buf_byte(out, ':');
            json_cell(p, pool, row[i], out);
        }
        buf_append(out, "}\n", 2);
    }
    bool ok = buf_ok(out) && buf_ok(&p->cell) && buf_ok(&p->scratch) && buf_ok(&p->sets);
    return ok ? 0 : ERR_NOMEM;
}

/* Whether a terminal gives the character two places: East Asian wide and full-width forms. */
static bool is_wide(uint32_t c)
{
    static const uint32_t WIDE[][2] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf}, {0xac00, 0xd7a3},
        {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60}, {0xffe0, 0xffe6},
        {0x1f300, 0x1f64f}, {0x20000, 0x3fffd},
    };
    for (size_t i = 0; i < sizeof(WIDE) / sizeof(WIDE[0]); i++) {
        if (c >= WIDE[i][0] && c <= WIDE[i][1])
            return true;
    }
    return false;
}

static int shown_width(struct slice text)
{
    int width = 0;
    while (text.len != 0) {
        uint32_t c = 0;
        size_t len = escape_utf8(&c, text);
        width += len > 1 && is_wide(c) ? 2 : 1;
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
    return width;
}

/* A cell as it is shown, in p->cell. Returns whether it stands at the right. */
static bool shown_cell(struct table_printer *p, const struct pipe_pool *pool, uint32_t cell)
{
    buf_reset(&p->scratch);
    buf_reset(&p->cell);
    bool right = text_cell(p, pool, cell, true, &p->scratch);
    if (cell == PIPE_CELL_NULL)
        buf_byte(&p->scratch, '-');
    escape_text(&p->cell, buf_content(&p->scratch));
    return right;
}

static void aligned(struct buf *out, struct slice text, int width, bool right, bool last)
{
    int pad = width - shown_width(text);
    for (int i = 0; right && i < pad; i++)
        buf_byte(out, ' ');
    buf_slice(out, text);
    for (int i = 0; !right && !last && i < pad; i++)
        buf_byte(out, ' ');
    buf_text(out, last ? "\n" : "  ");
}

int table_print_aligned(struct table_printer *p, const struct pipe_table *t, size_t rows,
                        struct buf *out)
{
    int width[PIPE_COLUMNS_MAX] = {0};
    for (uint32_t i = 0; i < p->count; i++) {
        width[i] = shown_width(p->names[i]);
        for (size_t row = 0; row < rows; row++) {
            (void)shown_cell(p, t->pool, pipe_table_row(t, row)[i]);
            int wide = shown_width(buf_content(&p->cell));
            wide = wide > COLUMN_WIDTH_MAX ? COLUMN_WIDTH_MAX : wide;
            width[i] = wide > width[i] ? wide : width[i];
        }
    }
    for (uint32_t i = 0; i < p->count; i++) {
        buf_reset(&p->cell);
        escape_text(&p->cell, p->names[i]);
        aligned(out, buf_content(&p->cell), width[i], false, i + 1 == p->count);
    }
    for (size_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < p->count; i++) {
            bool right = shown_cell(p, t->pool, pipe_table_row(t, row)[i]);
            aligned(out, buf_content(&p->cell), width[i], right, i + 1 == p->count);
        }
    }
    bool ok = buf_ok(out) && buf_ok(&p->cell) && buf_ok(&p->scratch) && buf_ok(&p->sets);
    return ok ? 0 : ERR_NOMEM;
}
