/*
 * app/frame_maker.h - the frame at hand: parcels and marks go in, the parts of a frame come out.
 *
 *   parcels of workers --take()--> batches packed per worker --+
 *   a mark of every worker ------> watermarks, states' hashes, +--parts()--> store_append()
 *                                  controls, end of a day -----+
 *
 * Ownership: a parcel that was taken belongs to the maker until frame_maker_clear(), a mark until
 *            frame_maker_end_mark().
 * Threads:   the committer's.
 * Failures:  ERR_NOMEM, what zstd and options.midnight return.
 */
#pragma once

#include "app/mark.h"
#include "app/parcel.h"

struct frame_maker;

struct frame_maker_options {
    struct store *store; /* borrowed; for its last tick, and the blobs that a frame names */
    unsigned workers;
    int zstd_level;
    size_t frame_bytes;           /* so much makes a frame full */
    const struct frame_env *envs; /* for the first frame; borrowed */
    size_t env_count;
    int64_t ticked_ns; /* as in struct committer_options */
    /* As in struct committer_options; may be NULL. */
    int (*midnight)(void *self, struct slice contributions, int64_t tick_ns, struct buf *out);
    void *self;
};

int frame_maker_new(struct frame_maker **out, const struct frame_maker_options *options);
/* NULL is fine. */
void frame_maker_free(struct frame_maker *m);

/* Whether a worker's next parcel belongs into this frame: not behind its mark, not into a full one. */
bool frame_maker_takes(const struct frame_maker *m, unsigned worker);
/* Take a chain of parcels or a mark. */
void frame_maker_take(struct frame_maker *m, unsigned worker, struct parcel *p);

bool frame_maker_empty(const struct frame_maker *m);
bool frame_maker_full(const struct frame_maker *m);
/* Time to write: a mark is whole, an alert waits, it is full, or its first parcel came so long ago. */
bool frame_maker_due(const struct frame_maker *m, int64_t age_ns);
/* All workers have answered the mark. */
bool frame_maker_marked(const struct frame_maker *m);

/*
 * Everything taken as one frame, with the mark and its controls (JSON texts behind their u32
 * lengths) if it is whole. Arrays in *arena; bytes of the parcels and the maker, valid until
 * frame_maker_clear() and frame_maker_end_mark().
 */
int frame_maker_parts(struct frame_maker *m, struct slice controls, struct arena *arena,
                      struct frame_parts *parts);
/* It is durable. */
void frame_maker_written(struct frame_maker *m, const struct frame_parts *parts);
/* Tick of the last frame that was written; 0: none. */
int64_t frame_maker_tick_ns(const struct frame_maker *m);

/* What was taken, lent; frame_maker_marks() has one a worker, or is NULL while one is missing. */
size_t frame_maker_parcels(const struct frame_maker *m, struct parcel *const **out);
struct parcel *const *frame_maker_marks(const struct frame_maker *m);

void frame_maker_clear(struct frame_maker *m);
void frame_maker_end_mark(struct frame_maker *m);
