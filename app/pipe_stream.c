#include "app/pipe_stream.h"

#include <stdlib.h>

#include "base/err.h"
#include "event/pipe_apply.h"

enum {
    POOL_RESET_BYTES = 1 << 20, /* where nobody holds its cells */
};

static int seen_open(struct pipe_stream *s, uint32_t i)
{
    s->seen[i] = calloc(1, sizeof(*s->seen[i]));
    if (s->seen[i] == NULL)
        return ERR_NOMEM;
    s->dedups = true;
    return pipe_groups_init(s->seen[i], &s->pipeline->pipes[i], &s->pool);
}

int pipe_stream_open(struct pipe_stream *s, const struct pipeline *p, uint32_t pipe_count,
                     struct pipe_budget *budget)
{
    *s = (struct pipe_stream){.pipeline = p, .pipe_count = pipe_count};
    s->cells =
        (struct pipe_cells){.fields = p->fields, .field_count = p->field_count, .pool = &s->pool};
    int err = pipe_pool_init(&s->pool, budget);
    for (uint32_t i = 0; i < pipe_count && err == 0; i++) {
        if (p->pipes[i].kind == PIPE_DEDUP)
            err = seen_open(s, i);
    }
    return err;
}

static void seen_close(struct pipe_stream *s, uint32_t i)
{
    if (s->seen[i] != NULL)
        pipe_groups_release(s->seen[i]);
    free(s->seen[i]);
    s->seen[i] = NULL;
}

void pipe_stream_close(struct pipe_stream *s)
{
    for (uint32_t i = 0; i < PIPES_MAX; i++)
        seen_close(s, i);
    pipe_cells_release(&s->cells);
    buf_release(&s->scratch);
    pipe_pool_release(&s->pool);
    *s = (struct pipe_stream){0};
}

int pipe_stream_forget(struct pipe_stream *s)
{
    int err = 0;
    pipe_pool_reset(&s->pool);
    s->decoding = 0;
    s->cells.batch = NULL;
    for (uint32_t i = 0; i < s->pipe_count && err == 0; i++) {
        if (s->seen[i] == NULL)
            continue;
        seen_close(s, i);
        err = seen_open(s, i);
    }
    return err;
}

int pipe_stream_cell(struct pipe_stream *s, uint32_t field, uint32_t *out)
{
    int err = s->known[field] ? 0 : pipe_cells_fill(&s->cells, field, &s->row, 1, &s->cell[field]);
    if (err != 0)
        return err;
    s->known[field] = true;
    *out = s->cell[field];
    return 0;
}

static int look_at(struct pipe_stream *s, const struct scan_row *row)
{
    memset(s->known, 0, sizeof(s->known));
    s->row = (uint16_t)row->row;
    if (s->decoding == row->decoding && s->cells.batch == row->batch)
        return 0;
    if (!s->keeps_cells && !s->dedups && s->pool.len > POOL_RESET_BYTES)
        pipe_pool_reset(&s->pool);
    s->decoding = row->decoding;
    return pipe_cells_batch(&s->cells, row->batch);
}

static int is_fresh(struct pipe_stream *s, uint32_t i, bool *fresh)
{
    const struct pipe *p = &s->pipeline->pipes[i];
    uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
    int err = 0;
    for (uint32_t k = 0; k < p->key_count && err == 0; k++)
        err = pipe_stream_cell(s, p->keys[k].column, &keys[k]);
    return err != 0 ? err : pipe_groups_first(s->seen[i], keys, fresh);
}

static int where_holds(struct pipe_stream *s, const struct pipe *p, bool *holds)
{
    int err = 0;
    *holds = true;
    for (uint32_t i = 0; i < p->test_count && err == 0 && *holds; i++) {
        uint32_t cell = PIPE_CELL_NULL;
        err = pipe_stream_cell(s, p->tests[i].column, &cell);
        *holds = err == 0 && pipe_test_holds(&p->tests[i], &s->pool, cell, &s->scratch);
    }
    return err == 0 && !buf_ok(&s->scratch) ? ERR_NOMEM : err;
}

int pipe_stream_take(struct pipe_stream *s, const struct scan_row *row, bool *passes)
{
    bool in = true;
    int err = look_at(s, row);
    for (uint32_t i = 0; i < s->pipe_count && err == 0 && in; i++) {
        const struct pipe *p = &s->pipeline->pipes[i];
        if (p->kind == PIPE_DEDUP)
            err = is_fresh(s, i, &in);
        if (p->kind == PIPE_WHERE)
            err = where_holds(s, p, &in);
        if (p->kind == PIPE_HEAD && ++s->passed[i] == p->row_max)
            s->ended = true;
    }
    if (err == 0)
        *passes = in;
    return err;
}
