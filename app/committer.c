#include "app/committer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "app/frame_maker.h"
#include "app/hidden.h"
#include "app/prefecture.h"
#include "app/watch.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/ring.h"

enum {
    RING_PARCELS = 64,
    CONTROL_BYTES_MAX = 4096,
    POLL_MS = 20,
    RETRY_MS = 500,
};

#define TICK_GAP_NS (10 * CLOCK_NS_PER_SECOND) /* a longer time without ticks was not watched */

/* The mark that workers see, and what it is made of. */
struct announcement {
    _Atomic uint64_t number; /* 0: none yet */
    struct mark mark;
    bool open; /* not all have answered */
    struct detect_control controls[MARK_CONTROLS_MAX];
    struct buf texts; /* of the controls, each behind its u32 length */
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
    _Atomic bool paused;
    _Atomic uint64_t retire_seq; /* the log may lose its files up to here; 0: nothing to do */
    struct frame_maker *maker;
    struct announcement announced;
    pthread_mutex_t mark_lock; /* of `announced` and `asked` */
    pthread_cond_t marked;
    struct buf asked; /* controls for the next mark, each behind its u32 length */
    size_t asked_count;
    bool quiet;
    bool ending;       /* the next mark is the input's end */
    bool ended;        /* and is committed */
    int64_t marked_ns; /* tick of the last mark that is committed */
    bool clock_behind; /* and that was said */
};

/* The states beside the log; a failure costs a longer restart, no more. */
static void write_snapshots(struct committer *c, const struct snapshot_place *place)
{
    struct parcel *const *marks = frame_maker_marks(c->maker);
    for (unsigned w = 0; w < c->o.workers; w++) {
        for (const struct snapshot *s = marks[w]->snapshots; s != NULL; s = s->next) {
            int status = snapshot_write(s, c->o.dir, place);
            if (status != 0)
                log_warn("commit", "a detector's state was not kept: a restart takes longer",
                         "tenant=%06u why=%s", s->tenant, err_name(status));
        }
    }
}

static void count_committed(struct committer *c)
{
    int64_t now = clock_now_ns();
    struct parcel *const *parcels;
    size_t count = frame_maker_parcels(c->maker, &parcels);
    struct parcel *const *marks = frame_maker_marks(c->maker);
    for (size_t i = 0; i < count; i++) {
        const struct parcel *p = parcels[i];
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
        tally_alerts(c->o.tally, buf_content(&p->alerts));
        hidden_tally(c->o.tally, buf_content(&p->hidden));
    }
    for (unsigned w = 0; marks != NULL && w < c->o.workers; w++)
        tally_alerts(c->o.tally, buf_content(&marks[w]->alerts));
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

static void retire(struct committer *c)
{
    uint64_t seq = atomic_load(&c->retire_seq);
    struct retire_report report = {0};
    struct diag diag = {0};
    if (seq == 0)
        return;
    if (c->o.store_lock != NULL)
        (void)pthread_mutex_lock(c->o.store_lock);
    int status = store_retire(c->o.store, seq, &report, &diag);
    if (c->o.store_lock != NULL)
        (void)pthread_mutex_unlock(c->o.store_lock);
    if (status != ERR_AGAIN)
        (void)atomic_compare_exchange_strong(&c->retire_seq, &seq, 0);
    if (report.files != 0) {
        log_info("commit", "files of the log whose rows are in segments were removed",
                 "files=%llu bytes=%llu through=%llu", (unsigned long long)report.files,
                 (unsigned long long)report.log_bytes, (unsigned long long)report.through_seq);
    }
    if (status != 0 && status != ERR_AGAIN) {
        log_error("commit", "the log keeps files whose rows are in segments", "why=%s",
                  diag.count != 0 ? diag_text(&diag) : err_name(status));
    }
    c->log_bytes = store_log_bytes(c->o.store);
    diag_release(&diag);
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
        int status = c->paused ? ERR_AGAIN : append_once(c, parts);
        c->waiting = status == ERR_AGAIN || status == ERR_NOMEM;
        if (!c->waiting)
            return status;
        log_warn("commit", "no room for the log: intake waits, nothing is dropped",
                 "log_bytes=%llu remedy=%s", (unsigned long long)store_log_bytes(c->o.store),
                 "free disk space, or raise limits.log_bytes");
        if (should_give_up(c))
            return status;
        retire(c);
        sleep_ms(RETRY_MS);
    }
}

/* All have answered and it is durable: the rings go on. */
static void end_mark(struct committer *c)
{
    frame_maker_end_mark(c->maker);
    (void)pthread_mutex_lock(&c->mark_lock);
    c->announced.open = false;
    c->ended = (c->announced.mark.flags & DETECT_TICK_END) != 0;
    c->marked_ns = frame_maker_tick_ns(c->maker);
    (void)pthread_cond_broadcast(&c->marked);
    (void)pthread_mutex_unlock(&c->mark_lock);
}

