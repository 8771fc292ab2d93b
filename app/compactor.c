#include "app/compactor.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/compact.h"
#include "app/rebuild_needs.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
    IOPRIO_WHO_THREAD = 1,
    IOPRIO_IDLE = 3 << 13,   /* linux/ioprio.h, which not every system has */
    RESTS = 12,              /* of 16 parts, where it may not be idle */
    MEMORY_BYTES = 64 << 20, /* of groups that are filled, beside a collector */
    SEQ_DIGITS = 16,
};

#define LOOK_NS CLOCK_NS_PER_SECOND
#define HOUR_NS SEGMENT_HOUR_NS

enum metric_number {
#define METRIC(name, ...) METRIC_##name,
#include "app/metrics.def"
#undef METRIC
};

struct compactor {
    struct compactor_options o;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
    atomic_bool running;
    atomic_uint_fast64_t through_seq;
    atomic_uint_fast64_t failures;
    uint32_t rest_share;
};

/* Last in line for CPU and disk. A sandbox may refuse it: then it rests most of the time. */
static void be_idle(struct compactor *c)
{
    const struct sched_param none = {0};
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
        c->rest_share = RESTS;
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_THREAD, 0, IOPRIO_IDLE);
}

/* Whose states a restart needs: all that have segments or a snapshot, and the prefecture's own. */
static int list_states(const struct compactor *c, struct arena *arena, uint32_t **out,
                       size_t *count)
{
    char path[FILE_PATH_BYTES_MAX];
    struct compacted done = {0};
    struct dir_names names = {0};
    int err = compacted_read(&done, c->o.dir, arena, NULL);
    int len = snprintf(path, sizeof(path), "%s/state", c->o.dir);
    if (err == 0)
        err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : dir_list(&names, arena, path);
    if (err != 0)
        return err;
    uint32_t *tenants = arena_array(arena, done.tenant_count + names.count + 1, sizeof(*tenants));
    if (tenants == NULL)
        return ERR_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < done.tenant_count; i++)
        tenants[n++] = done.tenants[i];
    for (size_t i = 0; i < names.count; i++) {
        char *end = NULL;
        unsigned long tenant = strtoul(names.names[i], &end, 10);
        bool known = end == names.names[i] || *end != '.';
        for (size_t k = 0; k < n && !known; k++)
            known = tenants[k] == tenant;
        if (!known)
            tenants[n++] = (uint32_t)tenant;
    }
    *out = tenants;
    *count = n;
    return 0;
}

/* What is left of closed files whose last frame is not behind `through_seq`, made beforehand. */
static int make_remains(const struct compactor *c, uint64_t through_seq, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    struct dir_names names = {0};
    int len = snprintf(path, sizeof(path), "%s/log", c->o.dir);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : dir_list(&names, &arena, path);
    uint64_t file = 0;
    for (size_t i = 0; i < names.count && err == 0; i++) {
        char *end = NULL;
        uint64_t seq = strtoull(names.names[i], &end, 16);
        if (end != names.names[i] + SEQ_DIGITS || strcmp(end, ".log") != 0)
            continue;
        if (file != 0 && seq - 1 <= through_seq)
            err = remains_make(path, file, diag);
        file = seq;
    }
    arena_release(&arena);
    return err;
}

/* Let the log lose what nobody needs any more. */
static int retire(struct compactor *c, uint64_t through_seq, struct diag *diag)
{
    struct arena arena = {0};
    uint32_t *tenants = NULL;
    size_t count = 0;
    uint64_t needs = 1;
    if (!conf_bool(config_root(c->o.config), "long_term.retire"))
        return 0;
    int err = list_states(c, &arena, &tenants, &count);
    if (err == 0)
        err = rebuild_needs_seq(&needs, c->o.dir, tenants, count);
    arena_release(&arena);
    uint64_t upto = needs == 0 ? 0 : needs - 1;
    upto = through_seq < upto ? through_seq : upto;
    if (err == 0 && upto != 0)
        err = make_remains(c, upto, diag);
    if (err == 0 && upto != 0)
        collector_retire(c->o.collector, upto);
    return err;
}

