/* app/rule_backtest.c - sekisho rule backtest: a rule over the stored history. */
#include "app/rule_backtest.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/back_correlation.h"
#include "app/options.h"
#include "app/scan.h"
#include "base/clock.h"
#include "base/hash.h"

enum {
    IDENTITY_SEED = 1,
    DAY_SECONDS = 86400,
};

/* One version of the rule, over the whole store. */
struct back_run {
    const struct backtest_options *options;
    struct rule_set rules;
    const struct rule_entry *entry;
    struct signal_fields keys; /* what the rule groups by */
    struct pred *pred;
    struct back_correlation *correlation; /* in place of keys and pred */
    uint64_t losses;                      /* of the correlation: groups that gave way */
    struct back_hits *workers;            /* one a thread */
    struct back_hits hits;
    struct sieve_counters counters;
    bool complete;
};

/* Columns of the keys; what is composed or named by the batch needs all of them. */
static void key_columns(void *self, const struct batch *b, struct column_mask *out)
{
    const struct back_run *run = self;
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (signal_fields_want(&run->keys, b->columns[i].field))
            column_mask_add(out, i);
    }
}

static uint64_t row_identity(const struct sieve *s, uint32_t row)
{
    uint64_t hash = hash_slice(IDENTITY_SEED, s->batch->topic);
    uint64_t place[] = {(uint64_t)s->partitions[row], (uint64_t)s->offsets[row],
                        s->batch->sub == NULL ? 0 : s->batch->sub[row]};
    return hash_bytes(hash, place, sizeof(place));
}

static int rows_take(void *self, unsigned worker, const struct sieve *s)
{
    struct back_run *run = self;
    struct arena arena = {0};
    int err = 0;
    for (uint32_t i = 0; i < s->row_count && err == 0; i++) {
        uint32_t row = s->rows[i];
        struct signal signal = {0};
        struct back_hit hit = {.time_ns = s->batch->time_ns[row],
                               .key = IDENTITY_SEED,
                               .tenant = s->batch->tenant,
                               .identity = row_identity(s, row)};
        err = signal_take(&signal, &run->keys, s->batch, row, &arena);
        for (uint32_t k = 0; k < run->keys.count && err == 0; k++)
            hit.key = hash_slice(hit.key + k, signal.values[k]);
        if (err == 0)
            err = back_hits_add(&run->workers[worker], &hit);
        arena_reset(&arena);
    }
    arena_release(&arena);
    return err == ERR_RANGE ? 1 : err;
}

static bool is_meant(const struct sigma_rule *rule)
{
    return rule->kind != SIGMA_FILTER && sigma_stands_alone(rule);
}

/* Make ready what the rule needs. */
static int rule_prepare(struct back_run *run, const struct sigma_rule *rule, const char *path,
                        struct diag *diag)
{
    if (rule->kind == SIGMA_CORRELATION)
        return back_correlation_new(&run->correlation, &run->rules, rule, run->options->threads,
                                    diag);
    if (rule->kind == SIGMA_RULE && !rule->nowhere) {
        run->keys = (struct signal_fields){run->entry->fields.items, run->entry->key_count};
        return rule_set_pred(&run->pred, &run->rules, rule, diag);
    }
    diag_add(diag, path, 0, 0, "%s",
             rule->kind == SIGMA_FILTER ? "is a filter; back-test the rule that it filters"
                                        : "has a logsource of which there are no logs here");
    return ERR_CONF;
}

/* The rule that is meant: the one that is named, or the only one that stands alone. */
static int rule_choose(struct back_run *run, const char *path, struct diag *diag)
{
    const struct sigma_set *set = &run->rules.set;
    const struct sigma_rule *rule = NULL;
    uint32_t count = 0;
    if (run->options->rule != NULL) {
        rule = sigma_find(set, slice_from(run->options->rule));
        count = rule != NULL;
    }
    for (uint32_t i = 0; i < set->rule_count && run->options->rule == NULL; i++) {
        if (!is_meant(&set->rules[i]))
            continue;
        rule = &set->rules[i];
        count++;
    }
    if (count != 1) {
        diag_add(diag, path, 0, 0, "%s",
                 count > 1 ? "has several rules; name one with --rule" : "has no such rule");
        return ERR_CONF;
    }
    run->entry = &run->rules.entries[rule - set->rules];
    return rule_prepare(run, rule, path, diag);
}

/* Hits from what the threads found. */
static int hits_gather(struct back_run *run, const struct log_index *index)
{
    int64_t end_ns = log_index_tick_ns(index);
    int err = 0;
    if (run->options->until_ns < end_ns)
        end_ns = run->options->until_ns;
    if (run->correlation != NULL)
        return back_correlation_judge(run->correlation, end_ns, &run->hits, &run->losses);
    for (unsigned i = 0; i < run->options->threads && err == 0; i++)
        err = back_hits_join(&run->hits, &run->workers[i]);
    return err;
}

