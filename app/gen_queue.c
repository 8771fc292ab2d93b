#include "app/gen_queue.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"

enum {
    CHILDREN = 4,
    QUEUE_FIRST = 1024,
};

static inline bool earlier(struct gen_wake a, struct gen_wake b)
{
    return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.tag < b.tag;
}

void gen_queue_release(struct gen_queue *q)
{
    free(q->items);
    *q = (struct gen_queue){0};
}

int gen_queue_push(struct gen_queue *q, struct gen_wake item)
{
    if (q->count == q->cap) {
        size_t cap = q->cap == 0 ? QUEUE_FIRST : q->cap * 2;
        if (cap > GEN_QUEUE_MAX)
            return ERR_NOMEM;
        struct gen_wake *items = realloc(q->items, cap * sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        q->items = items;
        q->cap = cap;
    }
    size_t at = q->count++;
    while (at > 0) {
        size_t parent = (at - 1) / CHILDREN;
        if (!earlier(item, q->items[parent]))
            break;
        q->items[at] = q->items[parent];
        at = parent;
    }
    q->items[at] = item;
    return 0;
}

/* Let `item` sink from the root. */
static void sink(struct gen_queue *q, struct gen_wake item)
{
    size_t at = 0;
    for (;;) {
        size_t child = at * CHILDREN + 1;
        if (child >= q->count)
            break;
        size_t last = child + CHILDREN < q->count ? child + CHILDREN : q->count;
        size_t least = child;
        for (size_t i = child + 1; i < last; i++)
            if (earlier(q->items[i], q->items[least]))
                least = i;
        if (!earlier(q->items[least], item))
            break;
        q->items[at] = q->items[least];
        at = least;
    }
    q->items[at] = item;
}

struct gen_wake gen_queue_pop(struct gen_queue *q)
{
    assert(q->count > 0);
    struct gen_wake first = q->items[0];
    struct gen_wake last = q->items[--q->count];
    if (q->count > 0)
        sink(q, last);
    return first;
}

void gen_queue_replace(struct gen_queue *q, struct gen_wake item)
{
    assert(q->count > 0);
    sink(q, item);
}
