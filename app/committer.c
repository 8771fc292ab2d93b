#include "app/committer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/ring.h"

enum {
    RING_PARCELS = 64,
    FRAME_PARCELS_MAX = 8192,
    FRAME_ENTRIES_FULL = FRAME_ENTRIES_MAX / 2, /* the last parcel brings no more than the rest */
    GROUP_PARCELS_MAX = 1024,
    POLL_MS = 20,
    RETRY_MS = 500,
};

/* Small batches of one worker on their way into a blob, and whose they are. */
struct pack_group {
    struct pack pack;
    struct parcel *parcels[GROUP_PARCELS_MAX];
    size_t sizes[GROUP_PARCELS_MAX]; /* unpacked bytes of each */
    size_t parcel_count;
};

struct committer {
    struct committer_options o;
    struct ring **rings;
    pthread_t thread;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    bool started;
    _Atomic int error;
    _Atomic bool finishing;
    _Atomic int64_t give_up_ns; /* monotonic; when a finishing committer stops waiting for room */
    _Atomic uint64_t frames;
    _Atomic uint64_t log_bytes;
    _Atomic int64_t cpu_ns;
    _Atomic bool waiting;
    struct parcel *parcels[FRAME_PARCELS_MAX]; /* of the next frame, in order */
    size_t parcel_count;
    size_t entry_count;
    size_t bytes;
    struct codec *codec;
    struct buf packed; /* blobs made here for the frame at hand */
    struct pack_group
        *groups;      /* one a worker: a tenant's batches keep the order they were made in */
    int64_t first_ns; /* monotonic, of the first of them */
    int64_t tick_ns;
    bool envs_written;
};

static void drop_parcels(struct committer *c)
{
    for (size_t i = 0; i < c->parcel_count; i++)
        parcel_free(c->parcels[i]);
    c->parcel_count = 0;
    c->entry_count = 0;
    c->bytes = 0;
}

/* The frame being made: slices of c->packed are offsets until all blobs are there. */
struct frame_blobs {
    struct slice *items;
    size_t count;
};

/* Make a blob of a group and tell its parcels what their part of it costs. */
static int group_seal(struct committer *c, struct pack_group *g, struct frame_blobs *blobs)
{
    if (g->pack.count == 0)
        return 0;
    size_t whole = pack_bytes(&g->pack);
    size_t at = c->packed.len;
    int status = pack_seal(c->codec, &g->pack, &c->packed);
    if (status != 0)
        return status;
    size_t len = c->packed.len - at;
    for (size_t i = 0; i < g->parcel_count; i++)
        g->parcels[i]->stored_bytes += len * g->sizes[i] / whole;
    g->parcel_count = 0;
    blobs->items[blobs->count++] = (struct slice){.data = NULL, .len = len};
    return 0;
}

/*
 * Put a parcel's batches into the frame. A worker's batches keep their order: what waits in its
 * group goes before the parcel's own blobs.
 */
static int add_batches(struct committer *c, struct parcel *p, struct frame_blobs *blobs)
{
    struct pack_group *g = &c->groups[p->worker];
    int status = 0;
    if (p->blob_count != 0)
        status = group_seal(c, g, blobs);
    for (size_t i = 0; i < p->blob_count; i++)
        blobs->items[blobs->count++] = p->blobs[i];
    if (status != 0 || p->pack.count == 0)
        return status;
    if (!pack_fits(&g->pack, &p->pack) || g->parcel_count == GROUP_PARCELS_MAX)
        status = group_seal(c, g, blobs);
    size_t size = pack_bytes(&p->pack);
    if (status == 0)
        status = pack_join(&g->pack, &p->pack);
    if (status != 0)
        return status;
    g->parcels[g->parcel_count] = p;
    g->sizes[g->parcel_count++] = size;
    return pack_bytes(&g->pack) >= CODEC_PACK_BYTES ? group_seal(c, g, blobs) : 0;
}

/* All batches of the frame as blobs, at most one more than parcels and their blobs together. */
static int make_blobs(struct committer *c, struct frame_blobs *blobs)
{
    int status = 0;
    buf_reset(&c->packed);
    for (size_t i = 0; i < c->parcel_count && status == 0; i++) {
        c->parcels[i]->stored_bytes = c->parcels[i]->bytes.len;
        status = add_batches(c, c->parcels[i], blobs);
    }
    for (size_t i = 0; i < c->o.workers && status == 0; i++)
        status = group_seal(c, &c->groups[i], blobs);
    size_t at = 0;
    for (size_t i = 0; i < blobs->count; i++) {
        if (blobs->items[i].data != NULL)
            continue;
        blobs->items[i].data = c->packed.data + at;
        at += blobs->items[i].len;
    }
    return status;
}

