/*
 * base/pages.h - large blocks of zeroed memory straight from the system.
 *
 * calloc() clears what it takes from its own heap; here a page that nobody touches costs nothing.
 * No huge pages: where the system gives them to everybody, one touch would cost 2 MiB.
 *
 * Ownership: the caller's, until pages_free() with the same size.
 * Threads:   any.
 * Failures:  NULL without memory.
 */
#pragma once

#include <stddef.h>

void *pages_alloc(size_t bytes);
/* NULL is fine. */
void pages_free(void *block, size_t bytes);
