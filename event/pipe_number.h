/*
 * event/pipe_number.h - the numbers that pipes compute with: decimal, exact, nine digits behind the
 * point.
 *
 * Sums do not depend on the order of what is added: 2^127 parts hold 10^10 of the largest values.
 *
 * Threads:   pure functions.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* In parts of PIPE_NUMBER_ONE. */
typedef __int128_t pipe_number;

enum pipe_number_limits {
    PIPE_NUMBER_ONE = 1000000000,
    PIPE_NUMBER_DIGITS_MAX = 18, /* before the point, in a text */
    PIPE_NUMBER_PLACES = 9,
};

static inline pipe_number pipe_number_of(int64_t value)
{
    return (pipe_number)value * PIPE_NUMBER_ONE;
}

/* [-+]digits[.digits], with nothing around it; digits past the ninth place are cut. */
bool pipe_number_read(pipe_number *out, struct slice text);
/* Append it without needless zeros. */
void pipe_number_print(struct buf *out, pipe_number value);
/* sum / count, halves away from zero; count is not 0. */
pipe_number pipe_number_divide(pipe_number sum, uint64_t count);

/* As two words, the low one first. */
static inline void pipe_number_put(uint64_t words[2], pipe_number value)
{
    words[0] = (uint64_t)value;
    words[1] = (uint64_t)(value >> 64);
}

static inline pipe_number pipe_number_get(const uint64_t words[2])
{
    return (pipe_number)(int64_t)words[1] * ((pipe_number)1 << 64) + (pipe_number)words[0];
}
