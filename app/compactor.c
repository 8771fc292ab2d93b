#include "app/compactor.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/background.h"
#include "app/compact.h"
#include "app/keeper.h"
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

#define HOUR_NS SEGMENT_HOUR_NS

enum metric_number {
#define METRIC(name, ...) METRIC_##name,
#include "app/metrics.def"
#undef METRIC
};

struct compactor {
    struct compactor_options o;
    bool compacts; /* else there is retention alone */
    struct background *background;
    atomic_bool stop;
    atomic_bool running;
    atomic_uint_fast64_t through_seq;
    atomic_uint_fast64_t failures;
    uint32_t rest_share;
    struct keeper *keeper;
};

/* Last in line for CPU and disk. A sandbox may refuse it: then it rests most of the time. */
static void be_idle(void *self)
{
    struct compactor *c = self;
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
    struct keyring *keys = NULL;
    if (config_path(c->o.config, "encryption.keyring") != NULL)
        (void)keyring_open(&keys, config_path(c->o.config, "encryption.keyring"), &diag);
    const struct compact_options options = {.dir = c->o.dir,
                                            .keys = keys,
                                            .config = c->o.config,
                                            .store_id = c->o.store_id,
                                            .through_seq = c->o.first_seq + frames,
                                            .memory_bytes = MEMORY_BYTES,
                                            .rest_share = c->rest_share,
                                            .stop = &c->stop};
    atomic_store(&c->running, true);
    int err = compact_run(&options, &report, &diag);
    keyring_close(keys);
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

static void look(void *self)
{
    struct compactor *c = self;
    keeper_look(c->keeper);
}

/* `stop` is set behind c->stop, which the keeper knows, too. */
static void run(void *self, atomic_bool *stop)
{
    struct compactor *c = self;
    (void)stop;
    if (c->compacts && (c->o.room == NULL || !atomic_load(&c->o.room->no_compaction)))
        run_once(c);
    keeper_run(c->keeper);
}

int compactor_start(struct compactor **out, const struct compactor_options *options)
{
    const struct conf_node *root = config_root(options->config);
    struct compactor *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->o = *options;
    c->compacts = conf_bool(root, "long_term.compact");
    const struct keeper_options keeper = {.config = c->o.config,
                                          .dir = c->o.dir,
                                          .store_id = c->o.store_id,
                                          .collector = c->o.collector,
                                          .room = c->o.room,
                                          .stop = &c->stop};
    const struct background_options background = {.every_ns = conf_int(root, "long_term.every"),
                                                  .delay_ns = conf_int(root, "long_term.delay"),
                                                  .begin = be_idle,
                                                  .look = look,
                                                  .run = run,
                                                  .self = c};
    int err = keeper_new(&c->keeper, &keeper);
    if (err == 0)
        err = background_start(&c->background, &background);
    if (err != 0) {
        keeper_free(c->keeper);
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
    keeper_observe(c->keeper, metrics);
    metric_set_value(metrics, METRIC_COMPACTION_RUNNING, atomic_load(&c->running));
    metric_set_value(metrics, METRIC_COMPACTION_THROUGH, (int64_t)atomic_load(&c->through_seq));
    metric_set_value(metrics, METRIC_COMPACTION_FAILURES, (int64_t)atomic_load(&c->failures));
}

void compactor_stop(struct compactor *c)
{
    if (c == NULL)
        return;
    atomic_store(&c->stop, true);
    background_stop(c->background);
    keeper_free(c->keeper);
    free(c);
}
