/*
 * tests/app/sample_store.h - a store of random batches, and everything that is in it as a list.
 *
 *   topic         partitions   batches
 *   file          0            one format
 *   ...fw1        0 1          one format, records of one to three lines
 *   ...mixed      0 1          two formats at once: batches of a frame that overlap in offsets,
 *                              each in a blob or both in one
 *
 * Ownership: sample_open() fills a zeroed struct, sample_close() removes store and memory.
 * Threads:   one owner.
 */
#pragma once

#include "event/builder.h"
#include "tests/store/log_dir.h"
#include "tests/support/lines.h"

enum {
    SAMPLE_TOPICS = 3,
    SAMPLE_PARTITIONS = 2,
    SAMPLE_FORMATS = 2,
    SAMPLE_BATCHES_MAX = 400,
    SAMPLE_ROWS_MAX = 40000,
    SAMPLE_FRAME_RECORDS_MAX = 60,
};

#define SAMPLE_TIME_NS INT64_C(1763000000000000000)
#define SAMPLE_HOUR_NS INT64_C(3600000000000)

struct sample_row {
    struct slice topic;
    uint32_t tenant;
    int32_t partition;
    int64_t offset;
    uint32_t sub;
    const struct batch *batch; /* live, as built */
    uint32_t row;
};

/* The batches [first_batch, first_batch + count) are one blob. */
struct sample_blob {
    size_t first_batch;
    size_t count;
};

struct sample_topic {
    struct slice name;
    uint32_t tenant;
    int32_t partitions;
    uint32_t formats;
    uint32_t lines_max; /* of a record */
    int64_t next[SAMPLE_PARTITIONS];
};

struct sample_store {
    struct log_dir dir;
    struct lines lines;
    struct sample_topic topics[SAMPLE_TOPICS];
    struct batch *batches[SAMPLE_BATCHES_MAX];
    size_t batch_count;
    struct sample_blob blobs[SAMPLE_BATCHES_MAX]; /* in the order of the log */
    size_t blob_count;
    struct sample_row *rows; /* after sample_sort(): topic, partition, offset, sub */
    size_t row_count;
    struct codec *codec;
    struct store *store;
    int64_t tick_ns;
    int64_t hours; /* the rows arrive in so many by turns; 0: in one */
    bool few;      /* rows have verdicts, and some of them zones */
};

/* Batches that grow for a frame. */
struct sample_frame {
    struct batch *open[SAMPLE_FORMATS];
    struct buf blobs[SAMPLE_FORMATS];
    size_t blob_count;
    int64_t start[SAMPLE_PARTITIONS];
};

static inline struct batch *sample_batch(struct sample_store *s, const struct sample_topic *t,
                                         uint32_t format)
{
    assert_true(s->batch_count < SAMPLE_BATCHES_MAX);
    struct batch *b = batch_new();
    assert_non_null(b);
    b->tenant = t->tenant;
    b->format = (uint16_t)(1 + format);
    b->topic = t->name;
    b->source = SLICE("fw1");
    b->format_name = format == 0 ? SLICE("alpha") : SLICE("beta");
    s->batches[s->batch_count++] = b;
    return b;
}

/* Few values to a row that was appended last. */
static inline void sample_few(struct sample_store *s, struct batch *b)
{
    static const char *const ZONES[] = {"lgwan", "dmz", "internet", ""};
    uint32_t row = b->row_count - 1;
    uint32_t zone = lines_below(&s->lines, 6);
    b->verdict[row] = (uint8_t)lines_below(&s->lines, 4);
    if (zone >= sizeof(ZONES) / sizeof(ZONES[0]))
        return;
    struct column *c = batch_derived(b, FIELD_ZONE_SOURCE);
    assert_non_null(c);
    c->codes[row] = column_intern(b, c, slice_from(ZONES[zone]));
}

static inline void sample_line(struct sample_store *s, const struct sample_topic *t,
                               struct sample_frame *f, int32_t partition, uint32_t sub)
{
    lines_next(&s->lines, 9);
    uint32_t format = lines_below(&s->lines, t->formats);
    if (f->open[format] == NULL)
        f->open[format] = sample_batch(s, t, format);
    struct batch *b = f->open[format];
    const struct row row = {
        .bytes = slice_of(s->lines.line, s->lines.len),
        .slots = &s->lines.slots,
        .time_ns = SAMPLE_TIME_NS + (int64_t)lines_below(&s->lines, 1000000) * 1000,
        .arrival_ns = SAMPLE_TIME_NS +
                      (s->hours == 0 ? 0 : (int64_t)s->row_count % s->hours) * SAMPLE_HOUR_NS,
        .partition = partition,
        .sub = sub,
        .offset = t->next[partition],
    };
    if (sub == 0 && lines_below(&s->lines, 10) == 0) {
        struct extra flags = {.has_key = true};
        assert_int_equal(batch_extra(b, &flags, SLICE("key"), SLICE("\1h\2v")), 0);
    }
    assert_int_equal(batch_append(b, &row), 0);
    if (s->few)
        sample_few(s, b);
    assert_true(s->row_count < SAMPLE_ROWS_MAX);
    s->rows[s->row_count++] = (struct sample_row){.topic = t->name,
                                                  .tenant = t->tenant,
                                                  .partition = partition,
                                                  .offset = row.offset,
                                                  .sub = sub,
                                                  .batch = b,
                                                  .row = b->row_count - 1};
}

