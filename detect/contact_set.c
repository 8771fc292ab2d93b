#include "detect/contact_set.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
    STAMP_BITS = 8,
    STAMP_MASK = (1 << STAMP_BITS) - 1,
    STAMP_EARLIER = STAMP_MASK - 7, /* ages from here on are of rows that come late: young */
    TAG_SHIFT = STAMP_BITS + CONTACT_NOTE_BITS,
    SET_BYTES = CONTACT_WAYS * 4,
    BLOCK_SETS_MIN = CONTACT_BLOCK_BYTES / SET_BYTES,
};

static_assert(TAG_SHIFT == 17 && (int)STAMP_MASK < (int)CONTACT_NEVER, "a slot is 32 bits");
static_assert((int)CONTACT_MEMORY < (int)STAMP_EARLIER, "stamps do not come round within memory");

static size_t sets_for(size_t slots)
{
    size_t sets = 1;
    while (sets * CONTACT_WAYS < slots)
        sets *= 2;
    return sets;
}

size_t contact_set_bytes(size_t slots)
{
    return sets_for(slots) * CONTACT_WAYS * sizeof(uint32_t);
}

void contact_set_init(struct contact_set *s, void *memory, size_t slots)
{
    unsigned char *base = (void *)s;
    unsigned char *first = memory;
    assert(first > base);
    *s = (struct contact_set){.at = (uint64_t)(first - base), .sets = sets_for(slots)};
    while (UINT64_C(1) << s->block_shift < BLOCK_SETS_MIN ||
           s->sets >> s->block_shift > CONTACT_BLOCKS)
        s->block_shift++;
}

static uint64_t set_of(const struct contact_set *s, uint64_t key)
{
    return (key >> 8) & (s->sets - 1);
}

static uint32_t *slots_of(struct contact_set *s, uint64_t set)
{
    unsigned char *base = (void *)s;
    void *slots = base + s->at + set * SET_BYTES;
    return slots;
}

static bool is_written(const struct contact_set *s, uint64_t block)
{
    return (s->written[block / 64] >> block % 64 & 1) != 0;
}

/* Never 0, so that a slot of zeros is free. */
static uint32_t tag_of(uint64_t key)
{
    uint32_t tag = (uint32_t)(key >> (32 + TAG_SHIFT));
    return tag != 0 ? tag : 1;
}

static uint32_t stamp_of(int64_t time_ns)
{
    return (uint32_t)(uint64_t)(time_ns / CONTACT_STEP_NS) & STAMP_MASK;
}

static uint32_t age_of(uint32_t slot, uint32_t stamp)
{
    uint32_t age = (stamp - (slot >> CONTACT_NOTE_BITS)) & STAMP_MASK;
    return age >= STAMP_EARLIER ? 0 : age;
}

static void renew(uint32_t *slot, uint32_t stamp)
{
    const uint32_t mask = (uint32_t)STAMP_MASK << CONTACT_NOTE_BITS;
    *slot = (*slot & ~mask) | stamp << CONTACT_NOTE_BITS;
}

static uint32_t *look_up(uint32_t *slots, uint32_t tag, uint32_t stamp, unsigned *age)
{
    for (unsigned way = 0; way < CONTACT_WAYS; way++) {
        if (slots[way] >> TAG_SHIFT != tag || age_of(slots[way], stamp) > CONTACT_MEMORY)
            continue;
        *age = age_of(slots[way], stamp);
        renew(&slots[way], stamp);
        return &slots[way];
    }
    return NULL;
}

uint32_t *contact_find(struct contact_set *s, uint64_t key, int64_t time_ns)
{
    unsigned age = 0;
    uint64_t set = set_of(s, key);
    if (!is_written(s, set >> s->block_shift))
        return NULL;
    return look_up(slots_of(s, set), tag_of(key), stamp_of(time_ns), &age);
}

void contact_ahead(const struct contact_set *s, uint64_t key)
{
    const unsigned char *base = (const void *)s;
    __builtin_prefetch(base + s->at + set_of(s, key) * SET_BYTES, 1);
}

void contact_set_sweep(struct contact_set *s, int64_t time_ns)
{
    uint32_t stamp = stamp_of(time_ns);
    for (uint64_t set = 0; set < s->sets; set++) {
        if (!is_written(s, set >> s->block_shift))
            continue;
        uint32_t *slots = slots_of(s, set);
        for (unsigned way = 0; way < CONTACT_WAYS; way++) {
            if (age_of(slots[way], stamp) > CONTACT_MEMORY)
                slots[way] = 0;
        }
    }
}

void contact_set_gaps(const struct contact_set *s, struct gaps *out)
{
    const unsigned char *base = (const void *)s;
    uint64_t blocks = ((s->sets - 1) >> s->block_shift) + 1;
    uint64_t first = 0; /* of the gap at hand */
    for (uint64_t block = 0; block <= blocks; block++) {
        if (block < blocks && !is_written(s, block))
            continue;
        uint64_t end = block << s->block_shift < s->sets ? block << s->block_shift : s->sets;
        uint64_t begin = first << s->block_shift;
        if (begin < end)
            gaps_add(out, base + s->at + begin * SET_BYTES, (end - begin) * SET_BYTES);
        first = block + 1;
    }
}

/* A free slot, one past memory, or the oldest. */
static uint32_t *make_room(struct contact_set *s, uint32_t *slots, uint32_t stamp)
{
    uint32_t *oldest = &slots[0];
    uint32_t oldest_age = 0;
    for (unsigned way = 0; way < CONTACT_WAYS; way++) {
        uint32_t age = age_of(slots[way], stamp);
        if (slots[way] == 0 || age > CONTACT_MEMORY)
            return &slots[way];
        if (age > oldest_age) {
            oldest = &slots[way];
            oldest_age = age;
        }
    }
    s->evictions += oldest_age <= CONTACT_YOUNG;
    return oldest;
}

uint32_t *contact_take(struct contact_set *s, uint64_t key, int64_t time_ns, unsigned *age)
{
    uint64_t set = set_of(s, key);
    uint64_t block = set >> s->block_shift;
    uint32_t *slots = slots_of(s, set);
    uint32_t stamp = stamp_of(time_ns);
    unsigned was = CONTACT_NEVER;
    bool written = is_written(s, block);
    uint32_t *slot = written ? look_up(slots, tag_of(key), stamp, &was) : NULL;
    if (age != NULL)
        *age = was;
    if (slot != NULL)
        return slot;
    slot = written ? make_room(s, slots, stamp) : slots;
    s->written[block / 64] |= UINT64_C(1) << block % 64;
    *slot = tag_of(key) << TAG_SHIFT | stamp << CONTACT_NOTE_BITS;
    return slot;
}
