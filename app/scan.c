#include "app/scan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "app/scan_state.h"

enum {
    TAKE_BLOBS = 8, /* that a thread takes at once */
};

/* What the threads share. */
struct scan_work {
    const struct scan *scan;
    _Atomic size_t next;
    _Atomic int err; /* the first that ends the scan */
    atomic_bool stopped;
};

struct scan_worker {
    struct scan_work *work;
    unsigned number;
    size_t blob; /* at hand */
    struct sieve_wish wish;
    struct sieve *sieve;
    struct scan_part part;
    pthread_t thread;
};

/* Room for one more of `size` bytes; NULL on ERR_NOMEM. */
static void *room(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    size_t bigger = *cap == 0 ? 64 : *cap * 2;
    void *grown = realloc(items, bigger * size);
    if (grown != NULL)
        *cap = bigger;
    return grown;
}

static void part_release(struct scan_part *p)
{
    free(p->stretches);
    free(p->newest);
    free(p->missing);
}

static int keep_missing(struct scan_part *p, size_t blob, int err)
{
    struct missing_blob *items =
        room(p->missing, p->missing_count, &p->missing_cap, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    p->missing = items;
    items[p->missing_count++] = (struct missing_blob){.blob = blob, .err = err};
    return 0;
}

/* A stretch for each partition of the batch that has hits, from its first one. */
static int keep_stretches(struct scan_worker *w, uint32_t blob)
{
    struct scan_part *p = &w->part;
    const struct sieve *s = w->sieve;
    size_t first = p->stretch_count;
    for (uint32_t i = 0; i < s->row_count; i++) {
        uint32_t row = s->rows[i];
        size_t at = p->stretch_count;
        while (at > first && p->stretches[at - 1].partition != s->partitions[row])
            at--;
        if (at > first)
            continue;
        struct stretch *items =
            room(p->stretches, p->stretch_count, &p->stretch_cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        p->stretches = items;
        items[p->stretch_count++] = (struct stretch){.topic = s->head.topic,
                                                     .offset = s->offsets[row],
                                                     .sub = s->batch->sub[row],
                                                     .partition = s->partitions[row],
                                                     .blob = blob,
                                                     .number = s->number,
                                                     .bytes = s->head.texts_len + s->head.rows_len};
    }
    return 0;
}

/* Put `row` where it belongs below heap[at]. */
static void heap_sink(struct newest_row *heap, size_t count, struct newest_row row)
{
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= count)
            break;
        if (child + 1 < count && newest_before(&heap[child], &heap[child + 1]))
            child++;
        if (!newest_before(&row, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = row;
}

static void heap_push(struct newest_row *heap, size_t count, struct newest_row row)
{
    size_t at = count;
    while (at > 0 && newest_before(&heap[(at - 1) / 2], &row)) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = row;
}

static void keep_newest(struct scan_part *p, size_t cap, struct newest_row row)
{
    if (p->newest_count < cap)
        heap_push(p->newest, p->newest_count++, row);
    else if (newest_before(&row, &p->newest[0]))
        heap_sink(p->newest, cap, row);
}

static int keep_rows(struct scan_worker *w, uint32_t blob)
{
    const struct scan_options *o = &w->work->scan->options;
    struct sieve *s = w->sieve;
    if (o->keep == SCAN_ORDER) {
        sieve_places(s);
        return keep_stretches(w, blob);
    }
    for (uint32_t i = 0; i < s->row_count; i++) {
        struct newest_row row = {.time_ns = s->batch->time_ns[s->rows[i]],
                                 .blob = blob,
                                 .place = newest_place(s->number, s->rows[i])};
        keep_newest(&w->part, o->newest, row);
    }
    return 0;
}

/* What the feed says. ERR_AGAIN: it has enough. Its errors are not those of a damaged blob. */
static int feed_result(int got)
{
    if (got == 1)
        return ERR_AGAIN;
    return got == 0 ? 0 : ERR_NOMEM;
}

/* The next batch, its hits counted alone: the feed is told if it wants to be. */
static int count_next(struct scan_worker *w)
{
    const struct scan_feed *feed = &w->work->scan->options.feed;
    uint64_t count = 0;
    int err = sieve_next_count(w->sieve, &count);
    if (err != 0 || count == 0 || feed->count == NULL)
        return err;
    return feed_result(feed->count(feed->self, w->number, &w->sieve->head, count));
}

static bool is_covered(const void *self, uint32_t tenant)
{
    const struct scan_worker *w = self;
    return log_index_is_covered(w->work->scan->index, w->blob, tenant);
}

/* The batches of one blob. ERR_NOTFOUND: all of them. */
static int scan_batches(struct scan_worker *w, size_t at)
{
    const struct scan *scan = w->work->scan;
    const struct scan_feed *feed = &scan->options.feed;
    const struct stored_blob blob = log_index_blob(scan->index, at);
    bool damaged = false;
    w->blob = at;
    int err = sieve_open(w->sieve, blob);
    while (err == 0 || (err == ERR_CORRUPT && blob.group != NULL)) {
        damaged |= err != 0;
        if (scan->options.keep == SCAN_COUNT || feed->count != NULL) {
            err = count_next(w);
            continue;
        }
        err = sieve_next(w->sieve);
        if (err != 0 || w->sieve->row_count == 0)
            continue;
        if (scan->options.keep == SCAN_FEED)
            err = feed_result(feed->rows(feed->self, w->number, w->sieve));
        else
            err = keep_rows(w, (uint32_t)at);
    }
    return (damaged || w->sieve->damaged) && err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

static int scan_blob(struct scan_worker *w, size_t at)
{
    int err = scan_batches(w, at);
    if (err == ERR_CORRUPT || err == ERR_RANGE)
        return keep_missing(&w->part, at, err);
    if (err == ERR_AGAIN)
        atomic_store(&w->work->stopped, true);
    return err == ERR_NOTFOUND || err == ERR_AGAIN ? 0 : err;
}

/* Whether the scan has to end before its end; the other threads see it, too. */
static bool must_stop(struct scan_work *work)
{
    struct scan_stop *stop = work->scan->options.stop;
    if (!atomic_load(&work->stopped) && stop != NULL && scan_stop_now(stop))
        atomic_store(&work->stopped, true);
    return atomic_load(&work->stopped);
}

static void *work(void *self)
{
    struct scan_worker *w = self;
    size_t count = log_index_count(w->work->scan->index);
    for (;;) {
        size_t at = atomic_fetch_add(&w->work->next, TAKE_BLOBS);
        if (at >= count || atomic_load(&w->work->err) != 0)
            return NULL;
        size_t end = count - at < TAKE_BLOBS ? count : at + TAKE_BLOBS;
        for (; at < end; at++) {
            if (must_stop(w->work))
                return NULL;
            int err = scan_blob(w, at);
            log_index_forget(w->work->scan->index, at);
            if (err != 0) {
                atomic_store(&w->work->err, err);
                return NULL;
            }
        }
    }
}

static int worker_open(struct scan_worker *w, unsigned number, struct scan_work *work_shared)
{
    const struct scan *scan = work_shared->scan;
    w->work = work_shared;
    w->number = number;
    if (scan->options.keep == SCAN_NEWEST) {
        w->part.newest = calloc(scan->options.newest, sizeof(*w->part.newest));
        if (w->part.newest == NULL)
            return ERR_NOMEM;
    }
    int err = sieve_new(&w->sieve, scan->query);
    if (err == 0 && scan->options.keep == SCAN_FEED) {
        w->wish = (struct sieve_wish){.columns = scan->options.feed.columns,
                                      .self = scan->options.feed.self,
                                      .is_narrow = scan->options.feed.is_narrow};
        w->sieve->wish = &w->wish;
    }
    if (err == 0 && (scan->options.keep == SCAN_COUNT ||
                     (scan->options.keep == SCAN_FEED && scan->options.feed.counts)))
        sieve_counts(w->sieve, scan->options.feed.places);
    if (err == 0) {
        w->sieve->is_covered = is_covered;
        w->sieve->covers = w;
        w->sieve->parts = scan->options.keep == SCAN_ORDER    ? PART_PLACES
                          : scan->options.keep == SCAN_NEWEST ? PART_TIMES
                                                              : 0U;
    }
    return err;
}

/* Move what a thread found into the scan. */
static int gather(struct scan *s, struct scan_worker *w)
{
    struct scan_part *to = &s->found;
    struct scan_part *from = &w->part;
    int err = 0;
    if (w->sieve != NULL)
        sieve_counters_add(&s->counters, &w->sieve->counters);
    for (size_t i = 0; i < from->missing_count && err == 0; i++)
        err = keep_missing(to, from->missing[i].blob, from->missing[i].err);
    for (size_t i = 0; i < from->newest_count; i++)
        keep_newest(to, s->options.newest, from->newest[i]);
    if (from->stretch_count == 0)
        return err;
    size_t count = to->stretch_count + from->stretch_count;
    struct stretch *all = realloc(to->stretches, count * sizeof(*all));
    if (all == NULL)
        return ERR_NOMEM;
    memcpy(all + to->stretch_count, from->stretches, from->stretch_count * sizeof(*all));
    to->stretches = all;
    to->stretch_count = count;
    to->stretch_cap = count;
    return err;
}

/* The first worker is this thread; those that cannot be made leave their work to the others. */
static int run_workers(struct scan *s, struct scan_worker *workers, unsigned count)
{
    struct scan_work shared = {.scan = s};
    unsigned started = 1;
    int err = 0;
    for (unsigned i = 0; i < count && err == 0; i++)
        err = worker_open(&workers[i], i, &shared);
    for (; err == 0 && started < count; started++) {
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
            break;
    }
    if (err == 0)
        (void)work(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        (void)pthread_join(workers[i].thread, NULL);
    if (err == 0)
        err = atomic_load(&shared.err);
    s->stopped = atomic_load(&shared.stopped);
    for (unsigned i = 0; i < count; i++) {
        int gathered = err == 0 ? gather(s, &workers[i]) : 0;
        err = err == 0 ? gathered : err;
        sieve_free(workers[i].sieve);
        part_release(&workers[i].part);
    }
    return err;
}

static int missing_compare(const void *left, const void *right)
{
    const struct missing_blob *a = left;
    const struct missing_blob *b = right;
    return a->blob < b->blob ? -1 : a->blob > b->blob;
}

static void name_blob(const struct scan *s, const struct missing_blob *m)
{
    log_index_name(s->index, m->blob,
                   m->err == ERR_RANGE ? "a regular expression gave up on a row here"
                                       : "the batches here are damaged",
                   s->diag);
}

int scan_lose(struct scan *s, uint32_t blob)
{
    for (size_t i = 0; i < s->found.missing_count; i++) {
        if (s->found.missing[i].blob == blob)
            return 0;
    }
    int err = keep_missing(&s->found, blob, ERR_CORRUPT);
    if (err == 0)
        name_blob(s, &s->found.missing[s->found.missing_count - 1]);
    return err;
}

static void name_missing(struct scan *s)
{
    if (s->found.missing_count == 0)
        return;
    qsort(s->found.missing, s->found.missing_count, sizeof(*s->found.missing), missing_compare);
    for (size_t i = 0; i < s->found.missing_count; i++)
        name_blob(s, &s->found.missing[i]);
}

int scan_index_open(struct log_index **out, const char *dir, const struct sieve_query *query,
                    struct diag *diag)
{
    const struct log_index_options options = {.dir = dir,
                                              .wish = {.has_tenant = query->has_tenant,
                                                       .tenant = query->tenant,
                                                       .since_ns = query->since_ns,
                                                       .until_ns = query->until_ns}};
    return log_index_open_with(out, &options, diag);
}

/* Rows of segments that were left shut are rows that the query is about, and that time ruled out. */
static void count_skipped(struct scan *s)
{
    const struct long_term *t = log_index_long_term(s->index);
    if (s->query->topic.len == 0 && !s->query->has_partition)
        s->counters.rows += t->rows_skipped;
    s->counters.segments_skipped += t->segments_skipped;
}

int scan_run(struct scan **out, const struct log_index *index, const struct sieve_query *query,
             const struct scan_options *options, struct diag *diag)
{
    struct scan *s = calloc(1, sizeof(*s));
    struct scan_worker *workers = calloc(options->threads, sizeof(*workers));
    int err = s == NULL || workers == NULL ? ERR_NOMEM : 0;
    if (err == 0) {
        *s = (struct scan){.index = index, .query = query, .options = *options, .diag = diag};
        if (options->keep == SCAN_NEWEST) {
            s->found.newest = calloc(options->newest, sizeof(*s->found.newest));
            err = s->found.newest == NULL ? ERR_NOMEM : 0;
        }
    }
    if (err == 0 && log_index_count(index) > UINT32_MAX)
        err = ERR_RANGE;
    if (err == 0)
        err = run_workers(s, workers, options->threads);
    free(workers);
    if (err != 0) {
        scan_free(s);
        return err;
    }
    count_skipped(s);
    name_missing(s);
    *out = s;
    return 0;
}

void scan_free(struct scan *s)
{
    if (s == NULL)
        return;
    part_release(&s->found);
    free(s);
}

struct sieve_counters scan_counters(const struct scan *s)
{
    return s->counters;
}

bool scan_stopped(const struct scan *s)
{
    return s->stopped;
}

uint64_t scan_missing(const struct scan *s)
{
    return s->found.missing_count + log_index_damage(s->index);
}
