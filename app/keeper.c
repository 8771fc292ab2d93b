#include "app/keeper.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/forecast.h"
#include "app/retain.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    TENANTS_MAX = 4096, /* that are shown one by one */
};

#define SAY_NS (10 * CLOCK_NS_PER_MINUTE) /* by which the clocks must differ to be worth a word */

enum metric_number {
#define METRIC(name, ...) METRIC_##name,
#include "app/metrics.def"
#undef METRIC
};

struct tenant_bytes {
    uint32_t tenant;
    uint64_t bytes;
};

struct keeper {
    struct keeper_options o;
    char boot_id[TRUSTED_BOOT_ID_BYTES + 1];
    struct trusted_time time;
    int64_t ran_ns; /* monotonic; CLOCK_NONE: not yet */
    bool said;      /* that the clock is not trusted */
    struct forecast forecast;
    pthread_mutex_t lock; /* of what is below */
    struct tenant_bytes *tenants;
    size_t tenant_count;
    int64_t days_left;
    int64_t first_due_ns;
    int64_t behind_ns;
    uint64_t deleted_rows;
    uint64_t failures;
    uint64_t held;
    uint64_t active_holds;
};

void keeper_look(struct keeper *k)
{
    if (k == NULL)
        return;
    const struct time_look look = {.system_ns = clock_now_ns(),
                                   .boot_ns = clock_boot_ns(),
                                   .boot_id = k->boot_id,
                                   .witness_ns = collector_witness_ns(k->o.collector)};
    trusted_time_look(&k->time, &look);
    (void)pthread_mutex_lock(&k->lock);
    k->behind_ns = look.system_ns - k->time.time_ns;
    (void)pthread_mutex_unlock(&k->lock);
}

int keeper_new(struct keeper **out, const struct keeper_options *options)
{
    struct diag diag = {0};
    struct keeper *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return ERR_NOMEM;
    k->o = *options;
    k->ran_ns = CLOCK_NONE;
    k->days_left = -1;
    k->first_due_ns = INT64_MAX;
    (void)pthread_mutex_init(&k->lock, NULL);
    trusted_time_boot_id(k->boot_id);
    int err = trusted_time_read(&k->time, k->o.dir, &diag);
    if (err != 0 && err != ERR_NOTFOUND)
        log_warn("retain", "the trusted time begins anew: rows are kept longer", "why=%s",
                 diag.count != 0 ? diag_text(&diag) : err_name(err));
    diag_release(&diag);
    keeper_look(k);
    *out = k;
    return 0;
}

static void leave_clock(struct keeper *k)
{
    int err = trusted_time_write(k->o.dir, &k->time);
    if (err != 0)
        log_warn("retain", "the trusted time was not kept; after a restart it is behind", "why=%s",
                 err_name(err));
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    keeper_look(k);
    leave_clock(k);
    (void)pthread_mutex_destroy(&k->lock);
    free(k->tenants);
    free(k);
}

/* What a municipality has, into the forecast; its bytes. */
static int add_tenant(struct keeper *k, uint32_t tenant, struct tenant_bytes *out)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    struct diag diag = {0};
    struct retention_keeps keeps;
    int64_t *hours = NULL;
    retention_keeps(&keeps, k->o.config, tenant);
    int err = catalog_folder(folder, sizeof(folder), k->o.dir, tenant);
    if (err == 0)
        err = catalog_read(&c, folder, &diag);
    if (err == 0)
        hours = calloc(c.segment_count + 1, sizeof(*hours));
    if (err == 0 && hours == NULL)
        err = ERR_NOMEM;
    if (err == 0)
        err = retention_hours(hours, &c, k->forecast.now_ns);
    *out = (struct tenant_bytes){.tenant = tenant};
    for (size_t i = 0; i < c.segment_count && err == 0; i++) {
        forecast_add(&k->forecast, &c.segments[i],
                     retention_due_ns(hours[i], k->time.since_ns, retention_least(&keeps)));
        out->bytes += c.segments[i].bytes;
    }
    free(hours);
    catalog_release(&c);
    diag_release(&diag);
    return err == ERR_NOMEM ? err : 0; /* damage is compaction's to name */
}

/* Bytes by municipality, and for how long the disk suffices. */
static int forecast(struct keeper *k)
{
    struct arena arena = {0};
    struct catalog_tenants listed = {0};
    struct retention_keeps keeps;
    size_t count = 0;
    struct tenant_bytes *tenants = calloc(TENANTS_MAX, sizeof(*tenants));
    int err = tenants == NULL ? ERR_NOMEM : catalog_list_tenants(&listed, &arena, k->o.dir);
    forecast_begin(&k->forecast, clock_now_ns());
    for (; count < listed.count && count < TENANTS_MAX && err == 0; count++)
        err = add_tenant(k, listed.codes[count], &tenants[count]);
    arena_release(&arena);
    if (err != 0) {
        free(tenants);
        return err;
    }
    retention_keeps(&keeps, k->o.config, 0);
    (void)pthread_mutex_lock(&k->lock);
    free(k->tenants);
    k->tenants = tenants;
    k->tenant_count = count;
    k->first_due_ns = k->forecast.first_due_ns;
    k->days_left = k->o.room == NULL
                       ? -1
                       : forecast_days(&k->forecast, k->o.room->free_bytes, retention_most(&keeps));
    (void)pthread_mutex_unlock(&k->lock);
    return 0;
}

