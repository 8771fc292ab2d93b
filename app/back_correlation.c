#include "app/back_correlation.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

enum {
    SEED = 1, /* of hashes that nobody attacks: the history is at rest */
    PREFECTURE = 0,
};

/* A row of the rules that the correlation builds on. */
struct back_signal {
    struct flow flow;
    uint64_t topic; /* hash */
    uint32_t tenant;
    uint32_t rule_count;
    const uint32_t *rules;
    const struct slice *values;
};

struct signals {
    struct back_signal *items;
    size_t count;
    size_t cap;
    struct arena arena;
    struct pred_scratch *scratch;
    struct hits found;
};

struct back_correlation {
    struct rule_set *rules;
    uint32_t wanted; /* the correlation */
    uint32_t *bases; /* rules that it builds on */
    uint32_t base_count;
    struct pred *any;  /* one expression: any of them */
    struct pred *each; /* an expression each */
    struct signals *workers;
    unsigned worker_count;
    struct signals all;
    struct signals told; /* to the prefecture */
    struct back_hits *out;
    int64_t end_ns;                /* of the history */
    const struct back_signal *now; /* that is being judged */
    uint32_t tenant;               /* whose correlations they are */
};

/* --------------------------------------------------------------------------- the rules */

static bool noted(const struct back_correlation *b, uint32_t rule)
{
    for (uint32_t i = 0; i < b->base_count; i++) {
        if (b->bases[i] == rule)
            return true;
    }
    return false;
}

/* The rules under the correlation, through those that it builds on: inner ones stand first. */
static int bases_find(struct back_correlation *b)
{
    const struct sigma_set *set = &b->rules->set;
    bool *under = calloc(set->rule_count, sizeof(*under));
    b->bases = calloc(set->rule_count, sizeof(*b->bases));
    if (under == NULL || b->bases == NULL) {
        free(under);
        return ERR_NOMEM;
    }
    under[b->wanted] = true;
    for (uint32_t i = set->order_count; i > 0; i--) {
        const struct sigma_rule *outer = &set->rules[set->order[i - 1]];
        for (uint32_t k = 0; under[set->order[i - 1]] && k < outer->correlation->reference_count;
             k++) {
            uint32_t rule = outer->correlation->references[k].rule;
            under[rule] = true;
            bool runs = set->rules[rule].kind == SIGMA_RULE && !set->rules[rule].nowhere &&
                        !set->rules[rule].deprecated;
            if (runs && !noted(b, rule))
                b->bases[b->base_count++] = rule;
        }
    }
    free(under);
    return 0;
}

/* A regular expression that gives up does not hold, as in the collector. */
static int scratch_new(struct pred_scratch **out, const struct pred *p)
{
    int err = pred_scratch_new(out, p);
    if (err == 0)
        pred_scratch_forgive(*out);
    return err;
}

int back_correlation_new(struct back_correlation **out, struct rule_set *rules,
                         const struct sigma_rule *correlation, unsigned workers, struct diag *diag)
{
    struct back_correlation *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return ERR_NOMEM;
    b->rules = rules;
    b->wanted = (uint32_t)(correlation - rules->set.rules);
    b->worker_count = workers;
    b->workers = calloc(workers, sizeof(*b->workers));
    int err = b->workers == NULL ? ERR_NOMEM : bases_find(b);
    if (err == 0 && b->base_count == 0) {
        diag_add(diag, correlation->filename, correlation->line, 0,
                 "builds on rules that never run here");
        err = ERR_CONF;
    }
    if (err == 0)
        err = rule_set_preds(&b->any, &b->each, rules, b->bases, b->base_count, diag);
    for (unsigned i = 0; i < workers && err == 0; i++)
        err = scratch_new(&b->workers[i].scratch, b->each);
    if (err != 0) {
        back_correlation_free(b);
        return err;
    }
    *out = b;
    return 0;
}

static void signals_release(struct signals *s)
{
    pred_scratch_free(s->scratch);
    hits_release(&s->found);
    free(s->items);
    arena_release(&s->arena);
}

void back_correlation_free(struct back_correlation *b)
{
    if (b == NULL)
        return;
    for (unsigned i = 0; b->workers != NULL && i < b->worker_count; i++)
        signals_release(&b->workers[i]);
    signals_release(&b->all);
    signals_release(&b->told);
    free(b->workers);
    free(b->bases);
    pred_free(b->any);
    pred_free(b->each);
    free(b);
}

