#include "detect/prevalence.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "detect/prevalence_set.h"

/* One municipality's keys of the day, in a heap by (key, slot). */
struct cursor {
    const uint64_t *at;
    const uint64_t *end;
    uint16_t slot;
};

/* A destination as it will stand in the new set. */
struct merged {
    uint64_t key;
    struct prevalence_record record;
    uint16_t pairs[PREVALENCE_LIST_MAX];
};

/* All keys of the previous set and of the contributions, ascending. */
struct merge {
    const struct prevalence_set *previous; /* or NULL */
    uint32_t previous_at;
    struct cursor *heap;
    size_t heap_count;
    uint32_t day;
};

/* How many destinations there are of each rank, and which of them stay. */
struct ranks {
    uint64_t count[PREVALENCE_WINDOW_DAYS][PREVALENCE_COMMON + 1];
    uint64_t total;
    unsigned cut_age; /* of the rank that stays in part; what is worse goes */
    unsigned cut_tenants;
    uint64_t cut_left; /* of that rank, that still fit */
    uint32_t kept;
    uint32_t pairs;
};

/* ------------------------------------------------------------------------- the heap */

static bool cursor_before(const struct cursor *a, const struct cursor *b)
{
    return *a->at != *b->at ? *a->at < *b->at : a->slot < b->slot;
}

static void heap_sink(struct merge *m, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->heap_count; child++) {
            if (cursor_before(&m->heap[child], &m->heap[least]))
                least = child;
        }
        if (least == i)
            return;
        struct cursor c = m->heap[i];
        m->heap[i] = m->heap[least];
        m->heap[least] = c;
        i = least;
    }
}

/* The slot of the least key; the heap goes on to the next. */
static uint16_t heap_take(struct merge *m)
{
    uint16_t slot = m->heap[0].slot;
    m->heap[0].at++;
    if (m->heap[0].at == m->heap[0].end)
        m->heap[0] = m->heap[--m->heap_count];
    heap_sink(m, 0);
    return slot;
}

/* -------------------------------------------------------------- one destination's list */

/* The municipality was there today; false when the list is full. */
static bool list_add(struct merged *out, uint16_t slot, uint32_t day)
{
    uint16_t pair = prevalence_pair(slot, day);
    unsigned at = 0;
    while (at < out->record.pairs && prevalence_slot(out->pairs[at]) < slot)
        at++;
    if (at < out->record.pairs && prevalence_slot(out->pairs[at]) == slot) {
        out->pairs[at] = pair;
        return true;
    }
    if (out->record.pairs == PREVALENCE_LIST_MAX)
        return false;
    for (unsigned i = out->record.pairs; i > at; i--)
        out->pairs[i] = out->pairs[i - 1];
    out->pairs[at] = pair;
    out->record.pairs++;
    return true;
}

/* What of yesterday's entry is still within the window; false: nothing. */
static bool carry_over(const struct merge *m, struct merged *out)
{
    const struct prevalence_set *set = m->previous;
    uint32_t at = m->previous_at;
    const struct prevalence_record *old = &set->records[at];
    uint32_t gone = m->day - set->day;
    out->record = *old;
    out->record.pairs = 0;
    if (m->day - old->last_day >= PREVALENCE_WINDOW_DAYS)
        return false;
    for (unsigned i = 0; i < old->pairs; i++) {
        uint16_t pair = set->pairs[set->pair_at[at] + i];
        if (prevalence_age(pair, set->day) + gone < PREVALENCE_WINDOW_DAYS)
            out->pairs[out->record.pairs++] = pair;
    }
    if (old->pairs != 0)
        out->record.tenants = out->record.pairs;
    return true;
}

static uint64_t next_key(const struct merge *m)
{
    uint64_t key = UINT64_MAX;
    if (m->previous != NULL && m->previous_at < m->previous->key_count)
        key = m->previous->keys[m->previous_at];
    if (m->heap_count != 0 && *m->heap[0].at < key)
        key = *m->heap[0].at;
    return key;
}

static bool merge_is_over(const struct merge *m)
{
    return m->heap_count == 0 && (m->previous == NULL || m->previous_at == m->previous->key_count);
}

