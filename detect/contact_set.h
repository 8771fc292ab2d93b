/*
 * detect/contact_set.h - who was met lately: a set of keys of fixed size that forgets the oldest.
 *
 *   set 0   [slot][slot] .. [slot]   CONTACT_WAYS slots a set
 *   slot    tag 15 | stamp 8 | note 9
 *
 * The tag is 15 bits of the key, so of 4,000 keys that were never there about one is taken for
 * known: a scan loses that one contact. The stamp counts CONTACT_STEP_NS and is renewed whenever the
 * key is asked for; a slot is free when it is older than CONTACT_MEMORY steps. Stamps come round
 * after 32 days: contact_set_sweep() has to be called more often. A full set gives up its oldest
 * slot. The note is the caller's.
 *
 * A block of slots that nothing was written to is known as such and not looked at: memory is touched
 * first by a write.
 *
 * Lives inside a detector's flat state as struct table does: no pointers, struct and slots in one
 * block.
 *
 * Ownership: the caller's memory.
 * Threads:   one owner.
 * Failures:  none: what does not fit is forgotten, and counted while it was CONTACT_YOUNG.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "detect/gaps.h"

enum contact_limits {
    CONTACT_WAYS = 8,
    CONTACT_MEMORY = 56, /* steps: 7 days */
    CONTACT_YOUNG = 0,   /* steps: less than three hours */
    CONTACT_NEVER = 256, /* an age: not met within memory */
    CONTACT_NOTE_BITS = 9,
    CONTACT_BLOCKS = 512,       /* at most, of the slots, each a page or more */
    CONTACT_BLOCK_BYTES = 4096, /* at least */
    CONTACT_BLOCK_WORDS = CONTACT_BLOCKS / 64,
};

#define CONTACT_STEP_NS (3 * INT64_C(3600) * 1000000000)

struct contact_set {
    uint64_t at;   /* of the slots, bytes from this struct */
    uint64_t sets; /* a power of two */
    uint64_t evictions;
    uint64_t block_shift;                  /* a block has 2 to the power of it sets */
    uint64_t written[CONTACT_BLOCK_WORDS]; /* a bit for each block */
};

/* Bytes behind the struct for at least `slots` slots; a multiple of 8. */
size_t contact_set_bytes(size_t slots);
/* `memory` is zeroed, contact_set_bytes() long, behind the struct and in the same block. */
void contact_set_init(struct contact_set *s, void *memory, size_t slots);

/* The key's slot, or NULL when it was not met within memory. Valid until the next call. */
uint32_t *contact_find(struct contact_set *s, uint64_t key, int64_t time_ns);
/*
 * The key's slot, or one given out with note 0. *age (may be NULL): steps since it was last asked
 * for, CONTACT_NEVER for one given out.
 */
uint32_t *contact_take(struct contact_set *s, uint64_t key, int64_t time_ns, unsigned *age);

/* The key will be taken in a moment: ask the memory for its slots. */
void contact_ahead(const struct contact_set *s, uint64_t key);

/* Empty the slots past memory. */
void contact_set_sweep(struct contact_set *s, int64_t time_ns);

/* Blocks that nothing was written to. */
void contact_set_gaps(const struct contact_set *s, struct gaps *out);

static inline unsigned contact_note(const uint32_t *slot)
{
    return *slot & ((1U << CONTACT_NOTE_BITS) - 1);
}

/* `note` fits in CONTACT_NOTE_BITS. */
static inline void contact_note_set(uint32_t *slot, unsigned note)
{
    *slot = (*slot & ~((1U << CONTACT_NOTE_BITS) - 1)) | note;
}
