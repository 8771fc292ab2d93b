#include "app/output.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/output_breaker.h"
#include "app/output_cursor.h"
#include "app/output_log.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

enum {
    NS_PER_MS = 1000000,
    TICK_MS = 1000,
};

enum metric_id {
#define METRIC(id, name, type, label, help) METRIC_##id,
#include "app/metrics.def"
#undef METRIC
    METRICS_COUNT
};

static const struct output_driver *const DRIVERS[OUTPUTS_MAX] = {
    &OUTPUT_KAFKA, &OUTPUT_FILE, &OUTPUT_REDIS, &OUTPUT_SYSLOG, &OUTPUT_MAIL,
};

struct output {
    const struct output_driver *driver;
    struct outputs *all;
    struct output_host host;
    void *self;
    pthread_t thread;
    bool started;
    bool ended; /* its thread, under the lock */
    bool left;  /* its thread hangs: nothing of it may be freed */
    char dir[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX]; /* of the cursor */

    /* The thread's own. */
    struct output_log *log;
    struct output_batch_store batch;
    struct buf state;
    struct output_place place;
    bool moved; /* since the cursor was kept */
    bool owed;  /* the cursor could not be kept when it had to be */
    bool connected;
    bool tried; /* the batch, before */
    struct breaker breaker;
    int64_t saved_ns;
    int64_t said_ns;
    char said_why[OUTPUT_WHY_BYTES_MAX];
    bool said; /* that it fails, and not yet that it works again */
    int64_t tick_ns;
    struct output_rows rows; /* copies */
    uint64_t seen_rows;

    _Atomic uint64_t next_seq;
    _Atomic uint64_t delivered;
    _Atomic uint64_t failed;
    _Atomic uint64_t retries;
    _Atomic bool open;
};

struct outputs {
    struct output outputs[OUTPUTS_MAX];
    size_t count;
    pthread_mutex_t lock; /* of what stands below */
    pthread_cond_t wake;
    uint64_t wakes;
    struct tally_row *rows;
    size_t row_count;
    uint64_t row_version;
    uint64_t last_seq;
};

void output_why(struct output_host *host, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vsnprintf(host->why, sizeof(host->why), format, args) < 0)
        host->why[0] = '\0';
    va_end(args);
}

bool output_stopping(const struct output_host *host)
{
    return clock_monotonic_ns() >= host->end_ns;
}

int64_t output_until(const struct output_host *host, int64_t ms)
{
    int64_t until = clock_monotonic_ns() + ms * NS_PER_MS;
    int64_t end = host->end_ns;
    return until < end ? until : end;
}

static bool draining(const struct output *o)
{
    return o->host.end_ns != INT64_MAX;
}

/* Wait so long, or until the end, or until there were more wake-ups than `wakes` (NULL: no matter). */
static void wait_for(struct output *o, int64_t ns, const uint64_t *wakes)
{
    struct timespec until;
    int64_t end = clock_monotonic_ns() + ns;
    until.tv_sec = (time_t)(end / CLOCK_NS_PER_SECOND);
    until.tv_nsec = (long)(end % CLOCK_NS_PER_SECOND);
    (void)pthread_mutex_lock(&o->all->lock);
    while (!draining(o) && (wakes == NULL || o->all->wakes == *wakes) &&
           pthread_cond_timedwait(&o->all->wake, &o->all->lock, &until) == 0) {
    }
    (void)pthread_mutex_unlock(&o->all->lock);
}

static int cursor_save(struct output *o)
{
    struct output_cursor cursor = {.place = o->place};
    memcpy(cursor.store_id, o->host.store_id, sizeof(cursor.store_id));
    buf_reset(&o->state);
    if (o->driver->save != NULL)
        o->driver->save(o->self, &o->state);
    int err = buf_ok(&o->state) ? output_cursor_write(o->path, &cursor, buf_content(&o->state))
                                : ERR_NOMEM;
    o->owed = err != 0;
    if (err != 0) {
        output_why(&o->host, "%s cannot be written: %s", o->path,
                   err == ERR_IO && file_no_space() ? "the disk is full" : err_name(err));
        return err;
    }
    o->moved = false;
    o->saved_ns = clock_monotonic_ns();
    return 0;
}

static bool driver_dirty(const struct output *o)
{
    return o->driver->dirty != NULL && o->driver->dirty(o->self);
}

static void move_to(struct output *o, struct output_place place)
{
    o->place = place;
    o->next_seq = place.seq;
}

