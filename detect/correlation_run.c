#include "detect/correlation_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

/* A row that waits, in one piece of memory with its rules and values. */
struct waiting {
    int64_t time_ns;
    uint64_t number; /* in the order of arrival */
    size_t bytes;    /* of this piece */
    struct flow flow;
    uint32_t rule_count;
    uint32_t *rules;
    struct slice *values;
};

struct correlation_run {
    const struct rule_set *rules;
    uint32_t *order; /* correlations that run */
    uint32_t order_count;
    bool prefecture;
    uint32_t *told; /* of the row at hand: what the prefecture is told of */
    uint32_t told_count;
    struct correlate *state;
    uint64_t seed;
    enum detect_class size;
    struct waiting **heap; /* by (time, number) */
    size_t count;
    size_t cap;
    size_t bytes; /* of all that wait */
    uint64_t number;
    int64_t reached_ns; /* the time of the last row that was taken */
    uint64_t late;
    uint64_t early;
};

static const uint32_t CELLS[DETECT_CLASSES] = {
    [DETECT_SMALL] = 1 << 13,
    [DETECT_MEDIUM] = 1 << 15,
    [DETECT_LARGE] = 1 << 17,
    [DETECT_PREFECTURE] = 1 << 17,
};

static int order_make(struct correlation_run *run)
{
    const struct sigma_set *set = &run->rules->set;
    run->order = calloc(set->order_count, sizeof(*run->order));
    run->told = calloc(set->rule_count, sizeof(*run->told));
    if (run->order == NULL || run->told == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < set->order_count; i++) {
        if (set->rules[set->order[i]].correlation->prefecture == run->prefecture)
            run->order[run->order_count++] = set->order[i];
    }
    return 0;
}

int correlation_run_new(struct correlation_run **out, const struct rule_set *rules,
                        enum detect_class size, uint64_t seed)
{
    *out = NULL;
    if (rules == NULL || rules->set.order_count == 0)
        return 0;
    struct correlation_run *run = calloc(1, sizeof(*run));
    if (run == NULL)
        return ERR_NOMEM;
    run->rules = rules;
    run->seed = seed;
    run->size = size;
    run->prefecture = size == DETECT_PREFECTURE;
    run->reached_ns = INT64_MIN;
    int err = order_make(run);
    if (err == 0 && run->prefecture && run->order_count == 0) {
        correlation_run_free(run);
        return 0;
    }
    const struct correlate_options options = {.set = &rules->set,
                                              .order = run->order,
                                              .order_count = run->order_count,
                                              .cells = CELLS[size],
                                              .seed = seed,
                                              .tells_joining = run->prefecture};
    if (err == 0)
        err = correlate_new(&run->state, &options);
    if (err != 0) {
        correlation_run_free(run);
        return err;
    }
    *out = run;
    return 0;
}

static void forget_waiting(struct correlation_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        free(run->heap[i]);
    run->count = 0;
    run->bytes = 0;
}

void correlation_run_free(struct correlation_run *run)
{
    if (run == NULL)
        return;
    forget_waiting(run);
    free(run->heap);
    free(run->order);
    free(run->told);
    correlate_free(run->state);
    free(run);
}

/* The heap */

static bool before(const struct waiting *a, const struct waiting *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->number < b->number;
}

static void swap(struct correlation_run *run, size_t a, size_t b)
{
    struct waiting *w = run->heap[a];
    run->heap[a] = run->heap[b];
    run->heap[b] = w;
}

