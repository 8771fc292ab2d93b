#include "app/evidence.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "app/long_term.h"
#include "app/sieve.h"

/* ------------------------------------------------------------------------------ places */

/* Cut the decimal number behind the last slash off the text. */
static int take_number(int64_t *out, struct slice *text, int64_t max)
{
    size_t at = text->len;
    int64_t value = 0;
    while (at > 0 && text->data[at - 1] != '/')
        at--;
    if (at == 0 || at == text->len || text->len - at > 19)
        return ERR_FORMAT;
    for (size_t i = at; i < text->len; i++) {
        int64_t digit = text->data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > max)
            return ERR_FORMAT;
    }
    *out = value;
    text->len = at - 1;
    return 0;
}

int evidence_parse(struct evidence_place *out, struct slice text)
{
    int64_t sub = 0;
    int64_t offset = 0;
    int64_t partition = 0;
    int err = take_number(&sub, &text, UINT32_MAX);
    if (err == 0)
        err = take_number(&offset, &text, INT64_MAX);
    if (err == 0)
        err = take_number(&partition, &text, INT32_MAX);
    if (err != 0 || text.len == 0)
        return ERR_FORMAT;
    *out = (struct evidence_place){
        .topic = text, .partition = (int32_t)partition, .offset = offset, .sub = (uint32_t)sub};
    return 0;
}

static int compare_places(const struct evidence_place *a, const struct evidence_place *b)
{
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

static int compare_items(const void *a, const void *b)
{
    const struct evidence *x = a;
    const struct evidence *y = b;
    return compare_places(&x->place, &y->place);
}

/* ------------------------------------------------------------------------------ the search */

struct search {
    struct evidence *items; /* sorted by place */
    size_t count;
    size_t left; /* not found yet */
    struct sieve_query query;
    struct sieve *sieve;
    struct log_walk walk;
};

/* The first item that is not before a place. */
static size_t lower_bound(const struct search *s, const struct evidence_place *place)
{
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_places(&s->items[middle].place, place) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The row of the batch in the sieve that stands at the item's place, if one does. */
static int take_row(struct search *s, struct evidence *item)
{
    const struct sieve *v = s->sieve;
    for (uint32_t i = 0; i < v->row_count; i++) {
        uint32_t row = v->rows[i];
        if (v->offsets[row] != item->place.offset || v->batch->sub[row] != item->place.sub)
            continue;
        int err = batch_render(v->batch, row, &item->line);
        if (err == 0) {
            item->found = true;
            s->left--;
        }
        return err;
    }
    return 0;
}

static int look_in_blob(struct search *s, struct slice blob, struct evidence *item)
{
    int err = sieve_open(s->sieve, (struct stored_blob){.pack = blob});
    while (err == 0 && !item->found) {
        err = sieve_next(s->sieve);
        if (err == 0)
            err = take_row(s, item);
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static int look_in_frame(struct search *s, const struct frame_view *frame, struct evidence *item)
{
    struct frame_items batches = frame->batches;
    struct slice blob;
    int err = 0;
    s->query.topic = item->place.topic;
    s->query.partition = item->place.partition;
    while (err == 0 && !item->found && frame_next_blob(&blob, &batches))
        err = look_in_blob(s, blob, item);
    if (err != ERR_CORRUPT)
        return err;
    diag_add(s->walk.diag, log_reader_path(s->walk.reader), 0, 0,
             "frame %" PRIu64 ": the batches here are damaged", frame->link.seq);
    s->walk.damage++;
    return 0;
}

static int look_at_entry(struct search *s, const struct frame_view *frame,
                         const struct frame_entry_view *entry)
{
    const struct evidence_place from = {
        .topic = entry->topic, .partition = entry->partition, .offset = entry->off_start};
    int err = 0;
    for (size_t i = lower_bound(s, &from); i < s->count && err == 0; i++) {
        struct evidence *item = &s->items[i];
        if (item->place.offset >= entry->off_end || item->place.partition != entry->partition ||
            !slice_equal(item->place.topic, entry->topic))
            break;
        if (!item->found)
            err = look_in_frame(s, frame, item);
    }
    return err;
}

static int look_at_frame(struct search *s, const struct frame_view *frame)
{
    struct frame_items entries = frame->entries;
    struct frame_entry_view entry;
    int err = 0;
    while (err == 0 && s->left != 0 && frame_next_entry(&entry, &entries))
        err = look_at_entry(s, frame, &entry);
    return err;
}

/* Whether a run of the block at hand holds an item that is not found yet. */
static bool is_wanted(const struct search *s, const struct batch *b)
{
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        const struct evidence_place from = {
            .topic = b->topic, .partition = run->partition, .offset = run->first_offset};
        for (size_t at = lower_bound(s, &from); at < s->count; at++) {
            const struct evidence_place *place = &s->items[at].place;
            if (place->partition != run->partition || !slice_equal(place->topic, b->topic) ||
                place->offset - run->first_offset >= (int64_t)run->count)
                break;
            if (!s->items[at].found)
                return true;
        }
    }
    return false;
}

/* Take the items that stand in the decoded block. */
static int take_all(struct search *s)
{
    const struct sieve *v = s->sieve;
    int err = 0;
    for (uint32_t row = 0; row < v->batch->row_count && err == 0; row++) {
        const struct evidence_place at = {.topic = v->head.topic,
                                          .partition = v->partitions[row],
                                          .offset = v->offsets[row],
                                          .sub = v->batch->sub[row]};
        for (size_t i = lower_bound(s, &at);
             i < s->count && err == 0 && compare_places(&s->items[i].place, &at) == 0; i++) {
            if (s->items[i].found)
                continue;
            err = batch_render(v->batch, row, &s->items[i].line);
            s->items[i].found = err == 0;
            s->left -= err == 0;
        }
    }
    return err;
}

static bool is_topic_wanted(const struct search *s, struct slice topic)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->items[i].found && slice_equal(s->items[i].place.topic, topic))
            return true;
    }
    return false;
}