/* Open the log at the place, as far as it reaches. */
static int log_open(struct output *o)
{
    struct diag diag = {0};
    struct output_place place = o->place;
    int err = output_log_open(&o->log, o->dir, &place, &diag);
    if (err != 0) {
        output_why(&o->host, "%.*s", (int)strcspn(diag_text(&diag), "\n"), diag_text(&diag));
    } else if (place.seq != o->place.seq && o->place.seq != 0) {
        log_warn("output", "the log does not reach to where this output was",
                 "output=%s was=%llu now=%llu", o->driver->name, (unsigned long long)o->place.seq,
                 (unsigned long long)place.seq);
    }
    if (err == 0) {
        move_to(o, place);
        output_batch_reset(&o->batch, place);
    }
    diag_release(&diag);
    return err;
}

static void log_leave(struct output *o)
{
    output_log_close(o->log);
    o->log = NULL;
    output_batch_reset(&o->batch, o->place);
    o->tried = false;
}

/* What the receiver says of its place counts. */
static void take_place(struct output *o)
{
    struct output_place place = o->place;
    if (o->driver->place == NULL)
        return;
    o->driver->place(o->self, &place);
    if (place.seq == o->place.seq && place.skip == o->place.skip)
        return;
    log_info("output", "goes on where the receiver stands", "output=%s from=%llu to=%llu",
             o->driver->name, (unsigned long long)o->place.seq, (unsigned long long)place.seq);
    move_to(o, place);
    o->moved = true;
    log_leave(o);
}

static int ensure_open(struct output *o)
{
    int err = 0;
    if (!o->connected) {
        err = o->driver->connect == NULL ? 0 : o->driver->connect(o->self);
        o->connected = err == 0;
        if (err == 0)
            take_place(o);
    }
    if (err == 0 && o->log == NULL)
        err = log_open(o);
    return err;
}

/* ERR_RANGE of a driver: the receiver stands elsewhere. ERR_AGAIN is the log's word alone. */
static int answer(struct output *o, int status)
{
    if (status == ERR_AGAIN)
        return ERR_DOWN;
    if (status != ERR_RANGE || o->driver->place == NULL)
        return status;
    take_place(o);
    return o->log == NULL ? 0 : ERR_FORMAT;
}

