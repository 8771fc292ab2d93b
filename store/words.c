#include "store/words.h"

#include <stdlib.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    WORDS_FIRST = 32,
    WORDS_MANY = 8192,      /* up to here room is made fourfold */
    WORDS_EQUAL_BYTES = 16, /* compared at once */
};

void words_release(struct words *w)
{
    buf_release(&w->text);
    free(w->items);
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

/* More room; the slots stay at most half full. */
static bool words_grow(struct words *w)
{
    uint32_t cap = w->cap == 0 ? WORDS_FIRST : w->cap < WORDS_MANY ? w->cap * 4 : w->cap * 2;
    uint32_t mask = cap * 2 - 1;
    struct span *items = reallocarray(w->items, cap, sizeof(*items));
    if (items != NULL)
        w->items = items;
    struct word_slot *slots = calloc((size_t)mask + 1, sizeof(*slots));
    /* So that the first word may be empty. */
    if (items == NULL || slots == NULL || buf_reserve(&w->text, 1) == NULL) {
        free(slots);
        return false;
    }
    for (uint32_t i = 0; w->slots != NULL && i <= w->mask; i++) {
        uint32_t at = w->slots[i].hash & mask;
        if (w->slots[i].number == 0)
            continue;
        while (slots[at].number != 0)
            at = (at + 1) & mask;
        slots[at] = w->slots[i];
    }
    free(w->slots);
    w->slots = slots;
    w->mask = mask;
    w->cap = cap;
    return true;
}

/* Equal bytes; 16 may be read from either side, whatever the length. */
static inline bool words_equal(const char *a, const char *b, size_t len)
{
#if defined(__SSE2__)
    if (len != 0 && len <= WORDS_EQUAL_BYTES) {
        __m128i va = _mm_loadu_si128((const void *)a);
        __m128i vb = _mm_loadu_si128((const void *)b);
        unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(va, vb));
        return (~same & ((1U << len) - 1)) == 0;
    }
#endif
    return len == 0 || memcmp(a, b, len) == 0;
}

/* The slot of a text, or the free one where it belongs. */
static uint32_t words_slot(const struct words *w, struct slice text, uint32_t hash)
{
    uint32_t at = hash & w->mask;
    while (w->slots[at].number != 0) {
        const struct span *item = &w->items[w->slots[at].number - 1];
        if (w->slots[at].hash == hash && item->len == text.len &&
            words_equal(w->text.data + item->offset, text.data, text.len))
            break;
        at = (at + 1) & w->mask;
    }
    return at;
}

/* Two numbers to one: both halves of their product. */
static inline uint64_t fold_product(uint64_t a, uint64_t b)
{
    __uint128_t product =
        (__uint128_t)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b ^ UINT64_C(0xD6E8FEB86659FD93));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the first 8 bytes, or as many as there are. */
static inline uint64_t first_bytes(const char *data, size_t len)
{
    uint64_t word = bytes_get64(data);
    return len >= sizeof(word) ? word : len == 0 ? 0 : word & UINT64_MAX >> (64 - 8 * len);
}

/* Texts are an outsider's: without the seed nobody can choose which of them meet in a slot. */
static inline void seed_words(struct words *w)
{
    if (w->seed == 0)
        w->seed = hash_seed() | 1;
}

static inline uint32_t hash_of(const struct words *w, struct slice text)
{
    if (text.len == 0 || text.len > WORDS_EQUAL_BYTES)
        return (uint32_t)hash_slice(w->seed, text);
    size_t rest = text.len < 8 ? 0 : text.len - 8;
    uint64_t hash =
        fold_product(first_bytes(text.data, text.len) ^ w->seed,
                     first_bytes(text.data + 8, rest) ^ (w->seed << 32 | w->seed >> 32));
    return (uint32_t)(fold_product(hash, text.len) >> 16);
}

/* Different for each address, so that equal hashes are equal addresses (the finalizer of MurmurHash3). */
static inline uint32_t hash_ip4(const struct words *w, uint32_t ip4)
{
    ip4 = (ip4 ^ (uint32_t)(w->seed >> 32)) * (uint32_t)w->seed; /* odd */
    ip4 = (ip4 ^ ip4 >> 16) * UINT32_C(0x85ebca6b);
    ip4 = (ip4 ^ ip4 >> 13) * UINT32_C(0xc2b2ae35);
    return ip4 ^ ip4 >> 16;
}