/* The prefecture's turn, when every municipality has had its own. */
static int judge_prefecture(struct committer *c)
{
    struct parcel *const *marks = frame_maker_marks(c->maker);
    if (marks == NULL || c->o.prefecture == NULL)
        return 0;
    struct mark mark = {.tick_ns = marks[0]->tick_ns};
    mark.flags |= (marks[0]->tick_flags & FRAME_FLAG_TICK_GAP) != 0 ? DETECT_TICK_GAP : 0U;
    mark.flags |= (marks[0]->tick_flags & FRAME_FLAG_INPUT_END) != 0 ? DETECT_TICK_END : 0U;
    if (c->o.wall_ticks) {
        mark.controls = c->announced.mark.controls;
        mark.control_count = c->announced.mark.control_count;
        mark.keeps_states = c->announced.mark.keeps_states;
    }
    return prefecture_mark(c->o.prefecture, marks, c->o.workers, &mark);
}

static int commit(struct committer *c)
{
    struct arena arena = {0};
    struct frame_parts parts;
    struct snapshot_place place = {.at = store_position(c->o.store)};
    int status = judge_prefecture(c);
    if (status == 0)
        status = frame_maker_parts(c->maker, buf_content(&c->announced.texts), &arena, &parts);
    failpoint("commit.collected");
    if (status == 0)
        status = append(c, &parts);
    if (status == 0) {
        failpoint("commit.durable");
        frame_maker_written(c->maker, &parts);
        c->frames++;
        c->log_bytes = store_log_bytes(c->o.store);
        count_committed(c);
        if (c->o.committed != NULL)
            c->o.committed(c->o.self, parts.entries, parts.entry_count);
        if (c->o.released != NULL && parts.alerts.count != 0)
            c->o.released(c->o.self);
        failpoint("commit.released");
    }
    arena_release(&arena);
    frame_maker_clear(c->maker);
    if (status == 0 && frame_maker_marked(c->maker)) {
        struct frame_env env;
        if (store_env_current(c->o.store, &env, SLICE("prevalence")) == 0)
            place.prevalence = env.sha256;
        write_snapshots(c, &place);
        retire(c);
        end_mark(c);
    }
    return status;
}

/* Take what is in the rings; false when there was nothing. */
static bool collect(struct committer *c)
{
    bool any = false;
    for (unsigned w = 0; w < c->o.workers; w++) {
        struct parcel *p = NULL;
        while (frame_maker_takes(c->maker, w) && (p = ring_pop(c->rings[w])) != NULL) {
            frame_maker_take(c->maker, w, p);
            any = true;
        }
    }
    return any;
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * CLOCK_NS_PER_SECOND + t.tv_nsec;
}

/* Controls that people asked for become part of the mark. */
static void take_controls(struct committer *c, struct announcement *a)
{
    struct slice items[MARK_CONTROLS_MAX];
    buf_release(&a->texts);
    a->texts = c->asked;
    c->asked = (struct buf){0};
    c->asked_count = 0;
    a->mark.controls = a->controls;
    a->mark.control_count = 0;
    size_t count = parcel_items(items, MARK_CONTROLS_MAX, buf_content(&a->texts));
    for (size_t i = 0; i < count; i++) {
        if (c->o.read_control(c->o.self, items[i], &a->controls[a->mark.control_count]) == 0)
            a->mark.control_count++;
    }
}

/* Time of detection never goes back: with the clock behind it nothing ticks, which somebody must know. */
static void watch_clock(struct committer *c, int64_t now_ns, int64_t last_ns)
{
    bool behind = last_ns - now_ns > TICK_GAP_NS;
    if (behind && !c->clock_behind) {
        log_warn("commit", "the clock is behind the log: no silence is noticed until it is there",
                 "behind_s=%lld remedy=%s", (long long)((last_ns - now_ns) / CLOCK_NS_PER_SECOND),
                 "set the clock (NTP)");
    }
    c->clock_behind = behind;
}

/* Once a second, and at the input's end, when the last mark is done. */
static void announce(struct committer *c)
{
    int64_t now = clock_now_ns() / CLOCK_NS_PER_SECOND * CLOCK_NS_PER_SECOND;
    (void)pthread_mutex_lock(&c->mark_lock);
    struct announcement *a = &c->announced;
    int64_t last = frame_maker_tick_ns(c->maker);
    watch_clock(c, now, last);
    if (!c->quiet && !a->open && (now > last || c->ending)) {
        bool gap = now - last > TICK_GAP_NS;
        take_controls(c, a);
        a->mark.tick_ns = now > last ? now : last;
        a->mark.keeps_states = true;
        a->mark.flags = gap ? DETECT_TICK_GAP : 0;
        a->mark.flags |= c->ending ? DETECT_TICK_END : 0U;
        c->quiet = c->ending;
        a->mark.day_ends = watch_day_ends(last, now);
        a->open = true;
        a->number++;
    }
    (void)pthread_mutex_unlock(&c->mark_lock);
}

bool committer_mark(struct committer *c, uint64_t *seen, struct mark *out)
{
    if (atomic_load(&c->announced.number) == *seen)
        return false;
    (void)pthread_mutex_lock(&c->mark_lock);
    *seen = c->announced.number;
    *out = c->announced.mark;
    (void)pthread_mutex_unlock(&c->mark_lock);
    return true;
}

