#include "event/pred_gram.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    STEP = 4,           /* bytes between two looks */
    GRAMS = 4,          /* of a window: one for each place it may have between two looks */
    GRAMS_PER_WORD = 4, /* of the table, on average; fewer make fewer looks that find nothing */
    WORDS_MIN = 4,      /* binary logarithms of the number of words */
    WORDS_MAX = 12,     /* 32 KiB, so that they stay near */
    LINE_WORDS = 8,     /* of a line of the cache */
    BUCKET_BITS = 2,    /* buckets for each word, the same */
    BUCKET_MAX = 16,    /* grams; a literal that would make one larger is not taken */
    PLACES_MAX = 64,    /* windows of a literal that are looked at */
};

#define GRAM_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define GRAM_FOLD   UINT32_C(0x20202020)
#define WINDOW_FOLD UINT64_C(0x0020202020202020)
#define WINDOW_MASK UINT64_C(0x00ffffffffffffff)

/* One gram of a literal's window. */
struct gram {
    uint64_t window;
    uint32_t literal;
    uint32_t offset; /* of the gram in its window */
};

struct gram_index {
    uint64_t *table;  /* of each gram two bits of a word */
    uint32_t *starts; /* in `grams`, by bucket; one more at the end */
    struct gram *grams;
    uint32_t word_count;
    unsigned word_shift;
    unsigned bucket_shift;
};

static uint64_t gram_hash(const char *at)
{
    return (bytes_get32(at) | GRAM_FOLD) * GRAM_FACTOR;
}

static uint64_t gram_bits(uint64_t hash)
{
    return UINT64_C(1) << (hash >> 32 & 63) | UINT64_C(1) << (hash >> 38 & 63);
}

static uint64_t window_at(const char *at)
{
    return (bytes_get64(at) & WINDOW_MASK) | WINDOW_FOLD;
}

/* Making */

struct choice {
    uint32_t *sizes;  /* of the buckets, of what has been chosen */
    uint32_t *counts; /* of the same, of all grams of all literals */
    size_t *place;    /* of each literal's window */
};

static size_t places(struct slice literal)
{
    size_t count = literal.len - GRAM_WINDOW_BYTES + 1;
    return count < PLACES_MAX ? count : PLACES_MAX;
}

/* What the window costs: how full its buckets are, and how many literals have such grams. */
static uint64_t window_cost(const struct gram_index *g, const struct choice *c, const char *window)
{
    uint64_t cost = 0;
    for (size_t i = 0; i < GRAMS; i++) {
        uint64_t bucket = gram_hash(window + i) >> g->bucket_shift;
        if (c->sizes[bucket] >= BUCKET_MAX - GRAMS)
            return UINT64_MAX;
        cost += (uint64_t)c->sizes[bucket] * 2 + c->counts[bucket];
    }
    return cost;
}

/* The cheapest window; the last one of equals, since beginnings are alike ("http://"). */
static bool window_choose(const struct gram_index *g, struct choice *c, struct slice literal,
                          size_t *out)
{
    uint64_t least = UINT64_MAX;
    for (size_t at = 0; at < places(literal); at++) {
        uint64_t cost = window_cost(g, c, literal.data + at);
        if (cost == UINT64_MAX || cost > least)
            continue;
        least = cost;
        *out = at;
    }
    for (size_t i = 0; i < GRAMS && least != UINT64_MAX; i++)
        c->sizes[gram_hash(literal.data + *out + i) >> g->bucket_shift]++;
    return least != UINT64_MAX;
}

static void grams_count(const struct gram_index *g, const struct choice *c, struct slice literal)
{
    for (size_t at = 0; at < places(literal) + GRAMS - 1; at++)
        c->counts[gram_hash(literal.data + at) >> g->bucket_shift]++;
}

static void grams_fill(struct gram_index *g, struct choice *c, const struct slice *literals,
                       uint32_t count, const bool *taken, uint32_t bucket_count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < bucket_count; i++) {
        g->starts[i] = at;
        at += c->sizes[i];
        c->sizes[i] = g->starts[i];
    }
    g->starts[bucket_count] = at;
    for (uint32_t i = 0; i < count; i++) {
        const char *window = taken[i] ? literals[i].data + c->place[i] : NULL;
        for (uint32_t k = 0; window != NULL && k < GRAMS; k++) {
            uint64_t hash = gram_hash(window + k);
            g->table[hash >> g->word_shift] |= gram_bits(hash);
            g->grams[c->sizes[hash >> g->bucket_shift]++] =
                (struct gram){.window = window_at(window), .literal = i, .offset = k};
        }
    }
}

