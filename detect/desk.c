#include "detect/desk.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"

enum {
    FLOWS_FIRST = 4096,
    FLOWS_KEPT = 32768, /* a desk that one record made larger is not kept */
    TEXT_BYTES_KEPT = 4 << 20,
};

struct desks {
    pthread_mutex_t lock;
    struct desk *first;
};

struct desks *desks_new(void)
{
    struct desks *d = calloc(1, sizeof(*d));
    if (d != NULL)
        (void)pthread_mutex_init(&d->lock, NULL);
    return d;
}

static void desk_free(struct desk *desk)
{
    flow_reader_release(&desk->reader);
    rule_hits_release(&desk->hits);
    free(desk->flows);
    free(desk->traces);
    free(desk);
}

void desks_free(struct desks *d)
{
    if (d == NULL)
        return;
    struct desk *next = NULL;
    for (struct desk *desk = d->first; desk != NULL; desk = next) {
        next = desk->next;
        desk_free(desk);
    }
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

struct desk *desk_take(struct desks *d)
{
    struct desk *desk = NULL;
    if (d != NULL) {
        (void)pthread_mutex_lock(&d->lock);
        desk = d->first;
        if (desk != NULL)
            d->first = desk->next;
        (void)pthread_mutex_unlock(&d->lock);
    }
    return desk != NULL ? desk : calloc(1, sizeof(*desk));
}

void desk_give(struct desks *d, struct desk *desk)
{
    if (desk == NULL)
        return;
    if (d == NULL || desk->flow_cap > FLOWS_KEPT ||
        desk->reader.texts.bytes.cap > TEXT_BYTES_KEPT) {
        desk_free(desk);
        return;
    }
    flow_texts_reset(&desk->reader.texts);
    rule_hits_reset(&desk->hits);
    (void)pthread_mutex_lock(&d->lock);
    desk->next = d->first;
    d->first = desk;
    (void)pthread_mutex_unlock(&d->lock);
}

int desk_room(struct desk *desk, size_t flows)
{
    if (flows <= desk->flow_cap)
        return 0;
    size_t cap = desk->flow_cap == 0 ? FLOWS_FIRST : desk->flow_cap;
    while (cap < flows)
        cap *= 2;
    struct flow *more = realloc(desk->flows, cap * sizeof(*more));
    if (more != NULL)
        desk->flows = more;
    struct origin_trace *traces = realloc(desk->traces, cap * sizeof(*traces));
    if (traces != NULL)
        desk->traces = traces;
    if (more == NULL || traces == NULL)
        return ERR_NOMEM;
    desk->flow_cap = cap;
    return 0;
}
