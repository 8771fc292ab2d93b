#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <pthread.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/ring.h"

enum {
    ITEMS = 200000,
};

static int items[ITEMS];

static void refuses_odd_capacities(void **state)
{
    (void)state;
    struct ring *r = NULL;
    assert_int_equal(ring_new(&r, 0), ERR_RANGE);
    assert_int_equal(ring_new(&r, 3), ERR_RANGE);
    assert_int_equal(ring_new(&r, (size_t)RING_CAPACITY_MAX * 2), ERR_RANGE);
    assert_null(r);
}

static void keeps_order_and_bound(void **state)
{
    (void)state;
    struct ring *r = NULL;
    assert_int_equal(ring_new(&r, 4), 0);
    assert_int_equal(ring_capacity(r), 4);
    assert_null(ring_pop(r));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            assert_true(ring_push(r, &items[i]));
        assert_false(ring_push(r, &items[4]));
        assert_int_equal(ring_count(r), 4);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(ring_pop(r), &items[i]);
        assert_null(ring_pop(r));
    }
    ring_free(r);
}

static void waits_end_in_time(void **state)
{
    (void)state;
    struct ring *r = NULL;
    assert_int_equal(ring_new(&r, 1), 0);
    int64_t start = clock_monotonic_ns();
    assert_false(ring_wait(r, 20));
    assert_true(clock_monotonic_ns() - start >= 19000000);
    assert_true(ring_wait_space(r, 1000));
    assert_true(ring_push(r, &items[0]));
    assert_true(ring_wait(r, 1000));
    assert_false(ring_wait_space(r, 1));
    assert_true(ring_wait(r, 0));
    ring_free(r);
}

static void *produce(void *arg)
{
    struct ring *r = arg;
    for (int i = 0; i < ITEMS; i++) {
        while (!ring_push(r, &items[i]))
            (void)ring_wait_space(r, 1000);
    }
    return NULL;
}

static void carries_between_threads(void **state)
{
    (void)state;
    static const size_t CAPACITIES[] = {1, 2, 64, 4096};
    for (size_t c = 0; c < sizeof(CAPACITIES) / sizeof(CAPACITIES[0]); c++) {
        struct ring *r = NULL;
        pthread_t thread;
        assert_int_equal(ring_new(&r, CAPACITIES[c]), 0);
        assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
        for (int i = 0; i < ITEMS; i++) {
            void *item = NULL;
            while ((item = ring_pop(r)) == NULL)
                (void)ring_wait(r, 1000);
            assert_ptr_equal(item, &items[i]);
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        ring_free(r);
    }
}

static void *wake_later(void *arg)
{
    for (int i = 0; i < 20; i++) {
        struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
        ring_wake(arg);
    }
    return NULL;
}

static void can_be_woken_empty(void **state)
{
    (void)state;
    struct ring *r = NULL;
    pthread_t thread;
    assert_int_equal(ring_new(&r, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, wake_later, r), 0);
    int64_t start = clock_monotonic_ns();
    assert_false(ring_wait(r, 10000));
    assert_true(clock_monotonic_ns() - start < INT64_C(5000000000));
    assert_int_equal(pthread_join(thread, NULL), 0);
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_odd_capacities), cmocka_unit_test(keeps_order_and_bound),
        cmocka_unit_test(waits_end_in_time),      cmocka_unit_test(carries_between_threads),
        cmocka_unit_test(can_be_woken_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
