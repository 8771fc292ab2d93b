/*
 * detect/prevalence_set.h - private to detect/: what a prevalence set is made of.
 *
 * Ownership: the set owns its arrays.
 * Threads:   immutable once made.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "detect/prevalence.h"

enum prevalence_bits {
    PREVALENCE_DAY_BITS = 6, /* of a pair; the window must fit */
    PREVALENCE_SLOT_BITS = 10,
};

struct prevalence_tenant {
    uint32_t code; /* 0 = a free slot */
    uint16_t last_day;
    uint16_t spare;
};

struct prevalence_record {
    uint16_t first_day;
    uint16_t last_day;
    uint16_t tenants;
    uint16_t pairs; /* as many as tenants; 0 where they are a lower bound */
};

struct prevalence_set {
    uint32_t day;
    uint32_t tenant_count; /* slots, free ones included; the last is taken */
    uint32_t key_count;
    uint32_t pair_count;
    uint64_t dropped;
    struct prevalence_tenant *tenants;
    uint64_t *keys;
    struct prevalence_record *records;
    uint32_t *pair_at; /* of each destination */
    uint16_t *pairs;
    uint32_t *index; /* first key of each value of the leading bits, and the end */
    uint32_t index_bits;
};

static inline uint16_t prevalence_pair(uint32_t slot, uint32_t day)
{
    return (uint16_t)(slot << PREVALENCE_DAY_BITS | (day & ((1U << PREVALENCE_DAY_BITS) - 1)));
}

static inline uint32_t prevalence_slot(uint16_t pair)
{
    return (uint32_t)pair >> PREVALENCE_DAY_BITS;
}

/* Days between that of the pair and `day`, which is not before it and less than 64 after it. */
static inline uint32_t prevalence_age(uint16_t pair, uint32_t day)
{
    return (day - pair) & ((1U << PREVALENCE_DAY_BITS) - 1);
}

/* A set with room for so many; counts stand, contents are the caller's to fill. */
int prevalence_set_new(struct prevalence_set **out, uint32_t tenants, uint32_t keys,
                       uint32_t pairs);
/* Make pair_at and the index from keys and records. */
int prevalence_set_index(struct prevalence_set *set);
