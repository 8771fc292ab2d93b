#include "app/alert_list.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"

enum {
    ALERTS_FIRST = 256,
};

struct listed {
    struct detect_alert alert; /* its line is at `at` of the texts */
    size_t at;
};

struct alert_list {
    pthread_mutex_t lock;
    struct listed *items;
    size_t count;
    size_t cap;
    struct buf texts;
};

int alert_list_new(struct alert_list **out)
{
    struct alert_list *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_NOMEM;
    (void)pthread_mutex_init(&l->lock, NULL);
    *out = l;
    return 0;
}

void alert_list_free(struct alert_list *l)
{
    if (l == NULL)
        return;
    (void)pthread_mutex_destroy(&l->lock);
    buf_release(&l->texts);
    free(l->items);
    free(l);
}

static int add(struct alert_list *l, const struct detect_alert *alert)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? ALERTS_FIRST : l->cap * 2;
        struct listed *items = realloc(l->items, cap * sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count] = (struct listed){.alert = *alert, .at = l->texts.len};
    buf_slice(&l->texts, alert->record.line);
    if (!buf_ok(&l->texts))
        return ERR_NOMEM;
    l->count++;
    return 0;
}

int alert_list_add(void *self, const struct detect_alert *alert)
{
    struct alert_list *l = self;
    (void)pthread_mutex_lock(&l->lock);
    int status = add(l, alert);
    (void)pthread_mutex_unlock(&l->lock);
    return status;
}

static int order(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare(const void *x, const void *y)
{
    const struct listed *first = x;
    const struct listed *second = y;
    const struct detect_alert *a = &first->alert;
    const struct detect_alert *b = &second->alert;
    int by = order(a->tick_ns, b->tick_ns);
    by = by != 0 ? by : order(a->record.tenant, b->record.tenant);
    by = by != 0 ? by : order(a->partition, b->partition);
    by = by != 0 ? by : order(a->offset, b->offset);
    by = by != 0 ? by : order(a->sub, b->sub);
    by = by != 0 ? by : memcmp(a->record.id.bytes, b->record.id.bytes, ALERT_ID_BYTES);
    return by != 0 ? by : order(a->record.revision, b->record.revision);
}

int alert_list_print(struct alert_list *l, FILE *out)
{
    if (l->count != 0)
        qsort(l->items, l->count, sizeof(*l->items), compare);
    for (size_t i = 0; i < l->count; i++) {
        const struct listed *item = &l->items[i];
        (void)fwrite(l->texts.data + item->at, 1, item->alert.record.line.len, out);
        (void)fputc('\n', out);
    }
    return fflush(out) != 0 || ferror(out) ? ERR_IO : 0;
}
