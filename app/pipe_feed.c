#include "app/pipe_feed.h"

#include <stdlib.h>

#include "base/err.h"
#include "event/census.h"
#include "event/pipe_combine.h"

struct feed_worker {
    struct pipe_pool pool;
    struct pipe_cells cells;
    struct pipe_groups groups;
    struct pipe_combine combine;
    uint32_t *columns;    /* BATCH_ROWS_MAX cells a field */
    uint32_t *groups_of;  /* PIPE_COMBINATIONS_MAX: of each combination */
    struct batch outline; /* what a head says of a batch */
};

struct pipe_feed {
    struct pipe_feed_options options;
    struct pipe_field fields[PIPE_FIELDS_MAX]; /* those that the pipe asks for */
    uint32_t numbers[PIPE_FIELDS_MAX];         /* and their places in the pipeline */
    uint32_t field_count;
    uint32_t keys[PIPE_KEYS_MAX + 1]; /* which of the fields each key is */
    bool counted[PIPE_FIELDS_MAX];    /* fields that aggregates look at */
    bool counts;     /* how many rows have which values is all that is asked for, */
    uint64_t places; /* of these places of a census */
    struct feed_worker **workers;
};

static_assert((int)PIPE_BATCH_ROWS >= (int)BATCH_ROWS_MAX, "groups take a batch at a time");

/* Which of the feed's fields a field of the pipeline is. */
static uint32_t want_field(struct pipe_feed *f, uint32_t number)
{
    for (uint32_t i = 0; i < f->field_count; i++) {
        if (f->numbers[i] == number)
            return i;
    }
    f->fields[f->field_count] = f->options.pipeline->fields[number];
    f->numbers[f->field_count] = number;
    return f->field_count++;
}

static void want_fields(struct pipe_feed *f, const struct pipe *p)
{
    for (uint32_t i = 0; i < p->key_count; i++)
        f->keys[i] = want_field(f, p->keys[i].column);
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        if (p->aggregates[i].column != PIPE_COLUMN_NONE)
            f->counted[want_field(f, p->aggregates[i].column)] = true;
    }
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
    w->groups_of = calloc(PIPE_COMBINATIONS_MAX, sizeof(*w->groups_of));
    int err = w->columns == NULL || w->groups_of == NULL ? ERR_NOMEM : 0;
    if (err == 0)
        err = pipe_combine_init(&w->combine);
    if (err == 0)
        err = pipe_pool_init(&w->pool, f->options.budget);
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
    pipe_combine_release(&w->combine);
    free(w->groups_of);
    free(w->columns);
    free(w);
}

/* Whether a census can tell all that the pipe asks for. */
static void want_places(struct pipe_feed *f)
{
    f->counts = f->workers[0]->groups.only_counts;
    for (uint32_t i = 0; i < f->field_count && f->counts; i++) {
        const struct pipe_field *field = &f->fields[i];
        f->counts =
            field->row_field != ROW_FIELD_NONE
                ? census_wants_row_field((enum row_field)field->row_field, &f->places)
                : field->field != FIELD_UNNAMED && census_wants_field(field->field, &f->places);
    }
}

