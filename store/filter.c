#include "store/filter.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"

uint64_t filter_key_ip(const struct ip *ip)
{
    return hash_bytes(0, ip->bytes, sizeof(ip->bytes));
}

uint64_t filter_key_text(struct slice text, struct buf *scratch)
{
    buf_reset(scratch);
    char *to = buf_reserve(scratch, text.len);
    if (to == NULL)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        to[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return hash_bytes(0, to, text.len);
}

/* Probe i of a key in `bits` bits. */
static uint32_t probe(uint64_t key, uint32_t i, uint32_t bits)
{
    uint32_t at = (uint32_t)key + i * ((uint32_t)(key >> 32) | 1U);
    return (uint32_t)((uint64_t)at * bits >> 32);
}

enum {
    KEYS_FIRST = 256,
    KEYS_KEPT = 1024, /* a larger table is given back: clearing it would cost more */
};

static int keys_grow(struct filter_keys *k, uint32_t slots)
{
    uint64_t *bigger = calloc(slots, sizeof(*bigger));
    if (bigger == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; k->slots != NULL && i <= k->mask; i++) {
        if (k->slots[i] == 0)
            continue;
        uint32_t at = (uint32_t)k->slots[i] & (slots - 1);
        while (bigger[at] != 0)
            at = (at + 1) & (slots - 1);
        bigger[at] = k->slots[i];
    }
    free(k->slots);
    k->slots = bigger;
    k->mask = slots - 1;
    return 0;
}

int filter_keys_reset(struct filter_keys *k)
{
    k->count = 0;
    if (k->slots != NULL && k->mask + 1 <= KEYS_KEPT) {
        memset(k->slots, 0, (k->mask + 1) * sizeof(*k->slots));
        return 0;
    }
    filter_keys_release(k);
    return keys_grow(k, KEYS_FIRST);
}

void filter_keys_release(struct filter_keys *k)
{
    free(k->slots);
    *k = (struct filter_keys){0};
}

int filter_keys_add(struct filter_keys *k, uint64_t key)
{
    if (k->count > FILTER_KEYS_MAX)
        return 0;
    key = key == 0 ? 1 : key; /* 0 means free */
    if (k->count * 2 > k->mask && keys_grow(k, (k->mask + 1) * 4) != 0)
        return ERR_NOMEM;
    uint32_t at = (uint32_t)key & k->mask;
    while (k->slots[at] != 0 && k->slots[at] != key)
        at = (at + 1) & k->mask;
    k->count += k->slots[at] == 0;
    k->slots[at] = key;
    return 0;
}

void filter_build(struct buf *out, const struct filter_keys *k)
{
    uint32_t count = k->count > FILTER_KEYS_MAX ? 0 : k->count;
    uint32_t bytes = (count * FILTER_BITS + 7) / 8;
    buf_varint(out, bytes);
    char *filter = buf_reserve(out, bytes);
    if (filter == NULL)
        return;
    memset(filter, 0, bytes);
    for (uint32_t k_at = 0; bytes != 0 && k_at <= k->mask; k_at++) {
        for (uint32_t i = 0; k->slots[k_at] != 0 && i < FILTER_HASHES; i++) {
            uint32_t bit = probe(k->slots[k_at], i, bytes * 8);
            filter[bit / 8] = (char)((unsigned char)filter[bit / 8] | 1U << bit % 8);
        }
    }
    out->len += bytes;
}

bool filter_may_hold(struct slice filter, uint64_t key)
{
    key = key == 0 ? 1 : key;
    if (filter.len == 0)
        return true;
    for (uint32_t i = 0; i < FILTER_HASHES; i++) {
        uint32_t bit = probe(key, i, (uint32_t)filter.len * 8);
        if (((unsigned char)filter.data[bit / 8] >> bit % 8 & 1) == 0)
            return false;
    }
    return true;
}
