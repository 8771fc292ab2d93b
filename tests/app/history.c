/* tests/app/history.c - histories of chance. */
#include "tests/app/history.h"

static struct batch *history_batch(struct history *h, struct history_topic *t, uint32_t format)
{
    if (t->open[format] != NULL)
        return t->open[format];
    assert_true(h->batch_count < HISTORY_BATCHES_MAX);
    struct batch *b = batch_new();
    assert_non_null(b);
    b->tenant = t->tenant;
    b->format = h->shape.formats[format];
    if (b->format == 0)
        b->format = (uint16_t)(1 + format);
    b->topic = t->name;
    b->source = SLICE("fw1");
    b->zone_minutes = (uint16_t)(32768 + 540);
    b->generation = 1 + (uint32_t)(h->hour / 50);
    b->format_name = format == 0 ? SLICE("alpha") : SLICE("beta");
    t->open[format] = b;
    h->batches[h->batch_count++] = b;
    return b;
}

/* When a record came: nearly always now, else hours ago, or without a time. */
static int64_t history_arrival(struct history *h)
{
    int64_t hour = h->hour;
    if (lines_below(&h->lines, 500) == 0)
        return -1;
    if (lines_below(&h->lines, 100) < h->shape.late_share)
        hour -= 1 + lines_below(&h->lines, (uint32_t)h->shape.late_hours);
    return HISTORY_TIME_NS + hour * HISTORY_HOUR_NS +
           (int64_t)lines_below(&h->lines, 1000000) * 1000;
}

static void history_extra(struct history *h, struct batch *b)
{
    const struct extra flags = {.has_key = lines_below(&h->lines, 2) == 0};
    assert_int_equal(
        batch_extra(b, &flags, flags.has_key ? SLICE("key") : (struct slice){0},
                    lines_below(&h->lines, 2) == 0 ? SLICE("\1h\2v") : (struct slice){0}),
        0);
}

static void history_line(struct history *h, struct history_topic *t, int32_t partition,
                         uint32_t sub, int64_t arrival_ns)
{
    uint32_t format = lines_below(&h->lines, HISTORY_FORMATS);
    struct batch *b = history_batch(h, t, format);
    lines_next(&h->lines, 9);
    const struct row row = {
        .bytes = slice_of(h->lines.line, h->lines.len),
        .slots = &h->lines.slots,
        .time_ns = arrival_ns - (int64_t)lines_below(&h->lines, 90000) * 1000000,
        .arrival_ns = arrival_ns,
        .partition = partition,
        .sub = sub,
        .offset = t->next[partition],
        .reason = lines_below(&h->lines, 40) == 0 ? REASON_FORMAT_MISMATCH : REASON_NONE,
        .time_source = (uint8_t)lines_below(&h->lines, TIME_SOURCE_COUNT),
    };
    if (sub == 0 && lines_below(&h->lines, 10) == 0)
        history_extra(h, b);
    assert_int_equal(batch_append(b, &row), 0);
    b->verdict[b->row_count - 1] = (uint8_t)lines_below(&h->lines, 7);
    assert_true(h->row_count < HISTORY_ROWS_MAX);
    h->rows[h->row_count++] = (struct history_row){.topic = t->name,
                                                   .tenant = t->tenant,
                                                   .partition = partition,
                                                   .offset = row.offset,
                                                   .sub = sub,
                                                   .batch = b,
                                                   .row = b->row_count - 1};
}

/* What enrichment adds: a country for some rows of some batches. */
static void history_derive(struct history *h, struct batch *b)
{
    if (lines_below(&h->lines, 2) == 0)
        return;
    struct column *country = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_non_null(country);
    for (uint32_t i = 0; i < b->row_count; i++) {
        if (lines_below(&h->lines, 3) != 0)
            country->codes[i] = column_intern(
                b, country, lines_below(&h->lines, 4) == 0 ? SLICE("JP") : SLICE("US"));
    }
}

