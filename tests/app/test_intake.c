/* Records into parcels: every offset is covered once, and a parcel holds the rows of its offsets. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/intake.h"
#include "base/err.h"
#include "tests/ingest/padded.h"
#include "tests/support/lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Lines of a web server; of the second one alone nobody can tell it from a proxy's. */
#define COMBINED_LINE \
    "192.0.2.7 - - [21/Nov/2026:18:00:00 +0900] \"GET /index.html HTTP/1.1\" 200 3184"
#define COMMON_LINE \
    "192.0.2.7 - - [21/Nov/2026:18:00:00 +0900] \"GET http://www.example.com/ HTTP/1.1\" 200 3184"
#define START_NS INT64_C(1763715600000000000)

enum {
    PARTS_MAX = 4,
    KINDS_MAX = 64,
    LINE_BYTES_MAX = 512,
};

/* What emit() saw of a partition. */
struct seen {
    int64_t end; /* of the last entry; -1: none yet */
    int64_t first;
    enum frame_range_kind kinds[KINDS_MAX];
    size_t kind_count;
    uint64_t rows;
};

/* A desk and all that came out of it; records are "<partition>/<offset>/<line>\n" lines. */
struct desk {
    struct intake *in;
    struct stream *stream;
    struct codec *codec;
    struct seen seen[PARTS_MAX];
    size_t parcels;
    uint64_t rows;
    uint64_t rows_max;   /* of a parcel */
    struct slice reason; /* of the last range that is no data, in reason_text */
    char reason_text[128];
    int refuse; /* what emit() returns */
    char value[LINE_BYTES_MAX + SLICE_PADDING_BYTES];
};

static void check_entry(struct desk *d, const struct frame_entry *e)
{
    assert_true(slice_equal(e->topic, SLICE("seclog.raw.990001.fw1")));
    assert_in_range(e->partition, 0, PARTS_MAX - 1);
    struct seen *seen = &d->seen[e->partition];
    if (seen->end < 0)
        seen->first = e->off_start;
    else
        assert_int_equal(seen->end, e->off_start);
    assert_true(e->off_end > e->off_start);
    assert_true(e->range_count >= 1);
    int64_t at = e->off_start;
    for (size_t i = 0; i < e->range_count; i++) {
        const struct frame_range *r = &e->ranges[i];
        assert_int_equal(r->start, at);
        assert_true(r->end > r->start);
        assert_int_equal(r->reason.len == 0, r->kind == FRAME_RANGE_DATA);
        at = r->end;
        assert_true(seen->kind_count < KINDS_MAX || r->kind == FRAME_RANGE_DATA);
        if (seen->kind_count < KINDS_MAX)
            seen->kinds[seen->kind_count++] = r->kind;
        if (r->kind == FRAME_RANGE_DATA)
            continue;
        assert_true(r->reason.len < sizeof(d->reason_text));
        memcpy(d->reason_text, r->reason.data, r->reason.len);
        d->reason = slice_of(d->reason_text, r->reason.len);
    }
    assert_int_equal(at, e->off_end);
    seen->end = e->off_end;
}

/* Is the offset a data offset of the parcel? */
static bool covered(const struct parcel *p, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < p->entry_count; i++) {
        const struct frame_entry *e = &p->entries[i];
        for (size_t r = 0; e->partition == partition && r < e->range_count; r++) {
            if (e->ranges[r].kind == FRAME_RANGE_DATA && offset >= e->ranges[r].start &&
                offset < e->ranges[r].end)
                return true;
        }
    }
    return false;
}

