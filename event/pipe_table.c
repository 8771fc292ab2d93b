#include "event/pipe_table.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/err.h"
#include "event/pipe_cells.h"

enum {
    FIRST_ROWS = 64,
};

void pipe_table_release(struct pipe_table *t)
{
    if (t->pool != NULL)
        (void)pipe_budget_resize(t->pool->budget, t->cells,
                                 t->row_cap * t->column_count * sizeof(*t->cells), 0);
    *t = (struct pipe_table){0};
}

int pipe_table_add(struct pipe_table *t, const uint32_t *row)
{
    if (t->row_count == t->row_cap) {
        size_t width = t->column_count * sizeof(*t->cells);
        size_t cap = t->row_cap == 0 ? FIRST_ROWS : t->row_cap * 2;
        uint32_t *cells =
            pipe_budget_resize(t->pool->budget, t->cells, t->row_cap * width, cap * width);
        if (cells == NULL)
            return pipe_budget_error(t->pool->budget);
        t->cells = cells;
        t->row_cap = cap;
    }
    memcpy(t->cells + t->row_count * t->column_count, row, t->column_count * sizeof(*row));
    t->row_count++;
    return 0;
}

void pipe_table_head(struct pipe_table *t, int64_t rows)
{
    if ((uint64_t)t->row_count > (uint64_t)rows)
        t->row_count = (size_t)rows;
}

/* What rows are ordered by: one cell for each key, row by row, behind a list of row numbers. */
struct order {
    const struct pipe_pool *pool;
    const uint32_t *cells;
    const struct pipe_key *keys; /* by value; NULL: cells are names, compared bytewise */
    uint32_t count;
    bool time_first; /* names: the first cell is a time */
};

/* null is last, whatever the direction. */
static int cells_compare(const struct order *o, uint32_t key, uint32_t a, uint32_t b)
{
    if (a == b)
        return 0;
    if (a == PIPE_CELL_NULL || b == PIPE_CELL_NULL)
        return a == PIPE_CELL_NULL ? 1 : -1;
    if (o->keys == NULL && !(o->time_first && key == 0))
        return slice_compare(pipe_cell_bytes(o->pool, a), pipe_cell_bytes(o->pool, b));
    int order = pipe_cell_compare(o->pool, a, b);
    return o->keys != NULL && o->keys[key].descending ? -order : order;
}

static int rows_compare(const void *left, const void *right, void *self)
{
    const struct order *o = self;
    uint64_t a = bytes_get64(left);
    uint64_t b = bytes_get64(right);
    int order = 0;
    for (uint32_t i = 0; i < o->count && order == 0; i++)
        order = cells_compare(o, i, o->cells[a * o->count + i], o->cells[b * o->count + i]);
    return order != 0 ? order : a < b ? -1 : a > b;
}

/* Put the rows in the order of `o`. */
static int reorder(struct pipe_table *t, struct order *o)
{
    uint64_t *rows = malloc((t->row_count + 1) * sizeof(*rows));
    uint32_t *cells = malloc((t->row_count + 1) * t->column_count * sizeof(*cells));
    int err = rows == NULL || cells == NULL ? ERR_NOMEM : 0;
    if (err == 0) {
        for (size_t i = 0; i < t->row_count; i++)
            rows[i] = i;
        qsort_r(rows, t->row_count, sizeof(*rows), rows_compare, o);
        for (size_t i = 0; i < t->row_count; i++)
            memcpy(cells + i * t->column_count, pipe_table_row(t, rows[i]),
                   t->column_count * sizeof(*cells));
        memcpy(t->cells, cells, t->row_count * t->column_count * sizeof(*cells));
    }
    free(rows);
    free(cells);
    return err;
}

/* The value that a set is compared by. */
static uint32_t extreme(const struct pipe_pool *p, uint32_t cell, bool greatest)
{
    uint32_t count = pipe_cell_count(p, cell);
    uint32_t found = count == 0 ? PIPE_CELL_NULL : pipe_cell_member(p, cell, 0);
    for (uint32_t i = 1; i < count; i++) {
        uint32_t member = pipe_cell_member(p, cell, i);
        int order = pipe_cell_compare(p, member, found);
        if (greatest ? order > 0 : order < 0)
            found = member;
    }
    return found;
}

