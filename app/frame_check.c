#include "app/frame_check.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 * Rows of one partition, by what they say of its records:
 *   begins   offsets [first, last] have their line 0 here            first_sub = last_sub = 0
 *   lines    offset first = last has lines [first_sub, last_sub]     first_sub > 0
 * A record's lines may lie in several batches, so that the two are laid over the ranges apart.
 */
struct row_span {
    uint32_t entry; /* of the frame, in its order */
    uint32_t first_sub;
    uint32_t last_sub;
    int64_t first;
    int64_t last;
};

struct span_list {
    struct row_span *items;
    size_t count;
    size_t cap;
};

struct frame_checker {
    struct codec *codec;
    struct batch *batch;
    struct buf line;
    struct span_list begins;
    struct span_list lines;
    struct frame_entry_view *entries;
    size_t entry_count;
    size_t entry_cap;
    struct frame_check_counts counts;
    /* Of the frame being checked. */
    const struct frame_view *frame;
    const char *path;
    uint64_t offset;
    struct diag *diag;
};

int frame_checker_new(struct frame_checker **out)
{
    struct frame_checker *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->codec = codec_new(1);
    c->batch = batch_new();
    if (c->codec == NULL || c->batch == NULL) {
        frame_checker_free(c);
        return ERR_NOMEM;
    }
    *out = c;
    return 0;
}

void frame_checker_free(struct frame_checker *c)
{
    if (c == NULL)
        return;
    codec_free(c->codec);
    batch_free(c->batch);
    buf_release(&c->line);
    free(c->begins.items);
    free(c->lines.items);
    free(c->entries);
    free(c);
}

struct frame_check_counts frame_checker_counts(const struct frame_checker *c)
{
    return c->counts;
}

static int differs_at(struct frame_checker *c, uint64_t offset, const char *why)
{
    diag_add(c->diag, c->path, 0, 0, "offset %" PRIu64 ", frame %" PRIu64 ": %s", offset,
             c->frame->link.seq, why);
    return ERR_CORRUPT;
}

static int batch_differs(struct frame_checker *c, struct slice blob, const char *why)
{
    return differs_at(c, c->offset + (uint64_t)(blob.data - c->frame->bytes.data), why);
}

/* Name a partition and an offset of the frame. */
static int offset_differs(struct frame_checker *c, uint32_t entry, int64_t offset, const char *why)
{
    const struct frame_entry_view *e = &c->entries[entry];
    diag_add(c->diag, c->path, 0, 0,
             "offset %" PRIu64 ", frame %" PRIu64 ": topic %.*s, partition %d, offset %" PRId64
             ": %s",
             c->offset, c->frame->link.seq, (int)e->topic.len, e->topic.data, (int)e->partition,
             offset, why);
    return ERR_CORRUPT;
}

static int entry_compare(const void *left, const void *right)
{
    const struct frame_entry_view *a = left;
    const struct frame_entry_view *b = right;
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    return a->partition < b->partition ? -1 : a->partition > b->partition;
}

static int entry_order(const void *left, const void *right)
{
    const struct frame_entry_view *a = left;
    const struct frame_entry_view *b = right;
    int order = entry_compare(a, b);
    if (order != 0)
        return order;
    return a->off_start < b->off_start ? -1 : a->off_start > b->off_start;
}

/* The entries in the order of (topic, partition, offset). */
static int read_entries(struct frame_checker *c)
{
    struct frame_items items = c->frame->entries;
    struct frame_entry_view entry;
    c->entry_count = 0;
    while (frame_next_entry(&entry, &items)) {
        if (c->entry_count == c->entry_cap) {
            size_t cap = c->entry_cap == 0 ? 64 : c->entry_cap * 2;
            struct frame_entry_view *bigger = realloc(c->entries, cap * sizeof(*bigger));
            if (bigger == NULL)
                return ERR_NOMEM;
            c->entries = bigger;
            c->entry_cap = cap;
        }
        c->entries[c->entry_count++] = entry;
    }
    if (c->entry_count != 0)
        qsort(c->entries, c->entry_count, sizeof(*c->entries), entry_order);
    return 0;
}

/* The first entry of a partition; the frame may have several. entry_count when it has none. */
static size_t find_entry(const struct frame_checker *c, struct slice topic, int32_t partition)
{
    const struct frame_entry_view wanted = {.topic = topic, .partition = partition};
    size_t low = 0;
    size_t high = c->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_compare(&c->entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < c->entry_count && entry_compare(&c->entries[low], &wanted) == 0;
    return found ? low : c->entry_count;
}

static int add_span(struct span_list *l, const struct row_span *span)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 256 : l->cap * 2;
        struct row_span *bigger = realloc(l->items, cap * sizeof(*bigger));
        if (bigger == NULL)
            return ERR_NOMEM;
        l->items = bigger;
        l->cap = cap;
    }
    l->items[l->count++] = *span;
    return 0;
}

