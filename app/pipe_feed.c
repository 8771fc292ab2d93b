#include "app/pipe_feed.h"

#include <stdlib.h>

#include "base/err.h"
#include "event/pipe_cells.h"

struct feed_worker {
    struct pipe_pool pool;
    struct pipe_cells cells;
    struct pipe_groups groups;
    uint32_t *columns;    /* BATCH_ROWS_MAX cells a field */
    struct batch outline; /* what a head says of a batch */
};

struct pipe_feed {
    struct pipe_feed_options options;
    struct pipe_field fields[PIPE_FIELDS_MAX]; /* those that the pipe asks for */
    uint32_t numbers[PIPE_FIELDS_MAX];         /* and their places in the pipeline */
    uint32_t field_count;
    struct feed_worker **workers;
};

static_assert((int)PIPE_BATCH_ROWS >= (int)BATCH_ROWS_MAX, "groups take a batch at a time");

static void want_field(struct pipe_feed *f, uint32_t number)
{
    if (number == PIPE_COLUMN_NONE)
        return;
    for (uint32_t i = 0; i < f->field_count; i++) {
        if (f->numbers[i] == number)
            return;
    }
    f->fields[f->field_count] = f->options.pipeline->fields[number];
    f->numbers[f->field_count++] = number;
}

static int worker_open(const struct pipe_feed *f, struct feed_worker **out)
{
    struct feed_worker *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ERR_NOMEM;
    *out = w;
    w->cells =
        (struct pipe_cells){.fields = f->fields, .field_count = f->field_count, .pool = &w->pool};
    w->columns = malloc(((size_t)f->field_count * BATCH_ROWS_MAX + 1) * sizeof(*w->columns));
    int err = w->columns == NULL ? ERR_NOMEM : pipe_pool_init(&w->pool, f->options.budget);
    if (err == 0)
        err = pipe_groups_init(&w->groups, &f->options.pipeline->pipes[f->options.pipe], &w->pool);
    return err;
}

static void worker_close(struct feed_worker *w)
{
    if (w == NULL)
        return;
    pipe_groups_release(&w->groups);
    pipe_cells_release(&w->cells);
    pipe_pool_release(&w->pool);
    free(w->columns);
    free(w);
}

int pipe_feed_open(struct pipe_feed **out, const struct pipe_feed_options *options)
{
    const struct pipe *p = &options->pipeline->pipes[options->pipe];
    struct pipe_feed *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->options = *options;
    for (uint32_t i = 0; i < p->key_count; i++)
        want_field(f, p->keys[i].column);
    for (uint32_t i = 0; i < p->aggregate_count; i++)
        want_field(f, p->aggregates[i].column);
    f->workers = calloc(options->threads, sizeof(struct feed_worker *));
    int err = f->workers == NULL ? ERR_NOMEM : 0;
    for (unsigned i = 0; i < options->threads && err == 0; i++)
        err = worker_open(f, &f->workers[i]);
    if (err != 0) {
        pipe_feed_close(f);
        return err;
    }
    *out = f;
    return 0;
}

void pipe_feed_close(struct pipe_feed *f)
{
    if (f == NULL)
        return;
    for (unsigned i = 0; f->workers != NULL && i < f->options.threads; i++)
        worker_close(f->workers[i]);
    free(f->workers);
    free(f);
}

static void feed_columns(void *self, const struct batch *b, struct column_mask *out)
{
    const struct pipe_feed *f = self;
    pipe_cells_columns(f->fields, f->field_count, b, out);
}

/* A full budget ends the scan. */
static int feed_result(struct pipe_feed *f, int err)
{
    if (err != ERR_RANGE)
        return err;
    scan_stop_because(f->options.stop, SCAN_STOP_MEMORY);
    return 1;
}

static int feed_rows(void *self, unsigned worker, const struct sieve *s)
{
    struct pipe_feed *f = self;
    struct feed_worker *w = f->workers[worker];
    const uint32_t *columns[PIPE_FIELDS_MAX] = {0};
    int err = pipe_cells_batch(&w->cells, s->batch);
    for (uint32_t i = 0; i < f->field_count && err == 0; i++) {
        uint32_t *to = w->columns + (size_t)i * BATCH_ROWS_MAX;
        columns[f->numbers[i]] = to;
        err = pipe_cells_fill(&w->cells, i, s->rows, s->row_count, to);
    }
    if (err == 0)
        err = pipe_groups_add(&w->groups, columns, s->row_count);
    return feed_result(f, err);
}

/* The same where the batch's head says all that is asked for. */
static int feed_count(void *self, unsigned worker, const struct batch_head *head, uint64_t hits)
{
    struct pipe_feed *f = self;
    struct feed_worker *w = f->workers[worker];
    const struct pipe *p = w->groups.pipe;
    const uint16_t row = 0;
    uint32_t cells[PIPE_FIELDS_MAX];
    uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
    w->outline = (struct batch){.tenant = head->tenant,
                                .topic = head->topic,
                                .source = head->source,
                                .format_name = head->format_name};
    int err = pipe_cells_batch(&w->cells, &w->outline);
    for (uint32_t i = 0; i < f->field_count && err == 0; i++)
        err = pipe_cells_fill(&w->cells, i, &row, 1, &cells[f->numbers[i]]);
    for (uint32_t k = 0; k < p->key_count && err == 0; k++)
        keys[k] = cells[p->keys[k].column];
    if (err == 0)
        err = pipe_groups_count(&w->groups, keys, hits);
    return feed_result(f, err);
}

/* Whether heads are enough: counts by what is one for all rows of a batch. */
static bool heads_suffice(const struct pipe_feed *f)
{
    bool suffice = f->workers[0]->groups.only_counts;
    for (uint32_t i = 0; i < f->field_count; i++) {
        uint8_t field = f->fields[i].row_field;
        suffice = suffice && (field == ROW_FIELD_TENANT || field == ROW_FIELD_SOURCE ||
                              field == ROW_FIELD_FORMAT || field == ROW_FIELD_TOPIC);
    }
    return suffice;
}

struct scan_feed pipe_feed_scan(struct pipe_feed *f)
{
    return (struct scan_feed){.self = f,
                              .columns = feed_columns,
                              .is_narrow = true,
                              .rows = feed_rows,
                              .count = heads_suffice(f) ? feed_count : NULL};
}

int pipe_feed_table(struct pipe_feed *f, const struct pipe_bounds *bounds, struct pipe_table *out,
                    struct diag *diag)
{
    struct pipe_groups *all = &f->workers[0]->groups;
    int err = 0;
    f->options.budget->limit_bytes = 0;
    for (unsigned i = 1; i < f->options.threads && err == 0; i++) {
        err = pipe_groups_merge(all, &f->workers[i]->groups);
        worker_close(f->workers[i]);
        f->workers[i] = NULL;
    }
    return err != 0 ? err : pipe_apply_groups(all, bounds, out, diag);
}