int pipe_table_sort(struct pipe_table *t, const struct pipe_key *keys, uint32_t count)
{
    if (t->row_count < 2)
        return 0;
    uint32_t *cells = malloc((t->row_count + 1) * count * sizeof(*cells));
    if (cells == NULL)
        return ERR_NOMEM;
    for (size_t row = 0; row < t->row_count; row++) {
        for (uint32_t i = 0; i < count; i++)
            cells[row * count + i] =
                extreme(t->pool, pipe_table_row(t, row)[keys[i].column], keys[i].descending);
    }
    struct order o = {.pool = t->pool, .cells = cells, .keys = keys, .count = count};
    int err = reorder(t, &o);
    free(cells);
    return err;
}

/* The text that a value prints as, as a cell. */
static int name_cell(struct pipe_pool *p, uint32_t cell, struct buf *scratch, uint32_t *out)
{
    *out = cell;
    if (cell == PIPE_CELL_NULL || pipe_cell_kind(p, cell) == PIPE_TEXT)
        return 0;
    buf_reset(scratch);
    pipe_cell_print(p, cell, scratch);
    return buf_ok(scratch) ? pipe_pool_text(p, buf_content(scratch), out) : ERR_NOMEM;
}

int pipe_table_sort_names(struct pipe_table *t, uint32_t from, uint32_t count)
{
    uint32_t width = from + count;
    if (t->row_count < 2 || width == 0)
        return 0;
    struct buf scratch = {0};
    int err = 0;
    uint32_t *cells = malloc((t->row_count + 1) * width * sizeof(*cells));
    if (cells == NULL)
        return ERR_NOMEM;
    for (size_t row = 0; row < t->row_count && err == 0; row++) {
        for (uint32_t i = 0; i < width && err == 0; i++) {
            uint32_t cell = pipe_table_row(t, row)[i];
            uint32_t *to = &cells[row * width + i];
            *to = cell;
            err = i < from ? 0 : name_cell(t->pool, cell, &scratch, to);
        }
    }
    struct order o = {.pool = t->pool, .cells = cells, .count = width, .time_first = from != 0};
    if (err == 0)
        err = reorder(t, &o);
    free(cells);
    buf_release(&scratch);
    return err;
}

int pipe_table_select(struct pipe_table *t, const struct pipe_key *keys, uint32_t count)
{
    struct pipe_table narrow = {.pool = t->pool, .column_count = count};
    uint32_t row[PIPE_KEYS_MAX];
    int err = 0;
    for (size_t at = 0; at < t->row_count && err == 0; at++) {
        for (uint32_t i = 0; i < count; i++)
            row[i] = pipe_table_row(t, at)[keys[i].column];
        err = pipe_table_add(&narrow, row);
    }
    if (err == 0) {
        pipe_table_release(t);
        *t = narrow;
    } else {
        pipe_table_release(&narrow);
    }
    return err;
}

/* The steps of a chart and its groups: keys without the time, sorted, each once. */
struct chart {
    const struct pipe *pipe;
    int64_t first_ns;
    uint64_t steps;
    struct pipe_table groups;
};

static int groups_find(struct chart *c, const struct pipe_table *t)
{
    uint32_t width = c->pipe->key_count - 1;
    uint32_t none = PIPE_CELL_NULL;
    int err = 0;
    c->groups = (struct pipe_table){.pool = t->pool, .column_count = width == 0 ? 1 : width};
    if (width == 0)
        return pipe_table_add(&c->groups, &none);
    for (size_t row = 0; row < t->row_count && err == 0; row++)
        err = pipe_table_add(&c->groups, pipe_table_row(t, row) + 1);
    if (err == 0)
        err = pipe_table_sort_names(&c->groups, 0, width);
    size_t kept = 0;
    for (size_t row = 0; row < c->groups.row_count && err == 0; row++) {
        uint32_t *to = c->groups.cells + kept * width;
        const uint32_t *from = pipe_table_row(&c->groups, row);
        if (kept != 0 && memcmp(to - width, from, width * sizeof(*to)) == 0)
            continue;
        memmove(to, from, width * sizeof(*to));
        kept++;
    }
    c->groups.row_count = kept;
    return err;
}