/* Every row says itself where it belongs; count it. Returns the rows of the blob. */
static uint64_t check_blob(struct desk *d, const struct parcel *p, struct slice blob)
{
    struct pack_view view;
    struct batch_head head;
    struct batch *b = batch_new();
    struct buf line = {0};
    uint64_t rows = 0;
    int status = 0;
    assert_int_equal(pack_open(&view, blob), 0);
    while ((status = pack_next(&view, &head)) == 0) {
        batch_reset(b);
        assert_int_equal(head.tenant, 990001);
        assert_int_equal(codec_texts(d->codec, &head, b), 0);
        assert_int_equal(codec_rows(d->codec, &head, b, NULL), 0);
        for (uint32_t row = 0; row < b->row_count; row++) {
            int32_t partition = -1;
            int64_t offset = -1;
            batch_place(b, row, &partition, &offset);
            assert_true(covered(p, partition, offset));
            d->seen[partition].rows++;
            char want[64];
            int len = snprintf(want, sizeof(want), "%d/%lld/%u", partition, (long long)offset,
                               b->sub[row]);
            buf_reset(&line);
            assert_int_equal(batch_render(b, row, &line), 0);
            assert_true(line.len == 0 ||
                        slice_starts(buf_content(&line), slice_of(want, (size_t)len)));
        }
        rows += b->row_count;
    }
    assert_int_equal(status, ERR_NOTFOUND);
    buf_release(&line);
    batch_free(b);
    return rows;
}

static int emit(void *self, struct parcel *p)
{
    struct desk *d = self;
    uint64_t rows = 0;
    d->parcels++;
    assert_true(p->entry_count >= 1);
    assert_int_equal(p->tenant, 990001);
    for (size_t i = 0; i < p->entry_count; i++)
        check_entry(d, &p->entries[i]);
    for (size_t i = 0; i < p->blob_count; i++)
        rows += check_blob(d, p, p->blobs[i]);
    if (p->pack.count != 0) {
        struct buf blob = {0};
        assert_int_equal(pack_seal(d->codec, &p->pack, &blob), 0);
        rows += check_blob(d, p, buf_content(&blob));
        buf_release(&blob);
    }
    assert_int_equal(rows, p->rows);
    d->rows += rows;
    d->rows_max = rows > d->rows_max ? rows : d->rows_max;
    parcel_free(p);
    return d->refuse;
}

static const struct feed_environment NOTHING = {0};

static void add_stream(struct desk *d, struct stream **out)
{
    const struct feed_options feed = {.tenant = 990001,
                                      .topic = SLICE("seclog.raw.990001.fw1"),
                                      .source = SLICE("fw1"),
                                      .format = FORMAT_AUTO,
                                      .zone_minutes = 540};
    assert_int_equal(intake_stream(out, d->in, &feed), 0);
}

static void desk_open(struct desk *d, uint32_t batch_rows, int64_t age_ns, size_t open_bytes)
{
    *d = (struct desk){0};
    for (size_t i = 0; i < PARTS_MAX; i++)
        d->seen[i].end = -1;
    d->codec = codec_new(1);
    const struct intake_options options = {.environment = &NOTHING,
                                           .batch_rows = batch_rows,
                                           .batch_age_ns = age_ns,
                                           .open_bytes_max = open_bytes,
                                           .zstd_level = 1,
                                           .emit = emit,
                                           .self = d};
    assert_non_null(d->codec);
    assert_int_equal(intake_open(&d->in, &options), 0);
    add_stream(d, &d->stream);
}

static void desk_close(struct desk *d)
{
    intake_close(d->in);
    codec_free(d->codec);
}

/* A record of `lines` lines. */
static int put(struct desk *d, struct part *part, int32_t partition, int64_t offset, uint32_t lines)
{
    size_t len = 0;
    for (uint32_t sub = 0; sub < lines; sub++)
        len += (size_t)snprintf(d->value + len, LINE_BYTES_MAX - len, "%d/%lld/%u\n", partition,
                                (long long)offset, sub);
    const struct record record = {.partition = partition,
                                  .offset = offset,
                                  .arrival_ns = START_NS + offset,
                                  .reference_ns = START_NS,
                                  .value = slice_of(d->value, len)};
    return intake_record(part, &record);
}

