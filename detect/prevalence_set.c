#include "detect/prevalence_set.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    KEYS_PER_STEP = 4, /* of the index, on average: less than a cache line */
    INDEX_BITS_MIN = 4,
    INDEX_BITS_MAX = 18,
    HEADER_BYTES = 8 + 4 * 4 + 8,
    TENANT_BYTES = 6,
    RECORD_BYTES = 8,
    HASH_BYTES = 8,
    HASH_SEED = 1, /* against damage, not against people: the blob's name does that */
};

static const char MAGIC[8] = {'S', 'K', 'P', 'R', 'E', 'V', '0', '1'};

static_assert(PREVALENCE_WINDOW_DAYS < 1 << PREVALENCE_DAY_BITS, "an age is not ambiguous");
static_assert(PREVALENCE_TENANTS_MAX <= 1 << PREVALENCE_SLOT_BITS, "a slot fits in a pair");
static_assert(PREVALENCE_LIST_MAX + 1 == PREVALENCE_COMMON, "what is not listed is common");

/* ------------------------------------------------------------------------ the structure */

int prevalence_set_new(struct prevalence_set **out, uint32_t tenants, uint32_t keys, uint32_t pairs)
{
    struct prevalence_set *set = calloc(1, sizeof(*set));
    if (set == NULL)
        return ERR_NOMEM;
    set->tenants = calloc(tenants + 1U, sizeof(*set->tenants));
    set->keys = calloc(keys + 1U, sizeof(*set->keys));
    set->records = calloc(keys + 1U, sizeof(*set->records));
    set->pair_at = calloc(keys + 1U, sizeof(*set->pair_at));
    set->pairs = calloc(pairs + 1U, sizeof(*set->pairs));
    if (set->tenants == NULL || set->keys == NULL || set->records == NULL || set->pair_at == NULL ||
        set->pairs == NULL) {
        prevalence_free(set);
        return ERR_NOMEM;
    }
    set->tenant_count = tenants;
    set->key_count = keys;
    set->pair_count = pairs;
    *out = set;
    return 0;
}

void prevalence_free(struct prevalence_set *set)
{
    if (set == NULL)
        return;
    free(set->tenants);
    free(set->keys);
    free(set->records);
    free(set->pair_at);
    free(set->pairs);
    free(set->index);
    free(set);
}

static uint32_t step_of(const struct prevalence_set *set, uint64_t key)
{
    return (uint32_t)(key >> (64 - set->index_bits));
}

int prevalence_set_index(struct prevalence_set *set)
{
    uint32_t bits = INDEX_BITS_MIN;
    while (bits < INDEX_BITS_MAX && (UINT32_C(1) << bits) * KEYS_PER_STEP < set->key_count)
        bits++;
    uint32_t steps = UINT32_C(1) << bits;
    uint32_t *index = calloc(steps + 1U, sizeof(*index));
    if (index == NULL)
        return ERR_NOMEM;
    free(set->index);
    set->index = index;
    set->index_bits = bits;
    uint32_t at = 0;
    uint32_t pairs = 0;
    for (uint32_t step = 0; step < steps; step++) {
        index[step] = at;
        for (; at < set->key_count && step_of(set, set->keys[at]) == step; at++) {
            set->pair_at[at] = pairs;
            pairs += set->records[at].pairs;
        }
    }
    index[steps] = at;
    assert(at == set->key_count && pairs == set->pair_count);
    return 0;
}

struct prevalence_entry prevalence_find(const struct prevalence_set *set, uint64_t key)
{
    uint32_t step = step_of(set, key);
    uint32_t end = set->index[step + 1];
    for (uint32_t at = set->index[step]; at < end; at++) {
        if (set->keys[at] == key) {
            const struct prevalence_record *r = &set->records[at];
            return (struct prevalence_entry){
                .tenants = r->tenants, .first_day = r->first_day, .last_day = r->last_day};
        }
    }
    return (struct prevalence_entry){0};
}

