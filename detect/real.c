#include "detect/real.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "base/bytes.h"

enum {
    MANTISSA_BITS = 52,
    EXPONENT_BIAS = 1023,
    STIRLING_FROM = 8,   /* below it the argument is shifted up */
    STEPS_MAX = 1 << 17, /* of a series or fraction: four times what a mean of 2^32 takes */
    SUBNORMAL_SHIFT = 54,
};

#define LN2_HIGH         6.93147180369123816490e-01
#define LN2_LOW          1.90821492927058770002e-10
#define LN2_INVERT       1.44269504088896338700
#define HALF_LN_2PI      0.91893853320467274178
#define EXP_LEAST        (-745.2)
#define EXP_MOST         709.79
#define EPSILON          2.3e-16
#define TINY             1e-290
#define DISPERSION_LEAST 1e-8 /* less is none: the tails agree within what is printed */

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* 2^k for normal results. */
static double power_of_two(int k)
{
    return of_bits((uint64_t)(k + EXPONENT_BIAS) << MANTISSA_BITS);
}

double real_log(double x)
{
    static const double L[7] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                                2.857142874366239149e-01, 2.222219843214978396e-01,
                                1.818357216161805012e-01, 1.531383769920937332e-01,
                                1.479819860511658591e-01};
    assert(x >= 0);
    if (!(x > 0))
        return -HUGE_VAL;
    if (!(x < HUGE_VAL))
        return x;
    int k = 0;
    if (bits_of(x) >> MANTISSA_BITS == 0) {
        x *= power_of_two(SUBNORMAL_SHIFT);
        k = -SUBNORMAL_SHIFT;
    }
    /* x = 2^k * m with m in [sqrt(1/2), sqrt(2)). */
    uint64_t bits = bits_of(x);
    k += (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    double m = of_bits((bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) | (uint64_t)EXPONENT_BIAS
                                                                           << MANTISSA_BITS);
    if (m > 1.41421356237309514547) {
        m *= 0.5;
        k++;
    }
    double f = m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double r = 0.0;
    for (int i = 6; i >= 0; i--)
        r = (r + L[i]) * z;
    double half = 0.5 * f * f;
    double whole = k;
    return whole * LN2_HIGH - ((half - (s * (half + r) + whole * LN2_LOW)) - f);
}

double real_log1p(double x)
{
    double u = 1.0 + x;
    double added = u - 1.0;
    /* What was lost in 1 + x is made up for in proportion (W. Kahan). */
    if (!(added > 0) && !(added < 0))
        return x;
    return u < HUGE_VAL ? real_log(u) * (x / added) : u;
}

double real_exp(double x)
{
    static const double P[5] = {1.66666666666666019037e-01, -2.77777777770155933842e-03,
                                6.61375632143793436117e-05, -1.65339022054652515390e-06,
                                4.13813679705723846039e-08};
    if (x < EXP_LEAST)
        return 0.0;
    if (x > EXP_MOST)
        return HUGE_VAL;
    int k = (int)(x * LN2_INVERT + (x < 0 ? -0.5 : 0.5));
    double whole = k;
    double high = x - whole * LN2_HIGH;
    double low = whole * LN2_LOW;
    double r = high - low;
    double t = r * r;
    double c = 0.0;
    for (int i = 4; i >= 0; i--)
        c = (c + P[i]) * t;
    c = r - c;
    double y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    /* In two steps: 2^k alone may be no normal number. */
    int half = k / 2;
    return y * power_of_two(half) * power_of_two(k - half);
}

/* ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2) for x >= STIRLING_FROM. */
static double stirling_rest(double x)
{
    static const double TERMS[8] = {1.0 / 12,   -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                                    1.0 / 1188, -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400};
    double z = 1.0 / (x * x);
    double sum = 0.0;
    for (int i = 7; i >= 0; i--)
        sum = sum * z + TERMS[i];
    return sum / x;
}

double real_lgamma(double x)
{
    assert(x > 0);
    double product = 1.0;
    while (x < STIRLING_FROM) {
        product *= x;
        x += 1.0;
    }
    double stirling = (x - 0.5) * real_log(x) - x + HALF_LN_2PI + stirling_rest(x);
    return stirling - real_log(product);
}