/* The next destination; false at the end. */
static bool merge_next(struct merge *m, struct merged *out)
{
    while (!merge_is_over(m)) {
        uint64_t key = next_key(m);
        bool known = false;
        *out = (struct merged){.key = key};
        if (m->previous != NULL && m->previous_at < m->previous->key_count &&
            m->previous->keys[m->previous_at] == key) {
            known = carry_over(m, out);
            m->previous_at++;
        }
        if (!known)
            out->record = (struct prevalence_record){.first_day = (uint16_t)m->day};
        bool common = out->record.tenants >= PREVALENCE_COMMON;
        uint16_t today = 0;
        while (m->heap_count != 0 && *m->heap[0].at == key) {
            uint16_t slot = heap_take(m);
            today++;
            common = common || !list_add(out, slot, m->day);
        }
        if (today != 0)
            out->record.last_day = (uint16_t)m->day;
        if (common) {
            uint16_t least = today > PREVALENCE_COMMON ? today : PREVALENCE_COMMON;
            out->record.pairs = 0;
            out->record.tenants = out->record.tenants > least ? out->record.tenants : least;
        } else {
            out->record.tenants = out->record.pairs;
        }
        if (out->record.tenants != 0)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------------ municipalities */

static int by_code(const void *a, const void *b)
{
    uint32_t left = bytes_get32(a);
    uint32_t right = bytes_get32(b);
    return left < right ? -1 : left > right;
}

static uint32_t slot_of(const struct prevalence_tenant *tenants, uint32_t count, uint32_t code)
{
    uint32_t slot = 0;
    while (slot < count && tenants[slot].code != code)
        slot++;
    return slot;
}

/* Yesterday's slots without those whose 60 days are over. Returns the slots up to the last taken. */
static uint32_t carry_tenants(struct prevalence_tenant *tenants,
                              const struct prevalence_set *previous, uint32_t day)
{
    uint32_t count = 0;
    for (uint32_t i = 0; previous != NULL && i < previous->tenant_count; i++) {
        tenants[i] = previous->tenants[i];
        if (day - tenants[i].last_day >= PREVALENCE_WINDOW_DAYS)
            tenants[i] = (struct prevalence_tenant){0};
        else
            count = i + 1;
    }
    return count;
}

/* Everybody who contributes has a slot; new ones take the free slots in the order of their codes. */
static int place_tenants(struct prevalence_tenant *tenants, uint32_t *slots, const uint32_t *codes,
                         size_t count, uint32_t day)
{
    uint32_t lowest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t slot = slot_of(tenants, *slots, codes[i]);
        if (slot == *slots) {
            while (lowest < *slots && tenants[lowest].code != 0)
                lowest++;
            slot = lowest;
        }
        if (slot == PREVALENCE_TENANTS_MAX)
            return ERR_RANGE;
        tenants[slot] = (struct prevalence_tenant){.code = codes[i], .last_day = (uint16_t)day};
        *slots = slot == *slots ? slot + 1 : *slots;
    }
    return 0;
}

static bool contribution_is_good(const struct prevalence_contribution *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->keys[i] == 0 || (i > 0 && c->keys[i] <= c->keys[i - 1]))
            return false;
    }
    return c->tenant != 0;
}

/* The codes of all contributions, ascending. ERR_RANGE: input that no caller may give. */
static int sort_codes(uint32_t *codes, const struct prevalence_contribution *contributions,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!contribution_is_good(&contributions[i]))
            return ERR_RANGE;
        codes[i] = contributions[i].tenant;
    }
    qsort(codes, count, sizeof(*codes), by_code);
    for (size_t i = 1; i < count; i++) {
        if (codes[i] == codes[i - 1])
            return ERR_RANGE;
    }
    return 0;
}

/* --------------------------------------------------------------------- what stays */

static unsigned rank_tenants(const struct merged *e)
{
    return e->record.tenants < PREVALENCE_COMMON ? e->record.tenants : PREVALENCE_COMMON;
}

static unsigned rank_age(const struct merge *m, const struct merged *e)
{
    return m->day - e->record.last_day;
}

/* From the best rank on: newest last day, most municipalities. */
static void choose_ranks(struct ranks *r)
{
    uint64_t room = PREVALENCE_KEYS_MAX;
    uint64_t pairs = 0;
    r->cut_age = PREVALENCE_WINDOW_DAYS;
    for (unsigned age = 0; age < PREVALENCE_WINDOW_DAYS && r->cut_age == PREVALENCE_WINDOW_DAYS;
         age++) {
        for (unsigned tenants = PREVALENCE_COMMON; tenants > 0; tenants--) {
            uint64_t all = r->count[age][tenants];
            uint64_t some = all < room ? all : room;
            room -= some;
            pairs += tenants == PREVALENCE_COMMON ? 0 : some * tenants;
            if (some < all) {
                r->cut_age = age;
                r->cut_tenants = tenants;
                r->cut_left = some;
                break;
            }
        }
    }
    r->kept = (uint32_t)(PREVALENCE_KEYS_MAX - room);
    r->pairs = (uint32_t)pairs;
}

