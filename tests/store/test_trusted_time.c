/* The trusted time: never later than the true one while one clock alone is wrong; what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "store/trusted_time.h"

#define HOUR_NS (60 * CLOCK_NS_PER_MINUTE)
#define START   INT64_C(1763000000000000000)

static const char BOOT[] = "11111111-2222-3333-4444-555555555555";

static void look(struct trusted_time *t, int64_t system_ns, int64_t boot_ns, int64_t witness_ns)
{
    const struct time_look l = {
        .system_ns = system_ns, .boot_ns = boot_ns, .boot_id = BOOT, .witness_ns = witness_ns};
    trusted_time_look(t, &l);
}

static void test_steps(void **state)
{
    (void)state;
    struct trusted_time t = {0};
    assert_int_equal(trusted_time_now(&t, START), CLOCK_NONE);
    look(&t, START, HOUR_NS, CLOCK_NONE);
    assert_int_equal(t.time_ns, START);
    assert_int_equal(t.since_ns, START);
    look(&t, START + HOUR_NS, 2 * HOUR_NS, CLOCK_NONE);
    assert_int_equal(t.time_ns, START + HOUR_NS);
    /* A year forward, which nobody confirms: an hour passed, and a thousandth. */
    look(&t, START + 8760 * HOUR_NS, 3 * HOUR_NS, CLOCK_NONE);
    assert_int_equal(t.time_ns, START + 2 * HOUR_NS + HOUR_NS / TRUSTED_DRIFT_PARTS);
    /* Nor does one that confirms an earlier time move anything. */
    look(&t, START + 8760 * HOUR_NS, 3 * HOUR_NS, START);
    assert_int_equal(t.time_ns, START + 2 * HOUR_NS + HOUR_NS / TRUSTED_DRIFT_PARTS);
    /* Back again. */
    look(&t, START + 3 * HOUR_NS, 4 * HOUR_NS, CLOCK_NONE);
    assert_int_equal(t.time_ns, START + 3 * HOUR_NS);
    /* A day without a look in another boot; then brokers say what time it is. */
    look(&t, START + 27 * HOUR_NS, HOUR_NS, CLOCK_NONE);
    assert_int_equal(t.time_ns, START + 3 * HOUR_NS);
    look(&t, START + 27 * HOUR_NS, HOUR_NS, START + 26 * HOUR_NS);
    assert_int_equal(t.time_ns, START + 26 * HOUR_NS);
    /* Brokers alone cannot go beyond the system clock. */
    look(&t, START + 27 * HOUR_NS, HOUR_NS, START + 1000 * HOUR_NS);
    assert_int_equal(t.time_ns, START + 27 * HOUR_NS);
    assert_int_equal(t.since_ns, START);
}

static void test_below(void **state)
{
    (void)state;
    struct trusted_time t = {0};
    look(&t, START + 87600 * HOUR_NS, HOUR_NS,
         CLOCK_NONE); /* ten years too late at the first look */
    look(&t, START, 2 * HOUR_NS - 1, CLOCK_NONE);
    assert_int_equal(t.time_ns, START + 87600 * HOUR_NS);
    assert_int_equal(trusted_time_now(&t, START), START);
    look(&t, START + 1, 2 * HOUR_NS, CLOCK_NONE); /* for an hour now */
    assert_int_equal(t.time_ns, START + 1);
    assert_int_equal(t.since_ns, START + 1);
    look(&t, START + 87600 * HOUR_NS, 2 * HOUR_NS, CLOCK_NONE);
    assert_int_equal(t.time_ns, START + 1);
    /* A short step back changes nothing. */
    look(&t, START - 100 * HOUR_NS, 2 * HOUR_NS + 1, CLOCK_NONE);
    assert_int_equal(trusted_time_now(&t, START - 100 * HOUR_NS), START - 100 * HOUR_NS);
    look(&t, START + HOUR_NS, 3 * HOUR_NS, CLOCK_NONE);
    assert_true(t.time_ns > START + HOUR_NS - HOUR_NS / 2 && t.time_ns <= START + HOUR_NS);
}

static uint64_t draw(uint64_t *x, uint64_t below)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*x >> 33) % below;
}

