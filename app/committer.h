/*
 * app/committer.h - the one thread that makes parcels durable.
 *
 *   worker 0 --ring--+
 *   worker 1 --ring--+--> frame (limits.frame_age after the first, or at limits.frame_bytes) --> store_append() --> committed()
 *
 * Time: once a second the committer announces a mark; every worker answers with a mark parcel, and
 * what it submits after that waits until all have answered. So a frame's tick comes after its
 * batches and before all later ones, for every municipality.
 *
 * A full ring makes its worker wait, so a slow disk slows the intake down and nothing is dropped.
 * With no room on the disk, or none within limits.log_bytes, the committer says so and tries again;
 * meanwhile the rings fill and Kafka is not read.
 *
 * Ownership: a submitted parcel belongs to the committer.
 * Threads:   committer_submit() by one thread per worker; the rest by the thread that opened it.
 * Failures:  after ERR_IO from the store the committer takes nothing more: committer_error().
 */
#pragma once

#include <pthread.h>

#include "app/mark.h"
#include "app/parcel.h"
#include "app/tally.h"

struct committer;

struct committer_options {
    struct store *store;         /* borrowed; the committer alone changes it */
    const char *dir;             /* of the store, for snapshots; NULL where no mark keeps states */
    pthread_mutex_t *store_lock; /* held while it changes, for readers of its ends; or NULL */
    unsigned workers;
    int zstd_level;
    size_t frame_bytes;     /* a frame is written when parcels hold so much */
    int64_t frame_age_ns;   /* or so long after the first of them */
    bool give_up_when_full; /* end with ERR_AGAIN on a full disk instead of waiting */
    bool wall_ticks;        /* announce a mark a second; else whoever submits decides about marks */
    const struct frame_env *envs; /* for the first frame; borrowed */
    size_t env_count;
    int64_t ticked_ns;   /* of an empty log: the tick that the states have seen already; or 0 */
    struct tally *tally; /* borrowed */
    void (*committed)(void *self, const struct frame_entry *entries,
                      size_t count); /* may be NULL */
    void (*released)(void *self);    /* a frame with alerts is durable; may be NULL */
    /* Japan's day ends: make the prefecture's snapshot while all workers wait. May be NULL. */
    int (*midnight)(void *self, struct slice contributions, int64_t tick_ns, struct buf *out);
    struct ward *prefecture; /* borrowed; judged when all workers have answered a mark; or NULL */
    /* What a person's control, a JSON object, means; ERR_FORMAT. May be NULL. */
    int (*read_control)(void *self, struct slice json, struct detect_control *out);
    void *self;
};

/* What the committer did so far. */
struct committer_stats {
    uint64_t frames;
    uint64_t log_bytes; /* of the log now */
    int64_t cpu_ns;     /* of its thread */
    bool waiting_for_room;
};

int committer_open(struct committer **out, const struct committer_options *options);

/* Take a parcel, waiting while the ring is full. Returns committer_error(). */
int committer_submit(struct committer *c, unsigned worker, struct parcel *parcel);

/*
 * The mark that was announced last, if it has another number than *seen, which is set: the worker
 * must answer with intake_mark(). The mark stays valid until the worker's answer is committed.
 */
bool committer_mark(struct committer *c, uint64_t *seen, struct mark *out);
/* Wait until the mark of that tick is committed. Returns committer_error(). */
int committer_wait_mark(struct committer *c, int64_t tick_ns);
/*
 * Nothing more will be submitted but answers: announce a last mark, the end of the input, at which all
 * that is pending is said, and wait until it is committed. With wall_ticks, before committer_quiet().
 * ERR_AGAIN: it was not by `until_ns` (monotonic).
 */
int committer_end_input(struct committer *c, int64_t until_ns);
/* No more announcements: call it before workers are told to end. */
void committer_quiet(struct committer *c);
/* Hand over a control; it is part of the next mark. Any thread. ERR_FORMAT, ERR_NOMEM, ERR_AGAIN. */
int committer_control(struct committer *c, struct slice json);

/*
 * Let the log lose its closed files up to a frame, when nobody reads them; store_retire() says what has to hold. Tried
 * at each mark, and while there is no room. Any thread.
 */
void committer_retire(struct committer *c, uint64_t through_seq);

/* Write nothing until it is said again, as with no room: the disk is to keep what it has. Any thread. */
void committer_pause(struct committer *c, bool paused);

/* 0, or the error that ended it; any thread. */
int committer_error(struct committer *c);
struct committer_stats committer_stats(struct committer *c);

/*
 * Write what was submitted and end the thread. Workers must have ended. With `wait_ns` the wait for
 * room on a full disk ends after that long; what is not written is read again after a restart.
 * Returns committer_error().
 */
int committer_finish(struct committer *c, int64_t wait_ns);
void committer_free(struct committer *c);
