#include "app/hunter.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/hunt_plan.h"
#include "app/hunt_report.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    /* linux/ioprio.h, which not every system has */
    IOPRIO_WHO_THREAD = 1,
    IOPRIO_IDLE = 3 << 13,
    RESTS = 4, /* where it may not be idle: a fifth of one processor */
};

enum metric_id {
#define METRIC(id, name, type, label, help) METRIC_##id,
#include "app/metrics.def"
#undef METRIC
    METRICS_COUNT
};

struct hunter {
    struct hunter_options o;
    struct hunt_plan plan;
    pthread_t thread;
    bool started;
    unsigned rests;
    atomic_bool stop;
    /* For the metrics. */
    atomic_bool running;
    _Atomic int64_t indicators;
    _Atomic int64_t found;
    atomic_bool incomplete;
};

static bool domain_is_listed(const void *context, const char *name)
{
    return domain_is_suffix(context, name);
}

/* --- what is new --- */

/* A list's content as the store keeps it. */
static int read_blob(struct buf *out, const char *dir, const struct sha256 *hash)
{
    char path[FILE_PATH_BYTES_MAX];
    int status = store_env_path(path, sizeof(path), dir, hash);
    return status == 0 ? file_read_all(out, path, LISTS_FILE_BYTES_MAX) : status;
}

/* Contents of the lists: as they are, or as they were. A list that cannot be read is empty, and said. */
static void read_contents(const struct hunter *h, struct buf *contents,
                          struct indicator_source *sources, bool before)
{
    for (size_t i = 0; i < h->plan.count; i++) {
        const struct hunt_list *l = &h->plan.lists[i];
        sources[i] = l->source;
        if (before && !l->has_before)
            continue;
        int status = read_blob(&contents[i], h->o.dir, before ? &l->before : &l->now);
        if (status != 0) {
            buf_reset(&contents[i]);
            log_warn(
                "hunt",
                before ? "an earlier version of a list is lost: all its entries are taken for new"
                       : "a list cannot be read: it is not searched for",
                "list=%.*s why=%s", (int)l->source.name.len, l->source.name.data, err_name(status));
        }
        sources[i].content = buf_content(&contents[i]);
    }
}

/* A set of the lists, as they are or were; `known` NULL: of all entries. */
static int make_set(struct indicator_set **out, const struct hunter *h,
                    const struct indicator_known *known)
{
    const struct indicator_suffixes suffixes = {.is_suffix = domain_is_listed,
                                                .context = h->o.suffixes};
    struct indicator_news news = {.suffixes = h->o.suffixes == NULL ? NULL : &suffixes};
    struct buf *contents = calloc(h->plan.count + 1, sizeof(*contents));
    struct indicator_source *sources = calloc(h->plan.count + 1, sizeof(*sources));
    struct diag diag = {0}; /* it was all said when the lists were read */
    int status = contents == NULL || sources == NULL ? ERR_NOMEM : 0;
    if (known != NULL)
        news.known = *known;
    if (status == 0) {
        read_contents(h, contents, sources, known == NULL);
        status = indicator_set_new_entries(out, sources, h->plan.count, &news, &diag);
    }
    for (size_t i = 0; contents != NULL && i < h->plan.count; i++)
        buf_release(&contents[i]);
    free(contents);
    free(sources);
    diag_release(&diag);
    return status;
}

static int make_news(struct indicator_set **out, const struct hunter *h)
{
    struct indicator_set *before = NULL;
    int status = make_set(&before, h, NULL);
    if (status == ERR_CONF || status == ERR_RANGE) {
        log_warn("hunt",
                 "earlier versions of the lists cannot be read as they are configured now: all "
                 "entries are taken for new",
                 LOG_NO_VALUES);
        status = indicator_set_new(&before, NULL, 0, NULL, NULL);
    }
    const struct indicator_known known = {.set = before, .at_ns = h->plan.tick_ns};
    if (status == 0)
        status = make_set(out, h, &known);
    indicator_set_free(before);
    return status;
}

/* --- reports --- */

static int write_report(const struct hunter *h, const struct hunt_report *report,
                        const char *folder)
{
    struct buf text = {0};
    struct buf path = {0};
    hunt_report_json(&text, report);
    buf_printf(&path, "%s/reports/%s", h->o.dir, folder);
    int status = buf_ok(&text) && buf_ok(&path) ? dir_create(buf_string(&path)) : ERR_NOMEM;
    buf_printf(&path, "/%s.ndjson", h->plan.name);
    if (status == 0)
        status = file_write_atomic(buf_string(&path), buf_content(&text));
    if (status != 0)
        log_error("hunt", "a report cannot be written", "path=%s why=%s", buf_string(&path),
                  err_name(status));
    buf_release(&text);
    buf_release(&path);
    return status;
}

static bool is_listed_before(const struct hunt_result *result, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (result->findings[i].tenant == result->findings[at].tenant)
            return true;
    }
    return false;
}

/* A municipality's own first: whoever sees the prefecture's report finds the others there. */
static int write_reports(const struct hunter *h, struct hunt_report *report)
{
    const struct hunt_result *result = report->result;
    int status = 0;
    for (size_t i = 0; i < result->count && status == 0; i++) {
        char folder[16];
        if (is_listed_before(result, i))
            continue;
        report->tenant = result->findings[i].tenant;
        (void)snprintf(folder, sizeof(folder), "%06u", report->tenant);
        status = write_report(h, report, folder);
    }
    report->tenant = 0;
    return status == 0 ? write_report(h, report, "prefecture") : status;
}