static bool stays(struct ranks *r, unsigned age, unsigned tenants)
{
    if (age != r->cut_age)
        return age < r->cut_age;
    if (tenants != r->cut_tenants)
        return tenants > r->cut_tenants;
    if (r->cut_left == 0)
        return false;
    r->cut_left--;
    return true;
}

/* ------------------------------------------------------------------------- building */

/* A heap of the contributions from their first keys on. */
static void merge_begin(struct merge *m, const struct prevalence_tenant *tenants, uint32_t slots,
                        const struct prevalence_contribution *contributions, size_t count)
{
    m->previous_at = 0;
    m->heap_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct prevalence_contribution *c = &contributions[i];
        size_t keys =
            c->count < PREVALENCE_CONTRIBUTION_MAX ? c->count : PREVALENCE_CONTRIBUTION_MAX;
        if (keys == 0)
            continue;
        m->heap[m->heap_count++] =
            (struct cursor){.at = c->keys,
                            .end = c->keys + keys,
                            .slot = (uint16_t)slot_of(tenants, slots, c->tenant)};
    }
    for (size_t i = m->heap_count; i-- > 0;)
        heap_sink(m, i);
}

static void put(struct prevalence_set *set, uint32_t at, uint32_t *pairs, const struct merged *e)
{
    set->keys[at] = e->key;
    set->records[at] = e->record;
    for (unsigned i = 0; i < e->record.pairs; i++)
        set->pairs[(*pairs)++] = e->pairs[i];
}

/*
 * The merge runs twice: to count, then to keep. So memory is that of the result, however much comes
 * in.
 */
static int build(struct prevalence_set **out, struct merge *m, struct ranks *ranks,
                 const struct prevalence_contribution *contributions, size_t count)
{
    struct prevalence_tenant tenants[PREVALENCE_TENANTS_MAX] = {0};
    uint32_t codes[PREVALENCE_TENANTS_MAX];
    uint32_t slots = carry_tenants(tenants, m->previous, m->day);
    struct merged e;
    struct prevalence_set *set = NULL;
    int status = sort_codes(codes, contributions, count);
    if (status == 0)
        status = place_tenants(tenants, &slots, codes, count, m->day);
    if (status != 0)
        return status;
    merge_begin(m, tenants, slots, contributions, count);
    for (; merge_next(m, &e); ranks->total++)
        ranks->count[rank_age(m, &e)][rank_tenants(&e)]++;
    choose_ranks(ranks);
    status = prevalence_set_new(&set, slots, ranks->kept, ranks->pairs);
    if (status != 0)
        return status;
    set->day = m->day;
    set->dropped = ranks->total - ranks->kept;
    memcpy(set->tenants, tenants, slots * sizeof(*tenants));
    uint32_t at = 0;
    uint32_t pairs = 0;
    merge_begin(m, tenants, slots, contributions, count);
    while (merge_next(m, &e)) {
        if (stays(ranks, rank_age(m, &e), rank_tenants(&e)))
            put(set, at++, &pairs, &e);
    }
    assert(at == ranks->kept && pairs == ranks->pairs);
    status = prevalence_set_index(set);
    if (status != 0)
        prevalence_free(set);
    else
        *out = set;
    return status;
}

int prevalence_next(struct prevalence_set **out, const struct prevalence_set *previous,
                    const struct prevalence_contribution *contributions, size_t count, uint32_t day)
{
    if (day > UINT16_MAX || (previous != NULL && day < previous->day) ||
        count > PREVALENCE_TENANTS_MAX)
        return ERR_RANGE;
    struct merge m = {.previous = previous, .day = day};
    struct ranks *ranks = calloc(1, sizeof(*ranks));
    m.heap = calloc(count + 1, sizeof(*m.heap));
    int status = ranks == NULL || m.heap == NULL ? ERR_NOMEM : 0;
    if (status == 0)
        status = build(out, &m, ranks, contributions, count);
    free(ranks);
    free(m.heap);
    return status;
}
