#include "app/pipe_run.h"

#include <stdlib.h>

#include "app/pipe_stream.h"
#include "app/table_print.h"
#include "base/err.h"

enum {
    STOP_ROWS = 256,   /* between looks at the stop */
    PRUNE_ROWS = 4096, /* a sort before head keeps at least so many */
    PRUNE_POOL_BYTES = 1 << 20,
};

/* One run: where its pipes are taken and what its rows go to. */
struct runner {
    struct pipe_run *run;
    const struct pipeline *pipeline;
    struct pipe_budget budget;
    struct pipe_bounds bounds;
    const struct slice *names; /* of what comes out; NULL: whole events */
    const struct pipe *shown;  /* events come out with these fields alone */
    struct pipe_feed *feed;
    struct pipe_stream stream;
    struct pipe_groups *groups; /* the events in order go here, or */
    struct pipe_table table;    /* here, each with its text behind the fields, or are printed */
    bool keeps_rows;
    bool keeps_text;
    uint32_t rest; /* the first pipe that works on the table */
    struct row_printer *events;
    struct table_printer printer;
    struct buf text;
    uint64_t visited;
    int64_t keep_max; /* rows of a sort that the next pipe wants; 0: all */
};

static int print_cells(struct runner *r, const struct pipe_pool *pool, const uint32_t *row)
{
    int err = table_print_row(&r->printer, r->run->form.form, pool, row, &r->run->sink->out);
    return err == 0 ? sink_check(r->run->sink) : err;
}

static int print_header(struct runner *r)
{
    enum row_form form = r->run->form.form;
    if (r->names == NULL)
        row_print_header(r->events, &r->run->sink->out);
    else if (form == ROW_CSV)
        table_print_header(&r->printer, &r->run->sink->out);
    return sink_check(r->run->sink);
}

/* Rows that this output shows. */
static uint64_t room(const struct runner *r)
{
    bool people = r->run->form.form == ROW_TABLE && r->run->row_max == UINT64_MAX;
    return people ? PIPE_RUN_TABLE_ROWS : r->run->row_max;
}

/* The rows of the last table; those of whole events are texts already. */
static int print_table(struct runner *r)
{
    const struct pipe_table *t = &r->table;
    uint64_t rows = t->row_count < room(r) ? t->row_count : room(r);
    r->run->rows = t->row_count;
    r->run->rows_left = r->run->row_max == UINT64_MAX ? t->row_count - rows : 0;
    if (r->names != NULL && r->run->form.form == ROW_TABLE) {
        int err = table_print_aligned(&r->printer, t, rows, &r->run->sink->out);
        return err == 0 ? sink_check(r->run->sink) : err;
    }
    int err = print_header(r);
    for (uint64_t row = 0; row < rows && err == 0; row++) {
        const uint32_t *cells = pipe_table_row(t, row);
        if (r->names != NULL) {
            err = print_cells(r, t->pool, cells);
        } else {
            buf_slice(&r->run->sink->out,
                      pipe_cell_bytes(t->pool, cells[r->pipeline->field_count]));
            err = sink_check(r->run->sink);
        }
    }
    return err;
}

static bool is_row_wise(const struct pipe *p)
{
    return p->kind == PIPE_HEAD || p->kind == PIPE_DEDUP || p->kind == PIPE_FIELDS ||
           p->kind == PIPE_WHERE;
}

/* The pipe that the scan can feed: nothing before it depends on order. PIPES_MAX: none. */
static uint32_t feed_place(const struct pipeline *p)
{
    uint32_t i = 0;
    while (i < p->pipe_count && (p->pipes[i].kind == PIPE_FIELDS || p->pipes[i].kind == PIPE_SORT))
        i++;
    return i < p->pipe_count && p->pipes[i].aggregate_count != 0 ? i : PIPES_MAX;
}

static int scan(struct runner *r, struct scan_options options)
{
    struct pipe_run *run = r->run;
    options.threads = run->threads;
    options.stop = run->stop;
    return scan_run(&run->scan, run->index, run->query, &options, run->diag);
}

static int run_feed(struct runner *r, uint32_t place)
{
    const struct pipe_feed_options options = {.pipeline = r->pipeline,
                                              .pipe = place,
                                              .budget = &r->budget,
                                              .stop = r->run->stop,
                                              .threads = r->run->threads};
    int err = pipe_feed_open(&r->feed, &options);
    if (err == 0)
        err = scan(r, (struct scan_options){.keep = SCAN_FEED, .feed = pipe_feed_scan(r->feed)});
    if (err == 0)
        err = pipe_feed_table(r->feed, &r->bounds, &r->table, r->run->diag);
    r->rest = place + 1;
    return err;
}

