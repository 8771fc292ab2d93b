#include "app/scan_heap.h"

#include <stdlib.h>

enum {
    SIEVE_BYTES = 1 << 20, /* of a sieve without its batch, about */
};

static bool comes_before(const struct opened *a, const struct opened *b)
{
    if (a->offset != b->offset)
        return a->offset < b->offset;
    return a->sub != b->sub ? a->sub < b->sub : a->stretch < b->stretch;
}

static void sink(struct scan_heap *h, size_t at, struct opened item)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && comes_before(&h->items[child + 1], &h->items[child]))
            child++;
        if (!comes_before(&h->items[child], &item))
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = item;
}

static void rise(struct scan_heap *h, size_t at, struct opened item)
{
    while (at != 0 && comes_before(&item, &h->items[(at - 1) / 2])) {
        h->items[at] = h->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->items[at] = item;
}

/* Keep the sieve for the next batch: one of the same group shares its dictionaries. */
static void drop_sieve(struct scan_heap *h, struct opened *o)
{
    if (o->sieve == NULL)
        return;
    sieve_free(h->spare);
    h->spare = o->sieve;
    h->held_bytes -= o->bytes;
    o->sieve = NULL;
}

static void remove_top(struct scan_heap *h)
{
    drop_sieve(h, &h->items[0]);
    h->count--;
    if (h->count != 0)
        sink(h, 0, h->items[h->count]);
}

void scan_heap_release(struct scan_heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        sieve_free(h->items[i].sieve);
    sieve_free(h->spare);
    free(h->items);
    *h = (struct scan_heap){0};
}

/* Move to the next hit of the stretch's partition, from `at` on; false when there is none. */
static bool find_hit(struct opened *o, uint32_t at)
{
    const struct sieve *s = o->sieve;
    while (at < s->row_count && s->partitions[s->rows[at]] != o->stretch->partition)
        at++;
    if (at >= s->row_count)
        return false;
    o->at = at;
    o->offset = s->offsets[s->rows[at]];
    o->sub = s->batch->sub[s->rows[at]];
    return true;
}

/* The decoded one that is needed last; the top, when there is no other. */
static size_t farthest(const struct scan_heap *h)
{
    size_t found = 0;
    for (size_t i = 1; i < h->count; i++) {
        if (h->items[i].sieve != NULL && comes_before(&h->items[found], &h->items[i]))
            found = i;
    }
    return found;
}

static void lay_aside(struct scan_heap *h)
{
    size_t most = h->scan->options.open_bytes_max;
    most = most == 0 ? SCAN_OPEN_BYTES_MAX : most;
    while (h->held_bytes > most) {
        size_t at = farthest(h);
        if (at == 0)
            return;
        drop_sieve(h, &h->items[at]);
    }
}

/* Decode the batch, by its head or, where that is NULL, by its place in the index. */
static int decode(struct scan_heap *h, struct opened *o, const struct batch_head *head)
{
    struct sieve *s = h->spare;
    h->spare = NULL;
    int err = s == NULL ? sieve_new(&s, h->scan->query) : 0;
    if (err != 0)
        return err;
    s->whole = true;
    err = head != NULL
              ? sieve_take(s, head)
              : sieve_at(s, log_index_blob(h->scan->index, o->stretch->blob), o->stretch->number);
    log_index_forget(h->scan->index, o->stretch->blob);
    if (err != 0) {
        h->spare = s;
        return err;
    }
    sieve_places(s);
    o->sieve = s;
    o->decoding = ++h->decodings;
    o->bytes = batch_held_bytes(s->batch) + SIEVE_BYTES;
    h->held_bytes += o->bytes;
    return 0;
}

static int heap_room(struct scan_heap *h)
{
    if (h->count < h->cap)
        return 0;
    size_t cap = h->cap == 0 ? 64 : h->cap * 2;
    struct opened *items = reallocarray(h->items, cap, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    h->items = items;
    h->cap = cap;
    return 0;
}

int scan_heap_open(struct scan_heap *h, const struct stretch *stretch,
                   const struct batch_head *head)
{
    struct opened o = {.stretch = stretch};
    int err = heap_room(h);
    if (err == 0)
        err = decode(h, &o, head);
    if (err == ERR_CORRUPT)
        return scan_lose(h->scan, stretch->blob);
    if (err != 0)
        return err;
    if (!find_hit(&o, 0)) {
        drop_sieve(h, &o);
        return 0;
    }
    rise(h, h->count++, o);
    lay_aside(h);
    return 0;
}

int scan_heap_top(struct scan_heap *h, const struct opened **out)
{
    struct opened *top = &h->items[0];
    *out = NULL;
    int err = top->sieve == NULL ? decode(h, top, NULL) : 0;
    if (err == ERR_CORRUPT) {
        uint32_t blob = top->stretch->blob;
        remove_top(h);
        return scan_lose(h->scan, blob);
    }
    if (err != 0)
        return err;
    lay_aside(h);
    *out = top;
    return 0;
}

void scan_heap_next(struct scan_heap *h)
{
    struct opened o = h->items[0];
    if (find_hit(&o, o.at + 1))
        sink(h, 0, o);
    else
        remove_top(h);
}
