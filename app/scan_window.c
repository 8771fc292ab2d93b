#include "app/scan_window.h"

#include <stdlib.h>

/* A stretch of the window on its way into the order of the log. */
struct ordered {
    uint32_t blob;
    uint32_t number;
    size_t item;
};

/* Where the log is read. */
struct window_read {
    struct scan_window *w;
    const struct scan *scan;
    struct stored_reader *reader;
    struct batch_head head;
    uint32_t blob;
    uint32_t number; /* of the batch in `head` */
    bool any;        /* a blob is open */
};

void scan_window_release(struct scan_window *w)
{
    codec_free(w->codec);
    stored_reader_free(w->reader);
    buf_release(&w->pieces);
    free(w->items);
    *w = (struct scan_window){0};
}

static int ordered_compare(const void *left, const void *right)
{
    const struct ordered *a = left;
    const struct ordered *b = right;
    if (a->blob != b->blob)
        return a->blob < b->blob ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* The first stretch that the budget does not hold; one at least is taken. */
static size_t window_end(const struct scan *s, size_t first, size_t budget)
{
    size_t end = first;
    size_t bytes = 0;
    while (end < s->found.stretch_count) {
        bytes += s->found.stretches[end].bytes + sizeof(struct window_item);
        if (end != first && bytes > budget)
            break;
        end++;
    }
    return end;
}

/* Read the head of a batch at or behind the one read last. */
static int read_head(struct window_read *r, uint32_t blob, uint32_t number)
{
    int err = 0;
    if (!r->any || r->blob != blob) {
        uint64_t bytes = 0;
        err = stored_open(r->reader, log_index_blob(r->scan->index, blob), &bytes);
        r->any = err == 0;
        r->blob = blob;
        r->number = UINT32_MAX;
    }
    while (err == 0 && r->number != number) {
        err = stored_next(r->reader, &r->head);
        r->number++;
    }
    return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

/* Keep the pieces of all batches, which are in the order of the log. */
static int read_all(struct window_read *r, const struct ordered *order, size_t count)
{
    struct scan_window *w = r->w;
    size_t at = 0;
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        const struct ordered *o = &order[i];
        if (i == 0 || ordered_compare(o, o - 1) != 0) {
            at = w->pieces.len;
            err = read_head(r, o->blob, o->number);
            if (err == 0 && r->head.group == NULL)
                err = codec_pieces(w->codec, &r->head, &w->pieces);
            log_index_forget(r->scan->index, o->blob);
        }
        w->items[o->item] = (struct window_item){.head = r->head, .at = at};
    }
    return err;
}

static int window_load(struct scan_window *w, const struct scan *s, size_t first)
{
    size_t budget = w->budget == 0 ? SCAN_WINDOW_FIRST_BYTES : w->budget * 4;
    w->budget = budget < SCAN_WINDOW_BYTES_MAX ? budget : SCAN_WINDOW_BYTES_MAX;
    size_t end = window_end(s, first, w->budget);
    size_t count = end - first;
    w->reader = w->reader == NULL ? stored_reader_new() : w->reader;
    struct window_read r = {.w = w, .scan = s, .reader = w->reader};
    struct ordered *order = calloc(count + 1, sizeof(*order));
    free(w->items);
    w->items = calloc(count + 1, sizeof(*w->items));
    w->codec = w->codec == NULL ? codec_new(1) : w->codec;
    buf_reset(&w->pieces);
    int err =
        order == NULL || w->items == NULL || w->codec == NULL || w->reader == NULL ? ERR_NOMEM : 0;
    size_t bytes = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        const struct stretch *stretch = &s->found.stretches[first + i];
        bytes += stretch->bytes;
        order[i] = (struct ordered){.blob = stretch->blob, .number = stretch->number, .item = i};
    }
    if (err == 0) {
        qsort(order, count, sizeof(*order), ordered_compare);
        err = buf_reserve(&w->pieces, bytes) == NULL ? ERR_NOMEM : 0;
    }
    if (err == 0)
        err = read_all(&r, order, count);
    free(order);
    w->first = first;
    w->end = err == 0 ? end : first;
    return err;
}

int scan_window_head(struct scan_window *w, const struct scan *s, size_t at, struct batch_head *out)
{
    int err = at < w->end ? 0 : window_load(w, s, at);
    if (err != 0)
        return err;
    const struct window_item *item = &w->items[at - w->first];
    *out = item->head.group != NULL ? item->head
                                    : codec_plain_head(&item->head, w->pieces.data + item->at);
    return 0;
}
