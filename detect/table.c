#include "detect/table.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/*
 * A slot: the number of its entry from 1 (0: free), a piece of the key's hash, and whether it was
 * asked for. The clock's hand stands in the first slots of its set, one bit each.
 */
enum {
    NUMBER_BITS = 22,
    NUMBER_MASK = (1 << NUMBER_BITS) - 1,
    TAG_BITS = 8,
    TAG_MASK = ((1 << TAG_BITS) - 1) << NUMBER_BITS,
    HAND_SHIFT = NUMBER_BITS + TAG_BITS,
    HAND_BITS = 3,
    SET_BYTES = TABLE_WAYS * 4,
};

#define HAND_BIT (UINT32_C(1) << HAND_SHIFT)
#define MARK_BIT (UINT32_C(1) << (HAND_SHIFT + 1))

static_assert(TABLE_WAYS == 1 << HAND_BITS, "the hand points to each way");
static_assert((int)TABLE_ENTRIES_MAX == (int)NUMBER_MASK, "a slot names every entry");

static size_t sets_for(size_t entries)
{
    size_t sets = 1;
    while (sets * TABLE_WAYS < entries)
        sets *= 2;
    return sets;
}

size_t table_bytes(size_t entries, size_t entry_bytes)
{
    return sets_for(entries) * (SET_BYTES + TABLE_WAYS * entry_bytes);
}

void table_init(struct table *t, void *memory, size_t entries, size_t entry_bytes)
{
    unsigned char *base = (void *)t;
    unsigned char *first = memory;
    assert(first > base && entry_bytes % 8 == 0 && entry_bytes >= 8);
    *t = (struct table){
        .at = (uint64_t)(first - base), .sets = sets_for(entries), .entry_bytes = entry_bytes};
    assert(t->sets * TABLE_WAYS <= TABLE_ENTRIES_MAX);
}

static uint32_t *set_of(struct table *t, uint64_t key)
{
    unsigned char *base = (void *)t;
    void *slots = base + t->at + ((key >> 20) & (t->sets - 1)) * SET_BYTES;
    return slots;
}

/* Of the number of a slot. */
static unsigned char *entry_of(struct table *t, uint32_t number)
{
    unsigned char *base = (void *)t;
    return base + t->at + t->sets * SET_BYTES + (number - 1) * t->entry_bytes;
}

/* The bits of a key that choose no set, at the place of a slot's tag. */
static uint32_t tag_of(uint64_t key)
{
    return (uint32_t)(key >> 56) << NUMBER_BITS;
}

static uint64_t key_of(const unsigned char *entry)
{
    return bytes_get64(entry);
}

static unsigned char *look_up(struct table *t, const uint32_t *set, uint64_t key, unsigned *way)
{
    uint32_t tag = tag_of(key);
    for (unsigned i = 0; i < TABLE_WAYS; i++) {
        uint32_t number = set[i] & NUMBER_MASK;
        if ((set[i] & TAG_MASK) != tag || number == 0)
            continue;
        unsigned char *entry = entry_of(t, number);
        if (key_of(entry) != key)
            continue;
        *way = i;
        return entry;
    }
    return NULL;
}

void table_ahead(const struct table *t, uint64_t key, bool near)
{
    const unsigned char *base = (const void *)t;
    const void *slots = base + t->at + ((key >> 20) & (t->sets - 1)) * SET_BYTES;
    const uint32_t *set = slots;
    if (!near) {
        __builtin_prefetch(set, 1);
        return;
    }
    for (unsigned i = 0; i < TABLE_WAYS; i++) {
        uint32_t number = set[i] & NUMBER_MASK;
        if ((set[i] & TAG_MASK) == tag_of(key) && number != 0)
            __builtin_prefetch(base + t->at + t->sets * SET_BYTES + (number - 1) * t->entry_bytes,
                               1);
    }
}

void *table_find(struct table *t, uint64_t key)
{
    uint32_t *set = set_of(t, key);
    unsigned way = 0;
    unsigned char *entry = look_up(t, set, key, &way);
    if (entry != NULL)
        set[way] |= MARK_BIT;
    return entry;
}

/* The way that the clock gives up: the first whose mark is not set, clearing marks on the way. */
static unsigned clock_way(uint32_t *set)
{
    unsigned hand = 0;
    unsigned way = 0;
    for (unsigned i = 0; i < HAND_BITS; i++)
        hand |= (set[i] >> HAND_SHIFT & 1) << i;
    for (bool marked = true; marked; hand = (hand + 1) % TABLE_WAYS) {
        way = hand;
        marked = (set[way] & MARK_BIT) != 0;
        set[way] &= ~MARK_BIT;
    }
    for (unsigned i = 0; i < HAND_BITS; i++)
        set[i] = (set[i] & ~HAND_BIT) | (hand >> i & 1) << HAND_SHIFT;
    return way;
}

static unsigned free_way(uint32_t *set, bool *full)
{
    for (unsigned way = 0; way < TABLE_WAYS; way++) {
        if ((set[way] & NUMBER_MASK) == 0) {
            *full = false;
            return way;
        }
    }
    *full = true;
    return clock_way(set);
}

/* There is one: the table has as many entries as slots. */
static uint32_t free_number(struct table *t)
{
    if (t->free == 0)
        return (uint32_t)++t->used;
    uint32_t number = (uint32_t)t->free;
    t->free = key_of(entry_of(t, number));
    return number;
}

void *table_take(struct table *t, uint64_t key, bool *fresh, void *evicted)
{
    assert(key != 0);
    uint32_t *set = set_of(t, key);
    unsigned way = 0;
    unsigned char *entry = look_up(t, set, key, &way);
    *fresh = entry == NULL;
    if (evicted != NULL)
        memset(evicted, 0, sizeof(uint64_t));
    if (entry != NULL) {
        set[way] |= MARK_BIT;
        return entry;
    }
    bool full = false;
    way = free_way(set, &full);
    uint32_t number = full ? set[way] & NUMBER_MASK : free_number(t);
    entry = entry_of(t, number);
    if (full && evicted != NULL)
        memcpy(evicted, entry, t->entry_bytes);
    t->evictions += full;
    t->count += !full;
    memset(entry, 0, t->entry_bytes);
    memcpy(entry, &key, sizeof(key));
    /* No mark: of a flood of keys that nobody asks for again, each gives way to the next. */
    set[way] = (set[way] & HAND_BIT) | tag_of(key) | number;
    return entry;
}

void table_remove(struct table *t, uint64_t key)
{
    uint32_t *set = set_of(t, key);
    unsigned way = 0;
    unsigned char *entry = look_up(t, set, key, &way);
    if (entry == NULL)
        return;
    memset(entry, 0, t->entry_bytes);
    memcpy(entry, &t->free, sizeof(t->free));
    t->free = set[way] & NUMBER_MASK;
    set[way] = (set[way] & HAND_BIT) | MARK_BIT;
    t->count--;
}

void *table_next(struct table *t, size_t *at)
{
    unsigned char *base = (void *)t;
    const void *slots = base + t->at;
    const uint32_t *slot = slots;
    while (*at < t->sets * TABLE_WAYS && t->count != 0) {
        uint32_t number = slot[(*at)++] & NUMBER_MASK;
        if (number != 0)
            return entry_of(t, number);
    }
    return NULL;
}

void table_gap(const struct table *t, struct gaps *out)
{
    const unsigned char *base = (const void *)t;
    uint64_t entries = t->sets * TABLE_WAYS;
    gaps_add(out, base + t->at + t->sets * SET_BYTES + t->used * t->entry_bytes,
             (entries - t->used) * t->entry_bytes);
}