/* Several partitions and lines a record, ticks now and then: nothing twice, nothing missing. */
static void test_contiguous(void **state)
{
    (void)state;
    struct desk d;
    struct part *parts[3];
    struct lines l = {.state = 9};
    int64_t next[3] = {0, 500, 7};
    uint64_t rows[3] = {0};
    int64_t now = START_NS;
    desk_open(&d, 64, 1000, SIZE_MAX);
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(intake_part(&parts[i], d.stream, i, i == 2 ? -1 : next[i]), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        int32_t at = (int32_t)lines_below(&l, 3);
        uint32_t lines = lines_below(&l, 4);
        assert_int_equal(put(&d, parts[at], at, next[at]++, lines), 0);
        rows[at] += lines == 0 ? 1 : lines;
        now += lines_below(&l, 40);
        assert_int_equal(intake_tick(d.in, now), 0);
    }
    assert_int_equal(intake_flush(d.in), 0);
    for (size_t i = 0; i < 3; i++) {
        static const int64_t FIRST[] = {0, 500, 7};
        assert_int_equal(d.seen[i].first, FIRST[i]);
        assert_int_equal(d.seen[i].end, next[i]);
        assert_int_equal(d.seen[i].rows, rows[i]);
    }
    assert_true(d.parcels > 50);
    size_t parcels = d.parcels;
    assert_int_equal(intake_flush(d.in), 0);
    assert_int_equal(d.parcels, parcels);
    desk_close(&d);
}

static void test_jumps(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, 100, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 10), 0);
    assert_int_equal(put(&d, part, 0, 12, 1), 0);
    assert_int_equal(put(&d, part, 0, 13, 2), 0);
    assert_int_equal(put(&d, part, 0, 13, 1), ERR_RANGE);
    assert_int_equal(put(&d, part, 0, 11, 1), ERR_RANGE);
    const struct frame_range lost = {
        .kind = FRAME_RANGE_LOST, .start = 14, .end = 20, .reason = SLICE("retention")};
    assert_int_equal(intake_range(part, &lost), 0);
    assert_true(slice_equal(d.reason, SLICE("retention")));
    assert_int_equal(d.seen[0].end, 20);
    const struct frame_range behind = {
        .kind = FRAME_RANGE_LOST, .start = 19, .end = 25, .reason = SLICE("retention")};
    const struct frame_range ahead = {
        .kind = FRAME_RANGE_LOST, .start = 21, .end = 25, .reason = SLICE("retention")};
    const struct frame_range empty = {
        .kind = FRAME_RANGE_LOST, .start = 20, .end = 20, .reason = SLICE("retention")};
    assert_int_equal(intake_range(part, &behind), ERR_RANGE);
    assert_int_equal(intake_range(part, &ahead), ERR_RANGE);
    assert_int_equal(intake_range(part, &empty), ERR_RANGE);
    assert_int_equal(put(&d, part, 0, 20, 1), 0);
    assert_int_equal(put(&d, part, 0, 25, 1), 0);
    assert_int_equal(intake_flush(d.in), 0);
    static const enum frame_range_kind WANT[] = {FRAME_RANGE_GAP,  FRAME_RANGE_DATA,
                                                 FRAME_RANGE_LOST, FRAME_RANGE_DATA,
                                                 FRAME_RANGE_GAP,  FRAME_RANGE_DATA};
    assert_int_equal(d.seen[0].kind_count, COUNT(WANT));
    for (size_t i = 0; i < COUNT(WANT); i++)
        assert_int_equal(d.seen[0].kinds[i], WANT[i]);
    assert_int_equal(d.seen[0].first, 10);
    assert_int_equal(d.seen[0].end, 26);
    assert_int_equal(d.seen[0].rows, 5);
    desk_close(&d);
}

/* A lost range may be the first that is known of a partition. */
static void test_lost_first(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, 100, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 1, -1), 0);
    const struct frame_range lost = {
        .kind = FRAME_RANGE_LOST, .start = 0, .end = 9, .reason = SLICE("retention")};
    assert_int_equal(intake_range(part, &lost), 0);
    assert_int_equal(put(&d, part, 1, 9, 1), 0);
    assert_int_equal(intake_flush(d.in), 0);
    assert_int_equal(d.seen[1].first, 0);
    assert_int_equal(d.seen[1].end, 10);
    desk_close(&d);
}

