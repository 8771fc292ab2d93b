/*
 * base/arena.h - memory with one common end of life.
 *
 *   [chunk 0 ....used|free][chunk 1 ....used|free]   allocation bumps the last chunk;
 *                                                     a new one is taken when it does not fit
 *
 * Ownership: the arena owns every allocation until arena_reset() or arena_release().
 * Threads:   one owner.
 * Failures:  arena_alloc() returns NULL past the budget or the heap.
 */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes;          /* handed out since the last reset */
    size_t held_bytes;          /* taken from the heap */
    size_t limit_bytes;         /* on held_bytes; 0 = no limit but the heap */
};

/* Zeroed memory aligned to 16 bytes, or NULL. A zeroed struct arena is a valid arena. */
void *arena_alloc(struct arena *a, size_t bytes);
/* The same, but for the caller to fill. */
void *arena_take(struct arena *a, size_t bytes);
/* `count` items of `size` bytes, checked for overflow, or NULL. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy of s with a NUL behind it, or NULL. */
char *arena_copy(struct arena *a, struct slice s);

/* Forget every allocation; keep the largest chunk for reuse. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);
