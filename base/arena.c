#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum {
    ARENA_ALIGN_BYTES = 16,
    ARENA_FIRST_BYTES = 4096,
    ARENA_CHUNK_BYTES_MAX = 1 << 20,
};

struct arena_chunk {
    _Alignas(ARENA_ALIGN_BYTES) struct arena_chunk *next;
    size_t used;
    size_t cap;
    _Alignas(ARENA_ALIGN_BYTES) char bytes[];
};

static struct arena_chunk *chunk_add(struct arena *a, size_t need)
{
    size_t cap = a->chunks == NULL ? ARENA_FIRST_BYTES : a->chunks->cap * 2;
    if (cap > ARENA_CHUNK_BYTES_MAX)
        cap = ARENA_CHUNK_BYTES_MAX;
    if (cap < need)
        cap = need;
    if (a->limit_bytes != 0 && cap > a->limit_bytes - a->held_bytes)
        return NULL;
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + cap + SLICE_PADDING_BYTES);
    if (chunk == NULL)
        return NULL;
    chunk->next = a->chunks;
    chunk->used = 0;
    chunk->cap = cap;
    a->chunks = chunk;
    a->held_bytes += cap;
    return chunk;
}

void *arena_take(struct arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 4)
        return NULL;
    size_t need = (bytes + ARENA_ALIGN_BYTES - 1) & ~(size_t)(ARENA_ALIGN_BYTES - 1);
    struct arena_chunk *chunk = a->chunks;
    if (chunk == NULL || chunk->cap - chunk->used < need)
        chunk = chunk_add(a, need);
    if (chunk == NULL)
        return NULL;
    char *place = chunk->bytes + chunk->used;
    chunk->used += need;
    a->used_bytes += need;
    return place;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    void *place = arena_take(a, bytes);
    if (place != NULL)
        memset(place, 0, bytes);
    return place;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(a, bytes);
}

char *arena_copy(struct arena *a, struct slice s)
{
    char *copy = arena_alloc(a, s.len + 1);
    if (copy != NULL && s.len != 0)
        memcpy(copy, s.data, s.len);
    return copy;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunks;
    for (struct arena_chunk *c = a->chunks; c != NULL; c = c->next) {
        if (c->cap > keep->cap)
            keep = c;
    }
    struct arena_chunk *next = NULL;
    for (struct arena_chunk *c = a->chunks; c != NULL; c = next) {
        next = c->next;
        if (c != keep)
            free(c);
    }
    a->chunks = keep;
    a->used_bytes = 0;
    a->held_bytes = 0;
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
        a->held_bytes = keep->cap;
    }
}

void arena_release(struct arena *a)
{
    struct arena_chunk *next = NULL;
    for (struct arena_chunk *c = a->chunks; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    a->chunks = NULL;
    a->used_bytes = 0;
    a->held_bytes = 0;
}