/* What the event at hand prints as, as a cell. */
static int text_cell(struct runner *r, const struct scan_row *row, uint32_t *out)
{
    buf_reset(&r->text);
    int err = row_print(r->events, row, &r->text);
    return err == 0 ? pipe_pool_text(&r->stream.pool, buf_content(&r->text), out) : err;
}

/* Forget values of rows that were pruned: copy those of the rows that are left. */
static int renew_pool(struct runner *r)
{
    struct pipe_pool fresh = {0};
    size_t count = r->table.row_count * r->table.column_count;
    uint32_t *cells = malloc((count + 1) * sizeof(*cells));
    int err = cells == NULL ? ERR_NOMEM : pipe_pool_init(&fresh, &r->budget);
    for (size_t i = 0; i < count && err == 0; i++)
        err = pipe_pool_copy(&fresh, &r->stream.pool, r->table.cells[i], &cells[i]);
    if (err == 0) {
        memcpy(r->table.cells, cells, count * sizeof(*cells));
        pipe_pool_release(&r->stream.pool);
        r->stream.pool = fresh;
        r->stream.decoding = 0;
        r->stream.cells.batch = NULL;
    } else {
        pipe_pool_release(&fresh);
    }
    free(cells);
    return err;
}

/* Where only the first rows of a sort are wanted, the others need not be kept. */
static int prune(struct runner *r)
{
    int64_t least = r->keep_max > PRUNE_ROWS ? r->keep_max : PRUNE_ROWS;
    if (r->keep_max == 0 || (int64_t)r->table.row_count < 2 * least)
        return 0;
    const struct pipe *sort = &r->pipeline->pipes[r->rest];
    int err = pipe_table_sort(&r->table, sort->keys, sort->key_count);
    if (err == 0)
        pipe_table_head(&r->table, r->keep_max);
    if (err == 0 && r->stream.pool.len > PRUNE_POOL_BYTES && !r->stream.dedups)
        err = renew_pool(r);
    return err;
}

static int keep_row(struct runner *r, const struct scan_row *row)
{
    uint32_t cells[PIPE_FIELDS_MAX + 1] = {0};
    uint32_t count = r->pipeline->field_count;
    int err = 0;
    for (uint32_t i = 0; i < count && err == 0; i++)
        err = pipe_stream_cell(&r->stream, i, &cells[i]);
    if (err == 0 && r->keeps_text)
        err = text_cell(r, row, &cells[count]);
    if (err == 0)
        err = pipe_table_add(&r->table, cells);
    return err == 0 ? prune(r) : err;
}

static int group_row(struct runner *r)
{
    const struct pipe *p = r->groups->pipe;
    const uint32_t *columns[PIPE_FIELDS_MAX] = {0};
    uint32_t cells[PIPE_FIELDS_MAX];
    int err = 0;
    for (uint32_t i = 0; i < p->key_count + p->aggregate_count && err == 0; i++) {
        uint32_t field =
            i < p->key_count ? p->keys[i].column : p->aggregates[i - p->key_count].column;
        if (field == PIPE_COLUMN_NONE)
            continue;
        err = pipe_stream_cell(&r->stream, field, &cells[field]);
        columns[field] = &cells[field];
    }
    return err == 0 ? pipe_groups_add(r->groups, columns, 1) : err;
}

static int print_event(struct runner *r, const struct scan_row *row)
{
    uint32_t cells[PIPE_KEYS_MAX];
    int err = 0;
    r->run->rows++;
    if (r->shown == NULL) {
        err = row_print(r->events, row, &r->run->sink->out);
        return err == 0 ? sink_check(r->run->sink) : err;
    }
    for (uint32_t i = 0; i < r->shown->key_count && err == 0; i++)
        err = pipe_stream_cell(&r->stream, r->shown->keys[i].column, &cells[i]);
    return err == 0 ? print_cells(r, &r->stream.pool, cells) : err;
}

static int take_row(struct runner *r, const struct scan_row *row)
{
    if (r->groups != NULL)
        return group_row(r);
    return r->keeps_rows ? keep_row(r, row) : print_event(r, row);
}