/* The frame's batches, in the order of their first rows, as blobs. */
static inline void sample_seal(struct sample_store *s, struct sample_frame *f, size_t first_batch)
{
    bool together = lines_below(&s->lines, 2) == 0;
    struct pack pack = {0};
    for (size_t i = first_batch; i < s->batch_count; i++) {
        assert_int_equal(pack_add(s->codec, &pack, s->batches[i]), 0);
        if (together && i + 1 < s->batch_count)
            continue;
        s->blobs[s->blob_count++] = (struct sample_blob){together ? first_batch : i, pack.count};
        assert_int_equal(pack_seal(s->codec, &pack, &f->blobs[f->blob_count++]), 0);
    }
    pack_release(&pack);
}

/* One frame of one topic through the store. */
static inline void sample_frame_append(struct sample_store *s, struct sample_topic *t)
{
    struct sample_frame f = {0};
    struct frame_range ranges[SAMPLE_PARTITIONS];
    struct frame_entry entries[SAMPLE_PARTITIONS];
    struct slice blobs[SAMPLE_FORMATS];
    struct frame_parts parts = {.tick_ns = ++s->tick_ns, .entries = entries, .batches = blobs};
    size_t first_batch = s->batch_count;
    memcpy(f.start, t->next, sizeof(f.start));
    uint32_t records = 1 + lines_below(&s->lines, SAMPLE_FRAME_RECORDS_MAX);
    for (uint32_t i = 0; i < records; i++) {
        int32_t partition = (int32_t)lines_below(&s->lines, (uint32_t)t->partitions);
        uint32_t lines = 1 + lines_below(&s->lines, t->lines_max);
        for (uint32_t sub = 0; sub < lines; sub++)
            sample_line(s, t, &f, partition, sub);
        t->next[partition]++;
    }
    sample_seal(s, &f, first_batch);
    for (size_t i = 0; i < f.blob_count; i++)
        blobs[parts.batch_count++] = buf_content(&f.blobs[i]);
    for (int32_t p = 0; p < t->partitions; p++) {
        if (f.start[p] == t->next[p])
            continue;
        ranges[p] = (struct frame_range){FRAME_RANGE_DATA, f.start[p], t->next[p], {NULL, 0}};
        entries[parts.entry_count++] =
            (struct frame_entry){t->name, p, f.start[p], t->next[p], &ranges[p], 1};
    }
    assert_int_equal(store_append(s->store, &parts), 0);
    for (size_t i = 0; i < SAMPLE_FORMATS; i++)
        buf_release(&f.blobs[i]);
}

static inline int sample_row_compare(const void *left, const void *right)
{
    const struct sample_row *a = left;
    const struct sample_row *b = right;
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

/* Whether row i begins a record. */
static inline bool sample_begins_record(const struct sample_store *s, size_t i)
{
    return i == 0 || s->rows[i].offset != s->rows[i - 1].offset ||
           s->rows[i].partition != s->rows[i - 1].partition ||
           !slice_equal(s->rows[i].topic, s->rows[i - 1].topic);
}

/* `frames` frames, rolling at file_bytes_max (0: one file). */
static inline void sample_open(struct sample_store *s, uint64_t seed, int frames,
                               uint64_t file_bytes_max)
{
    s->lines.state = seed;
    s->topics[0] = (struct sample_topic){SLICE("seclog.raw.052027.fw1"), 52027, 2, 1, 3, {5, 900}};
    s->topics[1] = (struct sample_topic){SLICE("seclog.raw.990001.mixed"), 990001, 2, 2, 3, {0}};
    s->topics[2] = (struct sample_topic){SLICE("file"), 52027, 1, 1, 1, {0}};
    s->rows = calloc(SAMPLE_ROWS_MAX, sizeof(*s->rows));
    s->codec = codec_new(1);
    assert_non_null(s->rows);
    assert_non_null(s->codec);
    log_dir_make(&s->dir);
    assert_int_equal(log_dir_open_with(&s->store, &s->dir, file_bytes_max, 0), 0);
    for (int i = 0; i < frames; i++)
        sample_frame_append(s, &s->topics[lines_below(&s->lines, SAMPLE_TOPICS)]);
    qsort(s->rows, s->row_count, sizeof(*s->rows), sample_row_compare);
}

static inline void sample_close(struct sample_store *s)
{
    store_close(s->store);
    for (size_t i = 0; i < s->batch_count; i++)
        batch_free(s->batches[i]);
    free(s->rows);
    codec_free(s->codec);
    log_dir_remove(&s->dir);
}