const struct pred *back_correlation_pred(const struct back_correlation *b)
{
    return b->any;
}

/* ---------------------------------------------------------------------------- the rows */

void back_correlation_columns(void *self, const struct batch *b, struct column_mask *out)
{
    const struct back_correlation *c = self;
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (signal_fields_want(&c->rules->fields, b->columns[i].field))
            column_mask_add(out, i);
    }
}

static struct back_signal *signal_place(struct signals *s)
{
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 1024 : s->cap * 2;
        struct back_signal *items = reallocarray(s->items, cap, sizeof(*items));
        if (items == NULL)
            return NULL;
        s->items = items;
        s->cap = cap;
    }
    s->items[s->count] = (struct back_signal){0};
    return &s->items[s->count];
}

/* The hits of one row, which stand one behind the other. */
static int row_add(const struct back_correlation *b, struct signals *w, const struct sieve *s,
                   const struct hit *hits, size_t count)
{
    uint32_t row = hits[0].row;
    uint32_t *rules = arena_array(&w->arena, count, sizeof(*rules));
    struct back_signal *new = signal_place(w);
    struct signal signal = {0};
    if (rules == NULL || new == NULL)
        return ERR_NOMEM;
    if (w->count == BACK_SIGNALS_MAX || w->arena.held_bytes > BACK_SIGNALS_BYTES_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < count; i++)
        rules[i] = b->bases[hits[i].expression];
    int err = signal_take(&signal, &b->rules->fields, s->batch, row, &w->arena);
    new->tenant = s->batch->tenant;
    new->topic = hash_slice(SEED, s->batch->topic);
    new->rules = rules;
    new->rule_count = (uint32_t)count;
    new->values = signal.values;
    new->flow = (struct flow){.time_ns = s->batch->time_ns[row],
                              .arrival_ns = s->batch->arrival_ns[row],
                              .partition = s->partitions[row],
                              .offset = s->offsets[row],
                              .sub = s->batch->sub == NULL ? 0 : s->batch->sub[row]};
    w->count += err == 0;
    return err;
}

static int by_row(const void *a, const void *b)
{
    const struct hit *x = a;
    const struct hit *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->expression > y->expression) - (x->expression < y->expression);
}

/* Is the row among those that the scan wants: of the municipality, within the times? */
static bool is_wanted(const struct sieve *s, uint32_t row)
{
    size_t low = 0;
    size_t high = s->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->row_count && s->rows[low] == row;
}

int back_correlation_rows(void *self, unsigned worker, const struct sieve *s)
{
    struct back_correlation *b = self;
    struct signals *w = &b->workers[worker];
    const struct column_set rows = {
        .batch = s->batch, .end_row = s->batch->row_count, .rows_known = true};
    int err = pred_eval(b->each, w->scratch, &rows, &w->found);
    size_t count = w->found.count;
    if (err == 0 && count > 1)
        qsort(w->found.items, count, sizeof(*w->found.items), by_row);
    for (size_t i = 0; i < count && err == 0;) {
        size_t end = i + 1;
        while (end < count && w->found.items[end].row == w->found.items[i].row)
            end++;
        if (is_wanted(s, w->found.items[i].row))
            err = row_add(b, w, s, &w->found.items[i], end - i);
        i = end;
    }
    return err == ERR_RANGE ? 1 : err;
}

/* -------------------------------------------------------------------------- judgement */

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_time(const void *a, const void *b)
{
    const struct back_signal *x = a;
    const struct back_signal *y = b;
    int by = order_i64(x->tenant, y->tenant);
    by = by != 0 ? by : order_i64(x->flow.time_ns, y->flow.time_ns);
    by = by != 0 ? by : order_i64(x->flow.arrival_ns, y->flow.arrival_ns);
    by = by != 0 ? by : (x->topic > y->topic) - (x->topic < y->topic);
    by = by != 0 ? by : order_i64(x->flow.partition, y->flow.partition);
    by = by != 0 ? by : order_i64(x->flow.offset, y->flow.offset);
    return by != 0 ? by : order_i64(x->flow.sub, y->flow.sub);
}