/* Everything of the collected parcels as one frame; arrays in *arena. */
static int make_parts(struct committer *c, struct arena *arena, struct frame_parts *parts)
{
    size_t entries = 0;
    size_t blob_count = c->o.workers;
    for (size_t i = 0; i < c->parcel_count; i++) {
        entries += c->parcels[i]->entry_count;
        blob_count += c->parcels[i]->blob_count + 2;
    }
    struct frame_entry *entry = arena_array(arena, entries + 1, sizeof(*entry));
    struct frame_blobs blobs = {.items = arena_array(arena, blob_count, sizeof(*blobs.items))};
    if (entry == NULL || blobs.items == NULL || make_blobs(c, &blobs) != 0)
        return ERR_NOMEM;
    *parts = (struct frame_parts){.tick_ns = c->tick_ns,
                                  .entries = entry,
                                  .batches = blobs.items,
                                  .batch_count = blobs.count};
    for (size_t i = 0; i < c->parcel_count; i++) {
        const struct parcel *p = c->parcels[i];
        memcpy(entry + parts->entry_count, p->entries, p->entry_count * sizeof(*entry));
        parts->entry_count += p->entry_count;
    }
    if (!c->envs_written) {
        parts->envs = c->o.envs;
        parts->env_count = c->o.env_count;
    }
    return 0;
}

/* The next tick: never back, whatever the clock does. */
static void advance_tick(struct committer *c)
{
    int64_t tick = c->tick_ns;
    if (c->o.wall_ticks)
        tick = clock_now_ns();
    for (size_t i = 0; !c->o.wall_ticks && i < c->parcel_count; i++) {
        if (c->parcels[i]->newest_arrival_ns > tick)
            tick = c->parcels[i]->newest_arrival_ns;
    }
    if (tick > c->tick_ns)
        c->tick_ns = tick;
}

static void count_committed(struct committer *c)
{
    int64_t now = clock_now_ns();
    for (size_t i = 0; i < c->parcel_count; i++) {
        const struct parcel *p = c->parcels[i];
        struct tally_row add = {.tenant = p->tenant,
                                .rows = p->rows,
                                .unparsed = p->unparsed,
                                .raw_bytes = p->raw_bytes,
                                .stored_bytes = p->stored_bytes,
                                .last_arrival_ns = p->newest_arrival_ns};
        size_t len =
            p->source.len < TALLY_SOURCE_BYTES_MAX ? p->source.len : TALLY_SOURCE_BYTES_MAX;
        memcpy(add.source, p->source.data, len);
        tally_add(c->o.tally, &add);
        for (size_t s = 0; s < p->sample_count; s++)
            tally_latency(c->o.tally, now - p->samples[s], 1);
    }
}

static bool should_give_up(struct committer *c)
{
    return c->o.give_up_when_full ||
           (c->finishing && clock_monotonic_ns() >= atomic_load(&c->give_up_ns));
}

static void sleep_ms(long ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&wait, NULL);
}

static int append_once(struct committer *c, const struct frame_parts *parts)
{
    if (c->o.store_lock != NULL)
        (void)pthread_mutex_lock(c->o.store_lock);
    int status = store_append(c->o.store, parts);
    if (c->o.store_lock != NULL)
        (void)pthread_mutex_unlock(c->o.store_lock);
    return status;
}

/* Append, waiting while there is no room. */
static int append(struct committer *c, const struct frame_parts *parts)
{
    for (;;) {
        int status = append_once(c, parts);
        c->waiting = status == ERR_AGAIN || status == ERR_NOMEM;
        if (!c->waiting)
            return status;
        log_warn("commit", "no room for the log: intake waits, nothing is dropped",
                 "log_bytes=%llu remedy=%s", (unsigned long long)store_log_bytes(c->o.store),
                 "free disk space or raise limits.log_bytes");
        if (should_give_up(c))
            return status;
        sleep_ms(RETRY_MS);
    }
}

static int commit(struct committer *c)
{
    struct arena arena = {0};
    struct frame_parts parts;
    advance_tick(c);
    int status = make_parts(c, &arena, &parts);
    failpoint("commit.collected");
    if (status == 0)
        status = append(c, &parts);
    if (status == 0) {
        failpoint("commit.durable");
        c->envs_written = true;
        c->frames++;
        c->log_bytes = store_log_bytes(c->o.store);
        count_committed(c);
        if (c->o.committed != NULL)
            c->o.committed(c->o.self, parts.entries, parts.entry_count);
        failpoint("commit.released");
    }
    arena_release(&arena);
    drop_parcels(c);
    return status;
}

static bool frame_is_full(const struct committer *c)
{
    return c->bytes >= c->o.frame_bytes || c->parcel_count == FRAME_PARCELS_MAX ||
           c->entry_count >= FRAME_ENTRIES_FULL;
}

