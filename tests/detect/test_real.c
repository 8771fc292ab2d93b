/* Real numbers: like libm where libm has them, like plain sums where it has not. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "detect/real.h"

enum {
    DRAWS = 200000,
};

static double draw(uint64_t *state, double low, double high)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (high - low) * (double)(*state >> 11) / 9007199254740992.0;
}

/* Apart by at most `most` of the larger, or of 1. */
static void assert_near(double got, double want, double most)
{
    double scale = fabs(want) > 1.0 ? fabs(want) : 1.0;
    if (fabs(got - want) > most * scale)
        fail_msg("got %.17g, want %.17g", got, want);
}

/* Apart by at most `most` of the value itself. */
static void assert_relative(double got, double want, double most)
{
    if (fabs(got - want) > most * fabs(want))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void test_log(void **state)
{
    (void)state;
    uint64_t random = 1;
    assert_true(real_log(0.0) < -1e300);
    assert_true(real_log(HUGE_VAL) > 1e300);
    assert_relative(real_log(5e-324), log(5e-324), 1e-15);
    assert_relative(real_log(1.7976931348623157e308), log(1.7976931348623157e308), 1e-15);
    assert_true(real_log(1.0) >= 0.0 && real_log(1.0) <= 0.0);
    for (int i = 0; i < DRAWS; i++) {
        double x = exp(draw(&random, -740.0, 700.0));
        assert_relative(real_log(x), log(x), 1e-15);
        x = draw(&random, 0.5, 2.0);
        assert_near(real_log(x), log(x), 3e-16);
    }
}

static void test_log1p(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int i = 0; i < DRAWS; i++) {
        double x = exp(draw(&random, -45.0, 45.0));
        assert_relative(real_log1p(x), log1p(x), 1e-14);
        x = -draw(&random, 0.0, 0.999);
        assert_relative(real_log1p(x), log1p(x), 1e-14);
    }
    assert_relative(real_log1p(1e-300), 1e-300, 1e-15);
}

static void test_exp(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int i = 0; i < DRAWS; i++) {
        double x = draw(&random, -700.0, 709.0);
        assert_relative(real_exp(x), exp(x), 1e-15);
        x = draw(&random, -1.0, 1.0);
        assert_relative(real_exp(x), exp(x), 1e-15);
    }
    assert_true(real_exp(-800.0) >= 0.0 && real_exp(-800.0) <= 0.0);
    assert_true(real_exp(710.0) > 1e308);
    /* Down among the subnormals there are few bits left. */
    assert_relative(real_exp(-740.0), exp(-740.0), 1e-2);
    assert_true(real_exp(0.0) >= 1.0 && real_exp(0.0) <= 1.0);
}

static void test_lgamma(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (int i = 0; i < DRAWS; i++) {
        double x = exp(draw(&random, -20.0, 20.0));
        assert_near(real_lgamma(x), lgamma(x), 1e-14);
    }
    double factorial = 0.0;
    for (int n = 1; n < 200; n++) {
        factorial += log(n);
        assert_near(real_lgamma(n + 1.0), factorial, 1e-13);
    }
}

/* P(X >= n) by adding up what is less, or what is not. */
static double poisson_sum(unsigned n, double mean)
{
    long double term = expl(-(long double)mean);
    long double below = 0.0L;
    for (unsigned k = 0; k < n; k++) {
        below += term;
        term *= (long double)mean / (k + 1);
    }
    long double above = 0.0L;
    for (unsigned k = n; k < n + 4000; k++) {
        above += term;
        term *= (long double)mean / (k + 1);
    }
    return (double)(above < 0.5L ? above : 1.0L - below);
}

static double nbinom_sum(unsigned n, double mean, double dispersion)
{
    long double r = 1.0L / (long double)dispersion;
    long double p = (long double)mean / ((long double)mean + r);
    long double term = expl(r * log1pl(-p));
    long double below = 0.0L;
    for (unsigned k = 0; k < n; k++) {
        below += term;
        term *= p * (r + k) / (k + 1);
    }
    long double above = 0.0L;
    for (unsigned k = n; k < n + 4000000 && term > above * 1e-22L; k++) {
        above += term;
        term *= p * (r + k) / (k + 1);
    }
    return (double)(above < 0.5L ? above : 1.0L - below);
}

