/*
 * store/words.h - private to store/: distinct texts, numbered from 0 in the order of their first sight.
 *
 *   "allow" "deny" "allow"  -->  0 1 0      text: allow|deny
 *
 * Ownership: the words own copies of the texts until words_release(); a zeroed struct is empty.
 * Threads:   one owner.
 * Failures:  WORD_NONE instead of a number: no memory.
 */
#pragma once

#include "base/buf.h"
#include "event/batch.h"

#define WORD_NONE UINT32_MAX

struct words {
    struct buf text;
    struct span *items; /* in `text` */
    uint32_t *hashes;   /* of the items */
    uint32_t *slots;    /* number + 1; 0 = free */
    uint32_t count;
    uint32_t cap;
    uint32_t mask;
};

void words_release(struct words *w);
/* Forget the texts, keep the memory. */
void words_reset(struct words *w);

/* The number of a text, which is added when it is new; WORD_NONE without memory. */
uint32_t words_put(struct words *w, struct slice text);
/* The number of a text that is there, or WORD_NONE. */
uint32_t words_find(const struct words *w, struct slice text);

static inline struct slice words_text(const struct words *w, uint32_t number)
{
    return slice_of(w->text.data + w->items[number].offset, w->items[number].len);
}