unsigned prevalence_tenants(const struct prevalence_set *set)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < set->tenant_count; i++)
        count += set->tenants[i].code != 0;
    return count;
}

size_t prevalence_count(const struct prevalence_set *set)
{
    return set->key_count;
}

uint32_t prevalence_day(const struct prevalence_set *set)
{
    return set->day;
}

uint64_t prevalence_dropped(const struct prevalence_set *set)
{
    return set->dropped;
}

/* ----------------------------------------------------------------------------- bytes */

void prevalence_encode(struct buf *out, const struct prevalence_set *set)
{
    size_t start = out->len;
    buf_append(out, MAGIC, sizeof(MAGIC));
    buf_put32(out, set->day);
    buf_put32(out, set->tenant_count);
    buf_put32(out, set->key_count);
    buf_put32(out, set->pair_count);
    buf_put64(out, set->dropped);
    for (uint32_t i = 0; i < set->tenant_count; i++) {
        buf_put32(out, set->tenants[i].code);
        buf_put16(out, set->tenants[i].last_day);
    }
    for (uint32_t i = 0; i < set->key_count; i++)
        buf_put64(out, set->keys[i]);
    for (uint32_t i = 0; i < set->key_count; i++) {
        buf_put16(out, set->records[i].first_day);
        buf_put16(out, set->records[i].last_day);
        buf_put16(out, set->records[i].tenants);
        buf_put16(out, set->records[i].pairs);
    }
    for (uint32_t i = 0; i < set->pair_count; i++)
        buf_put16(out, set->pairs[i]);
    if (buf_ok(out))
        buf_put64(out, hash_bytes(HASH_SEED, out->data + start, out->len - start));
}

static bool in_window(const struct prevalence_set *set, uint32_t day)
{
    return day <= set->day && set->day - day < PREVALENCE_WINDOW_DAYS;
}

static int by_code(const void *a, const void *b)
{
    uint32_t left = bytes_get32(a);
    uint32_t right = bytes_get32(b);
    return left < right ? -1 : left > right;
}

/* Free slots are all zero, the last slot is taken, no code stands twice. */
static int check_tenants(const struct prevalence_set *set)
{
    uint32_t codes[PREVALENCE_TENANTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->tenant_count; i++) {
        const struct prevalence_tenant *t = &set->tenants[i];
        if (t->code == 0 ? t->last_day != 0 : !in_window(set, t->last_day))
            return ERR_CORRUPT;
        if (t->code != 0)
            codes[count++] = t->code;
    }
    if (set->tenant_count != 0 && set->tenants[set->tenant_count - 1].code == 0)
        return ERR_CORRUPT;
    qsort(codes, count, sizeof(codes[0]), by_code);
    for (uint32_t i = 1; i < count; i++) {
        if (codes[i] == codes[i - 1])
            return ERR_CORRUPT;
    }
    return 0;
}

/* The pairs of one destination: ascending taken slots, days that agree with the record. */
static int check_pairs(const struct prevalence_set *set, const struct prevalence_record *r,
                       const uint16_t *pairs)
{
    uint32_t newest = 0;
    for (unsigned i = 0; i < r->pairs; i++) {
        uint32_t slot = prevalence_slot(pairs[i]);
        uint32_t age = prevalence_age(pairs[i], set->day);
        if (slot >= set->tenant_count || set->tenants[slot].code == 0 ||
            age >= PREVALENCE_WINDOW_DAYS || age > set->day ||
            (i > 0 && slot <= prevalence_slot(pairs[i - 1])))
            return ERR_CORRUPT;
        uint32_t day = set->day - age;
        if (day < r->first_day || day > set->tenants[slot].last_day)
            return ERR_CORRUPT;
        newest = day > newest ? day : newest;
    }
    return newest == r->last_day ? 0 : ERR_CORRUPT;
}

