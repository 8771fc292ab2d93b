/*
 * store/log_state.h - what the log says up to a frame: its place in the chain, the end offset of
 * every partition, the environment in force.
 *
 *   frames 1..n  --apply-->  state after n  --encode-->  checkpoint in the header of the file that
 *                                                        begins with frame n + 1
 *
 * A frame changes the state in two steps, so that nothing counts before it is durable: stage checks
 * and remembers, then commit or abandon.
 *
 * Layer:     base < event < store
 * Ownership: the state owns copies of topics and names until log_state_release().
 * Threads:   one owner.
 * Failures:  ERR_RANGE for a frame that does not continue the state, ERR_NOMEM past the budget; the
 *            state is as before then, with nothing staged.
 */
#pragma once

#include "base/arena.h"
#include "store/frame.h"

enum log_state_limits {
    LOG_PARTITIONS_MAX = 1 << 16,
    LOG_ENVS_MAX = FRAME_ENVS_MAX, /* names in force */
    LOG_STATE_BYTES_MAX = 64 << 20,
};

#define LOG_OFFSET_NONE INT64_C(-1)

struct partition_end {
    struct slice topic;
    int32_t partition;
    int64_t start;  /* first offset ever consumed */
    int64_t end;    /* next offset to consume; LOG_OFFSET_NONE: no committed frame yet */
    int64_t staged; /* end once the staged frame is committed; LOG_OFFSET_NONE: untouched by it */
};

struct log_state {
    uint64_t epoch; /* of the last frame; 1 before the first */
    uint64_t seq;   /* of the last frame; 0 before the first */
    int64_t tick_ns;
    struct sha256 hash; /* of the last frame; SHA-256 of the store id before the first */
    struct partition_end *ends;
    size_t end_count;
    struct frame_env *envs;
    size_t env_count;
    uint32_t *slots; /* open addressing: index + 1 into ends, 0 = free */
    size_t slot_count;
    uint64_t seed;
    struct arena arena;
};

/* Before the first frame of the store; `hash` starts the chain. Returns 0 or ERR_NOMEM. */
int log_state_init(struct log_state *s, const struct sha256 *hash);
void log_state_release(struct log_state *s);

/* The partition, or NULL when no committed frame has it. Valid until the next stage. */
const struct partition_end *log_state_find(const struct log_state *s, struct slice topic,
                                           int32_t partition);
const struct frame_env *log_state_env(const struct log_state *s, struct slice name);

/*
 * Whether the entry continues its partition: off_start must equal its end, staged entries included;
 * a partition never seen may start anywhere. Remembers it. After a failure call log_state_abandon().
 */
int log_state_stage(struct log_state *s, struct slice topic, int32_t partition, int64_t off_start,
                    int64_t off_end);
void log_state_abandon(struct log_state *s);
/* The staged entries count from now on, and the frame of this place is the last one. */
void log_state_commit(struct log_state *s, const struct frame_link *link, int64_t tick_ns,
                      const struct sha256 *hash);
/* Put a name in force; ERR_NOMEM past LOG_ENVS_MAX names. */
int log_state_env_set(struct log_state *s, const struct frame_env *env);

/* Stage and commit a frame read back. *why is a static text on ERR_CORRUPT: the frame is no successor. */
int log_state_apply(struct log_state *s, const struct frame_view *frame, const char **why);

/* Append the checkpoint's sections: ENDS ordered by (topic, partition), ENVIRONMENT by name. */
int log_state_encode(struct buf *out, const struct log_state *s);
/*
 * Fill a state just initialised with a checkpoint's sections. ERR_CORRUPT for malformed or
 * unordered ones, ERR_FORMAT for a required section of a newer program.
 */
int log_state_decode(struct log_state *s, struct slice sections);