static int alert_take(void *self, const struct correlate_alert *alert, const struct flow *flow)
{
    struct back_correlation *b = self;
    if (alert->rule != b->wanted || alert->news != CORRELATE_ALERT)
        return 0;
    uint64_t place[] = {alert->group, (uint64_t)alert->time_ns, 0, 0, 0};
    if (flow != NULL) {
        place[2] = b->now->topic;
        place[3] = (uint64_t)flow->partition << 32 | flow->sub;
        place[4] = (uint64_t)flow->offset;
    }
    const struct back_hit hit = {.time_ns = alert->time_ns,
                                 .key = alert->group,
                                 .identity = hash_bytes(SEED, place, sizeof(place)),
                                 .tenant = b->tenant};
    return back_hits_add(b->out, &hit);
}

/* What the prefecture is told of, by the time at which it was taken. Values live in the workers. */
static int signal_keep(void *self, const struct correlation_row *row, int64_t time_ns)
{
    struct back_correlation *b = self;
    struct signals *told = &b->told;
    struct back_signal *new = signal_place(told);
    uint32_t *rules = arena_array(&told->arena, row->rule_count, sizeof(*rules));
    struct slice *values = arena_array(&told->arena, b->rules->fields.count + 1U, sizeof(*values));
    if (new == NULL || rules == NULL || values == NULL)
        return ERR_NOMEM;
    memcpy(rules, row->rules, row->rule_count * sizeof(*rules));
    for (uint32_t i = 0; i < b->rules->fields.count; i++) {
        if (row->values[i].data == NULL)
            continue;
        const char *copy = arena_copy(&told->arena, row->values[i]);
        if (copy == NULL)
            return ERR_NOMEM;
        values[i] = slice_of(copy, row->values[i].len);
    }
    *new = (struct back_signal){.flow = *row->flow,
                                .tenant = PREFECTURE,
                                .rules = rules,
                                .rule_count = row->rule_count,
                                .values = values};
    new->flow.time_ns = time_ns;
    told->count++;
    return 0;
}

/* The signals of one tenant, in their order, through the correlations of its size. */
static int tenant_judge(struct back_correlation *b, const struct back_signal *items, size_t count,
                        enum detect_class size, uint64_t *losses)
{
    const struct correlation_sink sink = {.alert = alert_take, .signal = signal_keep, .self = b};
    struct correlation_run *run = NULL;
    int err = correlation_run_new(&run, b->rules, size, SEED);
    b->tenant = items[0].tenant;
    for (size_t i = 0; i < count && err == 0; i++) {
        const struct correlation_row row = {.rules = items[i].rules,
                                            .rule_count = items[i].rule_count,
                                            .values = items[i].values,
                                            .flow = &items[i].flow};
        b->now = &items[i];
        err = correlation_run_add(run, &row, &sink);
        if (err == 0 && (i + 1 == count || items[i + 1].flow.time_ns != items[i].flow.time_ns))
            err = correlation_run_until(run, items[i].flow.time_ns, &sink);
    }
    if (err == 0)
        err = correlation_run_until(run, b->end_ns, &sink);
    *losses += correlation_run_losses(run);
    correlation_run_free(run);
    return err;
}

/* All tenants of a list. */
static int signals_judge(struct back_correlation *b, struct signals *s, enum detect_class size,
                         uint64_t *losses)
{
    int err = 0;
    if (s->count > 1)
        qsort(s->items, s->count, sizeof(*s->items), by_time);
    for (size_t i = 0; i < s->count && err == 0;) {
        size_t end = i + 1;
        while (end < s->count && s->items[end].tenant == s->items[i].tenant)
            end++;
        err = tenant_judge(b, &s->items[i], end - i, size, losses);
        i = end;
    }
    return err;
}

int back_correlation_judge(struct back_correlation *b, int64_t end_ns, struct back_hits *out,
                           uint64_t *losses)
{
    int err = 0;
    *losses = 0;
    b->out = out;
    b->end_ns = end_ns;
    for (unsigned i = 0; i < b->worker_count && err == 0; i++) {
        const struct signals *w = &b->workers[i];
        for (size_t k = 0; k < w->count && err == 0; k++) {
            struct back_signal *new = signal_place(&b->all);
            err = new == NULL ? ERR_NOMEM : 0;
            if (err == 0) {
                *new = w->items[k];
                b->all.count++;
            }
        }
    }
    if (err == 0)
        err = signals_judge(b, &b->all, DETECT_LARGE, losses);
    if (err == 0 && b->rules->prefecture)
        err = signals_judge(b, &b->told, DETECT_PREFECTURE, losses);
    return err;
}
