/*
 * app/pipe_stream.h - the pipes that need one event at a time: head, dedup, where and fields, in the
 * order in which events come.
 *
 * Ownership: borrows pipeline and budget; the event looked at is borrowed until the next one.
 * Threads:   one owner.
 * Failures:  those of the pool (event/pipe_pool.h).
 */
#pragma once

#include "app/scan.h"
#include "event/pipe_cells.h"
#include "event/pipe_groups.h"

struct pipe_stream {
    const struct pipeline *pipeline;
    uint32_t pipe_count; /* the first so many are taken here */
    struct pipe_pool pool;
    struct pipe_cells cells;
    struct pipe_groups *seen[PIPES_MAX]; /* dedup */
    int64_t passed[PIPES_MAX];           /* head */
    struct buf scratch;
    bool dedups;      /* some of `seen` is there: it holds cells of the pool */
    bool keeps_cells; /* so does somebody else */
    bool ended;       /* a head has passed its last event */
    uint64_t decoding;
    uint16_t row;
    uint32_t cell[PIPE_FIELDS_MAX]; /* of the row, where known */
    bool known[PIPE_FIELDS_MAX];
};

/* A zeroed struct is empty. `pipe_count` pipes, of these kinds. */
int pipe_stream_open(struct pipe_stream *s, const struct pipeline *p, uint32_t pipe_count,
                     struct pipe_budget *budget);
void pipe_stream_close(struct pipe_stream *s);

/* Look at the next event; *passes tells whether it comes out. Not after `ended`. */
int pipe_stream_take(struct pipe_stream *s, const struct scan_row *row, bool *passes);

/* A field of that event. */
int pipe_stream_cell(struct pipe_stream *s, uint32_t field, uint32_t *out);

/* Forget which events dedup has seen. */
int pipe_stream_forget(struct pipe_stream *s);
