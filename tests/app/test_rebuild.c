/* Judging a log again: turns that fit its batches, and all that do not. */
#include <string.h>

#include "app/rebuild.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/builder.h"
#include "store/snapshot.h"
#include "tests/store/log_dir.h"

enum {
    TENANT = 990001,
    ROWS = 3, /* of a batch */
    BATCHES = 2,
    ITEM_BYTES_MAX = 256,
};

#define ARRIVAL_NS INT64_C(1763715600000000000)

/* One frame with two batches of a municipality and these turns; then the log is judged. */
static int judge(const struct slice *order, size_t count, struct rebuild_stats *stats)
{
    struct log_dir d;
    struct store *store = NULL;
    struct codec *codec = codec_new(1);
    struct pack pack = {0};
    struct buf blob = {0};
    log_dir_make(&d);
    assert_non_null(codec);
    assert_int_equal(log_dir_open(&store, &d), 0);
    for (int64_t at = 0; at < BATCHES; at++) {
        struct batch *b = batch_new();
        assert_non_null(b);
        b->tenant = TENANT;
        b->topic = SLICE("seclog.raw.990001.fw1");
        b->source = SLICE("fw1");
        b->format_name = SLICE("auto");
        for (int64_t i = 0; i < ROWS; i++) {
            const struct row row = {.bytes = SLICE("a line\n"),
                                    .arrival_ns = ARRIVAL_NS,
                                    .reason = REASON_FORMAT_MISMATCH,
                                    .offset = at * ROWS + i};
            assert_int_equal(batch_append(b, &row), 0);
        }
        assert_int_equal(pack_add(codec, &pack, b), 0);
        batch_free(b);
    }
    assert_int_equal(pack_seal(codec, &pack, &blob), 0);
    const struct slice batch = buf_content(&blob);
    const struct frame_range range = {FRAME_RANGE_DATA, 0, (int64_t)BATCHES * ROWS, {NULL, 0}};
    const struct frame_entry entry = {SLICE("seclog.raw.990001.fw1"), 0, 0, range.end, &range, 1};
    const struct frame_parts parts = {.tick_ns = ARRIVAL_NS,
                                      .entries = &entry,
                                      .entry_count = 1,
                                      .batches = &batch,
                                      .batch_count = 1,
                                      .order = {.items = order, .count = count}};
    assert_int_equal(store_append(store, &parts), 0);
    store_close(store);

    struct config *config = NULL;
    struct watch *watch = NULL;
    struct diag diag = {0};
    assert_int_equal(config_load(&config, NULL, &diag), 0);
    const struct watch_options watching = {.config = config, .seed = 1};
    assert_int_equal(watch_new(&watch, &watching), 0);
    const struct rebuild_options options = {.dir = d.path, .watch = watch};
    int status = rebuild_run(&options, stats, &diag);
    assert_true((status != 0) == (diag.count != 0));
    diag_release(&diag);
    watch_free(watch);
    config_free(config);
    pack_release(&pack);
    buf_release(&blob);
    codec_free(codec);
    log_dir_remove(&d);
    return status;
}

static void put_turns(struct buf *out, uint32_t tenant, uint32_t first, const char *of)
{
    struct buf item = {0};
    uint32_t places[ITEM_BYTES_MAX];
    uint32_t batches = 0;
    size_t rows = strlen(of);
    assert_true(rows <= ITEM_BYTES_MAX);
    for (size_t i = 0; i < rows; i++) {
        places[i] = (uint32_t)(of[i] - '0');
        batches = places[i] >= batches ? places[i] + 1 : batches;
    }
    turns_put(&item, tenant, batches, places, rows);
    turns_move(out, buf_content(&item), first);
    buf_release(&item);
}

static void test_fitting(void **state)
{
    (void)state;
    struct buf item = {0};
    struct rebuild_stats stats;
    put_turns(&item, TENANT, 0, "011010");
    const struct slice order = buf_content(&item);
    assert_int_equal(judge(&order, 1, &stats), 0);
    assert_int_equal(stats.rows, (uint64_t)BATCHES * ROWS);
    assert_int_equal(judge(NULL, 0, &stats), 0);
    assert_int_equal(stats.rows, (uint64_t)BATCHES * ROWS);
    buf_release(&item);
}

