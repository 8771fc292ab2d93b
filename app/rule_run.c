#include "app/rule_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

enum {
    CELLS_DEFAULT = 1 << 20,
};

/* A row that rules matched which correlations refer to. */
struct run_signal {
    struct signal signal;
    uint32_t tenant;
    const uint32_t
        *told; /* what the prefecture is told of: its rules, correlations that it completed */
    uint32_t told_count;
};

struct rule_run {
    const struct rule_set *engine;
    struct rule_run_options options;
    struct pred_scratch *scratch;
    struct hits hits;
    struct arena arena; /* of the signals */
    struct run_signal *signals;
    size_t signal_count;
    size_t signal_cap;
    int64_t last_ns; /* the newest event */
    uint64_t evictions;
    struct run_signal *now; /* that a municipality's correlations take */
    uint32_t *told;         /* of it */
};

int rule_run_new(struct rule_run **out, const struct rule_set *engine,
                 const struct rule_run_options *options)
{
    struct rule_run *run = calloc(1, sizeof(*run));
    if (run == NULL)
        return ERR_NOMEM;
    run->engine = engine;
    run->options = *options;
    run->last_ns = INT64_MIN;
    int err = engine->pred == NULL ? 0 : pred_scratch_new(&run->scratch, engine->pred);
    if (err != 0) {
        rule_run_free(run);
        return err;
    }
    *out = run;
    return 0;
}

void rule_run_free(struct rule_run *run)
{
    if (run == NULL)
        return;
    pred_scratch_free(run->scratch);
    hits_release(&run->hits);
    arena_release(&run->arena);
    free(run->signals);
    free(run->told);
    free(run);
}

uint64_t rule_run_evictions(const struct rule_run *run)
{
    return run->evictions;
}

static uint64_t event_id(const struct rule_run *run, const struct batch *b, uint32_t row)
{
    int32_t partition = 0;
    int64_t offset = 0;
    if (run->options.event_id != NULL)
        return run->options.event_id(run->options.self, b, row);
    batch_place(b, row, &partition, &offset);
    return (uint64_t)offset;
}

/* The hits of one row, ascending by rule. */
static int signal_add(struct rule_run *run, const struct batch *b, const struct hit *hits,
                      size_t count)
{
    if (run->signal_count == run->signal_cap) {
        size_t cap = run->signal_cap == 0 ? 1024 : run->signal_cap * 2;
        struct run_signal *grown = reallocarray(run->signals, cap, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        run->signals = grown;
        run->signal_cap = cap;
    }
    struct run_signal *added = &run->signals[run->signal_count];
    struct signal *s = &added->signal;
    uint32_t *rules = arena_array(&run->arena, count, sizeof(*rules));
    if (rules == NULL)
        return ERR_NOMEM;
    *added = (struct run_signal){.tenant = b->tenant};
    *s = (struct signal){.event = event_id(run, b, hits[0].row), .rules = rules};
    for (size_t i = 0; i < count; i++) {
        uint32_t rule = run->engine->rules[hits[i].expression];
        if (run->engine->set.rules[rule].referenced)
            rules[s->rule_count++] = rule;
    }
    if (s->rule_count == 0)
        return 0;
    int err = signal_take(s, &run->engine->fields, b, hits[0].row, &run->arena);
    run->signal_count += err == 0;
    return err;
}

static int hit_by_row(const void *a, const void *b)
{
    const struct hit *x = a;
    const struct hit *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->expression > y->expression) - (x->expression < y->expression);
}

static int signals_add(struct rule_run *run, const struct batch *b)
{
    struct hit *items = run->hits.items;
    size_t count = run->hits.count;
    int err = 0;
    if (run->engine->set.order_count == 0 || count == 0)
        return 0;
    qsort(items, count, sizeof(*items), hit_by_row);
    for (size_t i = 0; i < count && err == 0;) {
        size_t end = i + 1;
        while (end < count && items[end].row == items[i].row)
            end++;
        err = signal_add(run, b, &items[i], end - i);
        i = end;
    }
    return err;
}

int rule_run_batch(struct rule_run *run, const struct batch *b)
{
    const struct column_set rows = {.batch = b, .end_row = b->row_count, .rows_known = true};
    for (uint32_t i = 0; i < b->row_count; i++)
        run->last_ns = b->time_ns[i] > run->last_ns ? b->time_ns[i] : run->last_ns;
    if (run->engine->pred == NULL)
        return 0;
    int err = pred_eval(run->engine->pred, run->scratch, &rows, &run->hits);
    if (err == 0)
        run->hits.count = rule_set_split(run->engine, &run->hits); /* nobody asks for the rest */
    for (size_t i = 0; i < run->hits.count && err == 0; i++) {
        const struct hit *hit = &run->hits.items[i];
        uint32_t rule = run->engine->rules[hit->expression];
        err = run->options.match(run->options.self, &run->engine->set.rules[rule], b, hit->row);
    }
    return err == 0 ? signals_add(run, b) : err;
}