/* Take what is in the rings; false when there was nothing. */
static bool collect(struct committer *c)
{
    bool any = false;
    for (unsigned w = 0; w < c->o.workers; w++) {
        struct parcel *p = NULL;
        while (!frame_is_full(c) && (p = ring_pop(c->rings[w])) != NULL) {
            if (c->parcel_count == 0)
                c->first_ns = clock_monotonic_ns();
            p->worker = w;
            c->parcels[c->parcel_count++] = p;
            c->entry_count += p->entry_count;
            c->bytes += p->bytes.len + pack_bytes(&p->pack) / 4;
            any = true;
        }
    }
    return any;
}

static bool frame_is_due(const struct committer *c)
{
    return c->parcel_count != 0 && (c->finishing || frame_is_full(c) ||
                                    clock_monotonic_ns() - c->first_ns >= c->o.frame_age_ns);
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * CLOCK_NS_PER_SECOND + t.tv_nsec;
}

/* Sleep until somebody submits, for POLL_MS at most. */
static void wait_for_parcels(struct committer *c)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&c->wake_lock);
    (void)pthread_cond_timedwait(&c->wake, &c->wake_lock, &until);
    (void)pthread_mutex_unlock(&c->wake_lock);
}

static void *committer_main(void *arg)
{
    struct committer *c = arg;
    for (;;) {
        bool finishing = c->finishing;
        bool any = collect(c);
        if (frame_is_due(c)) {
            int status = commit(c);
            if (status != 0) {
                atomic_store(&c->error, status);
                break;
            }
        } else if (!any) {
            if (finishing && c->parcel_count == 0)
                break;
            wait_for_parcels(c);
        }
        c->cpu_ns = thread_cpu_ns();
    }
    for (unsigned w = 0; w < c->o.workers; w++)
        ring_wake(c->rings[w]);
    return NULL;
}

int committer_open(struct committer **out, const struct committer_options *options)
{
    struct committer *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->o = *options;
    c->tick_ns = store_last_tick_ns(options->store);
    c->log_bytes = store_log_bytes(options->store);
    c->rings = calloc(options->workers, sizeof(struct ring *));
    (void)pthread_mutex_init(&c->wake_lock, NULL);
    (void)pthread_cond_init(&c->wake, NULL);
    c->codec = codec_new(options->zstd_level);
    c->groups = calloc(options->workers, sizeof(*c->groups));
    int status = c->rings == NULL || c->codec == NULL || c->groups == NULL ? ERR_NOMEM : 0;
    for (unsigned w = 0; w < options->workers && status == 0; w++)
        status = ring_new(&c->rings[w], RING_PARCELS);
    if (status == 0 && pthread_create(&c->thread, NULL, committer_main, c) != 0)
        status = ERR_NOMEM;
    if (status != 0) {
        committer_free(c);
        return status;
    }
    c->started = true;
    *out = c;
    return 0;
}

int committer_error(struct committer *c)
{
    return atomic_load(&c->error);
}

int committer_submit(struct committer *c, unsigned worker, struct parcel *parcel)
{
    while (committer_error(c) == 0) {
        bool first = ring_count(c->rings[worker]) == 0;
        if (ring_push(c->rings[worker], parcel)) {
            if (first)
                (void)pthread_cond_signal(&c->wake);
            return 0;
        }
        (void)ring_wait_space(c->rings[worker], POLL_MS);
    }
    parcel_free(parcel);
    return committer_error(c);
}

struct committer_stats committer_stats(struct committer *c)
{
    return (struct committer_stats){.frames = c->frames,
                                    .log_bytes = c->log_bytes,
                                    .cpu_ns = c->cpu_ns,
                                    .waiting_for_room = c->waiting};
}

int committer_finish(struct committer *c, int64_t wait_ns)
{
    atomic_store(&c->give_up_ns, clock_monotonic_ns() + wait_ns);
    c->finishing = true;
    if (c->started) {
        (void)pthread_join(c->thread, NULL);
        c->started = false;
    }
    return committer_error(c);
}

void committer_free(struct committer *c)
{
    if (c == NULL)
        return;
    if (c->started)
        (void)committer_finish(c, 0);
    drop_parcels(c);
    for (unsigned w = 0; c->rings != NULL && w < c->o.workers; w++) {
        struct parcel *p = NULL;
        while (c->rings[w] != NULL && (p = ring_pop(c->rings[w])) != NULL)
            parcel_free(p);
        ring_free(c->rings[w]);
    }
    for (size_t i = 0; c->groups != NULL && i < c->o.workers; i++)
        pack_release(&c->groups[i].pack);
    free(c->groups);
    buf_release(&c->packed);
    codec_free(c->codec);
    (void)pthread_mutex_destroy(&c->wake_lock);
    (void)pthread_cond_destroy(&c->wake);
    free(c->rings);
    free(c);
}