/* Too many batches, too few rows, of nobody, of batches elsewhere: refused, never half judged. */
static void test_not_fitting(void **state)
{
    (void)state;
    static const struct {
        uint32_t tenant;
        uint32_t first;
        const char *of;
    } BAD[] = {
        {TENANT, 0, "011010222"},       {TENANT, 0, "01010"},  {TENANT, 0, "0110101"},
        {TENANT + 18, 0, "011010"},     {TENANT, 1, "000111"}, {TENANT, 2, "000111"},
        {TENANT, UINT32_MAX, "000111"},
    };
    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct buf item = {0};
        struct rebuild_stats stats;
        put_turns(&item, BAD[i].tenant, BAD[i].first, BAD[i].of);
        const struct slice order = buf_content(&item);
        assert_int_equal(judge(&order, 1, &stats), ERR_CORRUPT);
        buf_release(&item);
    }
}

/* Two items that speak of the same batches. */
static void test_twice(void **state)
{
    (void)state;
    struct buf items[2] = {{0}, {0}};
    struct slice order[2];
    struct rebuild_stats stats;
    for (size_t i = 0; i < 2; i++) {
        put_turns(&items[i], TENANT, 0, "000111");
        order[i] = buf_content(&items[i]);
    }
    assert_int_equal(judge(order, 2, &stats), ERR_CORRUPT);
    for (size_t i = 0; i < 2; i++)
        buf_release(&items[i]);
}

/* -------------------------------------------------------------------- states that are missing */

enum {
    MUNICIPALITIES = 2, /* TENANT and the next */
};

static const char *const TOPICS[MUNICIPALITIES] = {"seclog.raw.990001.fw1",
                                                   "seclog.raw.990002.fw1"};

/* A frame with a row of each; no tick since that of before. */
static void append_rows(struct store *store, int64_t offset, int64_t tick_ns)
{
    struct codec *codec = codec_new(1);
    struct pack pack = {0};
    struct buf blob = {0};
    struct frame_range ranges[MUNICIPALITIES];
    struct frame_entry entries[MUNICIPALITIES];
    assert_non_null(codec);
    for (uint32_t t = 0; t < MUNICIPALITIES; t++) {
        struct batch *b = batch_new();
        assert_non_null(b);
        b->tenant = TENANT + t;
        b->topic = slice_from(TOPICS[t]);
        b->source = SLICE("fw1");
        b->format_name = SLICE("auto");
        const struct row row = {.bytes = SLICE("a line\n"),
                                .arrival_ns = ARRIVAL_NS + offset,
                                .time_ns = ARRIVAL_NS + offset,
                                .reason = REASON_FORMAT_MISMATCH,
                                .offset = offset};
        assert_int_equal(batch_append(b, &row), 0);
        assert_int_equal(pack_add(codec, &pack, b), 0);
        batch_free(b);
        ranges[t] = (struct frame_range){FRAME_RANGE_DATA, offset, offset + 1, {NULL, 0}};
        entries[t] =
            (struct frame_entry){slice_from(TOPICS[t]), 0, offset, offset + 1, &ranges[t], 1};
    }
    assert_int_equal(pack_seal(codec, &pack, &blob), 0);
    const struct slice batch = buf_content(&blob);
    const struct frame_parts parts = {.tick_ns = tick_ns,
                                      .entries = entries,
                                      .entry_count = MUNICIPALITIES,
                                      .batches = &batch,
                                      .batch_count = 1};
    assert_int_equal(store_append(store, &parts), 0);
    pack_release(&pack);
    buf_release(&blob);
    codec_free(codec);
}

/* A frame with a tick, at which both had a state. */
static void append_tick(struct store *store, int64_t tick_ns)
{
    struct frame_watermark marks[MUNICIPALITIES];
    for (uint32_t t = 0; t < MUNICIPALITIES; t++)
        marks[t] = (struct frame_watermark){.tenant = TENANT + t, .time_ns = ARRIVAL_NS};
    const struct frame_parts parts = {
        .tick_ns = tick_ns, .watermarks = marks, .watermark_count = MUNICIPALITIES};
    assert_int_equal(store_append(store, &parts), 0);
}