static int heap_push(struct correlation_run *run, struct waiting *w)
{
    if (run->count == run->cap) {
        size_t cap = run->cap == 0 ? 64 : run->cap * 2;
        struct waiting **heap = reallocarray(run->heap, cap, sizeof(struct waiting *));
        if (heap == NULL)
            return ERR_NOMEM;
        run->heap = heap;
        run->cap = cap;
    }
    size_t at = run->count++;
    run->heap[at] = w;
    run->bytes += w->bytes;
    for (; at > 0 && before(run->heap[at], run->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(run, at, (at - 1) / 2);
    return 0;
}

static struct waiting *heap_pop(struct correlation_run *run)
{
    struct waiting *first = run->heap[0];
    run->heap[0] = run->heap[--run->count];
    run->bytes -= first->bytes;
    for (size_t at = 0;;) {
        size_t child = 2 * at + 1;
        if (child >= run->count)
            return first;
        if (child + 1 < run->count && before(run->heap[child + 1], run->heap[child]))
            child++;
        if (!before(run->heap[child], run->heap[at]))
            return first;
        swap(run, at, child);
        at = child;
    }
}

/* A copy of a row; texts lie behind it. */
static struct waiting *waiting_new(const struct rule_set *rules, const struct correlation_row *row)
{
    uint32_t fields = rules->fields.count;
    size_t bytes =
        sizeof(struct waiting) + fields * sizeof(struct slice) + row->rule_count * sizeof(uint32_t);
    size_t texts = bytes;
    for (uint32_t i = 0; i < fields; i++)
        bytes += row->values[i].len + 1;
    struct waiting *w = calloc(1, bytes);
    if (w == NULL)
        return NULL;
    unsigned char *base = (void *)w;
    void *values = base + sizeof(*w);
    void *indices = base + sizeof(*w) + fields * sizeof(struct slice);
    w->bytes = bytes;
    w->flow = *row->flow;
    w->time_ns = row->flow->time_ns;
    w->values = values;
    w->rules = indices;
    w->rule_count = row->rule_count;
    memcpy(w->rules, row->rules, row->rule_count * sizeof(*w->rules));
    for (uint32_t i = 0; i < fields; i++) {
        if (row->values[i].data == NULL)
            continue;
        memcpy(base + texts, row->values[i].data, row->values[i].len);
        w->values[i] = slice_of(base + texts, row->values[i].len);
        texts += row->values[i].len + 1;
    }
    return w;
}

/* Taking rows */

struct taking {
    struct correlation_run *run;
    const struct waiting *row; /* NULL: windows that are over */
    const struct correlation_sink *sink;
};

static int alert_pass(void *self, const struct correlate_alert *alert)
{
    const struct taking *t = self;
    struct correlation_run *run = t->run;
    const struct sigma_rule *rule = &run->rules->set.rules[alert->rule];
    bool by_end = rule->correlation->has_not && alert->news == CORRELATE_ALERT;
    bool completed = t->row != NULL && alert->event == t->row->number && !by_end;
    bool told = run->told_count != 0 && run->told[run->told_count - 1] == alert->rule;
    if (completed && alert->news == CORRELATE_ALERT && rule->signals && !told)
        run->told[run->told_count++] = alert->rule;
    if (!sigma_stands_alone(rule))
        return 0;
    return t->sink->alert(t->sink->self, alert, completed ? &t->row->flow : NULL);
}

/* What the row means to correlations over municipalities, all at once: it counts as one event. */
static int row_signal(struct correlation_run *run, const struct waiting *w,
                      const struct correlation_sink *sink)
{
    for (uint32_t i = 0; i < w->rule_count; i++) {
        if (run->rules->set.rules[w->rules[i]].signals)
            run->told[run->told_count++] = w->rules[i];
    }
    const struct correlation_row row = {
        .rules = run->told, .rule_count = run->told_count, .values = w->values, .flow = &w->flow};
    return row.rule_count == 0 ? 0 : sink->signal(sink->self, &row, run->reached_ns);
}

static int row_take(struct correlation_run *run, struct waiting *w,
                    const struct correlation_sink *sink)
{
    struct taking taking = {.run = run, .row = w, .sink = sink};
    struct signal signal = {.fields = &run->rules->fields, .values = w->values};
    run->late += w->time_ns < run->reached_ns;
    run->reached_ns = w->time_ns > run->reached_ns ? w->time_ns : run->reached_ns;
    run->told_count = 0;
    const struct correlate_event event = {.time_ns = run->reached_ns,
                                          .id = w->number,
                                          .rules = w->rules,
                                          .rule_count = w->rule_count,
                                          .field = signal_value,
                                          .self = &signal};
    int err = correlate_push(run->state, &event, alert_pass, &taking);
    if (err == 0 && !run->prefecture)
        err = row_signal(run, w, sink);
    free(w);
    return err;
}

int correlation_run_add(struct correlation_run *run, const struct correlation_row *row,
                        const struct correlation_sink *sink)
{
    if (run == NULL || row->rule_count == 0)
        return 0;
    struct waiting *w = waiting_new(run->rules, row);
    int err = w == NULL ? ERR_NOMEM : 0;
    if (err == 0) {
        w->number = run->number++;
        err = heap_push(run, w);
    }
    if (err != 0) {
        free(w);
        return err;
    }
    while (err == 0 &&
           (run->count > CORRELATION_WAITING_MAX || run->bytes > CORRELATION_WAITING_BYTES_MAX)) {
        run->early++;
        err = row_take(run, heap_pop(run), sink);
    }
    return err;
}

int correlation_run_until(struct correlation_run *run, int64_t mark_ns,
                          const struct correlation_sink *sink)
{
    int err = 0;
    if (run == NULL || mark_ns == CLOCK_NONE)
        return 0;
    while (err == 0 && run->count != 0 && run->heap[0]->time_ns <= mark_ns)
        err = row_take(run, heap_pop(run), sink);
    struct taking taking = {.run = run, .sink = sink};
    if (err == 0 && mark_ns >= run->reached_ns && mark_ns != INT64_MAX) {
        run->reached_ns = mark_ns;
        err = correlate_advance(run->state, mark_ns, alert_pass, &taking);
    }
    return err;
}

uint64_t correlation_run_losses(const struct correlation_run *run)
{
    if (run == NULL)
        return 0;
    return run->late + run->early + correlate_evictions(run->state) + correlate_cuts(run->state);
}

/* Snapshots */

static void waiting_save(const struct correlation_run *run, const struct waiting *w,
                         struct buf *out)
{
    buf_put64(out, w->number);
    buf_append(out, &w->flow, sizeof(w->flow));
    buf_put32(out, w->rule_count);
    buf_append(out, w->rules, w->rule_count * sizeof(*w->rules));
    for (uint32_t i = 0; i < run->rules->fields.count; i++) {
        buf_put32(out, w->values[i].data == NULL ? UINT32_MAX : (uint32_t)w->values[i].len);
        buf_slice(out, w->values[i]);
    }
}

void correlation_run_save(const struct correlation_run *run, struct buf *out)
{
    if (run == NULL)
        return;
    const uint64_t numbers[] = {run->number, (uint64_t)run->reached_ns, run->late, run->early,
                                run->count,  run->rules->fields.count};
    correlate_save(run->state, out);
    buf_append(out, numbers, sizeof(numbers));
    for (size_t i = 0; i < run->count; i++)
        waiting_save(run, run->heap[i], out);
}

static bool take(struct slice *bytes, void *to, size_t len)
{
    if (bytes->len < len)
        return false;
    if (len != 0)
        memcpy(to, bytes->data, len);
    *bytes = slice_from_offset(*bytes, len);
    return true;
}

/* Put a copy of a row among those that wait. */
static int waiting_add(struct correlation_run *run, const struct correlation_row *row,
                       uint64_t number)
{
    struct waiting *w = waiting_new(run->rules, row);
    if (w == NULL)
        return ERR_NOMEM;
    w->number = number;
    int err = heap_push(run, w);
    if (err != 0)
        free(w);
    return err;
}

/* One waiting row from the front; `values` and `rules` have room for the most. */
static int waiting_load(struct correlation_run *run, struct slice *bytes, struct slice *values,
                        uint32_t *rules)
{
    uint64_t number = 0;
    struct flow flow;
    struct correlation_row row = {.rules = rules, .values = values, .flow = &flow};
    if (!take(bytes, &number, sizeof(number)) || !take(bytes, &flow, sizeof(flow)) ||
        !take(bytes, &row.rule_count, sizeof(row.rule_count)) ||
        row.rule_count > run->rules->set.rule_count ||
        !take(bytes, rules, row.rule_count * sizeof(*rules)))
        return ERR_FORMAT;
    for (uint32_t i = 0; i < row.rule_count; i++) {
        if (rules[i] >= run->rules->set.rule_count)
            return ERR_FORMAT;
    }
    for (uint32_t i = 0; i < run->rules->fields.count; i++) {
        uint32_t len = 0;
        if (!take(bytes, &len, sizeof(len)) || (len != UINT32_MAX && len > bytes->len))
            return ERR_FORMAT;
        values[i] = len == UINT32_MAX ? (struct slice){0} : slice_of(bytes->data, len);
        if (len != UINT32_MAX)
            *bytes = slice_from_offset(*bytes, len);
    }
    return waiting_add(run, &row, number);
}

/* Into a run that has seen nothing; one that failed is of no more use. */
static int load_fresh(struct correlation_run *run, struct slice *bytes)
{
    uint64_t numbers[6] = {0};
    int err = correlate_load(run->state, bytes);
    if (err == 0 &&
        (!take(bytes, numbers, sizeof(numbers)) || numbers[4] > CORRELATION_WAITING_MAX ||
         numbers[5] != run->rules->fields.count))
        err = ERR_FORMAT;
    struct slice *values = calloc(run->rules->fields.count + 1U, sizeof(*values));
    uint32_t *rules = calloc(run->rules->set.rule_count + 1U, sizeof(*rules));
    if (err == 0 && (values == NULL || rules == NULL))
        err = ERR_NOMEM;
    for (uint64_t i = 0; i < numbers[4] && err == 0; i++)
        err = waiting_load(run, bytes, values, rules);
    free(values);
    free(rules);
    run->number = numbers[0];
    run->reached_ns = (int64_t)numbers[1];
    run->late = numbers[2];
    run->early = numbers[3];
    return err;
}

int correlation_run_load(struct correlation_run *run, struct slice *bytes)
{
    struct correlation_run *next = NULL;
    struct slice rest = *bytes;
    if (run == NULL)
        return 0;
    int err = correlation_run_new(&next, run->rules, run->size, run->seed);
    if (next != NULL)
        err = load_fresh(next, &rest);
    if (next != NULL && err == 0) {
        struct correlation_run before = *run;
        *run = *next;
        *next = before;
        *bytes = rest;
    }
    correlation_run_free(next);
    return err;
}

/* Another set of rules */

/* A rule by its id. */
struct named {
    struct slice id;
    uint32_t rule;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    return slice_compare(x->id, y->id);
}

/* Where each rule of the set before is in the set of now; UINT32_MAX: nowhere. */
static int map_rules(uint32_t *map, const struct sigma_set *before, const struct sigma_set *now)
{
    struct named *names = calloc(now->rule_count + 1U, sizeof(*names));
    if (names == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < now->rule_count; i++)
        names[i] = (struct named){.id = now->rules[i].id, .rule = i};
    if (now->rule_count != 0)
        qsort(names, now->rule_count, sizeof(*names), by_id);
    for (uint32_t i = 0; i < before->rule_count; i++) {
        const struct named wanted = {.id = before->rules[i].id};
        const struct named *found = bsearch(&wanted, names, now->rule_count, sizeof(*names), by_id);
        map[i] = found == NULL ? UINT32_MAX : found->rule;
    }
    free(names);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = bytes_get32(a);
    uint32_t y = bytes_get32(b);
    return x < y ? -1 : x > y;
}

/* The value of a field in a row that waited under other rules. */
static struct slice value_of(const struct rule_set *before, const struct waiting *w,
                             const struct sigma_field *field)
{
    for (uint32_t i = 0; i < before->fields.count; i++) {
        const struct sigma_field *have = &before->fields.items[i];
        if (have->field == field->field && slice_equal(have->name, field->name))
            return w->values[i];
    }
    return (struct slice){0};
}

/* A row that waits, as the rules of now see it; where none of its rules is left, not at all. */
static int waiting_carry(struct correlation_run *run, const struct rule_set *before,
                         const struct waiting *w, const uint32_t *map)
{
    uint32_t *rules = calloc(w->rule_count + 1U, sizeof(*rules));
    struct slice *values = calloc(run->rules->fields.count + 1U, sizeof(*values));
    struct correlation_row row = {.rules = rules, .values = values, .flow = &w->flow};
    int err = rules == NULL || values == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; i < w->rule_count && err == 0; i++) {
        if (map[w->rules[i]] != UINT32_MAX)
            rules[row.rule_count++] = map[w->rules[i]];
    }
    if (err == 0 && row.rule_count != 0) {
        qsort(rules, row.rule_count, sizeof(*rules), by_number);
        for (uint32_t i = 0; i < run->rules->fields.count; i++)
            values[i] = value_of(before, w, &run->rules->fields.items[i]);
        err = waiting_add(run, &row, w->number);
    }
    free(rules);
    free(values);
    return err;
}

int correlation_run_carry(struct correlation_run *run, const struct correlation_run *before)
{
    if (run == NULL || before == NULL)
        return 0;
    uint32_t *map = calloc(before->rules->set.rule_count + 1U, sizeof(*map));
    if (map == NULL)
        return ERR_NOMEM;
    int err = map_rules(map, &before->rules->set, &run->rules->set);
    if (err == 0)
        correlate_carry(run->state, before->state, map);
    for (size_t i = 0; i < before->count && err == 0; i++)
        err = waiting_carry(run, before->rules, before->heap[i], map);
    free(map);
    run->number = before->number;
    run->reached_ns = before->reached_ns;
    run->late = before->late;
    run->early = before->early;
    return err;
}
