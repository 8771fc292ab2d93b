/* The windows of one set of correlations under another one (correlate_carry()). */
#include <string.h>

#include "detect/correlate_state.h"

static bool fields_same(const struct sigma_field *a, const struct sigma_field *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].field != b[i].field || !slice_equal(a[i].name, b[i].name))
            return false;
    }
    return true;
}

static bool programs_same(const struct sigma_correlation *a, const struct sigma_correlation *b)
{
    if (a->has_not != b->has_not || a->program_len != b->program_len ||
        (a->program == NULL) != (b->program == NULL))
        return false;
    if (a->program == NULL || b->program == NULL)
        return true;
    for (uint32_t i = 0; i < a->program_len; i++) {
        if (a->program[i].kind != b->program[i].kind ||
            a->program[i].reference != b->program[i].reference)
            return false;
    }
    return true;
}

/* Do entries of the one mean the same in the other? */
static bool entries_same(const struct sigma_correlation *a, const struct sigma_correlation *b,
                         const uint32_t *map)
{
    if (a->type != b->type || a->reference_count != b->reference_count ||
        a->group_count != b->group_count || a->field_count != b->field_count ||
        a->prefecture != b->prefecture || !fields_same(a->fields, b->fields, a->field_count) ||
        !programs_same(a, b))
        return false;
    for (uint32_t i = 0; i < a->group_count; i++) {
        if (!slice_equal(a->groups[i], b->groups[i]))
            return false;
    }
    for (uint32_t i = 0; i < a->reference_count; i++) {
        if (map[a->references[i].rule] != b->references[i].rule ||
            !fields_same(a->references[i].groups, b->references[i].groups, a->group_count))
            return false;
    }
    return true;
}

/* One entry behind those that the group has; false where there is no room. */
static bool entry_carry(struct correlate *c, uint32_t group, const struct cell *from)
{
    uint32_t at = cell_take(c, group);
    if (at == CELL_NONE)
        return false;
    struct cell *cell = &c->cells[at];
    *cell = *from;
    cell->next = CELL_NONE;
    cell->flags &= (uint8_t)~ENTRY_LATEST;
    entry_append(c, group, at);
    return true;
}

static void group_carry(struct correlate *c, const struct correlate *before, uint32_t old,
                        uint32_t correlation)
{
    const struct group *from = &before->group_items[old];
    struct key key;
    /* The ids are the same, and so is the hash. */
    uint32_t group = group_key(before, old, &key) ? group_find(c, correlation, &key) : CELL_NONE;
    if (group == CELL_NONE) {
        c->evictions++;
        return;
    }
    struct group *g = &c->group_items[group];
    for (uint32_t at = from->first; at != CELL_NONE; at = before->cells[at].next) {
        if (!entry_carry(c, group, &before->cells[at])) {
            c->evictions++;
            break;
        }
        if (g->count > c->lanes[correlation].keep)
            entry_drop(c, g);
    }
    if (g->first == CELL_NONE) {
        group_drop(c, group);
        return;
    }
    g->flags = from->flags & GROUP_FIRED;
    if ((from->flags & GROUP_ARMED) != 0)
        wait_arm(c, group, tally_of(before, from)->armed_ns);
}

void correlate_carry(struct correlate *c, const struct correlate *before, const uint32_t *map)
{
    c->evictions = before->evictions;
    c->cuts = before->cuts;
    c->ungrouped = before->ungrouped;
    for (uint32_t i = 0; i < before->order_count; i++) {
        uint32_t old = before->order[i];
        uint32_t now = map[old];
        if (now == UINT32_MAX || correlation_at(c, now) == NULL ||
            !entries_same(correlation_at(before, old), correlation_at(c, now), map))
            continue;
        for (uint32_t at = before->lanes[old].oldest; at != CELL_NONE;
             at = before->group_items[at].newer)
            group_carry(c, before, at, now);
    }
}