/* The rows of a run of the decoded batch; a span goes on as long as rows follow each other. */
static int add_run(struct frame_checker *c, uint32_t entry, const struct run *run)
{
    const uint32_t *sub = c->batch->sub;
    struct row_span begins = {.entry = entry, .first = 0, .last = -1};
    struct row_span lines = {.entry = entry};
    int64_t offset = run->first_offset;
    int err = 0;
    for (uint32_t row = run->first_row; row < run->first_row + run->count && err == 0; row++) {
        bool begin = sub[row] == 0;
        offset += row != run->first_row && begin;
        if (begin) {
            begins.first = begins.last < begins.first ? offset : begins.first;
            begins.last = offset;
            continue;
        }
        if (lines.first_sub != 0 && lines.first == offset && lines.last_sub + 1 == sub[row]) {
            lines.last_sub = sub[row];
            continue;
        }
        err = lines.first_sub == 0 ? 0 : add_span(&c->lines, &lines);
        lines = (struct row_span){entry, sub[row], sub[row], offset, offset};
    }
    if (err == 0 && lines.first_sub != 0)
        err = add_span(&c->lines, &lines);
    if (err == 0 && begins.first <= begins.last)
        err = add_span(&c->begins, &begins);
    return err;
}

/* What the head said of the rows, and that each row can be had. */
static int check_rows(struct frame_checker *c, const struct batch_head *head, struct slice blob)
{
    const struct batch *b = c->batch;
    uint64_t raw_bytes = 0;
    uint32_t unparsed = 0;
    for (uint32_t row = 0; row < b->row_count; row++) {
        buf_reset(&c->line);
        if (batch_render(b, row, &c->line) != 0)
            return ERR_NOMEM;
        raw_bytes += c->line.len;
        unparsed += b->reason[row] != REASON_NONE;
        if (b->time_ns[row] < head->time_min_ns || b->time_ns[row] > head->time_max_ns ||
            b->arrival_ns[row] < head->arrival_min_ns || b->arrival_ns[row] > head->arrival_max_ns)
            return batch_differs(c, blob, "a row's time is outside what the batch's head says");
    }
    if (b->row_count != head->row_count || raw_bytes != head->raw_bytes ||
        unparsed != head->unparsed_rows)
        return batch_differs(c, blob, "rows or bytes differ from what the batch's head says");
    c->counts.rows += b->row_count;
    c->counts.raw_bytes += raw_bytes;
    c->counts.unparsed += unparsed;
    return 0;
}

static bool head_has(const struct batch_head *head, int32_t partition)
{
    for (size_t i = 0; i < head->partitions.len / sizeof(int32_t); i++) {
        if (codec_head_partition(head, i) == partition)
            return true;
    }
    return false;
}

static int check_batch(struct frame_checker *c, const struct batch_head *head, struct slice blob)
{
    batch_reset(c->batch);
    int err = codec_texts(c->codec, head, c->batch);
    if (err == 0)
        err = codec_rows(c->codec, head, c->batch, NULL);
    if (err == ERR_CORRUPT)
        return batch_differs(c, blob, "a value of the batch cannot be read");
    if (err == 0)
        err = check_rows(c, head, blob);
    for (uint32_t i = 0; err == 0 && i < c->batch->run_count; i++) {
        const struct run *run = &c->batch->runs[i];
        size_t entry = find_entry(c, head->topic, run->partition);
        if (entry == c->entry_count || !head_has(head, run->partition))
            return batch_differs(c, blob, "rows of a partition that the frame did not consume");
        err = add_run(c, (uint32_t)entry, run);
    }
    c->counts.batches += err == 0;
    return err;
}

static int check_blob(struct frame_checker *c, struct slice blob)
{
    struct pack_view view;
    struct batch_head head;
    if (pack_open(&view, blob) != 0)
        return batch_differs(c, blob, "the batches' checksum or outline is wrong");
    for (;;) {
        int err = pack_next(&view, &head);
        if (err == ERR_NOTFOUND)
            return 0;
        if (err == ERR_CORRUPT)
            return batch_differs(c, blob, "a batch's head cannot be read");
        if (err == 0)
            err = check_batch(c, &head, blob);
        if (err != 0)
            return err;
    }
}

static int span_compare(const void *left, const void *right)
{
    const struct row_span *a = left;
    const struct row_span *b = right;
    if (a->entry != b->entry)
        return a->entry < b->entry ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->first_sub < b->first_sub ? -1 : a->first_sub > b->first_sub;
}