static void history_records(struct history *h, struct history_topic *t)
{
    uint32_t records = 1 + lines_below(&h->lines, h->shape.records_max);
    memset(t->open, 0, sizeof(t->open));
    for (uint32_t i = 0; i < records; i++) {
        int32_t partition = (int32_t)lines_below(&h->lines, HISTORY_PARTITIONS);
        uint32_t lines = lines_below(&h->lines, 5) == 0 ? 1 + lines_below(&h->lines, 3) : 1;
        int64_t arrival_ns = history_arrival(h);
        for (uint32_t sub = 0; sub < lines; sub++)
            history_line(h, t, partition, sub, arrival_ns);
        t->next[partition]++;
    }
}

/* Numbers of the rows of a batch, in the order in which it goes into the frame. */
static void history_number(struct history *h, const struct batch *b, size_t first_row)
{
    uint64_t *count = &h->leaf_counts[history_tenant(b->tenant)];
    for (size_t i = first_row; i < h->row_count; i++) {
        if (h->rows[i].batch != b)
            continue;
        h->rows[i].leaf = *count + h->rows[i].row;
        h->rows[i].seq = store_last_seq(h->store) + 1;
    }
    *count += b->row_count;
}

/* Batches in an order of chance; packed together, one by one, or by municipality. */
static size_t history_pack(struct history *h, size_t first_batch, size_t first_row,
                           struct buf blobs[HISTORY_OPEN_MAX])
{
    struct pack pack = {0};
    size_t blob_count = 0;
    size_t count = h->batch_count - first_batch;
    struct batch **batches = h->batches + first_batch;
    uint32_t way = lines_below(&h->lines, 3);
    for (size_t i = count; i > 1; i--) {
        size_t other = lines_below(&h->lines, (uint32_t)i);
        struct batch *b = batches[i - 1];
        batches[i - 1] = batches[other];
        batches[other] = b;
    }
    for (size_t i = 0; i < count; i++) {
        history_derive(h, batches[i]);
        assert_int_equal(pack_add(h->codec, &pack, batches[i]), 0);
        history_number(h, batches[i], first_row);
        bool together =
            way == 0 || (way == 1 && i + 1 < count && batches[i + 1]->tenant == batches[i]->tenant);
        if (together && i + 1 < count)
            continue;
        assert_int_equal(pack_seal(h->codec, &pack, &blobs[blob_count++]), 0);
    }
    pack_release(&pack);
    return blob_count;
}

/* Offsets that have no rows behind those that have: of every kind, and records that are claimed only. */
static size_t history_others(struct history *h, int64_t *next, struct frame_range *out)
{
    static const char *const REASONS[FRAME_RANGE_KIND_COUNT] = {"", "no record", "bad \"CRC\"",
                                                                "deleted"};
    size_t count = 0;
    if (h->shape.hole_share != 0 && lines_below(&h->lines, 1000) < h->shape.hole_share) {
        out[count++] = (struct frame_range){FRAME_RANGE_DATA, *next, *next + 1, {NULL, 0}};
        h->kinds[FRAME_RANGE_DATA]++;
    }
    while (h->shape.other_share != 0 && count < HISTORY_OTHERS_MAX &&
           lines_below(&h->lines, 100) < h->shape.other_share) {
        uint32_t kind = 1 + lines_below(&h->lines, FRAME_RANGE_KIND_COUNT - 1);
        int64_t start = count == 0 ? *next : out[count - 1].end;
        int64_t len = 1 + lines_below(&h->lines, kind == FRAME_RANGE_LOST ? 1000 : 3);
        out[count++] = (struct frame_range){kind, start, start + len, slice_from(REASONS[kind])};
        h->kinds[kind] += (uint64_t)len;
    }
    *next = count == 0 ? *next : out[count - 1].end;
    return count;
}

