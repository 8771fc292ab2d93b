/* app/scan_walk.c - the hits of a scan, in order. */
#include <stdlib.h>

#include "app/scan_heap.h"
#include "app/scan_window.h"

struct scan_merge {
    struct scan *scan;
    scan_visit *visit;
    void *self;
    struct scan_heap heap;
    struct scan_window window;
    size_t rank;
};

static int place_compare(int64_t a_offset, uint32_t a_sub, int64_t b_offset, uint32_t b_sub)
{
    if (a_offset != b_offset)
        return a_offset < b_offset ? -1 : 1;
    return a_sub < b_sub ? -1 : a_sub > b_sub;
}

static bool same_partition(const struct stretch *a, const struct stretch *b)
{
    return a->partition == b->partition && slice_equal(a->topic, b->topic);
}

static int stretch_compare(const void *left, const void *right)
{
    const struct stretch *a = left;
    const struct stretch *b = right;
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    order = place_compare(a->offset, a->sub, b->offset, b->sub);
    if (order != 0)
        return order;
    if (a->blob != b->blob)
        return a->blob < b->blob ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int sieve_again(struct scan *scan, struct sieve **s, uint32_t blob, uint32_t number)
{
    int err = *s == NULL ? sieve_new(s, scan->query) : 0;
    if (err == 0)
        (*s)->whole = true;
    if (err == 0)
        err = sieve_at(*s, log_index_blob(scan->index, blob), number);
    if (err == 0)
        sieve_places(*s);
    return err;
}

static int open_stretch(struct scan_merge *m, size_t at)
{
    struct batch_head head;
    int err = scan_window_head(&m->window, m->scan, at, &head);
    return err == 0 ? scan_heap_open(&m->heap, &m->scan->found.stretches[at], &head) : err;
}

static int visit_hit(struct scan_merge *m, const struct opened *o)
{
    const struct sieve *s = o->sieve;
    uint32_t row = s->rows[o->at];
    const struct scan_row hit = {.batch = s->batch,
                                 .decoding = o->decoding,
                                 .row = row,
                                 .partition = s->partitions[row],
                                 .offset = o->offset,
                                 .sub = o->sub,
                                 .rank = m->rank++};
    return m->visit(m->self, &hit);
}

/* Whether `next` begins before the hit that is first among the open ones. */
static bool must_open(const struct scan_merge *m, const struct stretch *next)
{
    if (next == NULL)
        return false;
    if (m->heap.count == 0)
        return true;
    const struct opened *top = &m->heap.items[0];
    return same_partition(top->stretch, next) &&
           place_compare(next->offset, next->sub, top->offset, top->sub) < 0;
}

static int merge(struct scan_merge *m)
{
    const struct scan_part *found = &m->scan->found;
    size_t at = 0;
    while (at < found->stretch_count || m->heap.count != 0) {
        const struct stretch *next = at < found->stretch_count ? &found->stretches[at] : NULL;
        const struct opened *top = NULL;
        int err = 0;
        if (must_open(m, next)) {
            err = open_stretch(m, at++);
            if (err != 0)
                return err;
            continue;
        }
        err = scan_heap_top(&m->heap, &top);
        if (err == 0 && top == NULL)
            continue;
        if (err == 0)
            err = visit_hit(m, top);
        if (err != 0)
            return err < 0 ? err : 0;
        scan_heap_next(&m->heap);
    }
    return 0;
}

int scan_walk(struct scan *s, scan_visit *visit, void *self)
{
    struct scan_merge m = {.scan = s, .visit = visit, .self = self, .heap = {.scan = s}};
    if (s->found.stretch_count != 0)
        qsort(s->found.stretches, s->found.stretch_count, sizeof(*s->found.stretches),
              stretch_compare);
    int err = merge(&m);
    scan_heap_release(&m.heap);
    scan_window_release(&m.window);
    return err;
}

static int newest_compare(const void *left, const void *right)
{
    const struct newest_row *a = left;
    const struct newest_row *b = right;
    return newest_before(a, b) ? -1 : newest_before(b, a);
}

/* A newest row's rank, and where it stands. */
struct ranked {
    uint32_t blob;
    uint32_t number;
    uint32_t row;
    size_t rank;
};

static bool same_batch(const struct ranked *a, const struct ranked *b)
{
    return a->blob == b->blob && a->number == b->number;
}

static int ranked_compare(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->blob != b->blob)
        return a->blob < b->blob ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int visit_ranked(struct scan *s, const struct ranked *rows, scan_visit *visit, void *self)
{
    struct sieve *sieve = NULL;
    uint64_t decodings = 0;
    bool lost = false;
    int err = 0;
    for (size_t i = 0; i < s->found.newest_count && err == 0; i++) {
        const struct ranked *r = &rows[i];
        if (i == 0 || !same_batch(r, &rows[i - 1])) {
            err = sieve_again(s, &sieve, r->blob, r->number);
            decodings++;
            lost = err == ERR_CORRUPT;
            err = lost ? scan_lose(s, r->blob) : err;
        }
        if (err != 0)
            break;
        if (lost)
            continue;
        const struct scan_row hit = {.batch = sieve->batch,
                                     .decoding = decodings,
                                     .row = r->row,
                                     .partition = sieve->partitions[r->row],
                                     .offset = sieve->offsets[r->row],
                                     .sub = sieve->batch->sub[r->row],
                                     .rank = r->rank};
        err = visit(self, &hit);
    }
    sieve_free(sieve);
    return err < 0 ? err : 0;
}

int scan_newest(struct scan *s, scan_visit *visit, void *self)
{
    size_t count = s->found.newest_count;
    if (count == 0)
        return 0;
    struct ranked *rows = calloc(count, sizeof(*rows));
    if (rows == NULL)
        return ERR_NOMEM;
    qsort(s->found.newest, count, sizeof(*s->found.newest), newest_compare);
    for (size_t i = 0; i < count; i++) {
        const struct newest_row *n = &s->found.newest[i];
        rows[i] = (struct ranked){
            .blob = n->blob, .number = n->place >> 16, .row = n->place & 0xffff, .rank = i};
    }
    qsort(rows, count, sizeof(*rows), ranked_compare);
    int err = visit_ranked(s, rows, visit, self);
    free(rows);
    return err;
}
