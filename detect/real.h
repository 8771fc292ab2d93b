/*
 * detect/real.h - real numbers that are the same on every machine.
 *
 * libm may differ between processors and versions in the last bit, and a replay must give the same
 * bits. Everything here is made of + - * / and sqrt, without contraction.
 *
 * Sources: log and exp after W. J. Cody and W. Waite, "Software Manual for the Elementary
 * Functions", with the minimax polynomials of fdlibm; ln Gamma by Stirling's series; tails by the
 * series and continued fractions of the incomplete gamma and beta functions (Abramowitz and Stegun
 * 6.5.29, 6.5.31 and 26.5.8), evaluated by Lentz's method.
 *
 * Ownership: plain values.
 * Threads:   pure functions.
 * Failures:  none: arguments outside what is said below are our mistakes.
 */
#pragma once

#include <stdint.h>

/* Natural logarithm; 0 gives -infinity. Needs x >= 0. Error below 1 unit in the last place. */
double real_log(double x);
/* ln(1 + x), accurate for small x. Needs x > -1. */
double real_log1p(double x);
/* e^x; 0 below -745, infinity above 709.79. */
double real_exp(double x);
/* ln Gamma(x). Needs x > 0. Absolute error below 1e-14 * max(1, |result|). */
double real_lgamma(double x);

/* P(X >= count) of a Poisson distribution. Needs a finite mean >= 0. Nine digits of tails are right. */
double real_poisson_tail(uint64_t count, double mean);
/*
 * P(X >= count) of a negative binomial distribution with variance mean + dispersion * mean^2; it is
 * Poisson's where there is no dispersion. Needs both >= 0 and finite.
 */
double real_nbinom_tail(uint64_t count, double mean, double dispersion);

/* -ln of a tail, at most REAL_UNUSUAL_MAX: sums of it do not overflow, and 0 has one, too. */
#define REAL_UNUSUAL_MAX 700.0
double real_unusual(double tail);
