#include "detect/rule_hits.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

enum {
    VALUE_BYTES_KEPT = 1 << 20,
};

/* A scratch for these rules; another set's is given up. */
static int scratch_for(struct rule_hits *h, const struct rule_set *rules)
{
    if (h->rules == rules)
        return 0;
    pred_scratch_free(h->scratch);
    h->scratch = NULL;
    h->rules = NULL;
    h->given_up = 0;
    int err = pred_scratch_new(&h->scratch, rules->pred);
    if (err != 0)
        return err;
    pred_scratch_forgive(h->scratch);
    h->rules = rules;
    return 0;
}

static int hit_add(struct rule_hits *h, const struct batch *b, const struct hit *hit,
                   uint32_t place)
{
    if (h->count == h->cap) {
        size_t cap = h->cap == 0 ? 64 : h->cap * 2;
        struct rule_hit *items = reallocarray(h->items, cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        h->items = items;
        h->cap = cap;
    }
    uint32_t rule = h->rules->rules[hit->expression];
    struct signal signal = {0};
    int err = signal_take(&signal, &h->rules->entries[rule].fields, b, hit->row, &h->values);
    if (err == 0)
        h->items[h->count++] =
            (struct rule_hit){.place = place, .rule = rule, .values = signal.values};
    return err;
}

static int row_order(const void *a, const void *b)
{
    const struct hit *x = a;
    const struct hit *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->expression > y->expression) - (x->expression < y->expression);
}

/* The hits of one row that correlations refer to. */
static int row_add(struct rule_hits *h, const struct batch *b, const struct hit *hits, size_t count,
                   uint32_t place)
{
    struct rule_row row = {.place = place};
    struct signal signal = {0};
    row.rules = arena_array(&h->values, count, sizeof(*row.rules));
    if (row.rules == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        uint32_t rule = h->rules->rules[hits[i].expression];
        if (h->rules->set.rules[rule].referenced)
            row.rules[row.rule_count++] = rule;
    }
    if (row.rule_count == 0)
        return 0;
    if (h->row_count == h->row_cap) {
        size_t cap = h->row_cap == 0 ? 64 : h->row_cap * 2;
        struct rule_row *rows = reallocarray(h->rows, cap, sizeof(*rows));
        if (rows == NULL)
            return ERR_NOMEM;
        h->rows = rows;
        h->row_cap = cap;
    }
    int err = signal_take(&signal, &h->rules->fields, b, hits[0].row, &h->values);
    row.values = signal.values;
    if (err == 0)
        h->rows[h->row_count++] = row;
    return err;
}

static int rows_add(struct rule_hits *h, const struct batch *b, size_t count, const uint32_t *order)
{
    struct hit *items = h->found.items;
    int err = 0;
    if (h->rules->set.order_count == 0 || count == 0)
        return 0;
    qsort(items, count, sizeof(*items), row_order);
    for (size_t i = 0; i < count && err == 0;) {
        size_t end = i + 1;
        while (end < count && items[end].row == items[i].row)
            end++;
        err = row_add(h, b, &items[i], end - i, order[items[i].row]);
        i = end;
    }
    return err;
}

int rule_hits_read(struct rule_hits *h, const struct rule_set *rules, const struct batch *b,
                   const uint32_t *order)
{
    const struct column_set rows = {.batch = b, .end_row = b->row_count, .rows_known = true};
    h->hidden_count = 0;
    if (rules == NULL || rules->pred == NULL)
        return 0;
    int err = scratch_for(h, rules);
    if (err == 0)
        err = pred_eval(rules->pred, h->scratch, &rows, &h->found);
    size_t count = err == 0 ? rule_set_split(rules, &h->found) : 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        const struct hit *hit = &h->found.items[i];
        const struct sigma_rule *rule = &rules->set.rules[rules->rules[hit->expression]];
        if (sigma_stands_alone(rule))
            err = hit_add(h, b, hit, order[hit->row]);
    }
    if (err == 0)
        err = rows_add(h, b, count, order);
    h->hidden = err == 0 && count < h->found.count ? &h->found.items[count] : NULL;
    h->hidden_count = h->hidden == NULL ? 0 : h->found.count - count;
    uint64_t given_up = h->scratch == NULL ? 0 : pred_scratch_given_up(h->scratch);
    if (given_up != h->given_up)
        log_warn("rules", "a regular expression gave up on texts; rules did not see them",
                 "tenant=%06u texts=%llu", b->tenant, (unsigned long long)(given_up - h->given_up));
    h->given_up = given_up;
    return err;
}

static int by_place(const void *a, const void *b)
{
    const struct rule_hit *x = a;
    const struct rule_hit *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static int row_by_place(const void *a, const void *b)
{
    const struct rule_row *x = a;
    const struct rule_row *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

void rule_hits_hidden(const struct rule_hits *h, uint64_t *rows)
{
    for (size_t i = 0; i < h->hidden_count; i++)
        rows[h->hidden[i].expression - h->rules->rule_count]++;
}

void rule_hits_sort(struct rule_hits *h)
{
    if (h->row_count > 1)
        qsort(h->rows, h->row_count, sizeof(*h->rows), row_by_place);
    if (h->count > 1)
        qsort(h->items, h->count, sizeof(*h->items), by_place);
}

void rule_hits_reset(struct rule_hits *h)
{
    h->count = 0;
    h->row_count = 0;
    h->hidden_count = 0;
    if (h->values.held_bytes > VALUE_BYTES_KEPT)
        arena_release(&h->values);
    else
        arena_reset(&h->values);
}

void rule_hits_release(struct rule_hits *h)
{
    pred_scratch_free(h->scratch);
    hits_release(&h->found);
    free(h->items);
    free(h->rows);
    arena_release(&h->values);
    *h = (struct rule_hits){0};
}
