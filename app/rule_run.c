#include "app/rule_run.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"

enum {
    CELLS_DEFAULT = 1 << 20,
};

struct rule_run {
    const struct rule_set *engine;
    struct rule_run_options options;
    struct pred_scratch *scratch;
    struct hits hits;
    struct arena arena; /* of the signals */
    struct signal *signals;
    size_t signal_count;
    size_t signal_cap;
    int64_t last_ns; /* the newest event */
    uint64_t evictions;
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
        struct signal *grown = reallocarray(run->signals, cap, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        run->signals = grown;
        run->signal_cap = cap;
    }
    struct signal *s = &run->signals[run->signal_count];
    uint32_t *rules = arena_array(&run->arena, count, sizeof(*rules));
    if (rules == NULL)
        return ERR_NOMEM;
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

static int signal_order(const void *a, const void *b)
{
    const struct signal *x = a;
    const struct signal *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->event > y->event) - (x->event < y->event);
}

int rule_run_finish(struct rule_run *run)
{
    const struct rule_run_options *o = &run->options;
    struct correlate *state = NULL;
    if (run->engine->set.order_count == 0 || run->signal_count == 0)
        return 0;
    const struct correlate_options correlations = {.set = &run->engine->set,
                                                   .order = run->engine->set.order,
                                                   .order_count = run->engine->set.order_count,
                                                   .cells =
                                                       o->cells != 0 ? o->cells : CELLS_DEFAULT,
                                                   .seed = hash_seed()};
    int err = correlate_new(&state, &correlations);
    if (err == 0 && run->signal_count != 0)
        qsort(run->signals, run->signal_count, sizeof(*run->signals), signal_order);
    for (size_t i = 0; i < run->signal_count && err == 0; i++) {
        struct signal *s = &run->signals[i];
        const struct correlate_event event = {.time_ns = s->time_ns,
                                              .id = s->event,
                                              .rules = s->rules,
                                              .rule_count = s->rule_count,
                                              .field = signal_value,
                                              .self = s};
        err = correlate_push(state, &event, o->alert, o->self);
    }
    if (err == 0)
        err = correlate_advance(state, run->last_ns, o->alert, o->self);
    run->evictions = state == NULL ? 0 : correlate_evictions(state);
    correlate_free(state);
    return err;
}