static int by_time(const void *a, const void *b)
{
    const struct run_signal *x = a;
    const struct run_signal *y = b;
    if (x->signal.time_ns != y->signal.time_ns)
        return x->signal.time_ns < y->signal.time_ns ? -1 : 1;
    return (x->signal.event > y->signal.event) - (x->signal.event < y->signal.event);
}

static int by_tenant(const void *a, const void *b)
{
    const struct run_signal *x = a;
    const struct run_signal *y = b;
    return x->tenant != y->tenant ? (x->tenant < y->tenant ? -1 : 1) : by_time(a, b);
}

/* An alert of a municipality is told, and what the prefecture asks for goes on to it. */
static int alert_pass(void *self, const struct correlate_alert *alert)
{
    struct rule_run *run = self;
    const struct sigma_rule *rule = &run->engine->set.rules[alert->rule];
    struct run_signal *s = run->now;
    bool completed = s != NULL && alert->news == CORRELATE_ALERT && !rule->correlation->has_not;
    if (completed && rule->signals &&
        (s->told_count == 0 ||
         run->told[s->told_count - 1] != alert->rule)) /* not of another group */
        run->told[s->told_count++] = alert->rule;
    return run->options.alert(run->options.self, alert);
}

/* What the prefecture is told of the signal at hand. */
static int signal_tell(struct rule_run *run, struct run_signal *s)
{
    for (uint32_t i = 0; i < s->signal.rule_count; i++) {
        if (run->engine->set.rules[s->signal.rules[i]].signals)
            run->told[s->told_count++] = s->signal.rules[i];
    }
    uint32_t *told = arena_array(&run->arena, s->told_count + 1U, sizeof(*told));
    if (told == NULL)
        return ERR_NOMEM;
    memcpy(told, run->told, s->told_count * sizeof(*told));
    s->told = told;
    return 0;
}

/* One tenant's signals, in the order of time, through the correlations of its kind. */
static int signals_take(struct rule_run *run, struct run_signal *signals, size_t count,
                        const struct correlate_options *options, bool prefecture)
{
    const struct rule_run_options *o = &run->options;
    correlate_fire *fire = prefecture ? o->alert : alert_pass;
    void *self = prefecture ? o->self : run;
    struct correlate *state = NULL;
    int err = correlate_new(&state, options);
    for (size_t i = 0; i < count && err == 0; i++) {
        struct run_signal *s = &signals[i];
        const struct correlate_event event = {.time_ns = s->signal.time_ns,
                                              .id = s->signal.event,
                                              .rules = prefecture ? s->told : s->signal.rules,
                                              .rule_count =
                                                  prefecture ? s->told_count : s->signal.rule_count,
                                              .field = signal_value,
                                              .self = &s->signal};
        if (prefecture && s->told_count == 0)
            continue;
        err = correlate_advance(state, s->signal.time_ns, fire, self);
        run->now = prefecture ? NULL : s;
        if (err == 0)
            err = correlate_push(state, &event, fire, self);
        run->now = NULL;
        if (err == 0 && !prefecture)
            err = signal_tell(run, s);
    }
    if (err == 0)
        err = correlate_advance(state, run->last_ns, fire, self);
    run->evictions += state == NULL ? 0 : correlate_evictions(state);
    correlate_free(state);
    return err;
}

/* The correlations of a municipality, or those over municipalities, inner ones first. */
static uint32_t order_of(const struct rule_run *run, bool prefecture, uint32_t *order)
{
    const struct sigma_set *set = &run->engine->set;
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->order_count; i++) {
        if (set->rules[set->order[i]].correlation->prefecture == prefecture)
            order[count++] = set->order[i];
    }
    return count;
}

/* As in a collector: municipality after municipality, then the prefecture of what they tell. */
static int signals_run(struct rule_run *run, uint32_t *order)
{
    const struct rule_run_options *o = &run->options;
    struct correlate_options options = {.set = &run->engine->set,
                                        .order = order,
                                        .order_count = order_of(run, false, order),
                                        .cells = o->cells != 0 ? o->cells : CELLS_DEFAULT,
                                        .seed = hash_seed()};
    int err = 0;
    qsort(run->signals, run->signal_count, sizeof(*run->signals), by_tenant);
    for (size_t i = 0; i < run->signal_count && err == 0;) {
        size_t end = i + 1;
        while (end < run->signal_count && run->signals[end].tenant == run->signals[i].tenant)
            end++;
        err = signals_take(run, &run->signals[i], end - i, &options, false);
        i = end;
    }
    options.order_count = order_of(run, true, order);
    if (err != 0 || options.order_count == 0)
        return err;
    qsort(run->signals, run->signal_count, sizeof(*run->signals), by_time);
    return signals_take(run, run->signals, run->signal_count, &options, true);
}

int rule_run_finish(struct rule_run *run)
{
    const struct sigma_set *set = &run->engine->set;
    if (set->order_count == 0 || run->signal_count == 0)
        return 0;
    uint32_t *order = calloc(set->order_count, sizeof(*order));
    run->told = calloc(set->rule_count, sizeof(*run->told));
    int err = order == NULL || run->told == NULL ? ERR_NOMEM : signals_run(run, order);
    free(order);
    return err;
}