static int history_scan(struct back_run *run, const struct log_index *index, struct diag *diag)
{
    const struct backtest_options *o = run->options;
    const struct sieve_query query = {
        .pred = run->correlation == NULL ? run->pred : back_correlation_pred(run->correlation),
        .tenant = o->tenant,
        .has_tenant = o->has_tenant,
        .since_ns = o->since_ns,
        .until_ns = o->until_ns};
    struct scan_options options = {
        .keep = SCAN_FEED,
        .threads = o->threads,
        .feed = {.self = run, .columns = key_columns, .rows = rows_take}};
    struct scan *scan = NULL;
    if (run->correlation != NULL) {
        options.feed = (struct scan_feed){.self = run->correlation,
                                          .columns = back_correlation_columns,
                                          .rows = back_correlation_rows};
    }
    run->workers = calloc(o->threads, sizeof(*run->workers));
    if (run->workers == NULL)
        return ERR_NOMEM;
    int err = scan_run(&scan, index, &query, &options, diag);
    if (err == 0)
        err = hits_gather(run, index);
    if (err == ERR_RANGE || (err == 0 && scan_stopped(scan))) {
        diag_add(diag, NULL, 0, 0, "more than %d %s: the count ends there",
                 run->correlation == NULL ? BACK_HITS_MAX : BACK_SIGNALS_MAX,
                 run->correlation == NULL ? "hits" : "rows of the rules that it builds on");
        err = 0;
    }
    if (err == 0 && run->losses != 0) {
        diag_add(diag, NULL, 0, 0,
                 "%llu groups or events gave way for want of memory: there may be more alerts",
                 (unsigned long long)run->losses);
    }
    if (err == 0) {
        run->counters = scan_counters(scan);
        run->complete = scan_missing(scan) == 0 && !scan_stopped(scan) && run->losses == 0;
    }
    scan_free(scan);
    return err;
}

static int back_run(struct back_run *run, const char *path, const struct log_index *index,
                    struct diag *diag)
{
    struct rule_options rules = run->options->rules;
    rules.path = path;
    int err = rule_load(&run->rules, &rules, diag);
    if (err == 0)
        err = rule_choose(run, path, diag);
    return err == 0 ? history_scan(run, index, diag) : err;
}

static void back_release(struct back_run *run)
{
    for (unsigned i = 0; run->workers != NULL && i < run->options->threads; i++)
        back_hits_release(&run->workers[i]);
    free(run->workers);
    back_hits_release(&run->hits);
    pred_free(run->pred);
    back_correlation_free(run->correlation);
    rule_set_release(&run->rules);
}

static void day_print(struct buf *out, const struct back_day *d, bool json)
{
    struct clock_civil c;
    clock_to_civil(&c, d->day * DAY_SECONDS * CLOCK_NS_PER_SECOND);
    buf_printf(out,
               json ? "{\"tenant\":\"%06u\",\"day\":\"%04d-%02d-%02d\",\"hits\":%llu,"
                      "\"alerts\":%llu}\n"
                    : "%06u  %04d-%02d-%02d  %10llu  %8llu\n",
               d->tenant, c.year, c.month, c.day, (unsigned long long)d->hits,
               (unsigned long long)d->alerts);
}

static int result_print(struct back_run *now, struct back_run *before)
{
    struct back_day *days = NULL;
    struct buf out = {0};
    size_t count = 0;
    uint64_t alerts = 0;
    uint64_t worst = 0;
    bool json = now->options->json;
    int err = back_hits_days(&now->hits, now->correlation == NULL ? now->entry->window_ns : 0,
                             &days, &count);
    if (err != 0)
        return err;
    if (!json && count != 0)
        buf_text(&out, "tenant  day               hits    alerts\n");
    for (size_t i = 0; i < count; i++) {
        day_print(&out, &days[i], json);
        alerts += days[i].alerts;
        worst = days[i].alerts > worst ? days[i].alerts : worst;
    }
    free(days);
    bool complete = now->complete && (before == NULL || before->complete);
    buf_printf(&out,
               json ? "{\"rule\":\"%s\",\"hits\":%zu,\"alerts\":%llu,\"days\":%zu,"
                      "\"alerts_a_day_at_most\":%llu,\"rows\":%llu,\"complete\":%s"
                    : "%s: %zu hits, %llu alerts on %zu days of municipalities, at most %llu on "
                      "one; %llu rows%s",
               now->entry->id, now->hits.count, (unsigned long long)alerts, count,
               (unsigned long long)worst, (unsigned long long)now->counters.rows,
               json       ? (complete ? "true" : "false")
               : complete ? ", complete"
                          : ", INCOMPLETE");
    if (before != NULL) {
        struct back_difference d = back_hits_compare(&now->hits, &before->hits);
        buf_printf(&out,
                   json ? ",\"new\":%llu,\"lost\":%llu,\"same\":%llu"
                        : "\nagainst the live version: %llu new, %llu lost, %llu the same",
                   (unsigned long long)d.added, (unsigned long long)d.lost,
                   (unsigned long long)d.same);
    }
    buf_text(&out, json ? "}\n" : "\n");
    bool written = buf_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len;
    buf_release(&out);
    return written ? 0 : ERR_IO;
}

int rule_backtest(const struct backtest_options *options)
{
    struct diag diag = {0};
    struct log_index *index = NULL;
    struct back_run now = {.options = options};
    struct back_run before = {.options = options};
    bool compare = options->against != NULL;
    const struct sieve_query range = {.has_tenant = options->has_tenant,
                                      .tenant = options->tenant,
                                      .since_ns = options->since_ns,
                                      .until_ns = options->until_ns};
    int err = scan_index_open(&index, options->data, &range, &diag);
    bool no_store = err != 0;
    if (err == 0)
        err = back_run(&now, options->rules.path, index, &diag);
    if (err == 0 && compare)
        err = back_run(&before, options->against, index, &diag);
    if (err == 0)
        err = result_print(&now, compare ? &before : NULL);
    option_say(&diag);
    int code = now.hits.count != 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
    if (!now.complete || (compare && !before.complete))
        code = EXIT_CODE_INCOMPLETE;
    if (err != 0)
        code = err == ERR_CONF && !no_store ? EXIT_CODE_USAGE : option_exit_code(err);
    back_release(&before);
    back_release(&now);
    log_index_close(index);
    diag_release(&diag);
    return code;
}