int pipe_feed_open(struct pipe_feed **out, const struct pipe_feed_options *options)
{
    const struct pipe *p = &options->pipeline->pipes[options->pipe];
    struct pipe_feed *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->options = *options;
    want_fields(f, p);
    f->workers = calloc(options->threads, sizeof(struct feed_worker *));
    int err = f->workers == NULL ? ERR_NOMEM : 0;
    for (unsigned i = 0; i < options->threads && err == 0; i++)
        err = worker_open(f, &f->workers[i]);
    if (err != 0) {
        pipe_feed_close(f);
        return err;
    }
    want_places(f);
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

/* The cells of a field in the rows that match. */
static int fill_cells(const struct pipe_feed *f, struct feed_worker *w, const struct sieve *s,
                      uint32_t field, const uint32_t **columns)
{
    uint32_t *to = w->columns + (size_t)field * BATCH_ROWS_MAX;
    columns[f->numbers[field]] = to;
    return pipe_cells_fill(&w->cells, field, s->rows, s->row_count, to);
}

/* Row by row. */
static int feed_cells(const struct pipe_feed *f, struct feed_worker *w, const struct sieve *s)
{
    const uint32_t *columns[PIPE_FIELDS_MAX] = {0};
    int err = 0;
    for (uint32_t i = 0; i < f->field_count && err == 0; i++)
        err = fill_cells(f, w, s, i, columns);
    return err == 0 ? pipe_groups_add(&w->groups, columns, s->row_count) : err;
}

/* Whether the keys have numbers, and few enough combinations of them. */
static bool combine_rows(const struct pipe_feed *f, struct feed_worker *w, const struct sieve *s)
{
    struct pipe_numbers numbers[PIPE_KEYS_MAX + 1];
    uint32_t count = w->groups.pipe->key_count;
    for (uint32_t k = 0; k < count; k++) {
        if (!pipe_cells_numbers(&w->cells, f->keys[k], &numbers[k]))
            return false;
    }
    return pipe_combine_rows(&w->combine, numbers, count, s->rows, s->row_count);
}

/* The group of each combination that occurs; where counts are all that is asked for, they are in. */
static int find_groups(const struct pipe_feed *f, struct feed_worker *w)
{
    const struct pipe_combine *c = &w->combine;
    int err = 0;
    for (uint32_t i = 0; i < c->slot_count && err == 0; i++) {
        uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
        if (c->slots[i].count == 0)
            continue;
        const uint16_t row = (uint16_t)c->slots[i].row;
        for (uint32_t k = 0; k < w->groups.pipe->key_count && err == 0; k++)
            err = pipe_cells_fill(&w->cells, f->keys[k], &row, 1, &keys[k]);
        if (err == 0)
            err = pipe_groups_find(&w->groups, keys, &w->groups_of[i]);
        if (err == 0 && w->groups.only_counts)
            pipe_groups_count(&w->groups, w->groups_of[i], c->slots[i].count);
    }
    return err;
}

static int feed_combined(const struct pipe_feed *f, struct feed_worker *w, const struct sieve *s)
{
    const uint32_t *columns[PIPE_FIELDS_MAX] = {0};
    int err = find_groups(f, w);
    if (err != 0 || w->groups.only_counts)
        return err;
    for (uint32_t i = 0; i < f->field_count && err == 0; i++) {
        if (f->counted[i])
            err = fill_cells(f, w, s, i, columns);
    }
    for (uint32_t i = 0; i < s->row_count && err == 0; i++) {
        uint32_t group = w->groups_of[w->combine.of_row[i]];
        err = pipe_groups_add_row(&w->groups, group, columns, i);
    }
    return err;
}

/* Combinations, each with how many rows have it. */
static int feed_weighted(const struct pipe_feed *f, struct feed_worker *w, const struct sieve *s)
{
    const uint32_t *columns[PIPE_FIELDS_MAX] = {0};
    int err = 0;
    for (uint32_t i = 0; i < f->field_count && err == 0; i++)
        err = fill_cells(f, w, s, i, columns);
    for (uint32_t i = 0; i < s->row_count && err == 0; i++) {
        uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
        uint32_t group = 0;
        for (uint32_t k = 0; k < w->groups.pipe->key_count; k++)
            keys[k] = columns[f->numbers[f->keys[k]]][i];
        err = pipe_groups_find(&w->groups, keys, &group);
        if (err == 0)
            pipe_groups_count(&w->groups, group, s->weights[s->rows[i]]);
    }
    return err;
}

static int feed_rows(void *self, unsigned worker, const struct sieve *s)
{
    struct pipe_feed *f = self;
    struct feed_worker *w = f->workers[worker];
    int err = pipe_cells_batch(&w->cells, s->batch);
    if (err == 0 && s->weights != NULL)
        err = feed_weighted(f, w, s);
    else if (err == 0)
        err = combine_rows(f, w, s) ? feed_combined(f, w, s) : feed_cells(f, w, s);
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
    uint32_t group = 0;
    if (err == 0)
        err = pipe_groups_find(&w->groups, keys, &group);
    if (err == 0)
        pipe_groups_count(&w->groups, group, hits);
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
                              .counts = f->counts,
                              .places = f->places,
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