/* Each record of [start, end) must begin once. *at: the first span of the range. */
static int fill_begins(struct frame_checker *c, uint32_t entry, const struct frame_range *range,
                       size_t *at)
{
    int64_t next = range->start;
    for (; *at < c->begins.count && c->begins.items[*at].entry == entry; (*at)++) {
        const struct row_span *s = &c->begins.items[*at];
        if (s->first >= range->end || s->first > next)
            break;
        if (s->first < next) {
            return offset_differs(c, entry, s->first,
                                  "the record is there twice, or outside the ranges of data");
        }
        if (s->last >= range->end)
            return offset_differs(c, entry, range->end, "rows outside the ranges of data");
        next = s->last + 1;
        c->counts.records += (uint64_t)(s->last - s->first) + 1;
    }
    if (next == range->end)
        return 0;
    return offset_differs(c, entry, next, "the record is said to be here, but does not begin");
}

/* Lines of a record count from 1, without a hole. */
static int fill_lines(struct frame_checker *c, uint32_t entry, const struct frame_range *range,
                      size_t *at)
{
    int64_t offset = -1;
    uint32_t next = 1;
    for (; *at < c->lines.count && c->lines.items[*at].entry == entry; (*at)++) {
        const struct row_span *s = &c->lines.items[*at];
        if (s->first >= range->end)
            break;
        if (s->first < range->start)
            return offset_differs(c, entry, s->first, "lines outside the ranges of data");
        next = s->first == offset ? next : 1;
        if (s->first_sub != next) {
            return offset_differs(c, entry, s->first,
                                  s->first_sub < next ? "a line of the record is there twice"
                                                      : "a line of the record is missing");
        }
        offset = s->first;
        next = s->last_sub + 1;
    }
    return 0;
}

/* DATA ranges of one partition that join are one. */
struct cover {
    struct frame_range open; /* empty: none is open */
    size_t begins_at;        /* the next spans */
    size_t lines_at;
};

static int cover_close(struct frame_checker *c, uint32_t entry, struct cover *cover)
{
    int err = 0;
    if (cover->open.start != cover->open.end) {
        err = fill_begins(c, entry, &cover->open, &cover->begins_at);
        if (err == 0)
            err = fill_lines(c, entry, &cover->open, &cover->lines_at);
    }
    cover->open = (struct frame_range){0};
    return err;
}

/* Rows of the partition that no range took. */
static int cover_left(struct frame_checker *c, uint32_t entry, const struct span_list *l, size_t at)
{
    if (at == l->count || l->items[at].entry != entry)
        return 0;
    return offset_differs(c, entry, l->items[at].first, "rows outside the ranges of data");
}

static int cover_entry(struct frame_checker *c, size_t i, uint32_t entry, struct cover *cover)
{
    struct frame_items ranges = c->entries[i].ranges;
    struct frame_range range;
    while (frame_next_range(&range, &ranges)) {
        int err = 0;
        if (range.kind != FRAME_RANGE_DATA)
            continue;
        if (cover->open.end == range.start && cover->open.start != cover->open.end) {
            cover->open.end = range.end;
            continue;
        }
        err = cover_close(c, entry, cover);
        if (err != 0)
            return err;
        cover->open = range;
    }
    return 0;
}

/* Lay the rows over the DATA ranges: nothing may be missing, doubled or left over. */
static int check_cover(struct frame_checker *c)
{
    struct cover cover = {0};
    uint32_t entry = 0; /* the partition's first one, which its spans name */
    if (c->begins.count != 0)
        qsort(c->begins.items, c->begins.count, sizeof(*c->begins.items), span_compare);
    if (c->lines.count != 0)
        qsort(c->lines.items, c->lines.count, sizeof(*c->lines.items), span_compare);
    for (size_t i = 0; i < c->entry_count; i++) {
        if (i != 0 && entry_compare(&c->entries[i - 1], &c->entries[i]) != 0)
            entry = (uint32_t)i;
        int err = cover_entry(c, i, entry, &cover);
        if (err != 0)
            return err;
        if (i + 1 < c->entry_count && entry_compare(&c->entries[i], &c->entries[i + 1]) == 0)
            continue;
        err = cover_close(c, entry, &cover);
        if (err == 0)
            err = cover_left(c, entry, &c->begins, cover.begins_at);
        if (err == 0)
            err = cover_left(c, entry, &c->lines, cover.lines_at);
        if (err != 0)
            return err;
    }
    return 0;
}

int frame_check(struct frame_checker *c, const struct frame_view *frame, const char *path,
                uint64_t offset, struct diag *diag)
{
    struct frame_items items = frame->batches;
    struct slice blob;
    c->frame = frame;
    c->path = path;
    c->offset = offset;
    c->diag = diag;
    c->begins.count = 0;
    c->lines.count = 0;
    int err = read_entries(c);
    while (err == 0 && frame_next_blob(&blob, &items))
        err = check_blob(c, blob);
    return err == 0 ? check_cover(c) : err;
}
