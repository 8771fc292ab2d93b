#include "store/words.h"

#include <stdlib.h>

#include "base/hash.h"

enum {
    WORDS_FIRST = 32,
};

void words_release(struct words *w)
{
    buf_release(&w->text);
    free(w->items);
    free(w->hashes);
    free(w->slots);
    *w = (struct words){0};
}

void words_reset(struct words *w)
{
    buf_reset(&w->text);
    w->count = 0;
    if (w->slots != NULL)
        memset(w->slots, 0, ((size_t)w->mask + 1) * sizeof(*w->slots));
}

/* Twice the room; the slots stay at most half full. */
static bool words_grow(struct words *w)
{
    uint32_t cap = w->cap == 0 ? WORDS_FIRST : w->cap * 2;
    uint32_t mask = cap * 2 - 1;
    struct span *items = reallocarray(w->items, cap, sizeof(*items));
    if (items != NULL)
        w->items = items;
    uint32_t *hashes = reallocarray(w->hashes, cap, sizeof(*hashes));
    if (hashes != NULL)
        w->hashes = hashes;
    uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));
    /* So that the first word may be empty. */
    if (items == NULL || hashes == NULL || slots == NULL || buf_reserve(&w->text, 1) == NULL) {
        free(slots);
        return false;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t at = w->hashes[i] & mask;
        while (slots[at] != 0)
            at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    free(w->slots);
    w->slots = slots;
    w->mask = mask;
    w->cap = cap;
    return true;
}

/* The slot of a text, or the free one where it belongs. */
static uint32_t words_slot(const struct words *w, struct slice text, uint32_t hash)
{
    uint32_t at = hash & w->mask;
    while (w->slots[at] != 0) {
        uint32_t i = w->slots[at] - 1;
        if (w->hashes[i] == hash && slice_equal(words_text(w, i), text))
            break;
        at = (at + 1) & w->mask;
    }
    return at;
}

uint32_t words_put(struct words *w, struct slice text)
{
    if (w->count == w->cap && !words_grow(w))
        return WORD_NONE;
    uint32_t hash = (uint32_t)hash_slice(0, text);
    uint32_t at = words_slot(w, text, hash);
    if (w->slots[at] != 0)
        return w->slots[at] - 1;
    size_t offset = w->text.len;
    buf_slice(&w->text, text);
    if (!buf_ok(&w->text) || w->text.len > UINT32_MAX)
        return WORD_NONE;
    w->items[w->count] = (struct span){.offset = (uint32_t)offset, .len = (uint32_t)text.len};
    w->hashes[w->count] = hash;
    w->slots[at] = ++w->count;
    return w->count - 1;
}

uint32_t words_find(const struct words *w, struct slice text)
{
    if (w->count == 0)
        return WORD_NONE;
    uint32_t at = words_slot(w, text, (uint32_t)hash_slice(0, text));
    return w->slots[at] - 1; /* a free slot gives WORD_NONE */
}