/* Where the chart begins and how many steps it has; 0 where nothing tells. */
static void steps_find(struct chart *c, const struct pipe_table *t, int64_t since_ns,
                       int64_t until_ns)
{
    bool any = t->row_count != 0;
    int64_t span = c->pipe->span_ns;
    int64_t first = any ? pipe_cell_time(t->pool, pipe_table_row(t, 0)[0]) : since_ns;
    int64_t last =
        any ? pipe_cell_time(t->pool, pipe_table_row(t, t->row_count - 1)[0]) : until_ns - 1;
    c->steps = 0;
    if ((!any && (since_ns == INT64_MIN || until_ns == INT64_MAX)) || until_ns <= since_ns)
        return;
    if (since_ns != INT64_MIN)
        first = pipe_step(since_ns, span);
    if (until_ns != INT64_MAX)
        last = pipe_step(until_ns - 1, span);
    else
        last = pipe_step(last, span);
    c->first_ns = first;
    c->steps = ((uint64_t)last - (uint64_t)first) / (uint64_t)span + 1;
}

/* A row of a group in which there is nothing. */
static void empty_row(const struct chart *c, uint32_t zero, uint32_t *row)
{
    const struct pipe *p = c->pipe;
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        uint8_t function = p->aggregates[i].function;
        bool counts = function == PIPE_COUNT || function == PIPE_DISTINCT;
        row[p->key_count + i] = counts ? zero : PIPE_CELL_NULL;
    }
}

static int chart_rows(const struct chart *c, const struct pipe_table *t, struct pipe_table *out)
{
    uint32_t keys = c->pipe->key_count;
    uint32_t row[PIPE_COLUMNS_MAX] = {0};
    uint32_t zero = PIPE_CELL_NULL;
    size_t at = 0;
    int err = pipe_pool_number(t->pool, 0, &zero);
    for (uint64_t step = 0; step < c->steps && err == 0; step++) {
        int64_t time_ns = (int64_t)((uint64_t)c->first_ns + step * (uint64_t)c->pipe->span_ns);
        err = pipe_pool_time(t->pool, time_ns, &row[0]);
        for (size_t g = 0; g < c->groups.row_count && err == 0; g++) {
            if (keys > 1)
                memcpy(row + 1, pipe_table_row(&c->groups, g), (keys - 1) * sizeof(*row));
            const uint32_t *next = at < t->row_count ? pipe_table_row(t, at) : NULL;
            if (next != NULL && memcmp(next, row, keys * sizeof(*row)) == 0) {
                err = pipe_table_add(out, next);
                at++;
                continue;
            }
            empty_row(c, zero, row);
            err = pipe_table_add(out, row);
        }
    }
    return err;
}

int pipe_table_fill(struct pipe_table *t, const struct pipe *chart, int64_t since_ns,
                    int64_t until_ns, struct diag *diag)
{
    struct chart c = {.pipe = chart};
    struct pipe_table full = {.pool = t->pool, .column_count = t->column_count};
    steps_find(&c, t, since_ns, until_ns);
    int err = groups_find(&c, t);
    if (err == 0 && c.groups.row_count != 0 && c.steps > PIPE_CHART_ROWS_MAX / c.groups.row_count) {
        diag_add(diag, "query", 0, 0,
                 "timechart: %llu steps of %zu groups are more than %d rows; take a longer span, "
                 "a shorter time or fewer groups",
                 (unsigned long long)c.steps, c.groups.row_count, PIPE_CHART_ROWS_MAX);
        err = ERR_CONF;
    }
    if (err == 0)
        err = chart_rows(&c, t, &full);
    pipe_table_release(&c.groups);
    if (err == 0) {
        pipe_table_release(t);
        *t = full;
    } else {
        pipe_table_release(&full);
    }
    return err;
}