/*
 * Whatever the system clock or the brokers do, as long as one of them is right at a time: the
 * trusted time is never later than the true one by more than the drift.
 */
static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t x = seed;
        struct trusted_time t = {0};
        int64_t now = START;
        int64_t boot = HOUR_NS;
        int64_t off = 0;
        int64_t spent = 0; /* while it may have drifted */
        look(&t, now, boot, CLOCK_NONE);
        for (int i = 0; i < 400; i++) {
            int64_t step = (int64_t)draw(&x, 3600) * CLOCK_NS_PER_SECOND;
            bool slept = draw(&x, 40) == 0;
            now += step;
            boot = slept ? (int64_t)draw(&x, 1000) : boot + step;
            spent += step;
            if (draw(&x, 8) == 0)
                off = draw(&x, 2) == 0 ? 0 : ((int64_t)draw(&x, 20000) - 10000) * HOUR_NS;
            bool brokers_right = off != 0 || draw(&x, 2) == 0;
            int64_t witness = draw(&x, 3) == 0 ? CLOCK_NONE
                              : brokers_right  ? now - (int64_t)draw(&x, 600) * CLOCK_NS_PER_SECOND
                                               : now + (int64_t)draw(&x, 1000) * HOUR_NS;
            look(&t, now + off, boot, witness);
            assert_true(trusted_time_now(&t, now + off) <= now + spent / TRUSTED_DRIFT_PARTS);
            assert_true(t.since_ns <= START + spent);
        }
        /* With both right it comes back. */
        look(&t, now, boot, now);
        if (t.time_ns <= now)
            assert_int_equal(t.time_ns, now);
    }
}

static void test_witness(void **state)
{
    (void)state;
    const int64_t stamps[] = {5, 9, 7, 9, CLOCK_NONE};
    assert_int_equal(trusted_time_witness(stamps, 0), CLOCK_NONE);
    assert_int_equal(trusted_time_witness(stamps, 1), CLOCK_NONE);
    assert_int_equal(trusted_time_witness(stamps, 2), 5);
    assert_int_equal(trusted_time_witness(stamps, 3), 7);
    assert_int_equal(trusted_time_witness(stamps, 5), 9);
}

/* What is written is read; whatever byte is changed, it is refused. */
static void test_file(void **state)
{
    (void)state;
    char dir[256];
    char path[300];
    struct diag diag = {0};
    struct buf text = {0};
    struct trusted_time t = {0};
    struct trusted_time back = {0};
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/sekisho-clock-"), 0);
    (void)snprintf(path, sizeof(path), "%s/clock", dir);
    assert_int_equal(trusted_time_read(&back, dir, &diag), ERR_NOTFOUND);
    look(&t, START + 1, 77, CLOCK_NONE);
    t.below_ns = 5;
    assert_int_equal(trusted_time_write(dir, &t), 0);
    assert_int_equal(trusted_time_read(&back, dir, &diag), 0);
    assert_int_equal(back.time_ns, START + 1);
    assert_int_equal(back.since_ns, START + 1);
    assert_int_equal(back.boot_ns, 77);
    assert_int_equal(back.below_ns, 5);
    assert_string_equal(back.boot_id, BOOT);
    assert_int_equal(diag.count, 0);
    assert_int_equal(file_read_all(&text, path, 4096), 0);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_int_equal(file_write_atomic(path, buf_content(&text)), 0);
        assert_int_equal(trusted_time_read(&back, dir, &diag), ERR_CORRUPT);
        text.data[i] ^= 1;
        assert_int_equal(file_write_atomic(path, slice_of(text.data, i)), 0);
        assert_int_equal(trusted_time_read(&back, dir, &diag), ERR_CORRUPT);
    }
    char boot_id[TRUSTED_BOOT_ID_BYTES + 1];
    trusted_time_boot_id(boot_id);
    assert_true(boot_id[0] == '\0' || strlen(boot_id) == TRUSTED_BOOT_ID_BYTES);
    buf_release(&text);
    diag_release(&diag);
    assert_int_equal(dir_remove_tree(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),   cmocka_unit_test(test_below), cmocka_unit_test(test_model),
        cmocka_unit_test(test_witness), cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
