/* Judging a log again: turns that fit its batches, and all that do not. */
#include <string.h>

#include "app/rebuild.h"
#include "base/err.h"
#include "event/builder.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fitting),
        cmocka_unit_test(test_not_fitting),
        cmocka_unit_test(test_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
