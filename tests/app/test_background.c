/* A thread that works at regular moments: again and again, and not once more after it was stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/background.h"
#include "base/clock.h"

#define EVERY_NS INT64_C(5000000)

/* The wall clock is so many seconds ahead. */
static atomic_long ahead_s;

/* In place of the system's, for all of the program. */
int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
    long err = syscall(SYS_clock_gettime, clock_id, tp);
    if (err == 0 && clock_id == CLOCK_REALTIME)
        tp->tv_sec += atomic_load(&ahead_s);
    return (int)err;
}

struct count {
    atomic_int begun;
    atomic_int runs;
    atomic_int looks;
    atomic_bool waits; /* a run lasts until it is stopped */
    atomic_bool ended;
};

static void begin(void *self)
{
    struct count *c = self;
    atomic_fetch_add(&c->begun, 1);
}

static void look(void *self)
{
    struct count *c = self;
    atomic_fetch_add(&c->looks, 1);
}

static void pause_briefly(void)
{
    const struct timespec step = {.tv_nsec = 1000000};
    (void)nanosleep(&step, NULL);
}

static void run(void *self, atomic_bool *stop)
{
    struct count *c = self;
    atomic_fetch_add(&c->runs, 1);
    while (atomic_load(&c->waits) && !atomic_load(stop))
        pause_briefly();
    atomic_store(&c->ended, true);
}

static void wait_for_runs(struct count *c, int runs)
{
    while (atomic_load(&c->runs) < runs)
        pause_briefly();
}

static void test_again_and_again(void **state)
{
    struct count c = {0};
    struct background *b = NULL;
    (void)state;
    const struct background_options options = {
        .every_ns = EVERY_NS, .delay_ns = EVERY_NS / 2, .begin = begin, .run = run, .self = &c};
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(background_start(&b, &options), 0);
    wait_for_runs(&c, 4);
    assert_true(clock_monotonic_ns() - start_ns >= 3 * EVERY_NS - EVERY_NS / 2);
    background_stop(b);
    int runs = atomic_load(&c.runs);
    assert_int_equal(atomic_load(&c.begun), 1);
    for (int i = 0; i < 20; i++)
        pause_briefly();
    assert_int_equal(atomic_load(&c.runs), runs);
}

/* A run that is told to end has ended when background_stop() returns; so has a long wait. */
static void test_stop(void **state)
{
    struct count c = {.waits = true};
    struct background *b = NULL;
    (void)state;
    struct background_options options = {.every_ns = EVERY_NS, .run = run, .self = &c};
    assert_int_equal(background_start(&b, &options), 0);
    wait_for_runs(&c, 1);
    assert_false(atomic_load(&c.ended));
    background_stop(b);
    assert_true(atomic_load(&c.ended));
    struct count never = {0};
    options.every_ns = INT64_C(86400) * CLOCK_NS_PER_SECOND;
    options.self = &never;
    assert_int_equal(background_start(&b, &options), 0);
    background_stop(b);
    background_stop(NULL);
}

/* A wall clock that is put back by a day keeps nothing from being done; meanwhile it looks about. */
static void test_clock_put_back(void **state)
{
    struct count c = {0};
    struct background *b = NULL;
    (void)state;
    const struct background_options options = {
        .every_ns = CLOCK_NS_PER_SECOND / 2, .look = look, .run = run, .self = &c};
    assert_int_equal(background_start(&b, &options), 0);
    wait_for_runs(&c, 1);
    int64_t start_ns = clock_monotonic_ns();
    int64_t wall_ns = clock_now_ns();
    atomic_store(&ahead_s, -86400);
    assert_true(clock_now_ns() < wall_ns - 80000 * CLOCK_NS_PER_SECOND);
    wait_for_runs(&c, 3);
    assert_true(clock_monotonic_ns() - start_ns < 30 * CLOCK_NS_PER_SECOND);
    assert_true(atomic_load(&c.looks) >= 2);
    background_stop(b);
    atomic_store(&ahead_s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again_and_again),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_clock_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
