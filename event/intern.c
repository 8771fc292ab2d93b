#include "event/intern.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "event/columns.h"

enum {
    INTERN_FIRST_SLOTS = 64,
};

/* Two multiplications for short texts, which most are; needs SLICE_PADDING_BYTES behind the text. */
static inline uint32_t intern_hash(uint64_t seed, const char *p, size_t len)
{
    if (len > 16)
        return (uint32_t)hash_bytes(seed, p, len);
    uint64_t low = bytes_get64(p);
    uint64_t high = 0;
    if (len < 8)
        low &= (UINT64_C(1) << (len * 8)) - 1;
    else
        high = bytes_get64(p + len - 8);
    __uint128_t product = (__uint128_t)(low ^ seed) * ((high ^ len) + UINT64_C(0x9E3779B97F4A7C15));
    uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64);
    mixed *= UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(mixed >> 32);
}

static inline bool entry_equal(const struct batch *b, struct span entry, const char *p, size_t len)
{
    return entry.len == len && memcmp(b->text.data + entry.offset, p, len) == 0;
}

static int table_grow(struct batch *b, struct column *c)
{
    uint32_t slots = c->table == NULL ? INTERN_FIRST_SLOTS : (c->table_mask + 1) * 4;
    uint16_t *table = arena_array(&b->arena, slots, sizeof(*table));
    if (table == NULL)
        return ERR_NOMEM;
    for (uint32_t code = 0; code < c->entry_count; code++) {
        uint32_t at = c->entry_hash[code] & (slots - 1);
        while (table[at] != 0)
            at = (at + 1) & (slots - 1);
        table[at] = (uint16_t)(code + 1);
    }
    c->table = table;
    c->table_mask = slots - 1;
    return 0;
}

static int entry_add(struct batch *b, struct column *c, struct span span, uint32_t hash)
{
    assert(c->entry_count < BATCH_LIVE_ROWS_MAX + 1);
    uint32_t cap = c->entry_cap;
    struct span *entries =
        batch_array_grow(b, c->entries, &cap, c->entry_count + 1, sizeof(*entries));
    uint32_t *hashes =
        batch_array_grow(b, c->entry_hash, &c->entry_cap, c->entry_count + 1, sizeof(*hashes));
    if (entries == NULL || hashes == NULL)
        return ERR_NOMEM;
    c->entries = entries;
    c->entry_hash = hashes;
    c->entry_cap = cap;
    entries[c->entry_count] = span;
    hashes[c->entry_count] = hash;
    c->entry_count++;
    return 0;
}

int intern_code(struct batch *b, struct column *c, struct span span, uint16_t *code)
{
    if ((c->entry_count * 2 > c->table_mask || c->table == NULL) && table_grow(b, c) != 0)
        return ERR_NOMEM;
    const char *p = b->text.data + span.offset;
    uint32_t hash = intern_hash(b->hash_seed, p, span.len);
    uint32_t at = hash & c->table_mask;
    while (c->table[at] != 0) {
        uint32_t entry = c->table[at] - 1U;
        if (c->entry_hash[entry] == hash && intern_is(b, c, (uint16_t)entry, span)) {
            *code = (uint16_t)entry;
            return 0;
        }
        at = (at + 1) & c->table_mask;
    }
    if (entry_add(b, c, span, hash) != 0)
        return ERR_NOMEM;
    c->table[at] = (uint16_t)c->entry_count;
    *code = (uint16_t)(c->entry_count - 1);
    return 0;
}

uint16_t intern_find(const struct batch *b, const struct column *c, struct slice text)
{
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (entry_equal(b, c->entries[i], text.data, text.len))
            return (uint16_t)i;
    }
    return CODE_NONE;
}

int intern_drop(struct batch *b, struct column *c)
{
    struct span *spans = arena_array(&b->arena, c->row_cap, sizeof(*spans));
    if (spans == NULL)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < c->row_cap; row++) {
        uint16_t code = c->codes[row];
        spans[row] =
            code == CODE_NONE ? (struct span){.offset = 0, .len = SPAN_NONE} : c->entries[code];
    }
    c->spans = spans;
    c->storage = COLUMN_TEXT;
    c->entry_count = 0;
    return 0;
}