/* A new word, whose slot is free. */
static uint32_t add_word(struct words *w, uint32_t at, struct slice text, uint32_t hash)
{
    size_t offset = w->text.len;
    buf_slice(&w->text, text);
    if (!buf_ok(&w->text) || w->text.len > UINT32_MAX)
        return WORD_NONE;
    w->items[w->count] = (struct span){.offset = (uint32_t)offset, .len = (uint32_t)text.len};
    w->slots[at] = (struct word_slot){.hash = hash, .number = ++w->count};
    return w->count - 1;
}

static uint32_t put_hashed(struct words *w, struct slice text, uint32_t hash)
{
    if (w->count == w->cap && !words_grow(w))
        return WORD_NONE;
    uint32_t at = words_slot(w, text, hash);
    return w->slots[at].number != 0 ? w->slots[at].number - 1 : add_word(w, at, text, hash);
}

/* What is looked at of all is on its way before the first is compared. */
static int put_each_hashed(struct words *w, const struct slice *texts, const uint32_t *hashes,
                           uint32_t count, uint32_t *out)
{
    for (uint32_t i = 0; i < count && w->slots != NULL; i++)
        __builtin_prefetch(&w->slots[hashes[i] & w->mask]);
    for (uint32_t i = 0; i < count && w->slots != NULL; i++) {
        uint32_t number = w->slots[hashes[i] & w->mask].number;
        if (number != 0)
            __builtin_prefetch(&w->items[number - 1]);
    }
    for (uint32_t i = 0; i < count && w->slots != NULL; i++) {
        uint32_t number = w->slots[hashes[i] & w->mask].number;
        if (number != 0)
            __builtin_prefetch(w->text.data + w->items[number - 1].offset);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = put_hashed(w, texts[i], hashes[i]);
        if (out[i] == WORD_NONE)
            return ERR_NOMEM;
    }
    return 0;
}

int words_put_each(struct words *w, const struct slice *texts, uint32_t count, uint32_t *out)
{
    uint32_t hashes[WORDS_AT_ONCE];
    seed_words(w);
    for (uint32_t i = 0; i < count; i++)
        hashes[i] = hash_of(w, texts[i]);
    return put_each_hashed(w, texts, hashes, count, out);
}

/* Where there are IPv4 addresses alone, the hash tells which. */
static uint32_t put_ip4_alone(struct words *w, struct slice text, uint32_t hash)
{
    if (w->count == w->cap && !words_grow(w))
        return WORD_NONE;
    uint32_t at = hash & w->mask;
    while (w->slots[at].number != 0 && w->slots[at].hash != hash)
        at = (at + 1) & w->mask;
    if (w->slots[at].number != 0)
        return w->slots[at].number - 1;
    return add_word(w, at, text, hash);
}

int words_put_ip_each(struct words *w, const struct ip *ips, uint32_t count, bool all_v4,
                      uint32_t *out)
{
    uint32_t hashes[WORDS_AT_ONCE];
    struct slice texts[WORDS_AT_ONCE];
    seed_words(w);
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = slice_of(ips[i].bytes, sizeof(ips[i].bytes));
        hashes[i] =
            all_v4 || ip_is_v4(&ips[i]) ? hash_ip4(w, ip_v4(&ips[i])) : hash_of(w, texts[i]);
    }
    if (!all_v4)
        return put_each_hashed(w, texts, hashes, count, out);
    for (uint32_t i = 0; i < count && w->slots != NULL; i++)
        __builtin_prefetch(&w->slots[hashes[i] & w->mask]);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = put_ip4_alone(w, texts[i], hashes[i]);
        if (out[i] == WORD_NONE)
            return ERR_NOMEM;
    }
    return 0;
}

uint32_t words_append(struct words *w, struct slice text)
{
    free(w->slots);
    w->slots = NULL;
    if (w->count == w->cap) {
        uint32_t cap = w->cap == 0 ? WORDS_FIRST : w->cap * 2;
        struct span *items = reallocarray(w->items, cap, sizeof(*items));
        if (items == NULL)
            return WORD_NONE;
        w->items = items;
        w->cap = cap;
    }
    size_t offset = w->text.len;
    buf_slice(&w->text, text);
    if (!buf_ok(&w->text) || w->text.len > UINT32_MAX)
        return WORD_NONE;
    w->items[w->count] = (struct span){.offset = (uint32_t)offset, .len = (uint32_t)text.len};
    return w->count++;
}

uint32_t words_put(struct words *w, struct slice text)
{
    seed_words(w);
    return put_hashed(w, text, hash_of(w, text));
}

uint32_t words_find(const struct words *w, struct slice text)
{
    if (w->count == 0)
        return WORD_NONE;
    uint32_t at = words_slot(w, text, hash_of(w, text));
    return w->slots[at].number - 1; /* a free slot gives WORD_NONE */
}
