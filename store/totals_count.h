/*
 * store/totals_count.h - makes control totals: what frames say they hold, against the rows that are there.
 *
 *   frames   topic/0  [100 DATA 105)[105 GAP 106)[106 DATA 110)       one bit for each offset of DATA
 *   rows     100 101 103 104 106 107 108 109                        sets it: 102 is missing
 *
 *   totals_count_frame() for all frames, then totals_count_rows() for all rows, then totals_count_take()
 *
 * Rows may come in any order. Which municipality a partition belongs to says its topic, or where that
 * does not (files that were replayed), its first row.
 *
 * Layer:     base < event < store
 * Ownership: a count owns its memory; frames, rows and what the owner callback gives are borrowed for
 *            the call. One bit for each record, and 64 bytes for each hour and each run of offsets of
 *            one kind; of topics without a municipality, for each frame.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; what the callback returns.
 */
#pragma once

#include "event/batch.h"
#include "store/frame.h"
#include "store/totals.h"

/* Whose a topic is. */
struct totals_owner {
    bool known; /* else its rows will tell */
    uint32_t tenant;
    uint64_t from_seq;   /* frames up to this one are not counted */
    uint64_t until_seq;  /* nor those behind this one; 0: there is no such limit */
    struct slice source; /* of the topic, which it may borrow */
};

/* Asked once a partition. Returns 0, or an error that ends the counting. */
typedef int totals_owner_of(void *self, struct slice topic, struct totals_owner *out);

struct totals_count;

int totals_count_new(struct totals_count **out, totals_owner_of *owner_of, void *self);
/* NULL is allowed. */
void totals_count_free(struct totals_count *c);

/* A partition of a topic that tells no municipality has had this owner: its rows were counted before. */
int totals_count_know(struct totals_count *c, struct slice topic, int32_t partition,
                      const struct totals_owner *owner);
/* What a frame consumed. Before any rows of these partitions. */
int totals_count_frame(struct totals_count *c, const struct frame_view *frame);
/* The same of offsets that frames from `seq` on consumed, the last one at a tick. */
int totals_count_range(struct totals_count *c, struct slice topic, int32_t partition,
                       const struct frame_range *range, uint64_t seq, int64_t tick_ns);

/* All rows of a batch, and each one's place and length. */
struct totals_rows {
    const struct batch *batch;
    const int64_t *offsets;
    const int32_t *partitions;
    const uint32_t *raw_bytes; /* NULL: not known; nothing is added */
};

/* from_seq: as the owner's, where the topic does not tell one. */
int totals_count_rows(struct totals_count *c, const struct totals_rows *rows, uint64_t from_seq);
/* Bytes of lines that came in the hour of a time; for rows whose own are not known. */
int totals_count_bytes(struct totals_count *c, const struct batch *b, int32_t partition,
                       int64_t arrival_ns, uint64_t bytes);

/* The least municipality from *tenant on that something was counted of. False when there is none. */
bool totals_count_tenant(const struct totals_count *c, uint32_t *tenant);
/*
 * The partitions of a municipality, whose memory is freed; what was counted of them is in the arena.
 * The rest of `out` is the caller's.
 */
int totals_count_take(struct totals_count *c, uint32_t tenant, struct arena *arena,
                      struct totals *out);
/* A partition whose municipality nothing has told: its offsets in [*start, *end). False: there is none. */
bool totals_count_orphan(const struct totals_count *c, struct slice *topic, int32_t *partition,
                         int64_t *start, int64_t *end);