static void test_too_large(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    char *large = calloc(1, (size_t)BATCH_RECORD_BYTES_MAX + 1 + SLICE_PADDING_BYTES);
    assert_non_null(large);
    desk_open(&d, 100, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    assert_int_equal(put(&d, part, 0, 0, 3), 0);
    const struct record record = {.offset = 4,
                                  .arrival_ns = START_NS,
                                  .reference_ns = START_NS,
                                  .value = slice_of(large, (size_t)BATCH_RECORD_BYTES_MAX + 1)};
    assert_int_equal(intake_record(part, &record), 0);
    assert_true(slice_equal(d.reason, SLICE("record of 67108865 bytes, more than 67108864")));
    assert_int_equal(put(&d, part, 0, 5, 1), 0);
    assert_int_equal(intake_flush(d.in), 0);
    static const enum frame_range_kind WANT[] = {FRAME_RANGE_DATA, FRAME_RANGE_GAP,
                                                 FRAME_RANGE_QUARANTINE, FRAME_RANGE_DATA};
    assert_int_equal(d.seen[0].kind_count, COUNT(WANT));
    for (size_t i = 0; i < COUNT(WANT); i++)
        assert_int_equal(d.seen[0].kinds[i], WANT[i]);
    assert_int_equal(d.seen[0].rows, 4);
    assert_int_equal(d.seen[0].end, 6);
    free(large);
    desk_close(&d);
}

/* More lines than can be judged at once stay with the broker. */
static void test_too_many_lines(void **state)
{
    (void)state;
    static const size_t LINES = DETECT_ROWS_MAX + 1;
    struct desk d;
    struct part *part = NULL;
    char *lines = calloc(1, LINES + SLICE_PADDING_BYTES);
    assert_non_null(lines);
    memset(lines, '\n', LINES);
    desk_open(&d, 100, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    assert_int_equal(put(&d, part, 0, 0, 3), 0);
    const struct record record = {.offset = 1,
                                  .arrival_ns = START_NS,
                                  .reference_ns = START_NS,
                                  .value = slice_of(lines, LINES)};
    assert_int_equal(intake_record(part, &record), 0);
    assert_true(slice_equal(d.reason, SLICE("record of 1048577 lines, more than 1048576")));
    assert_int_equal(put(&d, part, 0, 2, 1), 0);
    assert_int_equal(intake_flush(d.in), 0);
    static const enum frame_range_kind WANT[] = {FRAME_RANGE_DATA, FRAME_RANGE_QUARANTINE,
                                                 FRAME_RANGE_DATA};
    assert_int_equal(d.seen[0].kind_count, COUNT(WANT));
    for (size_t i = 0; i < COUNT(WANT); i++)
        assert_int_equal(d.seen[0].kinds[i], WANT[i]);
    assert_int_equal(d.seen[0].rows, 4);
    free(lines);
    desk_close(&d);
}

static int count_rows(void *self, struct parcel *p)
{
    uint64_t *rows = self;
    for (const struct parcel *next = p; next != NULL; next = next->next)
        *rows += next->rows;
    parcel_free(p);
    return 0;
}

/* As many as can be judged at once, while other rows of the municipality wait: all are judged. */
static void test_most_lines(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct watch *watch = NULL;
    struct desk d = {0};
    struct part *part = NULL;
    struct part *other = NULL;
    struct stream *another = NULL;
    struct diag diag = {0};
    uint64_t rows = 0;
    char *lines = calloc(1, DETECT_ROWS_MAX + SLICE_PADDING_BYTES);
    assert_non_null(lines);
    memset(lines, '\n', DETECT_ROWS_MAX);
    assert_int_equal(config_load(&config, NULL, &diag), 0);
    const struct watch_options watching = {.config = config, .seed = 1};
    assert_int_equal(watch_new(&watch, &watching), 0);
    const struct intake_options options = {.environment = &NOTHING,
                                           .batch_rows = BATCH_LIVE_ROWS_MAX,
                                           .batch_age_ns = INT64_MAX,
                                           .open_bytes_max = SIZE_MAX,
                                           .zstd_level = 1,
                                           .watch = watch,
                                           .emit = count_rows,
                                           .self = &rows};
    assert_int_equal(intake_open(&d.in, &options), 0);
    add_stream(&d, &d.stream);
    add_stream(&d, &another);
    assert_int_equal(intake_part(&other, another, 1, 0), 0);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    assert_int_equal(put(&d, other, 1, 0, 3), 0);
    const struct record record = {.arrival_ns = START_NS,
                                  .reference_ns = START_NS,
                                  .value = slice_of(lines, DETECT_ROWS_MAX)};
    assert_int_equal(intake_record(part, &record), 0);
    assert_int_equal(intake_flush(d.in), 0);
    assert_int_equal(rows, DETECT_ROWS_MAX + 3);
    intake_close(d.in);
    watch_free(watch);
    config_free(config);
    diag_release(&diag);
    free(lines);
}

static void test_tick(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, 100, 1000, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    assert_int_equal(intake_tick(d.in, 5000), 0);
    assert_int_equal(put(&d, part, 0, 0, 1), 0);
    assert_int_equal(intake_tick(d.in, 5000), 0);
    assert_int_equal(intake_tick(d.in, 5999), 0);
    assert_int_equal(d.parcels, 0);
    assert_int_equal(intake_tick(d.in, 6000), 0);
    assert_int_equal(d.parcels, 1);
    assert_int_equal(intake_tick(d.in, 9000), 0);
    assert_int_equal(d.parcels, 1);
    assert_int_equal(put(&d, part, 0, 1, 1), 0);
    assert_int_equal(intake_tick(d.in, 9999), 0);
    assert_int_equal(d.parcels, 1);
    assert_int_equal(intake_tick(d.in, 10001), 0);
    assert_int_equal(d.parcels, 2);
    desk_close(&d);
}

/* A batch that would not hold a whole record closes before it; a larger record stays together. */
static void test_full_batch(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, 10, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(put(&d, part, 0, i, 3), 0);
    assert_int_equal(d.parcels, 0);
    assert_int_equal(put(&d, part, 0, 3, 3), 0);
    assert_int_equal(d.parcels, 1);
    assert_int_equal(d.rows, 9);
    assert_int_equal(put(&d, part, 0, 4, 25), 0);
    assert_int_equal(d.seen[0].end, 5);
    assert_int_equal(d.rows_max, 25);
    assert_int_equal(d.rows, 37);
    assert_int_equal(intake_flush(d.in), 0);
    assert_int_equal(d.seen[0].rows, 37);
    desk_close(&d);
}

/* Records that are nothing, and what comes with them. */
static void test_empty_records(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, 10, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    struct record record = {.arrival_ns = START_NS, .reference_ns = START_NS, .null_value = true};
    assert_int_equal(intake_record(part, &record), 0);
    record = (struct record){.offset = 1, .arrival_ns = START_NS, .reference_ns = START_NS};
    record.has_key = true;
    record.value = slice_of(d.value, 0);
    assert_int_equal(intake_record(part, &record), 0);
    assert_int_equal(intake_flush(d.in), 0);
    assert_int_equal(d.seen[0].rows, 2);
    assert_int_equal(d.seen[0].end, 2);
    desk_close(&d);
}

static void test_memory(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, BATCH_LIVE_ROWS_MAX, INT64_MAX, 1);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(put(&d, part, 0, i, 1), 0);
    assert_int_equal(d.parcels, 10);
    desk_close(&d);
}

/* Memory that batches keep for their next use does not close those that are open. */
static void test_spare_memory(void **state)
{
    (void)state;
    enum {
        LONG_BYTES = 3 << 20
    };
    struct desk d;
    struct part *part = NULL;
    char *text = malloc(LONG_BYTES + SLICE_PADDING_BYTES);
    assert_non_null(text);
    memset(text, 'x', LONG_BYTES + SLICE_PADDING_BYTES);
    static const char START[] = {'0', '/', '0', '/', '0'};
    memcpy(text, START, sizeof(START));
    desk_open(&d, BATCH_LIVE_ROWS_MAX, 1000, 1 << 20);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    const struct record record = {
        .arrival_ns = START_NS, .reference_ns = START_NS, .value = slice_of(text, LONG_BYTES)};
    assert_int_equal(intake_record(part, &record), 0);
    assert_int_equal(d.parcels, 1);
    struct stream *quiet = NULL;
    add_stream(&d, &quiet);
    assert_int_equal(intake_part(&part, quiet, 1, 0), 0);
    for (int64_t i = 0; i < 20; i++)
        assert_int_equal(put(&d, part, 1, i, 1), 0);
    assert_int_equal(d.parcels, 1);
    free(text);
    desk_close(&d);
}

/* What emit() says is what the record's giver hears. */
static void test_refused(void **state)
{
    (void)state;
    struct desk d;
    struct part *part = NULL;
    desk_open(&d, 2, INT64_MAX, SIZE_MAX);
    assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
    assert_int_equal(put(&d, part, 0, 0, 2), 0);
    d.refuse = ERR_IO;
    assert_int_equal(put(&d, part, 0, 1, 1), ERR_IO);
    desk_close(&d);
}

/* Rows of each batch of a chain in its order, and as its turns have them. */
struct turns_seen {
    struct codec *codec;
    size_t chains;   /* with turns */
    uint32_t format; /* of the last batch */
};

static int check_turns(void *self, struct parcel *chain)
{
    struct turns_seen *seen = self;
    assert(chain != NULL);
    uint64_t rows[KINDS_MAX] = {0};
    uint64_t want[KINDS_MAX] = {0};
    size_t count = 0;
    struct turns t;
    uint32_t batch = 0;
    uint64_t turn = 0;
    for (struct parcel *p = chain; p != NULL; p = p->next) {
        struct buf blob = {0};
        struct pack_view view;
        struct batch_head head;
        for (size_t i = 0; i <= p->blob_count; i++) {
            if (i == p->blob_count && p->pack.count == 0)
                break;
            if (i == p->blob_count)
                assert_int_equal(pack_seal(seen->codec, &p->pack, &blob), 0);
            assert_int_equal(
                pack_open(&view, i == p->blob_count ? buf_content(&blob) : p->blobs[i]), 0);
            while (pack_next(&view, &head) == 0) {
                assert_true(count < KINDS_MAX);
                rows[count++] = head.row_count;
            }
        }
        buf_release(&blob);
    }
    if (chain->order.len != 0) {
        assert_int_equal(turns_open(&t, buf_content(&chain->order)), 0);
        assert_int_equal(t.batches, count);
        while (turns_next(&t, &batch, &turn))
            want[batch] += turn;
        assert_memory_equal(rows, want, sizeof(rows));
        seen->chains++;
    }
    parcel_free(chain);
    return 0;
}

/*
 * Of a mixed stream a batch is full before the record ends, while another source has an open one:
 * turns and batches are in the same order, or no restart could judge the rows again.
 */
static void test_turns_of_a_mixed_stream(void **state)
{
    (void)state;
    enum {
        LONG_BYTES = 300000,
        ROUNDS = 40
    };
    struct desk d;
    struct stream *streams[2];
    struct part *parts[2];
    desk_open(&d, 64, INT64_MAX, SIZE_MAX);
    intake_close(d.in);
    struct turns_seen seen = {.codec = d.codec};
    const struct intake_options options = {.environment = &NOTHING,
                                           .batch_rows = 64,
                                           .batch_age_ns = INT64_MAX,
                                           .open_bytes_max = SIZE_MAX,
                                           .zstd_level = 1,
                                           .emit = check_turns,
                                           .self = &seen};
    assert_int_equal(intake_open(&d.in, &options), 0);
    struct buf line = {0};
    buf_text(&line, "{\"time\":\"2026-11-21T18:00:00+09:00\",\"text\":\"");
    for (size_t i = 0; i < LONG_BYTES; i++)
        buf_byte(&line, 'a');
    buf_text(&line, "\"}");
    struct slice long_line = buf_content(&line);
    assert_non_null(buf_reserve(&line, SLICE_PADDING_BYTES));
    long_line.data = line.data;
    struct slice short_line = padded_copy(SLICE("nobody's short line"));
    for (int32_t i = 0; i < 2; i++) {
        add_stream(&d, &streams[i]);
        assert_int_equal(intake_part(&parts[i], streams[i], i, 0), 0);
    }
    for (uint32_t i = 0; i < 3 * ROUNDS; i++) {
        bool first = i % 3 == 0;
        const struct record record = {.partition = first ? 0 : 1,
                                      .offset = first ? i / 3 : i - i / 3 - 1,
                                      .arrival_ns = START_NS + i,
                                      .reference_ns = START_NS,
                                      .value = first ? long_line : short_line};
        assert_int_equal(intake_record(parts[record.partition], &record), 0);
    }
    assert_int_equal(intake_flush(d.in), 0);
    assert_true(seen.chains > 5);
    buf_release(&line);
    padded_free(short_line);
    desk_close(&d);
}

/* Keeps the format of the last batch. */
static int take_format(void *self, struct parcel *chain)
{
    struct turns_seen *seen = self;
    struct buf blob = {0};
    struct pack_view view;
    struct batch_head head;
    assert(chain != NULL);
    if (chain->pack.count != 0) {
        assert_int_equal(pack_seal(seen->codec, &chain->pack, &blob), 0);
        assert_int_equal(pack_open(&view, buf_content(&blob)), 0);
        while (pack_next(&view, &head) == 0)
            seen->format = head.format;
    }
    buf_release(&blob);
    parcel_free(chain);
    return 0;
}

/* A line of which only the source's habit tells the format: in the next run as in this one. */
static void test_habit_of_a_source(void **state)
{
    (void)state;
    struct desk d;
    struct config *config = NULL;
    struct watch *watch = NULL;
    struct diag diag = {0};
    assert_int_equal(config_load(&config, NULL, &diag), 0);
    const struct watch_options watching = {.config = config, .seed = 5};
    assert_int_equal(watch_new(&watch, &watching), 0);
    desk_open(&d, 64, INT64_MAX, SIZE_MAX);
    struct turns_seen seen = {.codec = d.codec};
    const struct intake_options options = {.environment = &NOTHING,
                                           .batch_rows = 64,
                                           .batch_age_ns = INT64_MAX,
                                           .open_bytes_max = SIZE_MAX,
                                           .zstd_level = 1,
                                           .watch = watch,
                                           .emit = take_format,
                                           .self = &seen};
    static const struct {
        const char *line;
        uint32_t records;
        uint16_t format;
    } RUNS[] = {
        {COMMON_LINE, 1, FORMAT_SQUID}, /* nothing is known of the source */
        {COMBINED_LINE, 2 * FORMAT_HABIT_LEAD, FORMAT_COMBINED},
        {COMMON_LINE, 1, FORMAT_COMBINED},
    };
    for (size_t run = 0; run < sizeof(RUNS) / sizeof(RUNS[0]); run++) {
        struct part *part = NULL;
        intake_close(d.in);
        assert_int_equal(intake_open(&d.in, &options), 0);
        add_stream(&d, &d.stream);
        assert_int_equal(intake_part(&part, d.stream, 0, 0), 0);
        struct slice line = padded_copy(slice_from(RUNS[run].line));
        for (uint32_t i = 0; i < RUNS[run].records; i++) {
            const struct record record = {
                .offset = i, .arrival_ns = START_NS + i, .reference_ns = START_NS, .value = line};
            assert_int_equal(intake_record(part, &record), 0);
        }
        padded_free(line);
        assert_int_equal(intake_flush(d.in), 0);
        assert_int_equal(seen.format, RUNS[run].format);
    }
    desk_close(&d);
    watch_free(watch);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contiguous),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_lost_first),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_too_many_lines),
        cmocka_unit_test(test_most_lines),
        cmocka_unit_test(test_tick),
        cmocka_unit_test(test_full_batch),
        cmocka_unit_test(test_empty_records),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_spare_memory),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_turns_of_a_mixed_stream),
        cmocka_unit_test(test_habit_of_a_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
