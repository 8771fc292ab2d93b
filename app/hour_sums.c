#include "app/hour_sums.h"

#include <stdlib.h>

#include "base/err.h"

enum {
    HOUR_SUMS_FIRST = 1024,
};

void hour_sums_release(struct hour_sums *s)
{
    free(s->items);
    *s = (struct hour_sums){0};
}

static int order(const void *left, const void *right)
{
    const struct hour_sum *a = left;
    const struct hour_sum *b = right;
    if (a->tenant != b->tenant)
        return a->tenant < b->tenant ? -1 : 1;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

void hour_sums_settle(struct hour_sums *s)
{
    size_t kept = 0;
    if (s->count == s->settled)
        return;
    qsort(s->items, s->count, sizeof(*s->items), order);
    for (size_t i = 0; i < s->count; i++) {
        if (kept != 0 && order(&s->items[kept - 1], &s->items[i]) == 0)
            totals_add(&s->items[kept - 1].sum, &s->items[i].sum);
        else
            s->items[kept++] = s->items[i];
    }
    s->count = kept;
    s->settled = kept;
}

int hour_sums_add(struct hour_sums *s, const struct hour_sum *item)
{
    if (s->count == s->cap && s->settled * 2 < s->count)
        hour_sums_settle(s);
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? HOUR_SUMS_FIRST : s->cap * 2;
        struct hour_sum *items = reallocarray(s->items, cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        s->items = items;
        s->cap = cap;
    }
    s->items[s->count++] = *item;
    return 0;
}