/* ln Gamma(n + r) - ln Gamma(r), without the loss of subtracting two large numbers. */
static double rising(double n, double r)
{
    double shift = 0.0;
    double product = 1.0;
    while (r < STIRLING_FROM) {
        /* Gamma(n + r) / Gamma(r) is that of r + 1 times r / (r + n). */
        product *= r / (r + n);
        r += 1.0;
    }
    shift = real_log(product);
    return shift + (r - 0.5) * real_log1p(n / r) + n * real_log(n + r) - n + stirling_rest(n + r) -
           stirling_rest(r);
}

/* ---------------------------------------------------------------------------- tails */

static double at_most_one(double p)
{
    return p < 1.0 ? p : 1.0;
}

/* The lower incomplete gamma function P(n, mean), by its series; for mean < n + 1. */
static double gamma_series(double n, double mean, double log_front)
{
    double term = 1.0;
    double sum = 1.0;
    for (int i = 1; i < STEPS_MAX && term > sum * EPSILON; i++) {
        term *= mean / (n + i);
        sum += term;
    }
    return real_exp(log_front) * sum;
}

static double not_zero(double x)
{
    return x > -TINY && x < TINY ? TINY : x;
}

static bool settled(double factor)
{
    return factor - 1.0 < EPSILON && 1.0 - factor < EPSILON;
}

/* The upper one, Q(n, mean), by its continued fraction; for mean >= n + 1. */
static double gamma_fraction(double n, double mean, double log_front)
{
    double b = mean + 1.0 - n;
    double c = 1.0 / TINY;
    double d = 1.0 / not_zero(b);
    double h = d;
    for (int i = 1; i < STEPS_MAX; i++) {
        double a = -(double)i * (i - n);
        b += 2.0;
        d = 1.0 / not_zero(a * d + b);
        c = not_zero(b + a / c);
        h *= d * c;
        if (settled(d * c))
            break;
    }
    return real_exp(log_front) * h * n;
}

double real_poisson_tail(uint64_t count, double mean)
{
    assert(mean >= 0);
    if (count == 0)
        return 1.0;
    if (!(mean > 0))
        return 0.0;
    double n = (double)count;
    /* ln(mean^n e^-mean / n!) */
    double log_front = n * real_log(mean) - mean - real_lgamma(n + 1.0);
    if (mean < n + 1.0)
        return at_most_one(gamma_series(n, mean, log_front));
    return at_most_one(1.0 - at_most_one(gamma_fraction(n, mean, log_front)));
}

/* The continued fraction of the incomplete beta function, without its front; converges for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1.0;
    double d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    double h = d;
    for (int i = 1; i < STEPS_MAX; i++) {
        double m = i;
        double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        h *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        h *= d * c;
        if (settled(d * c))
            break;
    }
    return h;
}

double real_nbinom_tail(uint64_t count, double mean, double dispersion)
{
    assert(mean >= 0 && dispersion >= 0);
    if (count == 0)
        return 1.0;
    if (!(mean > 0))
        return 0.0;
    if (dispersion < DISPERSION_LEAST)
        return real_poisson_tail(count, mean);
    /* P(X >= n) = I_p(n, r) with r = 1 / dispersion, p = mean / (mean + r). */
    double n = (double)count;
    double r = 1.0 / dispersion;
    double ratio = mean * dispersion;
    double p = ratio / (1.0 + ratio);
    double q = 1.0 / (1.0 + ratio);
    /* ln(p^n q^r Gamma(n + r) / (Gamma(n + 1) Gamma(r))) */
    double log_front =
        n * real_log(p) - r * real_log1p(ratio) + rising(n, r) - real_lgamma(n + 1.0);
    double front = real_exp(log_front);
    if (p < (n + 1.0) / (n + r + 2.0))
        return at_most_one(front * beta_fraction(n, r, p));
    return at_most_one(1.0 - at_most_one(front * n / r * beta_fraction(r, n, q)));
}

double real_unusual(double tail)
{
    double unusual = tail > 0 ? -real_log(tail) : REAL_UNUSUAL_MAX;
    return unusual < REAL_UNUSUAL_MAX ? unusual : REAL_UNUSUAL_MAX;
}