static int index_fill(struct gram_index *g, const struct slice *literals, uint32_t count,
                      bool *taken, unsigned bits)
{
    uint32_t bucket_count = UINT32_C(1) << (bits + BUCKET_BITS);
    uint32_t taken_count = 0;
    struct choice c = {.sizes = calloc(bucket_count, sizeof(*c.sizes)),
                       .counts = calloc(bucket_count, sizeof(*c.counts)),
                       .place = calloc(count + 1U, sizeof(*c.place))};
    int err = ERR_NOMEM;
    g->word_count = UINT32_C(1) << bits;
    g->word_shift = 64 - bits;
    g->bucket_shift = 64 - bits - BUCKET_BITS;
    g->table = calloc((size_t)1 << bits, sizeof(*g->table));
    g->starts = calloc(bucket_count + 1U, sizeof(*g->starts));
    if (c.sizes == NULL || c.counts == NULL || c.place == NULL || g->table == NULL ||
        g->starts == NULL)
        goto out;
    for (uint32_t i = 0; i < count; i++) {
        if (literals[i].len >= GRAM_WINDOW_BYTES)
            grams_count(g, &c, literals[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        taken[i] =
            literals[i].len >= GRAM_WINDOW_BYTES && window_choose(g, &c, literals[i], &c.place[i]);
        taken_count += taken[i];
    }
    g->grams = calloc((size_t)taken_count * GRAMS + 1, sizeof(*g->grams));
    if (g->grams == NULL)
        goto out;
    grams_fill(g, &c, literals, count, taken, bucket_count);
    err = 0;
out:
    free(c.sizes);
    free(c.counts);
    free(c.place);
    return err;
}

int gram_index_new(struct gram_index **out, const struct slice *literals, uint32_t count,
                   bool *taken)
{
    struct gram_index *g = calloc(1, sizeof(*g));
    unsigned bits = WORDS_MIN;
    if (g == NULL)
        return ERR_NOMEM;
    while (bits < WORDS_MAX && (uint64_t)GRAMS_PER_WORD << bits < (uint64_t)count * GRAMS)
        bits++;
    int err = index_fill(g, literals, count, taken, bits);
    if (err != 0) {
        gram_index_free(g);
        return err;
    }
    *out = g;
    return 0;
}

void gram_index_free(struct gram_index *g)
{
    if (g == NULL)
        return;
    free(g->table);
    free(g->starts);
    free(g->grams);
    free(g);
}

/* Looking */

/* Compare the windows of a bucket with what stands around the gram at `at`. */
static int bucket_scan(const struct gram_index *g, struct slice text, size_t at, uint64_t hash,
                       int (*found)(void *self, uint32_t literal), void *self)
{
    uint64_t bucket = hash >> g->bucket_shift;
    for (uint32_t i = g->starts[bucket]; i < g->starts[bucket + 1]; i++) {
        const struct gram *gram = &g->grams[i];
        if (gram->offset > at || at - gram->offset + GRAM_WINDOW_BYTES > text.len ||
            window_at(text.data + at - gram->offset) != gram->window)
            continue;
        int err = found(self, gram->literal);
        if (err != 0)
            return err;
    }
    return 0;
}

void gram_index_prefetch(const struct gram_index *g)
{
    for (uint32_t i = 0; i < g->word_count; i += LINE_WORDS)
        __builtin_prefetch(&g->table[i]);
}

int gram_index_scan(const struct gram_index *g, struct slice text,
                    int (*found)(void *self, uint32_t literal), void *self)
{
    const uint64_t *table = g->table;
    unsigned shift = g->word_shift;
    for (size_t at = 0; at + GRAMS <= text.len; at += STEP) {
        uint64_t hash = gram_hash(text.data + at);
        uint64_t bits = gram_bits(hash);
        if ((table[hash >> shift] & bits) != bits)
            continue;
        int err = bucket_scan(g, text, at, hash, found, self);
        if (err != 0)
            return err;
    }
    return 0;
}
