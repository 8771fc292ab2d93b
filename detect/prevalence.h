/*
 * detect/prevalence.h - which destinations the prefecture knows: how many municipalities met each
 * within the last 60 days, as of a midnight.
 *
 * Distinct municipalities over a window need to be told apart. Each has a slot of 10 bits, and a
 * destination keeps a list of the slots that met it with the day (modulo 64) on which each did last:
 *
 *   tenants   slot 0: code, last day     slot 1: ..
 *   keys      ascending: [key] [key] ..          found through an index over their leading bits
 *   entries   [first day, last day, tenants, pairs] ..
 *   pairs     [slot:10 | day mod 64:6] ..        ascending slots, at most 16 a destination
 *
 * Rare destinations, the ones that somebody asks for, are thus exact to the day: a municipality
 * that did not come back for 60 days is struck from the list. A destination of more than 16 is
 * common: its list is given up, and its count from then on is the largest number of municipalities
 * on one day, at least 17: a lower bound, until nobody meets it for 60 days.
 *
 * The result depends on what was contributed alone, not on the order of the contributions.
 *
 * Ownership: prevalence_next() and prevalence_decode() give what prevalence_free() takes back.
 * Threads:   immutable once made: any number of readers.
 * Failures:  ERR_NOMEM; ERR_RANGE for input past the limits; ERR_CORRUPT from bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum prevalence_limits {
    PREVALENCE_WINDOW_DAYS = 60,
    PREVALENCE_TENANTS_MAX = 1024,
    PREVALENCE_LIST_MAX = 16,              /* municipalities of a destination that are listed */
    PREVALENCE_COMMON = 17,                /* more than that: a lower bound */
    PREVALENCE_KEYS_MAX = 1 << 20,         /* what goes first: prevalence_next() */
    PREVALENCE_CONTRIBUTION_MAX = 1 << 16, /* keys of a municipality and day; see there */
};

struct prevalence_set;

/* What one municipality met on the day that ends. */
struct prevalence_contribution {
    uint32_t tenant;      /* its code; each at most once */
    const uint64_t *keys; /* strictly ascending, none 0 */
    size_t count;
};

struct prevalence_entry {
    uint16_t tenants;   /* from PREVALENCE_COMMON on a lower bound; 0 = not known */
    uint16_t first_day; /* days since 1970-01-01 JST */
    uint16_t last_day;
};

/*
 * The set at the midnight that ends `day`, from the one before (NULL: none) and the contributions.
 * Of a municipality's keys the first PREVALENCE_CONTRIBUTION_MAX count: keys are keyed hashes, so
 * that is an even sample that no municipality can choose. Past PREVALENCE_KEYS_MAX destinations go:
 * first those whose last day is the oldest, among them those of the fewest municipalities, among
 * them the largest keys. A municipality that contributes nothing is watched all the same.
 *
 * ERR_RANGE: a day before the previous set's or past 65,535, keys that do not ascend, a tenant
 * twice, more than PREVALENCE_TENANTS_MAX tenants within the window.
 */
int prevalence_next(struct prevalence_set **out, const struct prevalence_set *previous,
                    const struct prevalence_contribution *contributions, size_t count,
                    uint32_t day);
void prevalence_free(struct prevalence_set *set);

/* A few ten nanoseconds: two cache lines. Zeroes when nobody met it. */
struct prevalence_entry prevalence_find(const struct prevalence_set *set, uint64_t key);

/* Municipalities that were watched within the window. */
unsigned prevalence_tenants(const struct prevalence_set *set);
/* Destinations in it. */
size_t prevalence_count(const struct prevalence_set *set);
/* The day whose end it stands for. */
uint32_t prevalence_day(const struct prevalence_set *set);
/* Destinations that the limit left out when it was made. */
uint64_t prevalence_dropped(const struct prevalence_set *set);

/*
 * Append the set as bytes, little endian:
 *
 *   magic[8] day:u32 tenants:u32 keys:u32 pairs:u32 dropped:u64
 *   tenants x { code:u32 last_day:u16 }       a free slot is 0, 0
 *   keys x key:u64
 *   keys x { first_day:u16 last_day:u16 tenants:u16 pairs:u16 }
 *   pairs x u16
 *   hash:u64 of all before it
 *
 * Equal sets give equal bytes.
 */
void prevalence_encode(struct buf *out, const struct prevalence_set *set);
/* Every byte is checked; *out is untouched on failure. ERR_CORRUPT, ERR_NOMEM. */
int prevalence_decode(struct prevalence_set **out, struct slice bytes);