/* A group of a segment: first where its rows stand, then blocks with a wanted one as a whole. */
static int look_in_group(struct search *s, struct stored_blob blob)
{
    struct sieve *v = s->sieve;
    int err = is_topic_wanted(s, blob.group->topic) ? sieve_open(v, blob) : ERR_NOTFOUND;
    while (err == 0 && s->left != 0) {
        v->whole = false;
        v->parts = PART_PLACES;
        err = sieve_next(v);
        if (err != 0 || !is_wanted(s, v->batch))
            continue;
        const struct batch_head head = v->head;
        v->whole = true;
        err = sieve_take(v, &head);
        if (err == 0) {
            sieve_places(v);
            err = take_all(s);
        }
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

/* What is no longer in the log, or never was. */
static int look_in_segments(struct search *s, const char *dir, struct diag *diag)
{
    const struct long_term_wish wish = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    struct long_term t = {0};
    int err = long_term_open(&t, dir, &wish, diag);
    s->query = (struct sieve_query){.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    for (size_t i = t.group_count; i > 0 && err == 0 && s->left != 0; i--) {
        err = look_in_group(s, (struct stored_blob){.group = t.groups[i - 1]});
        if (err == ERR_CORRUPT) {
            diag_add(diag, segment_file(t.segments[t.segment_of[i - 1]]), 0, 0,
                     "a block here is damaged");
            err = 0;
        }
    }
    long_term_close(&t);
    return err;
}

int evidence_find(struct evidence *items, size_t count, const struct evidence_log *log,
                  struct diag *diag)
{
    struct frame_view frame;
    size_t said = diag->count;
    struct search s = {
        .items = items,
        .count = count,
        .left = count,
        .query = {.has_partition = true, .since_ns = INT64_MIN, .until_ns = INT64_MAX}};
    if (count == 0)
        return 0;
    qsort(items, count, sizeof(*items), compare_items);
    int err = sieve_new(&s.sieve, &s.query);
    if (err != 0)
        return err;
    assert(s.sieve != NULL);
    s.sieve->whole = true;
    err = log_walk_open(&s.walk, log->dir, log->from_newest, diag);
    while (err == 0 && s.left != 0) {
        err = log_walk_next(&frame, &s.walk);
        if (err == 0)
            err = look_at_frame(&s, &frame);
    }
    err = err == ERR_AGAIN ? 0 : err;
    log_walk_explain(log->dir, err, said, diag);
    log_walk_close(&s.walk);
    if (err == 0 && s.left != 0 && !log->from_newest)
        err = look_in_segments(&s, log->dir, diag);
    sieve_free(s.sieve);
    return err;
}