static void count_holds(struct keeper *k)
{
    struct holds holds = {0};
    struct diag diag = {0};
    uint64_t active = 0;
    if (holds_read(&holds, k->o.dir, &diag) == 0) {
        for (size_t i = 0; i < holds.count; i++)
            active += holds.items[i].released == 0;
    }
    holds_release(&holds);
    diag_release(&diag);
    (void)pthread_mutex_lock(&k->lock);
    k->active_holds = active;
    (void)pthread_mutex_unlock(&k->lock);
}

/* The clock is ahead of what is trusted, or below it: once, until it is over. */
static void say_clock(struct keeper *k)
{
    int64_t behind = k->behind_ns;
    bool wrong = behind > SAY_NS || behind < -SAY_NS;
    if (wrong && !k->said) {
        log_warn("retain", "the clock is not trusted: rows are kept longer",
                 "clock_ahead_s=%" PRId64 " remedy=%s", behind / CLOCK_NS_PER_SECOND,
                 "NTP, and topics with message.timestamp.type=LogAppendTime; docs/retention.md");
    }
    k->said = wrong;
}

static void delete_due(struct keeper *k)
{
    struct diag diag = {0};
    struct retain_report report = {0};
    const struct retain_options options = {.dir = k->o.dir,
                                           .store_id = k->o.store_id,
                                           .config = k->o.config,
                                           .time = &k->time,
                                           .system_ns = clock_now_ns(),
                                           .stop = k->o.stop};
    int err = retain_run(&options, &report, &diag);
    if (report.rows != 0 || report.held != 0) {
        log_info("retain", "rows that were kept for long enough were deleted",
                 "rows=%" PRIu64 " hours=%" PRIu64 " certificates=%" PRIu64 " freed_bytes=%" PRIu64
                 " held_hours=%" PRIu64 " waiting_hours=%" PRIu64,
                 report.rows, report.segments, report.certificates, report.freed_bytes, report.held,
                 report.waiting);
    }
    bool failed = err != 0 && !atomic_load(k->o.stop);
    if (failed)
        log_error("retain", "not all that is due could be deleted; the next run tries again",
                  "why=%s", diag.count != 0 ? diag_text(&diag) : err_name(err));
    (void)pthread_mutex_lock(&k->lock);
    k->deleted_rows += report.rows;
    k->held = report.held;
    k->failures += failed;
    (void)pthread_mutex_unlock(&k->lock);
    diag_release(&diag);
}

void keeper_run(struct keeper *k)
{
    if (k == NULL)
        return;
    const struct conf_node *root = config_root(k->o.config);
    int64_t every = conf_int(root, "retention.every");
    keeper_look(k);
    leave_clock(k);
    say_clock(k);
    bool due = k->ran_ns == CLOCK_NONE || clock_monotonic_ns() - k->ran_ns >= every;
    if (conf_bool(root, "retention.run") && due) {
        k->ran_ns = clock_monotonic_ns();
        delete_due(k);
    }
    count_holds(k);
    int err = forecast(k);
    if (err != 0 && err != ERR_NOTFOUND)
        log_warn("retain", "no forecast could be made", "why=%s", err_name(err));
}

void keeper_observe(struct keeper *k, struct metric_set *metrics)
{
    if (k == NULL)
        return;
    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->tenant_count; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "%06u", k->tenants[i].tenant);
        metric_cell_set(metric_cell(metrics, METRIC_SEGMENT_BYTES, slice_of(name, (size_t)len)),
                        (int64_t)k->tenants[i].bytes);
    }
    metric_set_value(metrics, METRIC_DISK_DAYS_LEFT, k->days_left);
    metric_set_value(metrics, METRIC_RETENTION_NEXT,
                     k->first_due_ns == INT64_MAX ? 0 : k->first_due_ns);
    metric_set_value(metrics, METRIC_RETENTION_DELETED, (int64_t)k->deleted_rows);
    metric_set_value(metrics, METRIC_RETENTION_HELD, (int64_t)k->held);
    metric_set_value(metrics, METRIC_RETENTION_HOLDS, (int64_t)k->active_holds);
    metric_set_value(metrics, METRIC_RETENTION_FAILURES, (int64_t)k->failures);
    metric_set_value(metrics, METRIC_RETENTION_CLOCK_AHEAD, k->behind_ns);
    (void)pthread_mutex_unlock(&k->lock);
}
