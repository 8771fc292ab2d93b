#include "store/filter.h"

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
        to[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return hash_bytes(0, to, text.len);
}

/* Probe i of a key in `bits` bits. */
static uint32_t probe(uint64_t key, uint32_t i, uint32_t bits)
{
    uint32_t at = (uint32_t)key + i * ((uint32_t)(key >> 32) | 1U);
    return (uint32_t)((uint64_t)at * bits >> 32);
}

uint32_t filter_build(struct buf *out, const uint64_t *keys, uint32_t count)
{
    uint32_t bytes = (count * FILTER_BITS + 7) / 8;
    char *filter = buf_reserve(out, bytes);
    if (filter == NULL || count == 0)
        return 0;
    memset(filter, 0, bytes);
    for (uint32_t k = 0; k < count; k++) {
        for (uint32_t i = 0; i < FILTER_HASHES; i++) {
            uint32_t bit = probe(keys[k], i, bytes * 8);
            filter[bit / 8] = (char)((unsigned char)filter[bit / 8] | 1U << bit % 8);
        }
    }
    out->len += bytes;
    return bytes;
}

bool filter_may_hold(struct slice filter, uint64_t key)
{
    if (filter.len == 0)
        return true;
    for (uint32_t i = 0; i < FILTER_HASHES; i++) {
        uint32_t bit = probe(key, i, (uint32_t)filter.len * 8);
        if (((unsigned char)filter.data[bit / 8] >> bit % 8 & 1) == 0)
            return false;
    }
    return true;
}
