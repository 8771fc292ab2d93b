/* A municipality's desk: the turns of its batches, its alerts' way out, and when its state is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/ward.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/builder.h"

#define START (INT64_C(1790521200) * CLOCK_NS_PER_SECOND)

enum {
    TENANT = 990001,
    PLACES = 12000,
    BATCHES = 9,
};

static struct batch *batch_of(struct ward *w, const uint32_t *places, uint32_t rows)
{
    struct batch *b = batch_new();
    assert_non_null(b);
    b->tenant = TENANT;
    b->topic = SLICE("seclog.raw.990001.fw1");
    b->source = SLICE("fw1");
    b->format_name = SLICE("auto");
    for (uint32_t i = 0; i < rows; i++) {
        const struct row row = {.bytes = SLICE("a line\n"),
                                .arrival_ns = START,
                                .reason = REASON_FORMAT_MISMATCH,
                                .offset = w->order + i};
        assert_int_equal(batch_append(b, &row), 0);
        b->order[i] = places[i];
    }
    return b;
}

static struct parcel *parcel_new(void)
{
    struct parcel *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    return p;
}

/* Rows of several batches in random turns: the chain's turns give the same batch for each row. */
static void test_turns(void **state)
{
    (void)state;
    struct ward *w = NULL;
    uint32_t *of = calloc(PLACES, sizeof(*of));
    uint32_t *places = calloc(PLACES, sizeof(*places));
    assert_non_null(of);
    assert_non_null(places);
    assert_int_equal(ward_new(&w, TENANT, NULL), 0);
    for (unsigned round = 0; round < 3; round++) {
        struct parcel *chain = parcel_new();
        for (uint32_t i = 0; i < PLACES; i++)
            of[i] = (i * 7 + i / 13 + round) % BATCHES;
        w->order = PLACES;
        for (uint32_t batch = 0; batch < BATCHES; batch++) {
            uint32_t rows = 0;
            for (uint32_t i = 0; i < PLACES; i++) {
                if (of[i] == batch)
                    places[rows++] = i;
            }
            struct batch *b = batch_of(w, places, rows);
            assert_int_equal(ward_batch(w, b), 0);
            batch_free(b);
        }
        assert_int_equal(ward_judge(w, chain), 0);
        struct turns t;
        uint32_t batch = 0;
        uint64_t rows = 0;
        uint32_t at = 0;
        assert_int_equal(turns_open(&t, buf_content(&chain->order)), 0);
        assert_int_equal(t.tenant, TENANT);
        assert_int_equal(t.batches, BATCHES);
        while (turns_next(&t, &batch, &rows)) {
            for (; rows != 0; rows--)
                assert_int_equal(of[at++], batch);
        }
        assert_int_equal(at, PLACES);
        assert_int_equal(w->order, 0);
        parcel_free(chain);
    }
    free(of);
    free(places);
    ward_free(w);
}

/* One batch after the other needs no turns. */
static void test_no_turns(void **state)
{
    (void)state;
    static const uint32_t PLACE[] = {0, 1, 2};
    struct ward *w = NULL;
    struct parcel *chain = parcel_new();
    assert_int_equal(ward_new(&w, TENANT, NULL), 0);
    struct batch *b = batch_of(w, PLACE, 3);
    w->order = 3;
    assert_int_equal(ward_batch(w, b), 0);
    assert_int_equal(ward_judge(w, chain), 0);
    assert_int_equal(chain->order.len, 0);
    assert_int_equal(chain->alert_count, 0);
    batch_free(b);
    parcel_free(chain);
    ward_free(w);
}

/* An alert as ward.c keeps it. */
static void keep(struct ward *w, uint32_t revision)
{
    const struct alert_record record = {
        .tenant = w->tenant, .revision = revision, .line = SLICE("{}")};
    size_t at = w->alerts.len;
    buf_put32(&w->alerts, 0);
    alert_record_put(&w->alerts, &record);
    bytes_put32(w->alerts.data + at, (uint32_t)(w->alerts.len - at - 4));
    w->alert_count++;
}

