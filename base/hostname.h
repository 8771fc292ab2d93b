/*
 * base/hostname.h - the one spelling of a host name.
 *
 *   WWW.Example.JP. -> www.example.jp        例え.jp -> xn--r8jz45g.jp
 *
 * Threads:   no state.
 * Failures:  0, or false, for what is no host name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum hostname_limits {
    HOSTNAME_BYTES_MAX = 253, /* RFC 1035 */
    HOSTNAME_LABEL_BYTES_MAX = 63,
};

/*
 * Write the name in lower-case ASCII with a NUL behind it, labels in UTF-8 as A-labels (xn--), one
 * trailing dot gone. Letters, digits, '-' and '_' are accepted, also in names of addresses. Returns
 * its length, or 0.
 */
size_t hostname_normalize(char out[HOSTNAME_BYTES_MAX + 1], struct slice name);

/* No top-level domain is a number: such a name is an address, well written or not. */
bool hostname_ends_in_number(struct slice name);
