/*
 * app/ward.h - one municipality at a worker's desk: the order of its rows over all its sources, its
 * detection, and what goes into the log with its batches.
 *
 *   closed batch --ward_batch()--> flows        all of its sources closed
 *                                     |                    |
 *                                     +---ward_judge()-----+--> turns, alerts -> parcel chain
 *
 * All open batches of a municipality close together, so what was judged is what the chain holds,
 * and a restart that judges the log's rows in the log's order comes to the same state.
 *
 * Ownership: borrows the tenant's detection from the watch.
 * Threads:   the worker.
 * Failures:  ERR_NOMEM, and what detection returns.
 */
#pragma once

#include "app/parcel.h"
#include "app/watch.h"

struct ward {
    struct ward *next;
    struct stream *streams; /* of the municipality, as the intake keeps them */
    uint32_t tenant;
    uint32_t order;     /* the next row's place since the last seal */
    uint32_t batches;   /* closed since then */
    uint32_t *batch_of; /* of each place */
    size_t place_cap;
    struct detect_tenant *detect; /* NULL: nobody watches */
    struct buf alerts;            /* since the last chain, as in struct parcel */
    size_t alert_count;
    uint64_t rows; /* judged since the last snapshot */
    uint64_t idle; /* ticks since then */
    bool kept;     /* there is a snapshot */
};

/* `watch` may be NULL. */
int ward_new(struct ward **out, uint32_t tenant, struct watch *watch);
void ward_free(struct ward *w);

/* A batch that is about to be packed; enriched, its order filled. */
int ward_batch(struct ward *w, const struct batch *b);
/* All of its batches are closed: judge the rows and give the chain their turns and alerts. */
int ward_judge(struct ward *w, struct parcel *chain);
/* What the municipality met today: u32 tenant, u32 count, keys. */
int ward_contribute(struct ward *w, struct buf *out);
/*
 * A snapshot of the state, if one is due: at once for a new municipality, then after so many rows or
 * ticks that judging them again would take long. *left counts down: no more than that many a tick.
 */
int ward_snapshot(struct ward *w, unsigned *left, struct parcel *mark);
/* Move the alerts that a tick or a control left into a mark. */
void ward_give_alerts(struct ward *w, struct parcel *mark);