int committer_wait_mark(struct committer *c, int64_t tick_ns)
{
    (void)pthread_mutex_lock(&c->mark_lock);
    while (c->marked_ns < tick_ns && committer_error(c) == 0)
        (void)pthread_cond_wait(&c->marked, &c->mark_lock);
    (void)pthread_mutex_unlock(&c->mark_lock);
    return committer_error(c);
}

int committer_end_input(struct committer *c, int64_t until_ns)
{
    int status = 0;
    (void)pthread_mutex_lock(&c->mark_lock);
    c->ending = true;
    while (!c->ended && committer_error(c) == 0 && clock_monotonic_ns() < until_ns)
        (void)clock_cond_wait(&c->marked, &c->mark_lock, until_ns);
    status = c->ended ? 0 : ERR_AGAIN;
    (void)pthread_mutex_unlock(&c->mark_lock);
    return committer_error(c) != 0 ? committer_error(c) : status;
}

void committer_quiet(struct committer *c)
{
    (void)pthread_mutex_lock(&c->mark_lock);
    c->quiet = true;
    (void)pthread_mutex_unlock(&c->mark_lock);
}

int committer_control(struct committer *c, struct slice json)
{
    struct detect_control control;
    if (c->o.read_control == NULL || json.len > CONTROL_BYTES_MAX ||
        c->o.read_control(c->o.self, json, &control) != 0)
        return ERR_FORMAT;
    int status = 0;
    (void)pthread_mutex_lock(&c->mark_lock);
    if (c->asked_count == MARK_CONTROLS_MAX || c->quiet) {
        status = ERR_AGAIN;
    } else {
        buf_put32(&c->asked, (uint32_t)json.len);
        buf_slice(&c->asked, json);
        c->asked_count++;
        status = buf_ok(&c->asked) ? 0 : ERR_NOMEM;
    }
    (void)pthread_mutex_unlock(&c->mark_lock);
    return status;
}

/* Sleep until somebody submits, for POLL_MS at most. */
static void wait_for_parcels(struct committer *c)
{
    int64_t until_ns = clock_monotonic_ns() + POLL_MS * INT64_C(1000000);
    (void)pthread_mutex_lock(&c->wake_lock);
    (void)clock_cond_wait(&c->wake, &c->wake_lock, until_ns);
    (void)pthread_mutex_unlock(&c->wake_lock);
}

static void *committer_main(void *arg)
{
    struct committer *c = arg;
    for (;;) {
        bool finishing = c->finishing;
        if (c->o.wall_ticks)
            announce(c);
        bool any = collect(c);
        if (frame_maker_due(c->maker, finishing ? 0 : c->o.frame_age_ns)) {
            int status = commit(c);
            if (status != 0) {
                atomic_store(&c->error, status);
                break;
            }
        } else if (!any) {
            if (finishing && frame_maker_empty(c->maker))
                break;
            wait_for_parcels(c);
        }
        c->cpu_ns = thread_cpu_ns();
    }
    for (unsigned w = 0; w < c->o.workers; w++)
        ring_wake(c->rings[w]);
    (void)pthread_mutex_lock(&c->mark_lock);
    (void)pthread_cond_broadcast(&c->marked);
    (void)pthread_mutex_unlock(&c->mark_lock);
    return NULL;
}

int committer_open(struct committer **out, const struct committer_options *options)
{
    struct committer *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->o = *options;
    c->log_bytes = store_log_bytes(options->store);
    c->marked_ns = INT64_MIN;
    c->rings = calloc(options->workers, sizeof(struct ring *));
    (void)pthread_mutex_init(&c->mark_lock, NULL);
    clock_cond_init(&c->marked);
    (void)pthread_mutex_init(&c->wake_lock, NULL);
    clock_cond_init(&c->wake);
    struct frame_maker_options maker = {.store = options->store,
                                        .workers = options->workers,
                                        .zstd_level = options->zstd_level,
                                        .frame_bytes = options->frame_bytes,
                                        .envs = options->envs,
                                        .env_count = options->env_count,
                                        .ticked_ns = options->ticked_ns,
                                        .midnight = options->midnight,
                                        .self = options->self};
    int status = c->rings == NULL ? ERR_NOMEM : frame_maker_new(&c->maker, &maker);
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

void committer_pause(struct committer *c, bool paused)
{
    c->paused = paused;
}

void committer_retire(struct committer *c, uint64_t through_seq)
{
    atomic_store(&c->retire_seq, through_seq);
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
    for (unsigned w = 0; c->rings != NULL && w < c->o.workers; w++) {
        struct parcel *p = NULL;
        while (c->rings[w] != NULL && (p = ring_pop(c->rings[w])) != NULL)
            parcel_free(p);
        ring_free(c->rings[w]);
    }
    frame_maker_free(c->maker);
    buf_release(&c->asked);
    buf_release(&c->announced.texts);
    (void)pthread_mutex_destroy(&c->mark_lock);
    (void)pthread_cond_destroy(&c->marked);
    (void)pthread_mutex_destroy(&c->wake_lock);
    (void)pthread_cond_destroy(&c->wake);
    free(c->rings);
    free(c);
}
