/* The marks of a disk that fills up, and the forecast of when it does, against a day-by-day model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/disk_room.h"
#include "app/forecast.h"
#include "base/err.h"
#include "base/log.h"

static int parse(struct disk_limit *out, const char *text)
{
    return disk_limit_parse(out, slice_from(text));
}

static void test_limits(void **state)
{
    (void)state;
    struct disk_limit l = {0};
    static const char *const WRONG[] = {"",    "%",   "0%",  "x%",       "1.%",  ".5%", "1.2.3%",
                                        "-1%", "1x%", "1 %", "1.00001%", "15 %", "GiB"};
    assert_int_equal(parse(&l, "15%"), 0);
    assert_int_equal(l.share_ppm, 150000);
    assert_int_equal(parse(&l, "2.5%"), 0);
    assert_int_equal(l.share_ppm, 25000);
    assert_int_equal(parse(&l, "0.0001%"), 0);
    assert_int_equal(l.share_ppm, 1);
    assert_int_equal(parse(&l, "99%"), 0);
    assert_int_equal(parse(&l, "200GiB"), 0);
    assert_int_equal(l.share_ppm, 0);
    assert_int_equal(l.bytes, UINT64_C(200) << 30);
    const struct disk_limit before = l;
    assert_int_equal(parse(&l, "99.5%"), ERR_RANGE);
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_not_equal(parse(&l, WRONG[i]), 0);
    assert_memory_equal(&l, &before, sizeof(l));
}

static void test_marks(void **state)
{
    (void)state;
    struct config *c = NULL;
    struct diag diag = {0};
    struct disk_room r = {0};
    static const char TEXT[] = "data: /nowhere\n"
                               "disk: {warn: 20%, stop_compaction: 10%, pause: 50}\n";
    assert_int_equal(config_load_past(&c, slice_from(TEXT), &diag), 0);
    disk_room_init(&r, c);
    disk_room_take(&r, 250, 1000);
    assert_false(r.below[DISK_WARN]);
    disk_room_take(&r, 199, 1000);
    assert_true(r.below[DISK_WARN]);
    assert_false(r.below[DISK_STOP_COMPACTION]);
    disk_room_take(&r, 219, 1000); /* not yet a tenth more */
    assert_true(r.below[DISK_WARN]);
    disk_room_take(&r, 220, 1000);
    assert_false(r.below[DISK_WARN]);
    disk_room_take(&r, 49, 1000);
    assert_true(r.below[DISK_WARN] && r.below[DISK_STOP_COMPACTION] && r.below[DISK_PAUSE]);
    assert_true(atomic_load(&r.paused) && atomic_load(&r.no_compaction));
    disk_room_take(&r, 54, 1000);
    assert_true(atomic_load(&r.paused));
    disk_room_take(&r, 55, 1000);
    assert_false(atomic_load(&r.paused));
    assert_true(atomic_load(&r.no_compaction));
    disk_room_take(&r, 1000, 1000);
    assert_false(atomic_load(&r.no_compaction));
    config_free(c);
    c = NULL;
    assert_int_equal(config_load_past(&c, SLICE("data: /nowhere\ndisk: {warn: lots}\n"), &diag),
                     ERR_CONF);
    assert_non_null(strstr(diag_text(&diag), "\"lots\""));
    diag_release(&diag);
}

enum {
    HOUR = 489722,
    DAYS = 30,
};

/* A store of DAYS days, an hour of which takes `bytes`; kept for `keep_days`. */
static void fill(struct forecast *f, uint64_t bytes, int64_t keep_days)
{
    forecast_begin(f, HOUR * SEGMENT_HOUR_NS + 5);
    for (int64_t hour = HOUR - DAYS * 24; hour < HOUR; hour++) {
        const struct segment_info s = {.name = {.hour = hour}, .bytes = bytes};
        forecast_add(f, &s, (hour + 1 + keep_days * 24) * SEGMENT_HOUR_NS);
    }
}

static void test_forecast(void **state)
{
    (void)state;
    struct forecast *f = calloc(1, sizeof(*f));
    const int64_t day_ns = 24 * SEGMENT_HOUR_NS;
    assert_non_null(f);
    forecast_begin(f, HOUR * SEGMENT_HOUR_NS);
    assert_int_equal(forecast_daily(f), 0);
    assert_int_equal(forecast_days(f, 1 << 30, day_ns), -1);
    /* Nothing is due for years: what is free, by what comes. */
    fill(f, 1000, 3000);
    assert_int_equal(forecast_daily(f), 24000);
    assert_int_equal(f->stored_bytes, 1000 * 24 * DAYS);
    assert_int_equal(f->first_due_ns, (HOUR - DAYS * 24 + 1 + 3000 * 24) * SEGMENT_HOUR_NS);
    assert_int_equal(forecast_days(f, 240000, 3000 * day_ns), 10);
    assert_int_equal(forecast_days(f, 0, 3000 * day_ns), 0);
    /* As much is due each day as comes: it suffices for ever. */
    fill(f, 1000, DAYS);
    assert_int_equal(forecast_days(f, 48000, DAYS * day_ns), -1);
    /* It takes ten days more than the disk has until the first rows are due. */
    fill(f, 1000, DAYS + 20);
    assert_int_equal(forecast_days(f, 240000, (DAYS + 20) * day_ns), 10);
    assert_int_equal(forecast_days(f, UINT64_C(24000) * 25, (DAYS + 20) * day_ns), -1);
    /* A new store: the mean of the hours that it has. */
    forecast_begin(f, HOUR * SEGMENT_HOUR_NS);
    const struct segment_info s = {.name = {.hour = HOUR - 2}, .bytes = 500};
    forecast_add(f, &s, INT64_MAX);
    assert_int_equal(forecast_daily(f), 6000);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_forecast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