static void run_once(struct compactor *c)
{
    struct diag diag = {0};
    struct compact_report report = {0};
    int64_t begin_ns = clock_monotonic_ns();
    uint64_t frames = collector_committed(c->o.collector).frames;
    const struct compact_options options = {.dir = c->o.dir,
                                            .store_id = c->o.store_id,
                                            .through_seq = c->o.first_seq + frames,
                                            .memory_bytes = MEMORY_BYTES,
                                            .rest_share = c->rest_share,
                                            .stop = &c->stop};
    atomic_store(&c->running, true);
    int err = compact_run(&options, &report, &diag);
    if (err == 0) {
        atomic_store(&c->through_seq, report.through_seq);
        log_info("compact", "rows are in segments",
                 "rows=%" PRIu64 " again=%" PRIu64 " segments=%" PRIu64 " bytes=%" PRIu64
                 " through=%" PRIu64 " took_ms=%" PRId64,
                 report.rows, report.rows_again, report.segments, report.segment_bytes,
                 report.through_seq, (clock_monotonic_ns() - begin_ns) / 1000000);
        err = retire(c, report.through_seq, &diag);
    }
    if (err != 0 && !atomic_load(&c->stop)) {
        atomic_fetch_add(&c->failures, 1);
        log_error("compact", "rows could not all be moved into segments; the next hour tries again",
                  "why=%s", diag.count != 0 ? diag_text(&diag) : err_name(err));
    }
    atomic_store(&c->running, false);
    diag_release(&diag);
}

/* Wait until that moment of the wall clock, looking at it again and again; false: stop. */
static bool wait_until(struct compactor *c, int64_t wall_ns)
{
    (void)pthread_mutex_lock(&c->lock);
    while (!atomic_load(&c->stop) && clock_now_ns() < wall_ns)
        (void)clock_cond_wait(&c->wake, &c->lock, clock_monotonic_ns() + LOOK_NS);
    (void)pthread_mutex_unlock(&c->lock);
    return !atomic_load(&c->stop);
}

static void *compactor_main(void *arg)
{
    struct compactor *c = arg;
    int64_t every = conf_int(config_root(c->o.config), "long_term.every");
    int64_t delay = conf_int(config_root(c->o.config), "long_term.delay");
    be_idle(c);
    for (;;) {
        int64_t now = clock_now_ns() - delay;
        int64_t next = now - now % every + every + delay;
        if (!wait_until(c, next))
            return NULL;
        run_once(c);
    }
}

int compactor_start(struct compactor **out, const struct compactor_options *options)
{
    *out = NULL;
    if (!conf_bool(config_root(options->config), "long_term.compact"))
        return 0;
    struct compactor *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->o = *options;
    (void)pthread_mutex_init(&c->lock, NULL);
    clock_cond_init(&c->wake);
    if (pthread_create(&c->thread, NULL, compactor_main, c) != 0) {
        (void)pthread_mutex_destroy(&c->lock);
        (void)pthread_cond_destroy(&c->wake);
        free(c);
        return ERR_NOMEM;
    }
    *out = c;
    return 0;
}

void compactor_observe(struct compactor *c, struct metric_set *metrics)
{
    if (c == NULL)
        return;
    metric_set_value(metrics, METRIC_COMPACTION_RUNNING, atomic_load(&c->running));
    metric_set_value(metrics, METRIC_COMPACTION_THROUGH, (int64_t)atomic_load(&c->through_seq));
    metric_set_value(metrics, METRIC_COMPACTION_FAILURES, (int64_t)atomic_load(&c->failures));
}

void compactor_stop(struct compactor *c)
{
    if (c == NULL)
        return;
    atomic_store(&c->stop, true);
    (void)pthread_mutex_lock(&c->lock);
    (void)pthread_cond_broadcast(&c->wake);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->thread, NULL);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->wake);
    free(c);
}
