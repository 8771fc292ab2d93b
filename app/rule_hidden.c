/* app/rule_hidden.c - sekisho rule backtest --hidden: what filters took out of the stored history. */
#include "app/rule_hidden.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/filter_print.h"
#include "app/options.h"
#include "app/scan.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/escape.h"
#include "event/ndjson.h"
#include "event/query.h"

enum {
    DAYS_FIRST = 64,
};

/* One municipality's day. */
struct hidden_day {
    uint32_t tenant;
    int64_t day; /* since 1970-01-01 in Japan */
    uint64_t rows;
};

struct hidden_days {
    struct hidden_day *items;
    size_t count;
    size_t cap;
    size_t last; /* the place that was counted up before: rows of a batch are near in time */
};

/* All filters over the store, one after the other. */
struct hidden_run {
    const struct backtest_options *options;
    struct rule_set rules;
    const struct log_index *index;
    struct hidden_days *workers; /* one a thread, of the filter at hand */
    struct buf out;
    uint64_t rows; /* taken out, of all filters */
    uint64_t looked_at;
    uint32_t filters; /* that were asked for */
    bool complete;
};

/* Days */

static int day_add(struct hidden_days *d, const struct hidden_day *add)
{
    for (size_t i = 0; i < d->count; i++) {
        size_t at = (d->last + i) % d->count;
        if (d->items[at].tenant != add->tenant || d->items[at].day != add->day)
            continue;
        d->items[at].rows += add->rows;
        d->last = at;
        return 0;
    }
    if (d->count == d->cap) {
        size_t cap = d->cap == 0 ? DAYS_FIRST : d->cap * 2;
        struct hidden_day *items = reallocarray(d->items, cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        d->items = items;
        d->cap = cap;
    }
    d->last = d->count;
    d->items[d->count++] = *add;
    return 0;
}

static int day_order(const void *a, const void *b)
{
    const struct hidden_day *x = a;
    const struct hidden_day *y = b;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    return (x->day > y->day) - (x->day < y->day);
}

static int rows_take(void *self, unsigned worker, const struct sieve *s)
{
    const struct hidden_run *run = self;
    int err = 0;
    for (uint32_t i = 0; i < s->row_count && err == 0; i++) {
        const struct hidden_day day = {.tenant = s->batch->tenant,
                                       .day = calendar_day(s->batch->time_ns[s->rows[i]]),
                                       .rows = 1};
        err = day_add(&run->workers[worker], &day);
    }
    return err;
}

/* What the predicate looks at is enough. */
static void no_columns(void *self, const struct batch *b, struct column_mask *out)
{
    (void)self;
    (void)b;
    (void)out;
}

/* Words */

/* "(WORDS)" of a tree, behind " and " where something stands before it. */
static int piece_print(struct buf *out, const char *before, const struct ast *tree)
{
    buf_printf(out, "%s%s(", out->len == 0 ? "" : " and ", before);
    int err = query_print(tree, out);
    buf_byte(out, ')');
    return err;
}

/* A query for the rows, shorter than the tree that is asked. ERR_RANGE: there are no words for it. */
static int query_words(struct buf *out, const struct sigma_rule *rule,
                       const struct sigma_rule *filter)
{
    const struct sigma_filter *f = filter->filter;
    const struct ast *condition = filter->condition;
    bool negated = condition->kind == AST_NOT;
    int err = piece_print(out, negated ? "" : "not ", negated ? condition->first : condition);
    if (err == 0)
        err = piece_print(out, "", rule->unfiltered);
    if (f->tenant.len != 0)
        buf_printf(out, " and sekisho.tenant:%.*s", (int)f->tenant.len, f->tenant.data);
    if (f->expires_ns != CLOCK_NONE) {
        buf_text(out, " and @timestamp<");
        clock_print(out, f->expires_ns);
    }
    if (err == 0 && rule->scope != NULL)
        err = piece_print(out, "", rule->scope);
    return err;
}

static void head_print(struct hidden_run *run, const struct rule_filter *pair, uint64_t rows)
{
    const struct sigma_rule *filter = &run->rules.set.rules[pair->filter];
    const struct sigma_rule *rule = &run->rules.set.rules[pair->rule];
    struct buf query = {0};
    bool worded = query_words(&query, rule, filter) == 0;
    if (run->options->json) {
        buf_text(&run->out, "{\"hidden\":\"filter\",");
        filter_print_json(&run->out, filter);
        buf_text(&run->out, ",\"rule\":");
        ndjson_string(&run->out, rule->id);
        buf_printf(&run->out, ",\"rows\":%" PRIu64, rows);
        if (worded) {
            buf_text(&run->out, ",\"query\":");
            ndjson_string(&run->out, buf_content(&query));
        }
        buf_text(&run->out, "}\n");
    } else {
        filter_print(&run->out, filter);
        buf_text(&run->out, "\n  ");
        escape_text(&run->out, filter->words.title);
        buf_text(&run->out, "\n  out of ");
        escape_text(&run->out, rule->id);
        buf_text(&run->out, ", ");
        escape_text(&run->out, rule->words.title);
        buf_printf(&run->out, ": %" PRIu64 "\n  rows: ", rows);
        if (worded)
            escape_text(&run->out, buf_content(&query));
        else
            buf_text(&run->out, "the query language has no words for it (keywords, letter case, "
                                "parts of times, or other fields)");
        buf_byte(&run->out, '\n');
    }
    buf_release(&query);
}

static void day_print(struct hidden_run *run, const struct rule_filter *pair,
                      const struct hidden_day *d)
{
    struct clock_civil c;
    clock_to_civil(&c, d->day * CALENDAR_DAY_MINUTES * CLOCK_NS_PER_MINUTE);
    if (!run->options->json) {
        buf_printf(&run->out, "  %06" PRIu32 "  %04d-%02d-%02d  %10" PRIu64 "\n", d->tenant, c.year,
                   c.month, c.day, d->rows);
        return;
    }
    buf_text(&run->out, "{\"hidden\":\"day\",\"filter\":");
    ndjson_string(&run->out, run->rules.set.rules[pair->filter].id);
    buf_text(&run->out, ",\"rule\":");
    ndjson_string(&run->out, run->rules.set.rules[pair->rule].id);
    buf_printf(&run->out,
               ",\"tenant\":\"%06" PRIu32 "\",\"day\":\"%04d-%02d-%02d\",\"rows\":%" PRIu64 "}\n",
               d->tenant, c.year, c.month, c.day, d->rows);
}

static void end_print(struct hidden_run *run)
{
    buf_printf(&run->out,
               run->options->json
                   ? "{\"hidden\":\"summary\",\"filters\":%" PRIu32 ",\"rows\":%" PRIu64
                     ",\"looked_at\":%" PRIu64 ",\"complete\":%s}\n"
                   : "%" PRIu32 " filters of rules took out %" PRIu64 "; %" PRIu64 " rows%s\n",
               run->filters, run->rows, run->looked_at,
               run->options->json ? (run->complete ? "true" : "false")
               : run->complete    ? ", complete"
                                  : ", INCOMPLETE");
}

/* One filter of one rule */

static int days_join(struct hidden_run *run, struct hidden_days *all)
{
    int err = 0;
    for (unsigned w = 0; w < run->options->threads; w++) {
        for (size_t i = 0; i < run->workers[w].count && err == 0; i++)
            err = day_add(all, &run->workers[w].items[i]);
        run->workers[w].count = 0;
    }
    if (all->count != 0)
        qsort(all->items, all->count, sizeof(*all->items), day_order);
    return err;
}

static int history_scan(struct hidden_run *run, const struct ast *tree, struct diag *diag)
{
    const struct backtest_options *o = run->options;
    struct pred *pred = NULL;
    struct scan *scan = NULL;
    int err = pred_compile(&pred, &tree, 1, diag);
    const struct sieve_query query = {.pred = pred,
                                      .tenant = o->tenant,
                                      .has_tenant = o->has_tenant,
                                      .since_ns = o->since_ns,
                                      .until_ns = o->until_ns};
    const struct scan_options options = {
        .keep = SCAN_FEED,
        .threads = o->threads,
        .feed = {.self = run, .columns = no_columns, .rows = rows_take}};
    if (err == 0)
        err = scan_run(&scan, run->index, &query, &options, diag);
    if (err == 0) {
        run->looked_at = scan_counters(scan).rows;
        run->complete = run->complete && scan_missing(scan) == 0 && !scan_stopped(scan);
    }
    scan_free(scan);
    pred_free(pred);
    return err;
}

static int filter_run(struct hidden_run *run, const struct rule_filter *pair, struct diag *diag)
{
    const struct sigma_rule *rule = &run->rules.set.rules[pair->rule];
    struct hidden_days all = {0};
    uint64_t rows = 0;
    uint32_t place = 0;
    while (rule->filters[place] != pair->filter)
        place++;
    const struct ast *tree = rule_set_hidden(&run->rules, rule, place);
    int err = tree == NULL ? ERR_NOMEM : history_scan(run, tree, diag);
    if (err == 0)
        err = days_join(run, &all);
    for (size_t i = 0; i < all.count; i++)
        rows += all.items[i].rows;
    if (err == 0)
        head_print(run, pair, rows);
    for (size_t i = 0; i < all.count && err == 0; i++)
        day_print(run, pair, &all.items[i]);
    free(all.items);
    run->rows += rows;
    run->filters++;
    return err;
}

static int filters_run(struct hidden_run *run, struct diag *diag)
{
    const struct backtest_options *o = run->options;
    const struct sigma_set *set = &run->rules.set;
    const struct sigma_rule *meant = o->rule == NULL ? NULL : sigma_find(set, slice_from(o->rule));
    int err = 0;
    for (uint32_t i = 0; i < run->rules.filter_count && err == 0; i++) {
        const struct rule_filter *pair = &run->rules.filters[i];
        if (o->rule == NULL || meant == &set->rules[pair->rule] ||
            meant == &set->rules[pair->filter])
            err = filter_run(run, pair, diag);
    }
    if (err != 0 || run->filters != 0)
        return err;
    diag_add(diag, o->rules.path, 0, 0, "%s",
             o->rule == NULL ? "has no filter of a rule that runs"
             : meant == NULL ? "has no such rule or filter"
                             : "that rule has no filter, or that filter no rule that runs");
    return ERR_CONF;
}

int rule_hidden(const struct backtest_options *options)
{
    struct diag diag = {0};
    struct log_index *index = NULL;
    struct hidden_run run = {.options = options, .complete = true};
    const struct sieve_query range = {.has_tenant = options->has_tenant,
                                      .tenant = options->tenant,
                                      .since_ns = options->since_ns,
                                      .until_ns = options->until_ns};
    int err = scan_index_open(&index, options->data, &range, &diag);
    bool no_store = err != 0;
    run.index = index;
    if (err == 0)
        err = rule_load(&run.rules, &options->rules, &diag);
    run.workers = calloc(options->threads, sizeof(*run.workers));
    if (err == 0)
        err = run.workers == NULL ? ERR_NOMEM : filters_run(&run, &diag);
    if (err == 0) {
        end_print(&run);
        bool written =
            buf_ok(&run.out) && fwrite(run.out.data, 1, run.out.len, stdout) == run.out.len;
        err = written ? 0 : ERR_IO;
    }
    option_say(&diag);
    int code = run.rows != 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
    if (!run.complete)
        code = EXIT_CODE_INCOMPLETE;
    if (err != 0)
        code = err == ERR_CONF && !no_store ? EXIT_CODE_USAGE : option_exit_code(err);
    for (unsigned i = 0; run.workers != NULL && i < options->threads; i++)
        free(run.workers[i].items);
    free(run.workers);
    buf_release(&run.out);
    rule_set_release(&run.rules);
    log_index_close(index);
    diag_release(&diag);
    return code;
}
