#include "detect/table.h"

#include <assert.h>
#include <string.h>

/*
 * The key of an entry is its first 8 bytes. Recency stands in a byte array behind all entries, one
 * bit a way, so that an entry belongs to its user alone.
 */
static size_t sets_for(size_t entries)
{
    size_t sets = 1;
    while (sets * TABLE_WAYS < entries)
        sets *= 2;
    return sets;
}

size_t table_bytes(size_t entries, size_t entry_bytes)
{
    size_t sets = sets_for(entries);
    size_t marks = (sets * 2 + 7) / 8 * 8;
    return sets * TABLE_WAYS * entry_bytes + marks;
}

void table_init(struct table *t, void *memory, size_t entries, size_t entry_bytes)
{
    unsigned char *base = (void *)t;
    unsigned char *first = memory;
    assert(first > base && entry_bytes % 8 == 0 && entry_bytes >= 8);
    *t = (struct table){
        .at = (uint64_t)(first - base), .sets = sets_for(entries), .entry_bytes = entry_bytes};
}

static unsigned char *entry_at(struct table *t, uint64_t set, unsigned way)
{
    unsigned char *base = (void *)t;
    return base + t->at + (set * TABLE_WAYS + way) * t->entry_bytes;
}

/* [0] used bits of the ways, [1] the clock's hand. */
static unsigned char *marks_of(struct table *t, uint64_t set)
{
    unsigned char *base = (void *)t;
    return base + t->at + t->sets * TABLE_WAYS * t->entry_bytes + set * 2;
}

static uint64_t key_of(const unsigned char *entry)
{
    uint64_t key;
    memcpy(&key, entry, sizeof(key));
    return key;
}

static uint64_t set_of(const struct table *t, uint64_t key)
{
    return (key >> 20) & (t->sets - 1);
}

void *table_find(struct table *t, uint64_t key)
{
    uint64_t set = set_of(t, key);
    for (unsigned way = 0; way < TABLE_WAYS; way++) {
        unsigned char *entry = entry_at(t, set, way);
        if (key_of(entry) != key)
            continue;
        marks_of(t, set)[0] |= (unsigned char)(1U << way);
        return entry;
    }
    return NULL;
}

/* The way that the clock gives up: the first whose mark is not set, clearing marks on the way. */
static unsigned clock_way(unsigned char *marks)
{
    for (;;) {
        unsigned way = marks[1] % TABLE_WAYS;
        marks[1] = (unsigned char)((way + 1) % TABLE_WAYS);
        if ((marks[0] >> way & 1) == 0)
            return way;
        marks[0] = (unsigned char)(marks[0] & ~(1U << way));
    }
}

static unsigned free_way(struct table *t, uint64_t set, bool *full)
{
    for (unsigned way = 0; way < TABLE_WAYS; way++) {
        if (key_of(entry_at(t, set, way)) == 0) {
            *full = false;
            return way;
        }
    }
    *full = true;
    return clock_way(marks_of(t, set));
}

void *table_take(struct table *t, uint64_t key, bool *fresh, void *evicted)
{
    assert(key != 0);
    void *found = table_find(t, key);
    *fresh = found == NULL;
    if (evicted != NULL)
        memset(evicted, 0, sizeof(uint64_t));
    if (found != NULL)
        return found;
    uint64_t set = set_of(t, key);
    bool full = false;
    unsigned way = free_way(t, set, &full);
    unsigned char *entry = entry_at(t, set, way);
    if (full && evicted != NULL)
        memcpy(evicted, entry, t->entry_bytes);
    t->evictions += full;
    t->count += !full;
    memset(entry, 0, t->entry_bytes);
    memcpy(entry, &key, sizeof(key));
    /* No mark: of a flood of keys that nobody asks for again, each gives way to the next. */
    marks_of(t, set)[0] &= (unsigned char)~(1U << way);
    return entry;
}

void table_remove(struct table *t, uint64_t key)
{
    unsigned char *entry = table_find(t, key);
    if (entry == NULL)
        return;
    memset(entry, 0, t->entry_bytes);
    t->count--;
}

void *table_next(struct table *t, size_t *at)
{
    while (*at < t->sets * TABLE_WAYS) {
        size_t here = (*at)++;
        unsigned char *entry = entry_at(t, here / TABLE_WAYS, (unsigned)(here % TABLE_WAYS));
        if (key_of(entry) != 0)
            return entry;
    }
    return NULL;
}