static void say(const struct hunter *h, const struct hunt_report *report)
{
    struct buf summary = {0};
    hunt_report_summary(&summary, report);
    size_t found = hunt_report_entries(report);
    if (found != 0) {
        log_warn("hunt", "new indicators were met before they were known",
                 "found=%zu report=%s/reports/prefecture/%s.ndjson summary=%s", found, h->o.dir,
                 h->plan.name, buf_string(&summary));
    } else {
        log_info("hunt", "no new indicator was met before", "summary=%s", buf_string(&summary));
    }
    buf_release(&summary);
}

/* --- the hunt --- */

/* Last in line for CPU and disk. A sandbox may refuse it: then the hunt rests most of the time. */
static void be_idle(struct hunter *h)
{
    const struct sched_param none = {0};
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
        h->rests = RESTS;
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_THREAD, 0, IOPRIO_IDLE);
}

static int search(struct hunter *h, const struct log_index *index, const struct indicator_set *set,
                  struct diag *diag)
{
    const struct conf_node *root = config_root(h->o.config);
    int64_t back = conf_int(root, "hunt.back");
    const struct hunt_options options = {
        .index = index,
        .set = set,
        .config = h->o.config,
        .last_seq = h->plan.last_seq,
        .since_ns = h->plan.tick_ns > INT64_MIN + back ? h->plan.tick_ns - back : INT64_MIN,
        .until_ns = INT64_MAX,
        .time_max_ns = conf_int(root, "hunt.time"),
        .bytes_max = (uint64_t)conf_int(root, "hunt.bytes"),
        .findings_max = (size_t)conf_int(root, "hunt.findings"),
        .stop = &h->stop,
        .rests = h->rests,
    };
    struct hunt_result result = {0};
    int status = hunt_run(&result, &options, diag);
    struct hunt_report report = {
        .result = &result, .set = set, .config = h->o.config, .at_ns = h->plan.tick_ns};
    if (status == 0 && result.end == HUNT_STOPPED)
        status = ERR_AGAIN;
    if (status == 0)
        status = write_reports(h, &report);
    if (status == 0) {
        atomic_store(&h->found, (int64_t)hunt_report_entries(&report));
        atomic_store(&h->incomplete, !hunt_is_whole(&result));
        say(h, &report);
    }
    hunt_release(&result);
    return status;
}

static int hunt(struct hunter *h, struct diag *diag)
{
    struct indicator_set *set = NULL;
    struct log_index *index = NULL;
    /* At the common priority, like the reload before it: nothing can stop it halfway. */
    int status = make_news(&set, h);
    size_t entries = status == 0 ? indicator_set_entries(set) : 0;
    atomic_store(&h->indicators, (int64_t)entries);
    be_idle(h);
    if (status == 0 && entries == 0) {
        log_info("hunt", "the update of lists has no new indicators", LOG_NO_VALUES);
    } else if (status == 0) {
        log_info("hunt", "new indicators are looked for in the history",
                 "indicators=%zu frames=%llu", entries, (unsigned long long)h->plan.last_seq);
        status = log_index_open_with(
            &index,
            &(struct log_index_options){.dir = h->o.dir,
                                        .wish = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
                                        .stop = &h->stop},
            diag);
        if (status == 0)
            status = search(h, index, set, diag);
    }
    log_index_close(index);
    indicator_set_free(set);
    return status;
}

static void *hunter_main(void *arg)
{
    struct hunter *h = arg;
    struct diag diag = {0};
    int status = hunt(h, &diag);
    if (status == 0)
        hunt_plan_done(h->o.dir);
    else if (status != ERR_AGAIN)
        log_error("hunt", "new indicators could not be looked for; the next start tries again",
                  "why=%s", err_name(status));
    if (diag.count != 0)
        log_warn("hunt", "not all of the history can be searched", "why=%s", diag_text(&diag));
    diag_release(&diag);
    atomic_store(&h->running, false);
    return NULL;
}

int hunter_plan(struct hunter **out, const struct hunter_options *options)
{
    bool needed = false;
    *out = NULL;
    /* A session that goes on after a failed reload gave its lists away; their hunt waits. */
    if (!conf_bool(config_root(options->config), "hunt.on_update") || options->lists->files == NULL)
        return 0;
    struct hunter *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return ERR_NOMEM;
    h->o = *options;
    int status = hunt_plan_make(&h->plan, &needed, options->dir, options->store, options->lists);
    if (status != 0 || !needed) {
        free(h);
        return status;
    }
    h->o.store = NULL; /* neither is needed, nor the thread's, from here on */
    h->o.lists = NULL;
    *out = h;
    return 0;
}

int hunter_start(struct hunter *h)
{
    if (h == NULL)
        return 0;
    atomic_store(&h->running, true);
    if (pthread_create(&h->thread, NULL, hunter_main, h) != 0) {
        atomic_store(&h->running, false);
        return ERR_NOMEM;
    }
    h->started = true;
    return 0;
}

void hunter_observe(struct hunter *h, struct metric_set *metrics)
{
    if (h == NULL)
        return;
    metric_set_value(metrics, METRIC_HUNT_RUNNING, atomic_load(&h->running));
    metric_set_value(metrics, METRIC_HUNT_INDICATORS, atomic_load(&h->indicators));
    metric_set_value(metrics, METRIC_HUNT_FOUND, atomic_load(&h->found));
    metric_set_value(metrics, METRIC_HUNT_INCOMPLETE, atomic_load(&h->incomplete));
}

void hunter_stop(struct hunter *h)
{
    if (h == NULL)
        return;
    atomic_store(&h->stop, true);
    if (h->started)
        (void)pthread_join(h->thread, NULL);
    hunt_plan_release(&h->plan);
    free(h);
}
