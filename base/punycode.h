/*
 * base/punycode.h - a label in UTF-8 as an A-label (RFC 3492, RFC 5890).
 *
 * No mapping is done but the lower case of ASCII: names in logs are what a resolver was given.
 *
 * Threads:   no state.
 * Failures:  0 for what is not valid UTF-8, has more than PUNYCODE_POINTS_MAX characters or does
 *            not fit.
 */
#pragma once

#include <stddef.h>

#include "base/slice.h"

enum punycode_limits {
    PUNYCODE_POINTS_MAX = 63, /* an A-label has at most as many bytes */
};

/* Write "xn--..." to out[0..cap), without a NUL; returns its length. Quadratic in the points. */
size_t punycode_label(char *out, size_t cap, struct slice label);