/* The newest rows of the tally, if there are newer ones. */
static void take_rows(struct output *o)
{
    struct outputs *all = o->all;
    (void)pthread_mutex_lock(&all->lock);
    if (all->row_version != o->seen_rows && all->rows != NULL) {
        struct tally_row *copy = malloc((all->row_count + 1) * sizeof(*copy));
        if (copy != NULL) {
            memcpy(copy, all->rows, all->row_count * sizeof(*copy));
            /* Given out as constant; the one owner takes it back. */
            union {
                const struct tally_row *given;
                void *taken;
            } old = {.given = o->rows.rows};
            free(old.taken);
            o->rows = (struct output_rows){.rows = copy, .count = all->row_count};
            o->seen_rows = all->row_version;
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
}

static int tick(struct output *o)
{
    int64_t now = clock_monotonic_ns();
    int err = 0;
    if (o->driver->tick == NULL || now - o->tick_ns < (int64_t)TICK_MS * NS_PER_MS)
        return 0;
    take_rows(o);
    do {
        err = o->driver->tick(o->self, clock_now_ns(), &o->rows);
        bool again = driver_dirty(o);
        int saved = again ? cursor_save(o) : 0;
        err = err != 0 ? err : saved;
        if (!again)
            break;
    } while (err == 0 && !output_stopping(&o->host));
    /* A failed one is due again at once, so that nothing else counts as success in between. */
    o->tick_ns = err == 0 ? now : 0;
    return answer(o, err);
}

static int fill(struct output *o)
{
    struct diag diag = {0};
    uint64_t damaged = o->batch.damaged;
    int err = output_log_fill(o->log, &o->batch, &diag);
    if (o->batch.damaged != damaged) {
        log_error("output", "alerts in the log cannot be read and are left out",
                  "output=%s count=%llu", o->driver->name,
                  (unsigned long long)(o->batch.damaged - damaged));
    }
    if (err != 0 && err != ERR_AGAIN) {
        output_why(&o->host, "%.*s", (int)strcspn(diag_text(&diag), "\n"), diag_text(&diag));
        log_leave(o);
    }
    diag_release(&diag);
    return err;
}

static uint64_t count_done(const struct output_batch *b)
{
    uint64_t done = 0;
    for (size_t i = 0; i < b->count; i++)
        done += b->done[i];
    return done;
}

static int deliver(struct output *o)
{
    struct output_batch *b = &o->batch.batch;
    uint64_t before = count_done(b);
    if (o->tried)
        o->retries += b->count - before;
    o->tried = true;
    b->now_ns = clock_now_ns();
    int err = o->driver->prepare == NULL ? 0 : o->driver->prepare(o->self, b);
    if (err == 0 && driver_dirty(o))
        err = cursor_save(o);
    if (err == 0)
        err = o->driver->deliver(o->self, b);
    failpoint("output.delivered");
    if (err == 0)
        memset(b->done, true, b->count);
    o->delivered += count_done(b) - before;
    return err;
}

/* The batch is with its receiver: keep that. */
static int settle(struct output *o)
{
    bool alerts = o->batch.batch.count != 0;
    move_to(o, o->batch.batch.end);
    o->moved = true;
    o->tried = false;
    output_batch_reset(&o->batch, o->place);
    bool late = clock_monotonic_ns() - o->saved_ns > (int64_t)OUTPUTS_SAVE_MS * NS_PER_MS;
    return alerts || late ? cursor_save(o) : 0;
}

/* One step. 0 = there may be more; ERR_AGAIN = the log has nothing; else a failure. */
static int turn(struct output *o)
{
    int err = ensure_open(o);
    if (err == 0 && o->owed)
        err = cursor_save(o);
    if (err == 0)
        err = tick(o);
    if (err != 0 || o->log == NULL)
        return err;
    if (o->batch.batch.count == 0)
        err = fill(o);
    if (err == 0 && o->batch.batch.count != 0) {
        err = answer(o, deliver(o));
        /* Elsewhere: the batch is gone, the log is opened anew. */
        if (err == 0 && o->log == NULL)
            return 0;
    }
    return err == 0 ? settle(o) : err;
}

/* Once a minute, a new reason sooner. */
static void say_failure(struct output *o, int status, int64_t now_ns)
{
    bool other = strcmp(o->said_why, o->host.why) != 0;
    int64_t rest_ms = other ? OUTPUTS_SAY_OTHER_MS : OUTPUTS_SAY_MS;
    if (o->said_ns != 0 && now_ns - o->said_ns < rest_ms * NS_PER_MS)
        return;
    o->said_ns = now_ns;
    o->said = true;
    memcpy(o->said_why, o->host.why, sizeof(o->said_why));
    log_warn("output", "alerts cannot be delivered; they wait in the log",
             "output=%s why=%s error=%s failures=%u next_frame=%llu", o->driver->name, o->host.why,
             err_name(status), o->breaker.failures, (unsigned long long)o->place.seq);
}

static void failed(struct output *o, int status)
{
    int64_t now = clock_monotonic_ns();
    bool was_open = breaker_open(&o->breaker);
    (void)breaker_fail(&o->breaker, now);
    o->failed++;
    o->open = breaker_open(&o->breaker);
    if (o->connected && o->driver->disconnect != NULL)
        o->driver->disconnect(o->self);
    o->connected = false;
    say_failure(o, status, now);
    if (!was_open && breaker_open(&o->breaker))
        log_warn("output", "the circuit breaker opens: one try in up to 30 s", "output=%s why=%s",
                 o->driver->name, o->host.why);
    o->host.why[0] = '\0';
}

static void succeeded(struct output *o)
{
    if (o->said && o->breaker.failures != 0)
        log_info("output", "delivers again", "output=%s failures=%u", o->driver->name,
                 o->breaker.failures);
    o->said = false;
    breaker_succeed(&o->breaker);
    o->open = false;
}

static void *output_run(void *arg)
{
    struct output *o = arg;
    sigset_t pipe;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    while (!output_stopping(&o->host)) {
        (void)pthread_mutex_lock(&o->all->lock);
        uint64_t wakes = o->all->wakes;
        (void)pthread_mutex_unlock(&o->all->lock);
        int status = turn(o);
        if (status == 0 || status == ERR_AGAIN)
            succeeded(o);
        if (status == 0)
            continue;
        if (status != ERR_AGAIN)
            failed(o, status);
        if (draining(o))
            break;
        /* New alerts are no reason to try earlier what failed. */
        if (status == ERR_AGAIN)
            wait_for(o, (int64_t)OUTPUTS_LOOK_MS * NS_PER_MS, &wakes);
        else
            wait_for(o, breaker_wait(&o->breaker, clock_monotonic_ns()), NULL);
    }
    if ((o->moved || driver_dirty(o)) && cursor_save(o) != 0)
        log_error("output", "how far it got cannot be kept; alerts may come twice",
                  "output=%s why=%s", o->driver->name, o->host.why);
    if (o->connected && o->driver->disconnect != NULL)
        o->driver->disconnect(o->self);
    (void)pthread_mutex_lock(&o->all->lock);
    o->ended = true;
    (void)pthread_cond_broadcast(&o->all->wake);
    (void)pthread_mutex_unlock(&o->all->lock);
    return NULL;
}

/* Where it goes on, and with which state. */
static int restore(struct output *o, const struct outputs_options *options, struct buf *state,
                   struct diag *diag)
{
    struct output_cursor cursor;
    int err = output_cursor_read(&cursor, state, o->path, diag);
    bool first = err == ERR_NOTFOUND;
    if (err != 0 && !first)
        return err == ERR_CORRUPT ? ERR_CONF : err;
    struct output_log *log = NULL;
    o->place = first ? (struct output_place){.seq = 1} : cursor.place;
    struct output_place place = o->place;
    err = output_log_open(&log, options->dir, &place, diag);
    if (err != 0)
        return err;
    memcpy(o->host.store_id, output_log_store_id(log), sizeof(o->host.store_id));
    output_log_close(log);
    if (!first && memcmp(cursor.store_id, o->host.store_id, sizeof(cursor.store_id)) != 0) {
        log_warn("output", "the cursor is of another log: begins with this one's first alert",
                 "output=%s cursor=%s", o->driver->name, o->path);
        o->place = (struct output_place){.seq = 1};
    } else if (first && o->driver->from_now) {
        o->place = (struct output_place){.seq = options->last_seq + 1};
    }
    o->moved = true;
    return 0;
}

static int output_open(struct outputs *all, const struct output_driver *driver,
                       const struct outputs_options *options, struct diag *diag)
{
    struct output *o = &all->outputs[all->count++];
    struct buf state = {0};
    o->driver = driver;
    o->all = all;
    o->host.end_ns = INT64_MAX;
    o->host.config = options->config;
    o->host.brokers = options->brokers;
    o->breaker.random = hash_seed() | 1;
    int dir_len = snprintf(o->dir, sizeof(o->dir), "%s", options->dir);
    int len = snprintf(o->path, sizeof(o->path), "%s/state", options->dir);
    int err = dir_len < 0 || (size_t)dir_len >= sizeof(o->dir) || len < 0 ||
                      (size_t)len + sizeof("/output-") + strlen(driver->name) > sizeof(o->path)
                  ? ERR_RANGE
                  : dir_create(o->path);
    if (err == 0) {
        (void)snprintf(o->path + len, sizeof(o->path) - (size_t)len, "/output-%s", driver->name);
        err = output_batch_init(&o->batch);
    }
    if (err == 0)
        err = restore(o, options, &state, diag);
    if (err == 0)
        err = driver->open(&o->self, &o->host, buf_content(&state), diag);
    o->host.config = NULL;
    o->host.brokers = NULL;
    /* From here on its place is known, also after a crash before the first alert. */
    if (err == 0)
        err = cursor_save(o);
    if (err == 0) {
        o->next_seq = o->place.seq;
        err = pthread_create(&o->thread, NULL, output_run, o) == 0 ? 0 : ERR_NOMEM;
        o->started = err == 0;
    }
    if (err != 0 && diag->count == 0)
        diag_add(diag, NULL, 0, 0, "output %s cannot be started: %s%s%s", driver->name,
                 err_name(err), o->host.why[0] == '\0' ? "" : ": ", o->host.why);
    buf_release(&state);
    return err;
}

int outputs_start(struct outputs **out, const struct outputs_options *options, struct diag *diag)
{
    struct outputs *all = calloc(1, sizeof(*all));
    pthread_condattr_t attributes;
    if (all == NULL)
        return ERR_NOMEM;
    (void)pthread_mutex_init(&all->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&all->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    all->rows = calloc(TALLY_ROWS_MAX, sizeof(*all->rows));
    all->last_seq = options->last_seq;
    int err = all->rows == NULL ? ERR_NOMEM : 0;
    const struct output_driver *const *drivers = options->drivers;
    size_t count = options->driver_count;
    if (drivers == NULL) {
        drivers = DRIVERS;
        count = OUTPUTS_MAX;
    }
    assert(count <= OUTPUTS_MAX);
    for (size_t i = 0; i < count && err == 0; i++) {
        if (drivers[i]->configured(options->config))
            err = output_open(all, drivers[i], options, diag);
    }
    if (err != 0) {
        outputs_stop(all);
        return err;
    }
    *out = all;
    return 0;
}

void outputs_wake(struct outputs *o)
{
    (void)pthread_mutex_lock(&o->lock);
    o->wakes++;
    (void)pthread_cond_broadcast(&o->wake);
    (void)pthread_mutex_unlock(&o->lock);
}

size_t outputs_stats(struct outputs *o, struct output_stats *out, size_t cap)
{
    (void)pthread_mutex_lock(&o->lock);
    uint64_t last = o->last_seq;
    (void)pthread_mutex_unlock(&o->lock);
    size_t count = o->count < cap ? o->count : cap;
    for (size_t i = 0; i < count; i++) {
        struct output *one = &o->outputs[i];
        uint64_t next = one->next_seq;
        out[i] = (struct output_stats){.name = one->driver->name,
                                       .delivered = one->delivered,
                                       .failed = one->failed,
                                       .retries = one->retries,
                                       .behind = last >= next ? last - next + 1 : 0,
                                       .open = one->open};
    }
    return count;
}

void outputs_observe(struct outputs *o, const struct outputs_look *look)
{
    struct output_stats stats[OUTPUTS_MAX];
    (void)pthread_mutex_lock(&o->lock);
    o->last_seq = look->last_seq;
    if (look->tally != NULL && o->count != 0) {
        o->row_count = tally_copy(look->tally, o->rows, TALLY_ROWS_MAX);
        o->row_version++;
    }
    (void)pthread_mutex_unlock(&o->lock);
    size_t count = look->metrics == NULL ? 0 : outputs_stats(o, stats, OUTPUTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct output_stats *s = &stats[i];
        const struct {
            enum metric_id id;
            uint64_t value;
        } values[] = {
            {METRIC_OUTPUT_DELIVERED, s->delivered}, {METRIC_OUTPUT_FAILED, s->failed},
            {METRIC_OUTPUT_RETRIES, s->retries},     {METRIC_OUTPUT_BEHIND, s->behind},
            {METRIC_OUTPUT_OPEN, s->open},
        };
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++)
            metric_cell_set(metric_cell(look->metrics, values[k].id, slice_from(s->name)),
                            (int64_t)values[k].value);
    }
}

/* Wait for the thread; one that hangs, in a library or the resolver, is left behind. */
static void output_join(struct output *o, int64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / CLOCK_NS_PER_SECOND),
                             .tv_nsec = (long)(until_ns % CLOCK_NS_PER_SECOND)};
    if (!o->started)
        return;
    (void)pthread_mutex_lock(&o->all->lock);
    while (!o->ended && pthread_cond_timedwait(&o->all->wake, &o->all->lock, &until) == 0) {
    }
    o->left = !o->ended;
    (void)pthread_mutex_unlock(&o->all->lock);
    if (!o->left) {
        (void)pthread_join(o->thread, NULL);
        return;
    }
    (void)pthread_detach(o->thread);
    log_error("output", "does not end and is left behind", "output=%s", o->driver->name);
}

static void output_free(struct output *o)
{
    union {
        const struct tally_row *given;
        void *taken;
    } rows = {.given = o->rows.rows};
    if (o->self != NULL)
        o->driver->close(o->self);
    output_log_close(o->log);
    output_batch_release(&o->batch);
    buf_release(&o->state);
    free(rows.taken);
}

void outputs_stop(struct outputs *o)
{
    if (o == NULL)
        return;
    bool left = false;
    int64_t end = clock_monotonic_ns() + (int64_t)OUTPUTS_DRAIN_MS * NS_PER_MS;
    for (size_t i = 0; i < o->count; i++)
        o->outputs[i].host.end_ns = end;
    outputs_wake(o);
    for (size_t i = 0; i < o->count; i++) {
        output_join(&o->outputs[i], end + (int64_t)OUTPUTS_JOIN_MS * NS_PER_MS);
        left = left || o->outputs[i].left;
        if (!o->outputs[i].left)
            output_free(&o->outputs[i]);
    }
    /* A thread that was left behind still looks at it. */
    if (left)
        return;
    (void)pthread_cond_destroy(&o->wake);
    (void)pthread_mutex_destroy(&o->lock);
    free(o->rows);
    free(o);
}
