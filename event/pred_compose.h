/*
 * event/pred_compose.h - url.original where a line writes its URL in parts.
 *
 *   "https://example.jp:8443/a?b"    one run of parts: from the first to the last, with what stands
 *    ^----   ^--------- ^---^- ^     between them
 *   host="example.jp" url="/a?b"     parts that stand apart: host, path, "?" and query, no scheme
 *         ^---------       ^-^-
 *
 * Parts that only URL punctuation separates are one run. Each run with a host and a path (or a
 * scheme) is a URL by itself; where there is none, the first runs with host, path and query are put
 * together.
 *
 * Ownership: plans and classes live in the arena given; a plan points into the batch.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/batch.h"

struct url_part {
    struct slice bytes; /* as they are, where `is_value` is false */
    uint16_t column;
    uint8_t kind;
    bool is_value;
    bool is_last; /* a URL ends here */
};

struct url_plan {
    struct url_part *parts;
    uint32_t part_count; /* 0: the shape has no URL in parts */
};

/* How the URLs of a shape are made. */
int url_plan_make(struct url_plan *out, struct arena *arena, const struct batch *b,
                  const struct shape *shape);

/* Rows whose URLs are the same, as far as codes and numbers of their parts tell. */
struct url_classes {
    uint16_t *of_row; /* by row of the range; CODE_NONE where the row has no URL in parts */
    uint32_t *row;    /* by class: one of its rows, counted from the range's first */
    uint32_t count;
};

/* `plans` by shape; at most BATCH_LIVE_ROWS_MAX rows. */
int url_classes_make(struct url_classes *out, struct arena *arena, const struct batch *b,
                     const struct url_plan *plans, uint32_t first_row, uint32_t row_count);

/*
 * Append the URL of a row that begins at part *at (0 at first) and move *at behind it. Parts that
 * are percent-encoded stay so, other kinds are decoded. `scratch` is used for printing. Returns
 * false when there was no further URL.
 */
bool url_compose(const struct batch *b, const struct url_plan *plan, uint32_t row, uint32_t *at,
                 struct buf *scratch, struct buf *out);
