/*
 * event/pred_gram.h - private: which of many literals a text may hold, by four bytes every four bytes.
 *
 *   literal   /download/setup.exe          seven bytes of it, the window: "d/setup"
 *   index     d/se  /set  setu  etup       its four runs of four bytes
 *   text      /dow nloa d/se tup. exe      one look every four bytes: one run lies in each window
 *
 * A look is two bits of a table that stays in the nearest cache, however many literals there are;
 * only where they are set the window is compared. Case is folded roughly (by one bit), so what is found is a
 * hint: it holds the window, perhaps not the literal.
 *
 * Ownership: gram_index_new() makes it, gram_index_free() ends it; literals are not kept.
 * Needs:     SLICE_PADDING_BYTES readable behind every text and literal.
 * Threads:   immutable after gram_index_new().
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum {
    GRAM_WINDOW_BYTES = 7, /* shorter literals are not taken */
};

struct gram_index;

/*
 * An index of the literals. taken[i] says whether it has literal i: too short ones and those that
 * are like too many others are left to the caller.
 */
int gram_index_new(struct gram_index **out, const struct slice *literals, uint32_t count,
                   bool *taken);
void gram_index_free(struct gram_index *g);

/* For who is about to look at many texts, after other work: bring the table near in one go. */
void gram_index_prefetch(const struct gram_index *g);

/*
 * Calls `found` with the number of every literal whose window stands in the text, perhaps several
 * times with one; stops at its first error and returns that.
 */
int gram_index_scan(const struct gram_index *g, struct slice text,
                    int (*found)(void *self, uint32_t literal), void *self);
