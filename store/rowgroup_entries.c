/* store/rowgroup_entries.c - the order of a dictionary's entries. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/rowgroup_plan.h"

enum {
    PLAN_COUNTS = 1024, /* how often an entry occurs; more is as much */
};

#define SIGN_BIT (UINT64_C(1) << 63)

/* Sorting of dictionary entries: the place of one, and what comes first of what it is sorted by. */
struct entry_key {
    uint64_t first;
    uint32_t place;
};

static int by_first(const void *left, const void *right)
{
    const struct entry_key *a = left;
    const struct entry_key *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_text(const void *left, const void *right, void *self)
{
    const struct rowgroup_column *c = self;
    const struct entry_key *a = left;
    const struct entry_key *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return slice_compare(words_text(&c->words, a->place), words_text(&c->words, b->place));
}

/* The first bytes of a text, which has padding behind it. */
static uint64_t first_bytes(struct slice text)
{
    uint64_t first = (uint64_t)bytes_get32_be(text.data) << 32 | bytes_get32_be(text.data + 4);
    if (text.len >= 8)
        return first;
    return text.len == 0 ? 0 : first >> (64 - 8 * text.len) << (64 - 8 * text.len);
}

/* How often at least the PLAN_FREQUENT most frequent entries occur; others may occur as often. */
static uint32_t frequent_count(const uint32_t *counts, uint32_t count)
{
    uint32_t having[PLAN_COUNTS]; /* how many entries occur so often */
    if (count <= PLAN_FREQUENT)
        return 1;
    memset(having, 0, sizeof(having));
    for (uint32_t i = 0; i < count; i++)
        having[counts[i] < PLAN_COUNTS ? counts[i] : PLAN_COUNTS - 1]++;
    uint32_t least = PLAN_COUNTS - 1;
    uint32_t sum = having[least];
    while (least > 1 && sum < PLAN_FREQUENT)
        sum += having[--least];
    return least;
}

/* Those that may be frequent go first into `keys`; returns how many, and how many there are in all. */
static uint32_t take_keys(struct entry_key *keys, const uint32_t *counts, uint32_t count,
                          uint32_t *all)
{
    uint32_t least = frequent_count(counts, count);
    uint32_t n = 0;
    uint32_t frequent = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (counts[i] >= least)
            keys[n++] = (struct entry_key){.first = UINT32_MAX - counts[i], .place = i};
    }
    frequent = n;
    for (uint32_t i = 0; i < count; i++) {
        if (counts[i] != 0 && counts[i] < least)
            keys[n++] = (struct entry_key){.place = i};
    }
    *all = n;
    return frequent;
}

int plan_order_entries(struct column_plan *p, struct rowgroup_column *c, const uint32_t *counts,
                       uint32_t count)
{
    struct entry_key *keys = malloc(((size_t)count + 1) * sizeof(*keys));
    p->entries = malloc(((size_t)count + 1) * sizeof(*p->entries));
    if (keys == NULL || p->entries == NULL) {
        free(keys);
        return ERR_NOMEM;
    }
    uint32_t frequent = take_keys(keys, counts, count, &p->entry_count);
    qsort(keys, frequent, sizeof(*keys), by_first);
    if (p->entry_count > PLAN_FREQUENT + 1) {
        struct entry_key *rest = keys + PLAN_FREQUENT;
        uint32_t n = p->entry_count - PLAN_FREQUENT;
        for (uint32_t i = 0; i < n; i++)
            rest[i].first = c->worded ? first_bytes(words_text(&c->words, rest[i].place))
                                      : (uint64_t)p->values[rest[i].place] ^ SIGN_BIT;
        if (c->worded)
            qsort_r(rest, n, sizeof(*rest), by_text, c);
        else
            qsort(rest, n, sizeof(*rest), by_first);
    }
    for (uint32_t i = 0; i < p->entry_count; i++)
        p->entries[i] = keys[i].place;
    free(keys);
    return 0;
}