static int history_append(struct history *h)
{
    struct frame_range ranges[HISTORY_TENANTS * HISTORY_TOPICS * HISTORY_PARTITIONS]
                             [1 + HISTORY_OTHERS_MAX];
    struct frame_entry entries[HISTORY_TENANTS * HISTORY_TOPICS * HISTORY_PARTITIONS];
    struct slice batches[HISTORY_OPEN_MAX];
    struct buf blobs[HISTORY_OPEN_MAX] = {0};
    struct frame_parts parts = {.tick_ns = HISTORY_TIME_NS + h->hour * HISTORY_HOUR_NS,
                                .entries = entries,
                                .batches = batches};
    size_t first_batch = h->batch_count;
    size_t first_row = h->row_count;
    bool alone = lines_below(&h->lines, 3) == 0;
    size_t tenants = h->shape.tenants == 0 ? HISTORY_TENANTS : h->shape.tenants;
    size_t only = lines_below(&h->lines, (uint32_t)tenants);
    for (size_t i = 0; i < tenants * HISTORY_TOPICS; i++) {
        struct history_topic *t = &h->topics[i];
        int64_t start[HISTORY_PARTITIONS];
        memcpy(start, t->next, sizeof(start));
        if (alone ? i / HISTORY_TOPICS == only : lines_below(&h->lines, 2) == 0)
            history_records(h, t);
        for (int32_t p = 0; p < HISTORY_PARTITIONS; p++) {
            size_t at = parts.entry_count;
            size_t count = start[p] != t->next[p];
            ranges[at][0] = (struct frame_range){FRAME_RANGE_DATA, start[p], t->next[p], {NULL, 0}};
            count += history_others(h, &t->next[p], &ranges[at][count]);
            if (count == 0)
                continue;
            entries[parts.entry_count++] =
                (struct frame_entry){t->name, p, start[p], t->next[p], ranges[at], count};
        }
    }
    size_t count = history_pack(h, first_batch, first_row, blobs);
    for (size_t i = 0; i < count; i++)
        batches[parts.batch_count++] = buf_content(&blobs[i]);
    int err = parts.entry_count == 0 ? 0 : store_append(h->store, &parts);
    for (size_t i = 0; i < count; i++)
        buf_release(&blobs[i]);
    h->hour += lines_below(&h->lines, h->shape.hour_step + 1);
    return err;
}

int history_row_compare(const void *left, const void *right)
{
    const struct history_row *a = left;
    const struct history_row *b = right;
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

/* Append frames; rows are sorted afterwards. */
void history_grow(struct history *h, int frames)
{
    for (int i = 0; i < frames; i++)
        assert_int_equal(history_append(h), 0);
    qsort(h->rows, h->row_count, sizeof(*h->rows), history_row_compare);
}

/* In the folder that h->dir names. */
void history_begin(struct history *h, uint64_t seed, const struct history_shape *shape)
{
    static const char *const NAMES[] = {"seclog.raw.052027.fw1", "seclog.raw.052027.proxy",
                                        "seclog.raw.131016.fw1", "seclog.raw.131016.proxy",
                                        "seclog.raw.272272.fw1", "seclog.raw.272272.proxy",
                                        "seclog.raw.990001.fw1", "seclog.raw.990001.proxy"};
    static_assert(COUNT(NAMES) == (size_t)HISTORY_TENANTS * HISTORY_TOPICS, "a name each");
    h->lines.state = seed;
    h->shape = *shape;
    for (size_t i = 0; i < COUNT(NAMES); i++)
        h->topics[i] = (struct history_topic){.name = slice_from(NAMES[i]),
                                              .tenant = HISTORY_CODES[i / HISTORY_TOPICS]};
    h->rows = calloc(HISTORY_ROWS_MAX, sizeof(*h->rows));
    h->codec = codec_new(1);
    assert_non_null(h->rows);
    assert_non_null(h->codec);
    uint64_t file_bytes = shape->log_file_bytes == 0 ? 1 << 20 : shape->log_file_bytes;
    assert_int_equal(log_dir_open_with(&h->store, &h->dir, file_bytes, 0), 0);
}

void history_open(struct history *h, uint64_t seed, const struct history_shape *shape)
{
    log_dir_make(&h->dir);
    history_begin(h, seed, shape);
}

void history_end(struct history *h)
{
    store_close(h->store);
    for (size_t i = 0; i < h->batch_count; i++)
        batch_free(h->batches[i]);
    free(h->rows);
    codec_free(h->codec);
}

void history_close(struct history *h)
{
    history_end(h);
    log_dir_remove(&h->dir);
}