static void test_poisson_tail(void **state)
{
    (void)state;
    static const double MEANS[] = {1e-9, 1e-3, 0.1, 1, 2.5, 10, 40, 300, 1000};
    static const unsigned COUNTS[] = {1, 2, 3, 5, 10, 20, 45, 100, 310, 400, 1050};
    assert_true(real_poisson_tail(0, 3.0) >= 1.0);
    assert_true(real_poisson_tail(3, 0.0) <= 0.0);
    for (size_t m = 0; m < sizeof(MEANS) / sizeof(MEANS[0]); m++) {
        for (size_t c = 0; c < sizeof(COUNTS) / sizeof(COUNTS[0]); c++) {
            double want = poisson_sum(COUNTS[c], MEANS[m]);
            double got = real_poisson_tail(COUNTS[c], MEANS[m]);
            assert_true(got >= 0.0 && got <= 1.0);
            if (want > 1e-290)
                assert_relative(got, want, 1e-11);
        }
    }
}

static void test_nbinom_tail(void **state)
{
    (void)state;
    static const double MEANS[] = {1e-3, 0.1, 1, 2.5, 10, 300, 2000};
    static const double DISPERSIONS[] = {1e-4, 0.01, 0.1, 1, 4, 16};
    static const unsigned COUNTS[] = {1, 2, 5, 10, 45, 100, 310, 1050, 5000};
    assert_true(real_nbinom_tail(0, 3.0, 1.0) >= 1.0);
    assert_true(real_nbinom_tail(3, 0.0, 1.0) <= 0.0);
    for (size_t m = 0; m < sizeof(MEANS) / sizeof(MEANS[0]); m++) {
        for (size_t d = 0; d < sizeof(DISPERSIONS) / sizeof(DISPERSIONS[0]); d++) {
            for (size_t c = 0; c < sizeof(COUNTS) / sizeof(COUNTS[0]); c++) {
                double want = nbinom_sum(COUNTS[c], MEANS[m], DISPERSIONS[d]);
                double got = real_nbinom_tail(COUNTS[c], MEANS[m], DISPERSIONS[d]);
                assert_true(got >= 0.0 && got <= 1.0);
                if (want > 1e-290)
                    assert_relative(got, want, 2e-9);
            }
        }
    }
    /* Geometric: a closed form, far down. */
    assert_relative(real_nbinom_tail(900, 1.0, 1.0), pow(0.5, 900), 1e-11);
    /* Hardly any dispersion is none. */
    assert_relative(real_nbinom_tail(30, 10.0, 1e-9), real_poisson_tail(30, 10.0), 1e-6);
    assert_relative(real_nbinom_tail(30, 10.0, 2e-8), real_poisson_tail(30, 10.0), 1e-5);
}

static void test_tails_fall(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 300; i++) {
        double mean = exp(draw(&random, -6.0, 9.0));
        double dispersion = exp(draw(&random, -8.0, 3.0));
        double last = 1.0;
        for (uint64_t n = 0; n < 4000; n = n * 5 / 4 + 1) {
            double now = real_nbinom_tail(n, mean, dispersion);
            assert_true(now <= last * (1.0 + 1e-9));
            last = now;
        }
    }
    assert_near(real_unusual(1.0), 0.0, 1e-15);
    assert_near(real_unusual(0.0), REAL_UNUSUAL_MAX, 1e-15);
    assert_near(real_unusual(exp(-50.0)), 50.0, 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log),          cmocka_unit_test(test_log1p),
        cmocka_unit_test(test_exp),          cmocka_unit_test(test_lgamma),
        cmocka_unit_test(test_poisson_tail), cmocka_unit_test(test_nbinom_tail),
        cmocka_unit_test(test_tails_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