/* Alerts of several municipalities in one mark: all of them, in their order, each once. */
static void test_alerts(void **state)
{
    (void)state;
    struct ward *wards[2];
    struct parcel *mark = parcel_new();
    struct slice items[8];
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(ward_new(&wards[i], TENANT + i, NULL), 0);
    keep(wards[0], 1);
    keep(wards[0], 2);
    ward_give_alerts(wards[0], mark);
    ward_give_alerts(wards[0], mark);
    keep(wards[1], 3);
    ward_give_alerts(wards[1], mark);
    keep(wards[0], 4);
    ward_give_alerts(wards[0], mark);
    assert_int_equal(mark->alert_count, 4);
    assert_int_equal(parcel_items(items, 8, buf_content(&mark->alerts)), 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct alert_record record;
        assert_int_equal(alert_record_take(&record, items[i]), 0);
        assert_int_equal(record.revision, i + 1);
        assert_int_equal(record.tenant, i == 2 ? TENANT + 1 : TENANT);
    }
    for (uint32_t i = 0; i < 2; i++)
        ward_free(wards[i]);
    parcel_free(mark);
}

/* Ticks until a snapshot is made, with room for one a tick. */
static unsigned ticks_to_snapshot(struct ward *w)
{
    for (unsigned ticks = 1;; ticks++) {
        struct parcel *mark = parcel_new();
        unsigned left = 1;
        assert_int_equal(ward_snapshot(w, &left, mark), 0);
        bool made = mark->snapshots != NULL;
        assert_int_equal(left, made ? 0 : 1);
        parcel_free(mark);
        if (made)
            return ticks;
        assert_true(ticks < 100000);
    }
}

/* A new municipality's state is kept at once, then when judging again would take long. */
static void test_snapshots(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct watch *watch = NULL;
    struct ward *w = NULL;
    struct diag diag = {0};
    assert_int_equal(config_load(&config, NULL, &diag), 0);
    const struct watch_options options = {.config = config, .seed = 5};
    assert_int_equal(watch_new(&watch, &options), 0);
    assert_int_equal(ward_new(&w, TENANT, watch), 0);
    struct parcel *first = parcel_new();
    unsigned left = 0;
    assert_int_equal(ward_snapshot(w, &left, first), 0);
    assert_non_null(first->snapshots); /* also when others have used up the tick's share */
    assert_int_equal(left, 0);
    assert_int_equal(first->snapshots->tenant, TENANT);
    uint8_t hash[HASH_ID_BYTES];
    struct buf image = {0};
    assert_int_equal(detect_tenant_image(w->detect, &image), 0);
    hash_content(hash, buf_content(&image));
    buf_release(&image);
    assert_memory_equal(hash, first->snapshots->hash, HASH_ID_BYTES);
    assert_int_equal(ticks_to_snapshot(w), 300);
    w->rows = 1u << 20;
    assert_int_equal(ticks_to_snapshot(w), 1);
    assert_int_equal(ticks_to_snapshot(w), 300);
    w->rows = 1u << 20;
    struct parcel *full = parcel_new();
    assert_int_equal(ward_snapshot(w, &left, full), 0);
    assert_null(full->snapshots);
    assert_int_equal(ticks_to_snapshot(w), 1);
    parcel_free(first);
    parcel_free(full);
    ward_free(w);
    watch_free(watch);
    config_free(config);
    diag_release(&diag);
}

/* A day that ends before the last one: the clock was set back, and nobody is the worse for it. */
static void test_midnight_back(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct watch *watch = NULL;
    struct diag diag = {0};
    struct buf set = {0};
    const int64_t day_ns = 86400 * CLOCK_NS_PER_SECOND;
    assert_int_equal(config_load(&config, NULL, &diag), 0);
    const struct watch_options options = {.config = config, .seed = 5};
    assert_int_equal(watch_new(&watch, &options), 0);
    assert_int_equal(watch_midnight(watch, (struct slice){0}, 20000 * day_ns, &set), 0);
    assert_true(set.len > 0);
    buf_reset(&set);
    assert_int_equal(watch_midnight(watch, (struct slice){0}, 19999 * day_ns, &set), 0);
    assert_int_equal(set.len, 0);
    assert_int_equal(watch_midnight(watch, (struct slice){0}, -day_ns, &set), 0);
    assert_int_equal(set.len, 0);
    assert_int_equal(watch_midnight(watch, (struct slice){0}, 20001 * day_ns, &set), 0);
    assert_true(set.len > 0);
    buf_release(&set);
    watch_free(watch);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),         cmocka_unit_test(test_no_turns),
        cmocka_unit_test(test_alerts),        cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_midnight_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
