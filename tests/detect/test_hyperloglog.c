/* 48 bytes that count: the error over many sketches is what the size promises, and unions are exact. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "detect/hyperloglog.h"

static uint64_t thing(uint64_t sketch, uint64_t n)
{
    uint64_t words[2] = {sketch, n};
    return hash_bytes(3, words, sizeof(words));
}

static void test_empty_and_one(void **state)
{
    (void)state;
    struct hyperloglog h = {0};
    assert_true(fabs(hyperloglog_count(&h)) < 1e-300);
    assert_true(hyperloglog_add(&h, thing(0, 1)));
    double one = hyperloglog_count(&h);
    assert_true(one > 0.9 && one < 1.1);
    assert_false(hyperloglog_add(&h, thing(0, 1)));
    assert_true(fabs(hyperloglog_count(&h) - one) < 1e-12);
}

/* Linear counting is taken from a table: the program uses no logarithm of libm. */
static void test_table_of_logarithms(void **state)
{
    (void)state;
    for (unsigned filled = 0; filled < HYPERLOGLOG_REGISTERS / 2; filled++) {
        struct hyperloglog h = {0};
        for (unsigned r = 0; r < filled; r++)
            hyperloglog_add(&h, (uint64_t)r << 58 | UINT64_C(1) << 57);
        double expected = 64 * log(64.0 / (64 - filled));
        assert_true(fabs(hyperloglog_count(&h) - expected) < 1e-12 * (1 + expected));
    }
}

static void test_largest_registers(void **state)
{
    (void)state;
    struct hyperloglog h = {0};
    for (unsigned r = 0; r < HYPERLOGLOG_REGISTERS; r++)
        hyperloglog_add(&h, (uint64_t)r << 58); /* nothing but zeros behind the index */
    double count = hyperloglog_count(&h);
    assert_true(isfinite(count) && count > 1e17);
    for (unsigned r = 0; r < HYPERLOGLOG_REGISTERS; r++)
        assert_false(hyperloglog_add(&h, (uint64_t)r << 58 | 1));
}

/* Root mean square error and bias at each size; 1.04 / sqrt(64) = 0.13. */
static void test_error(void **state)
{
    (void)state;
    static const uint64_t SIZES[] = {5, 10, 20, 40, 80, 120, 160, 200, 400, 1000, 10000};
    enum {
        SKETCHES = 400
    };
    for (size_t s = 0; s < sizeof(SIZES) / sizeof(SIZES[0]); s++) {
        double square = 0;
        double bias = 0;
        for (uint64_t k = 0; k < SKETCHES; k++) {
            struct hyperloglog h = {0};
            for (uint64_t n = 0; n < SIZES[s]; n++)
                hyperloglog_add(&h, thing(k + 1000 * s, n));
            double error = hyperloglog_count(&h) / (double)SIZES[s] - 1;
            square += error * error / SKETCHES;
            bias += error / SKETCHES;
        }
        print_message("%6lu things: error %.3f bias %+.3f\n", (unsigned long)SIZES[s], sqrt(square),
                      bias);
        assert_true(sqrt(square) < 0.16);
        assert_true(fabs(bias) < 0.05);
    }
}

static void test_union(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 100; k++) {
        struct hyperloglog a = {0};
        struct hyperloglog b = {0};
        struct hyperloglog both = {0};
        for (uint64_t n = 0; n < 300; n++) {
            hyperloglog_add(n % 3 == 0 ? &a : &b, thing(k, n));
            if (n % 5 == 0) /* in both parts */
                hyperloglog_add(&a, thing(k, n));
            hyperloglog_add(&both, thing(k, n));
        }
        hyperloglog_merge(&a, &b);
        assert_memory_equal(&a, &both, sizeof(a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_and_one),
        cmocka_unit_test(test_table_of_logarithms),
        cmocka_unit_test(test_largest_registers),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_union),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
