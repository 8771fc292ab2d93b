/*
 * event/renderer.h - all lines of one batch that was read back.
 *
 *   shape of the batch   date=? devname=? type=? srcip=?      devname and type: tied (event/ties.h)
 *   steps                "date=" date, " devname=FG1 type=traffic srcip=" srcip
 *
 * batch_render() for whoever renders every row: what all rows of a shape have in common is put
 * together once.
 *
 * Ownership: the renderer owns its memory until renderer_release(); a zeroed one is empty. It borrows
 *            the batch and its ties, which must stay as they are until the last row.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/ties.h"

/* The bytes before a value, in `text` of the renderer, and the value's column. */
struct render_step {
    uint32_t piece;
    uint32_t piece_len;
    uint16_t column;
};

struct render_shape {
    struct render_step *steps;
    uint32_t count;
    struct span tail;
    size_t room; /* bytes of a row whose values are short, and some more */
    bool known;  /* made at the first row */
};

struct renderer {
    const struct batch *batch;
    const struct ties *ties;
    struct arena arena;
    struct buf text;
    struct render_shape *shapes;
};

void renderer_release(struct renderer *r);
/* Forget the batch before; 0 or ERR_NOMEM. */
int renderer_begin(struct renderer *r, const struct batch *b, const struct ties *ties);
/* Append what batch_render() does. */
int renderer_row(struct renderer *r, uint32_t row, struct buf *out);
