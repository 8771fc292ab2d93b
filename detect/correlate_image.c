/* The memory of correlations as bytes. Hash tables are made anew from what they point to. */
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "detect/correlate_state.h"

enum {
    IMAGE_VERSION = 2,
    SIGNATURE_SEED = 1, /* of a hash that nobody attacks */
};

/* What must be the same for a state to mean the same: the correlations, and the sizes. */
static uint64_t signature(const struct correlate *c)
{
    uint64_t sizes[] = {IMAGE_VERSION,       c->cell_count,        c->group_count,    c->seed,
                        sizeof(struct cell), sizeof(struct group), c->set->rule_count};
    uint64_t hash = hash_bytes(SIGNATURE_SEED, sizes, sizeof(sizes));
    for (uint32_t i = 0; i < c->order_count; i++) {
        uint32_t rule = c->order[i];
        const struct sigma_correlation *s = correlation_at(c, rule);
        uint64_t shape[] = {
            rule,           (uint64_t)s->type, (uint64_t)s->timespan_ns, s->reference_count,
            s->group_count, s->field_count};
        hash = hash_bytes(hash, shape, sizeof(shape));
        hash = hash_slice(hash, c->set->rules[rule].id);
        for (uint32_t k = 0; k < s->reference_count; k++) {
            const uint32_t at = s->references[k].rule;
            hash = hash_bytes(hash, &at, sizeof(at));
            hash = hash_slice(hash, c->set->rules[at].id);
        }
        for (uint32_t k = 0; k < s->field_count; k++)
            hash = hash_slice(hash, s->fields[k].name);
        for (uint32_t k = 0; k < s->group_count; k++)
            hash = hash_slice(hash, s->groups[k]);
    }
    return hash;
}

void correlate_save(const struct correlate *c, struct buf *out)
{
    const uint32_t numbers[] = {c->cell_used,  c->cell_free,  c->group_used,
                                c->group_free, c->wait_count, c->generations};
    const uint64_t counts[] = {c->evictions, c->cuts, c->ungrouped};
    buf_put64(out, signature(c));
    buf_append(out, numbers, sizeof(numbers));
    buf_append(out, counts, sizeof(counts));
    buf_append(out, c->lanes, c->set->rule_count * sizeof(*c->lanes));
    buf_append(out, c->cells, c->cell_used * sizeof(*c->cells));
    buf_append(out, c->group_items, c->group_used * sizeof(*c->group_items));
    buf_append(out, c->waits, c->wait_count * sizeof(*c->waits));
}

/* Copy `len` bytes from the front; false where there are not so many. */
static bool take(struct slice *bytes, void *to, size_t len)
{
    if (bytes->len < len)
        return false;
    if (len != 0)
        memcpy(to, bytes->data, len);
    *bytes = slice_from_offset(*bytes, len);
    return true;
}

/* The hash tables of groups and of values. */
static void tables_make(struct correlate *c)
{
    memset(c->table, 0, ((size_t)c->table_mask + 1) * sizeof(*c->table));
    memset(c->values, 0, ((size_t)c->value_mask + 1) * sizeof(*c->values));
    for (uint32_t i = 0; i < c->group_used; i++) {
        const struct group *g = &c->group_items[i];
        if (g->correlation == CELL_NONE)
            continue;
        group_enter(c, i);
        if (correlation_at(c, g->correlation)->type != SIGMA_VALUE_COUNT)
            continue;
        for (uint32_t at = g->first; at != CELL_NONE; at = c->cells[at].next) {
            if ((c->cells[at].flags & ENTRY_LATEST) != 0)
                value_enter(c, at);
        }
    }
}

/* Do all indices lie within what is there? A state is trusted no further than its bytes. */
static bool is_sound(const struct correlate *c)
{
    for (uint32_t i = 0; i < c->cell_used; i++) {
        if (c->cells[i].next != CELL_NONE && c->cells[i].next >= c->cell_used)
            return false;
    }
    for (uint32_t i = 0; i < c->group_used; i++) {
        const struct group *g = &c->group_items[i];
        const uint32_t cells[] = {g->first, g->last, g->text};
        for (size_t k = 0; k < sizeof(cells) / sizeof(cells[0]); k++) {
            if (g->correlation != CELL_NONE && cells[k] != CELL_NONE && cells[k] >= c->cell_used)
                return false;
        }
        if ((g->newer != CELL_NONE && g->newer >= c->group_used) ||
            (g->correlation != CELL_NONE &&
             (g->correlation >= c->set->rule_count || correlation_at(c, g->correlation) == NULL)))
            return false;
    }
    return true;
}

int correlate_load(struct correlate *c, struct slice *bytes)
{
    uint32_t numbers[6] = {0};
    uint64_t counts[3] = {0};
    uint64_t sign = 0;
    struct slice rest = *bytes;
    if (!take(&rest, &sign, sizeof(sign)) || sign != signature(c) ||
        !take(&rest, numbers, sizeof(numbers)) || !take(&rest, counts, sizeof(counts)))
        return ERR_FORMAT;
    size_t need = c->set->rule_count * sizeof(*c->lanes) + numbers[0] * sizeof(*c->cells) +
                  numbers[2] * sizeof(*c->group_items) + numbers[4] * sizeof(*c->waits);
    if (numbers[0] > c->cell_count || numbers[2] > c->group_count ||
        numbers[4] > c->group_count * WAITS_PER_GROUP || rest.len < need)
        return ERR_FORMAT;
    c->cell_used = numbers[0];
    c->cell_free = numbers[1];
    c->group_used = numbers[2];
    c->group_free = numbers[3];
    c->wait_count = numbers[4];
    c->generations = numbers[5];
    c->evictions = counts[0];
    c->cuts = counts[1];
    c->ungrouped = counts[2];
    bool whole = take(&rest, c->lanes, c->set->rule_count * sizeof(*c->lanes)) &&
                 take(&rest, c->cells, c->cell_used * sizeof(*c->cells)) &&
                 take(&rest, c->group_items, c->group_used * sizeof(*c->group_items)) &&
                 take(&rest, c->waits, c->wait_count * sizeof(*c->waits)) && is_sound(c);
    if (!whole) {
        correlate_reset(c);
        return ERR_FORMAT;
    }
    tables_make(c);
    *bytes = rest;
    return 0;
}
