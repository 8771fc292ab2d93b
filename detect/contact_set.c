#include "detect/contact_set.h"

#include <assert.h>
#include <string.h>

enum {
    STAMP_BITS = 8,
    STAMP_MASK = (1 << STAMP_BITS) - 1,
    STAMP_EARLIER = STAMP_MASK - 7, /* ages from here on are of rows that come late: young */
    TAG_SHIFT = STAMP_BITS + CONTACT_NOTE_BITS,
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
}

static uint32_t *slots_of(struct contact_set *s, uint64_t key)
{
    unsigned char *base = (void *)s;
    void *slots = base + s->at + ((key >> 8) & (s->sets - 1)) * CONTACT_WAYS * sizeof(uint32_t);
    return slots;
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
    return look_up(slots_of(s, key), tag_of(key), stamp_of(time_ns), &age);
}

void contact_set_sweep(struct contact_set *s, int64_t time_ns)
{
    uint32_t stamp = stamp_of(time_ns);
    for (uint64_t set = 0; set < s->sets; set++) {
        uint32_t *slots = slots_of(s, set << 8);
        for (unsigned way = 0; way < CONTACT_WAYS; way++) {
            if (age_of(slots[way], stamp) > CONTACT_MEMORY)
                slots[way] = 0;
        }
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
    uint32_t *slots = slots_of(s, key);
    uint32_t stamp = stamp_of(time_ns);
    unsigned was = CONTACT_NEVER;
    uint32_t *slot = look_up(slots, tag_of(key), stamp, &was);
    if (age != NULL)
        *age = was;
    if (slot != NULL)
        return slot;
    slot = make_room(s, slots, stamp);
    *slot = tag_of(key) << TAG_SHIFT | stamp << CONTACT_NOTE_BITS;
    return slot;
}
