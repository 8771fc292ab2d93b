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

enum words_sizes {
    WORD_BYTES = 24, /* of an entry, besides its text */
    WORDS_AT_ONCE = 32,
};

/* One load tells whether a text may be this one. */
struct word_slot {
    uint32_t hash;
    uint32_t number; /* + 1; 0 = free */
};

struct words {
    struct buf text;
    struct span *items;      /* in `text` */
    struct word_slot *slots; /* at most half of them taken */
    uint32_t count;
    uint32_t cap;
    uint32_t mask;
    uint64_t seed; /* of the hashes, which nothing that is stored depends on; 0 = not drawn yet */
};

void words_release(struct words *w);
/* Forget the texts, keep the memory. */
void words_reset(struct words *w);

/*
 * The number of a text, which is added when it is new; WORD_NONE without memory. Here and below 16
 * bytes are read of shorter texts, too: those of batches and buffers have them.
 */
uint32_t words_put(struct words *w, struct slice text);

/*
 * Those of up to WORDS_AT_ONCE texts, into out[0, count): what is looked at of all is on its way before
 * the first is compared. 0 or ERR_NOMEM.
 */
int words_put_each(struct words *w, const struct slice *texts, uint32_t count, uint32_t *out);

/*
 * The same of addresses, whose texts are the 16 bytes of struct ip: such words hold nothing else, and
 * nobody looks for them by text. all_v4: all that there are and that come; then nothing is compared.
 */
int words_put_ip_each(struct words *w, const struct ip *ips, uint32_t count, bool all_v4,
                      uint32_t *out);

/* Add a text without looking whether it is there; from then on there is nothing but this. As words_put(). */
uint32_t words_append(struct words *w, struct slice text);

/* The number of a text that is there, or WORD_NONE. */
uint32_t words_find(const struct words *w, struct slice text);

static inline struct slice words_text(const struct words *w, uint32_t number)
{
    return slice_of(w->text.data + w->items[number].offset, w->items[number].len);
}
