#include "app/back_hits.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/err.h"

enum {
    HITS_FIRST = 1024,
};

static int make_room(struct back_hits *h, size_t more)
{
    if (h->count + more > BACK_HITS_MAX)
        return ERR_RANGE;
    if (h->count + more <= h->cap)
        return 0;
    size_t cap = h->cap == 0 ? HITS_FIRST : h->cap;
    while (cap < h->count + more)
        cap *= 2;
    struct back_hit *items = reallocarray(h->items, cap, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    h->items = items;
    h->cap = cap;
    return 0;
}

int back_hits_add(struct back_hits *h, const struct back_hit *hit)
{
    int err = make_room(h, 1);
    if (err == 0)
        h->items[h->count++] = *hit;
    return err;
}

int back_hits_join(struct back_hits *h, const struct back_hits *more)
{
    int err = more->count == 0 ? 0 : make_room(h, more->count);
    if (err != 0 || more->count == 0)
        return err;
    memcpy(h->items + h->count, more->items, more->count * sizeof(*more->items));
    h->count += more->count;
    return 0;
}

void back_hits_release(struct back_hits *h)
{
    free(h->items);
    *h = (struct back_hits){0};
}

static int order_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_alert(const void *a, const void *b)
{
    const struct back_hit *x = a;
    const struct back_hit *y = b;
    if (x->tenant != y->tenant)
        return order_u64(x->tenant, y->tenant);
    if (x->key != y->key)
        return order_u64(x->key, y->key);
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static int by_identity(const void *a, const void *b)
{
    const struct back_hit *x = a;
    const struct back_hit *y = b;
    return order_u64(x->identity, y->identity);
}

static int by_day(const void *a, const void *b)
{
    const struct back_day *x = a;
    const struct back_day *y = b;
    if (x->tenant != y->tenant)
        return order_u64(x->tenant, y->tenant);
    return (x->day > y->day) - (x->day < y->day);
}

/* Join the days that are the same; returns how many are left. */
static size_t days_join(struct back_day *days, size_t count)
{
    size_t kept = 0;
    qsort(days, count, sizeof(*days), by_day);
    for (size_t i = 0; i < count; i++) {
        if (kept != 0 && by_day(&days[kept - 1], &days[i]) == 0) {
            days[kept - 1].hits += days[i].hits;
            days[kept - 1].alerts += days[i].alerts;
        } else {
            days[kept++] = days[i];
        }
    }
    return kept;
}

int back_hits_days(struct back_hits *h, int64_t window_ns, struct back_day **out, size_t *count)
{
    struct back_day *days = calloc(h->count + 1, sizeof(*days));
    if (days == NULL)
        return ERR_NOMEM;
    if (h->count != 0)
        qsort(h->items, h->count, sizeof(*h->items), by_alert);
    for (size_t i = 0; i < h->count; i++) {
        const struct back_hit *hit = &h->items[i];
        const struct back_hit *last = i == 0 ? NULL : &h->items[i - 1];
        bool goes_on = last != NULL && last->tenant == hit->tenant && last->key == hit->key &&
                       hit->time_ns - last->time_ns < window_ns;
        days[i] = (struct back_day){.tenant = hit->tenant,
                                    .day = calendar_day(hit->time_ns),
                                    .hits = 1,
                                    .alerts = !goes_on};
    }
    *count = days_join(days, h->count);
    *out = days;
    return 0;
}

struct back_difference back_hits_compare(struct back_hits *now, struct back_hits *before)
{
    struct back_difference d = {0};
    size_t i = 0;
    size_t k = 0;
    if (now->count != 0)
        qsort(now->items, now->count, sizeof(*now->items), by_identity);
    if (before->count != 0)
        qsort(before->items, before->count, sizeof(*before->items), by_identity);
    while (i < now->count || k < before->count) {
        int order = i == now->count      ? 1
                    : k == before->count ? -1
                                         : by_identity(&now->items[i], &before->items[k]);
        d.added += order < 0;
        d.lost += order > 0;
        d.same += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    return d;
}