struct states {
    struct buf images[MUNICIPALITIES];
};

static void take_state(void *self, uint32_t tenant, struct detect_tenant *t)
{
    struct states *s = self;
    assert_in_range(tenant, TENANT, TENANT + MUNICIPALITIES - 1);
    assert_int_equal(detect_tenant_image(t, &s->images[tenant - TENANT]), 0);
}

/* The states that the log gives, in a fresh watch; returns how many snapshots served. */
static size_t states_of(struct states *out, const struct log_dir *d, bool from_start)
{
    struct config *config = NULL;
    struct watch *watch = NULL;
    struct diag diag = {0};
    struct rebuild_stats stats;
    *out = (struct states){0};
    assert_int_equal(config_load(&config, NULL, &diag), 0);
    const struct watch_options watching = {.config = config, .seed = 1};
    assert_int_equal(watch_new(&watch, &watching), 0);
    const struct rebuild_options options = {
        .dir = d->path, .watch = watch, .from_start = from_start};
    assert_int_equal(rebuild_run(&options, &stats, &diag), 0);
    watch_each(watch, take_state, out);
    diag_release(&diag);
    watch_free(watch);
    config_free(config);
    return stats.snapshots;
}

static void states_release(struct states *s)
{
    for (size_t i = 0; i < MUNICIPALITIES; i++)
        buf_release(&s->images[i]);
}

/* Rows of both, a tick whose snapshots are kept of those in `kept`. */
static void append_second(struct store *store, const struct log_dir *d, int64_t second,
                          unsigned kept)
{
    struct states states;
    int64_t tick_ns = ARRIVAL_NS + second * CLOCK_NS_PER_SECOND;
    append_rows(store, 2 * second, tick_ns);
    append_rows(store, 2 * second + 1, tick_ns);
    struct snapshot_place place = {.at = store_position(store)};
    append_tick(store, tick_ns + CLOCK_NS_PER_SECOND);
    (void)states_of(&states, d, true);
    for (uint32_t t = 0; t < MUNICIPALITIES; t++) {
        struct snapshot *s = NULL;
        if ((kept >> t & 1) == 0)
            continue;
        assert_int_equal(snapshot_make(&s, TENANT + t, buf_content(&states.images[t])), 0);
        assert_int_equal(snapshot_write(s, d->path, &place), 0);
        snapshot_free(s);
    }
    states_release(&states);
}

/*
 * A process that dies between the snapshots of a tick leaves some municipalities without: their rows
 * before it are judged all the same.
 */
static void test_missing_snapshots(void **state)
{
    (void)state;
    static const struct {
        unsigned kept[2]; /* of the first and of the second tick, a bit each */
        size_t serve;
    } CASES[] = {
        {{0, 0}, 0}, {{1, 0}, 0}, {{2, 0}, 0}, {{3, 0}, 2}, {{0, 1}, 0}, {{0, 2}, 0},
        {{0, 3}, 2}, {{1, 1}, 0}, {{2, 2}, 0}, {{1, 2}, 2}, {{2, 1}, 2}, {{3, 1}, 2},
        {{3, 2}, 2}, {{1, 3}, 2}, {{2, 3}, 2}, {{3, 3}, 2},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct log_dir d;
        struct store *store = NULL;
        struct states want;
        struct states got;
        log_dir_make(&d);
        assert_int_equal(log_dir_open(&store, &d), 0);
        append_second(store, &d, 0, CASES[i].kept[0]);
        append_second(store, &d, 1, CASES[i].kept[1]);
        append_rows(store, 4, store_last_tick_ns(store));
        store_close(store);
        (void)states_of(&want, &d, true);
        assert_int_equal(states_of(&got, &d, false), CASES[i].serve);
        for (size_t t = 0; t < MUNICIPALITIES; t++) {
            assert_true(want.images[t].len != 0);
            assert_true(slice_equal(buf_content(&got.images[t]), buf_content(&want.images[t])));
        }
        states_release(&want);
        states_release(&got);
        log_dir_remove(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fitting),
        cmocka_unit_test(test_not_fitting),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_missing_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
