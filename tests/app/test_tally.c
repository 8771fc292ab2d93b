/* Latencies of rows: shares and counts from the same buckets, which hold more than what is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/tally.h"

#define MS INT64_C(1000000)

static void counts_what_took_at_most(void **state)
{
    (void)state;
    struct tally *t = NULL;
    assert_int_equal(tally_new(&t), 0);
    static const int64_t TOPS[] = {0, 10 * MS, 50 * MS, 2000 * MS, 4000 * MS, INT64_MAX};
    uint64_t counts[6] = {0};
    assert_int_equal(tally_latency_share(t, 0.99), 0);
    tally_latency(t, -5, 1); /* a clock that went back */
    tally_latency(t, 9 * MS, 1);
    tally_latency(t, 10 * MS, 2); /* in the bucket that begins there */
    tally_latency(t, 49 * MS, 3);
    tally_latency(t, 50 * MS, 4);
    tally_latency(t, 1999 * MS, 5);
    tally_latency(t, 2000 * MS, 6);
    tally_latency(t, INT64_MAX, 7);
    tally_latency_counts(t, TOPS, counts, 6);
    static const uint64_t WANT[] = {0, 2, 7, 16, 22, 29};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(counts[i], WANT[i]);
    assert_int_equal(tally_latency_share(t, 0.5), 2000 * MS);
    assert_int_equal(tally_latency_share(t, 0.2), 50 * MS);
    tally_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_took_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
