/*
 * detect/indicator_table.h - private to detect/: how a set of indicators lies in memory.
 *
 *   filter  u64 words; a key sets FILTER_PROBES bits of one word. Beside the keys of entries it holds
 *           what leads to them, so that most misses cost one hash: the names above a domain that have
 *           two labels or more, the address of an address:port, the authority of a URL (kind NONE),
 *           URL or path without its query. What is not in the filter ends a lookup.
 *   slots   open addressing, linear; tag in the top 8 bits, number of an entry + 1 below, 0 = free
 *   texts   of each entry: kind (1), length (1, or 2 from 128 up), key
 *   origins of an entry: the feeds that name it; equal ones are kept once. One feed stands in the
 *           struct itself, several in `feeds` from `first` on.
 *
 * Ownership: as indicator_set.h says.
 * Threads:   immutable once made.
 * Failures:  none.
 */
#pragma once

#include <assert.h>

#include "base/arena.h"
#include "base/hash.h"
#include "detect/indicator_net.h"
#include "detect/indicator_set.h"
#include "detect/indicator_unused.h"

enum indicator_table_shape {
    FILTER_BITS = 16, /* an entry: about 1 wrong "maybe" in 250 with 5 probes in one word */
    FILTER_PROBES = 5,
    SLOT_INDEX_BITS = 24,
    SLOT_LOAD_NUMERATOR = 4, /* slots an entry: 4/3 */
    SLOT_LOAD_DENOMINATOR = 3,
};

struct indicator_place {
    uint32_t text;   /* in texts */
    uint32_t origin; /* in origins */
};

/* A feed's word on an entry. */
struct indicator_word {
    int64_t expires_ns;
    uint32_t list;
};

struct indicator_origin {
    int64_t latest_ns; /* the entry lives before this; also of feeds that are only counted */
    uint32_t first;    /* in words, when count > 1 */
    uint16_t list;     /* the last feed that was added */
    uint16_t count : 4;
    uint16_t more : 12; /* feeds that are only counted */
};

static_assert(sizeof(struct indicator_origin) == 16, "one for each entry with its own expiry");
static_assert(INDICATOR_FEEDS_MAX < 16 && INDICATOR_LISTS_MAX < 4096, "fields of an origin");

/* A list, once its content is gone. */
struct indicator_list_info {
    struct slice name;
    struct slice version;
    struct indicator_counts counts;
    struct indicator_unused *unused; /* in the arena; NULL: nothing */
};

struct indicator_set {
    uint64_t seed;
    uint64_t *filter;
    uint64_t filter_words;
    uint32_t *slots;
    uint64_t slot_count;
    struct indicator_place *entries;
    size_t entry_count;
    char *texts;
    size_t text_bytes;
    struct indicator_origin *origins;
    size_t origin_count;
    struct indicator_word *words;
    size_t word_count;
    struct indicator_nets nets;
    size_t kinds[INDICATOR_KINDS];
    struct indicator_list_info *lists;
    size_t list_count;
    struct arena arena; /* lists and their names */
};

/* A key's hash; kind NONE is the authority of a URL. */
static inline uint64_t indicator_hash(const struct indicator_set *set, enum indicator_kind kind,
                                      struct slice key)
{
    return hash_slice(set->seed + kind * UINT64_C(0x9e3779b97f4a7c15), key);
}

static inline uint64_t filter_word(const struct indicator_set *set, uint64_t hash)
{
    return (uint32_t)hash * set->filter_words >> 32;
}

static inline uint64_t filter_mask(uint64_t hash)
{
    uint64_t bits = hash * UINT64_C(0x9e3779b97f4a7c15) >> (64 - 6 * FILTER_PROBES);
    uint64_t mask = 0;
    for (unsigned i = 0; i < FILTER_PROBES; i++, bits >>= 6)
        mask |= UINT64_C(1) << (bits & 63);
    return mask;
}

static inline bool filter_may_hold(const struct indicator_set *set, uint64_t hash)
{
    uint64_t mask = filter_mask(hash);
    return (set->filter[filter_word(set, hash)] & mask) == mask;
}

static inline uint64_t slot_first(const struct indicator_set *set, uint64_t hash)
{
    return (hash >> 32) * set->slot_count >> 32;
}

static inline uint32_t slot_tag(uint64_t hash)
{
    return (uint32_t)hash << SLOT_INDEX_BITS;
}

enum indicator_kind indicator_entry_kind(const struct indicator_set *set, size_t entry);
struct slice indicator_entry_key(const struct indicator_set *set, size_t entry);

/* The entry with this key, or SIZE_MAX; whether it lives does not matter. */
size_t indicator_table_find(const struct indicator_set *set, enum indicator_kind kind,
                            struct slice key, uint64_t hash);
