/*
 * event/dotted.h - numbers with dots between them, as keys of a filter: who looks for a part of a line that
 * holds an IPv4 address, or its first three numbers and a dot, asks for these.
 *
 *   203.0.113.25   left   3.0.113.   03.0.113.   203.0.113.     the last one to three digits of the first number
 *                  right  .0.113.2   .0.113.25                  the first one to three digits of the last
 *
 * The two numbers in the middle are whole: dots stand on both sides. So a text with the middle `.0.113.` stands in
 * another only where that one has the same middle, digits before it that end as here, and digits behind it that
 * begin as here.
 *
 * Threads:   pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum dotted_limits {
    DOTTED_DIGITS = 3, /* of a number, at most; of the first and last so many count */
};

/* The keys of one place; key [i] is that of i + 1 digits. */
struct dotted {
    uint64_t left[DOTTED_DIGITS];
    uint64_t right[DOTTED_DIGITS];
    uint32_t left_count;
    uint32_t right_count;
};

/* The next place at or behind text[*at]; false when there is none. Go on with the *at that it gives. */
bool dotted_next(struct slice text, size_t *at, struct dotted *out);

/* Those of an address as it prints. */
void dotted_ip4(uint32_t ip4, struct dotted *out);