static int check_keys(const struct prevalence_set *set)
{
    uint64_t last = 0;
    uint64_t pairs = 0;
    for (uint32_t i = 0; i < set->key_count; i++) {
        const struct prevalence_record *r = &set->records[i];
        if (set->keys[i] <= last || r->first_day > r->last_day || !in_window(set, r->last_day))
            return ERR_CORRUPT;
        last = set->keys[i];
        bool common = r->pairs == 0 && r->tenants >= PREVALENCE_COMMON &&
                      r->tenants <= PREVALENCE_TENANTS_MAX;
        bool listed = r->pairs != 0 && r->pairs <= PREVALENCE_LIST_MAX && r->tenants == r->pairs;
        if ((!common && !listed) || pairs + r->pairs > set->pair_count ||
            (listed && check_pairs(set, r, set->pairs + pairs) != 0))
            return ERR_CORRUPT;
        pairs += r->pairs;
    }
    return pairs == set->pair_count ? 0 : ERR_CORRUPT;
}

/* Needs that the bytes are as many as the counts say. */
static void read_arrays(struct prevalence_set *set, const char *at)
{
    for (uint32_t i = 0; i < set->tenant_count; i++, at += TENANT_BYTES) {
        set->tenants[i].code = bytes_get32(at);
        set->tenants[i].last_day = bytes_get16(at + 4);
    }
    for (uint32_t i = 0; i < set->key_count; i++, at += sizeof(uint64_t))
        set->keys[i] = bytes_get64(at);
    for (uint32_t i = 0; i < set->key_count; i++, at += RECORD_BYTES) {
        set->records[i] = (struct prevalence_record){.first_day = bytes_get16(at),
                                                     .last_day = bytes_get16(at + 2),
                                                     .tenants = bytes_get16(at + 4),
                                                     .pairs = bytes_get16(at + 6)};
    }
    for (uint32_t i = 0; i < set->pair_count; i++, at += sizeof(uint16_t))
        set->pairs[i] = bytes_get16(at);
}

static int read_header(struct prevalence_set *header, struct slice bytes)
{
    if (bytes.len < HEADER_BYTES + HASH_BYTES || memcmp(bytes.data, MAGIC, sizeof(MAGIC)) != 0 ||
        bytes_get64(bytes.data + bytes.len - HASH_BYTES) !=
            hash_bytes(HASH_SEED, bytes.data, bytes.len - HASH_BYTES))
        return ERR_CORRUPT;
    *header = (struct prevalence_set){.day = bytes_get32(bytes.data + 8),
                                      .tenant_count = bytes_get32(bytes.data + 12),
                                      .key_count = bytes_get32(bytes.data + 16),
                                      .pair_count = bytes_get32(bytes.data + 20),
                                      .dropped = bytes_get64(bytes.data + 24)};
    if (header->day > UINT16_MAX || header->tenant_count > PREVALENCE_TENANTS_MAX ||
        header->key_count > PREVALENCE_KEYS_MAX ||
        header->pair_count > header->key_count * PREVALENCE_LIST_MAX)
        return ERR_CORRUPT;
    size_t want = HEADER_BYTES + HASH_BYTES + (size_t)header->tenant_count * TENANT_BYTES +
                  (size_t)header->key_count * (sizeof(uint64_t) + RECORD_BYTES) +
                  (size_t)header->pair_count * sizeof(uint16_t);
    return bytes.len == want ? 0 : ERR_CORRUPT;
}

int prevalence_decode(struct prevalence_set **out, struct slice bytes)
{
    struct prevalence_set header;
    struct prevalence_set *set = NULL;
    int status = read_header(&header, bytes);
    if (status == 0)
        status = prevalence_set_new(&set, header.tenant_count, header.key_count, header.pair_count);
    if (status != 0)
        return status;
    set->day = header.day;
    set->dropped = header.dropped;
    read_arrays(set, bytes.data + HEADER_BYTES);
    status = check_tenants(set);
    if (status == 0)
        status = check_keys(set);
    if (status == 0)
        status = prevalence_set_index(set);
    if (status != 0) {
        prevalence_free(set);
        return status;
    }
    *out = set;
    return 0;
}