static int visit(void *self, const struct scan_row *row)
{
    struct runner *r = self;
    struct pipe_run *run = r->run;
    bool passes = false;
    bool full = r->groups == NULL && !r->keeps_rows && run->rows >= room(r);
    if (full || r->stream.ended)
        return 1;
    if (++r->visited % STOP_ROWS == 0 && !scan_stopped(run->scan) && scan_stop_now(run->stop))
        return 1;
    int err = pipe_stream_take(&r->stream, row, &passes);
    if (err == 0 && passes)
        err = take_row(r, row);
    if (err != ERR_RANGE)
        return err;
    scan_stop_because(run->stop, SCAN_STOP_MEMORY);
    return 1;
}

/* What the hits in order go to. */
static int open_target(struct runner *r, uint32_t place)
{
    const struct pipeline *p = r->pipeline;
    bool aggregates = place < p->pipe_count && p->pipes[place].aggregate_count != 0;
    bool people = r->names != NULL && r->run->form.form == ROW_TABLE;
    r->rest = place;
    r->keeps_rows = !aggregates && (place < p->pipe_count || people);
    r->keeps_text = r->keeps_rows && r->names == NULL;
    r->stream.keeps_cells = aggregates || r->keeps_rows;
    if (aggregates) {
        r->groups = malloc(sizeof(*r->groups));
        if (r->groups == NULL)
            return ERR_NOMEM;
        return pipe_groups_init(r->groups, &p->pipes[place], &r->stream.pool);
    }
    r->table = (struct pipe_table){.pool = &r->stream.pool, .column_count = p->field_count + 1};
    if (place + 1 < p->pipe_count && p->pipes[place + 1].kind == PIPE_HEAD)
        r->keep_max = p->pipes[place + 1].row_max;
    return 0;
}

static int finish_target(struct runner *r)
{
    r->budget.limit_bytes = 0; /* what is there is finished */
    if (r->groups != NULL) {
        r->rest++;
        return pipe_apply_groups(r->groups, &r->bounds, &r->table, r->run->diag);
    }
    return 0;
}

/* The hits in order. */
static int run_stream(struct runner *r)
{
    const struct pipeline *p = r->pipeline;
    uint32_t place = 0;
    while (place < p->pipe_count && is_row_wise(&p->pipes[place]))
        place++;
    int err = pipe_stream_open(&r->stream, p, place, &r->budget);
    if (err == 0)
        err = open_target(r, place);
    if (err == 0)
        err = scan(r, (struct scan_options){.keep = SCAN_ORDER});
    bool prints = r->groups == NULL && !r->keeps_rows;
    if (err == 0 && prints &&
        (r->run->form.form == ROW_CSV || scan_counters(r->run->scan).hits != 0))
        err = print_header(r);
    if (err == 0)
        err = scan_walk(r->run->scan, visit, r);
    return err == 0 ? finish_target(r) : err;
}

static void runner_close(struct runner *r)
{
    pipe_table_release(&r->table);
    if (r->groups != NULL)
        pipe_groups_release(r->groups);
    free(r->groups);
    pipe_stream_close(&r->stream);
    pipe_feed_close(r->feed);
    row_printer_free(r->events);
    table_printer_release(&r->printer);
    buf_release(&r->text);
    free(r);
}

int pipe_run(struct pipe_run *run)
{
    struct runner *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    uint32_t columns = 0;
    r->run = run;
    r->pipeline = run->pipeline;
    r->budget.limit_bytes = run->memory_max_bytes;
    r->bounds =
        (struct pipe_bounds){.since_ns = run->query->since_ns, .until_ns = run->query->until_ns};
    r->names = pipe_columns(run->pipeline, &columns);
    r->shown = pipe_shown_fields(run->pipeline);
    r->printer = (struct table_printer){
        .names = r->names, .count = columns, .zone_minutes = run->form.zone_minutes};
    uint32_t place = feed_place(run->pipeline);
    int err = row_printer_new(&r->events, &run->form);
    if (err == 0)
        err = place != PIPES_MAX ? run_feed(r, place) : run_stream(r);
    if (err == 0 && (r->feed != NULL || r->groups != NULL || r->keeps_rows)) {
        err = pipe_apply(r->pipeline, r->rest, &r->bounds, &r->table, run->diag);
        if (err == 0)
            err = print_table(r);
    }
    runner_close(r);
    return err;
}
