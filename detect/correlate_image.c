/*
 * The memory of correlations as bytes. Hash tables are made anew from what they point to. What is
 * read back is made apart and looked at whole, before it takes the place of what is there.
 */
#include <stdlib.h>
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

/* What stands before the pools. */
struct head {
    uint64_t signature;
    uint64_t evictions;
    uint64_t cuts;
    uint64_t ungrouped;
    uint32_t cell_used;
    uint32_t cell_free;
    uint32_t group_used;
    uint32_t group_free;
    uint32_t wait_count;
    uint32_t generations;
};

void correlate_save(const struct correlate *c, struct buf *out)
{
    const struct head head = {.signature = signature(c),
                              .evictions = c->evictions,
                              .cuts = c->cuts,
                              .ungrouped = c->ungrouped,
                              .cell_used = c->cell_used,
                              .cell_free = c->cell_free,
                              .group_used = c->group_used,
                              .group_free = c->group_free,
                              .wait_count = c->wait_count,
                              .generations = c->generations};
    buf_append(out, &head, sizeof(head));
    for (uint32_t i = 0; i < c->order_count; i++)
        buf_append(out, &c->lanes[c->order[i]], sizeof(*c->lanes));
    buf_append(out, c->cells, c->cell_used * sizeof(*c->cells));
    for (uint32_t i = 0; i < c->group_used; i++) {
        struct group g = c->group_items[i];
        g.chain = 0; /* the order of a chain means nothing */
        buf_append(out, &g, sizeof(g));
    }
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

/* A state is trusted no further than its bytes: every place is in one list, and there once. */
struct check {
    struct correlate *c;
    uint8_t *cells; /* 1: it was in a list */
    uint8_t *groups;
    uint32_t cells_seen;
    uint32_t groups_seen;
    uint32_t armed;
};

static bool cell_mark(struct check *k, uint32_t at)
{
    if (at >= k->c->cell_used || k->cells[at] != 0)
        return false;
    k->cells[at] = 1;
    k->cells_seen++;
    return true;
}

static bool group_mark(struct check *k, uint32_t group)
{
    if (group >= k->c->group_used || k->groups[group] != 0)
        return false;
    k->groups[group] = 1;
    k->groups_seen++;
    return true;
}

/* An entry by itself, and a value_count's newest one of a value into its table. */
static bool is_entry(struct check *k, const struct sigma_correlation *s, uint32_t at)
{
    const struct cell *cell = &k->c->cells[at];
    uint8_t flags = s->field_count == 0 ? 0 : ENTRY_VALUE;
    if (s->type == SIGMA_VALUE_COUNT)
        flags |= ENTRY_LATEST;
    int64_t limit_ns = INT64_MAX - s->timespan_ns;
    if ((cell->flags & ~flags) != 0 || cell->flags == ENTRY_LATEST || cell->spare != 0 ||
        cell->reference >= s->reference_count || cell->time_ns > limit_ns ||
        cell->time_ns < -limit_ns)
        return false;
    return (cell->flags & ENTRY_LATEST) == 0 || value_enter(k->c, at);
}

/* The entries of a group, in their order and as many as it says. */
static bool has_entries(struct check *k, const struct group *g)
{
    const struct correlate *c = k->c;
    const struct sigma_correlation *s = correlation_at(c, g->correlation);
    uint8_t counts = s->type == SIGMA_VALUE_COUNT ? ENTRY_LATEST : ENTRY_VALUE;
    int64_t time_ns = INT64_MIN;
    uint32_t last = CELL_NONE;
    uint32_t count = 0;
    uint32_t values = 0;
    uint64_t broken = 0;
    for (uint32_t at = g->first; at != CELL_NONE; at = c->cells[at].next) {
        if (!cell_mark(k, at) || !is_entry(k, s, at) || c->cells[at].time_ns < time_ns)
            return false;
        const struct cell *cell = &c->cells[at];
        time_ns = cell->time_ns;
        last = at;
        count++;
        values += (cell->flags & counts) != 0;
        broken += is_summed(s) && (cell->flags & ENTRY_VALUE) != 0 && !is_whole(cell->value);
    }
    return count != 0 && count <= c->lanes[g->correlation].keep && count == g->count &&
           last == g->last && values == g->values &&
           (!is_summed(s) || broken == tally_of(c, g)->broken);
}

/* Tally and text: as many cells as they need, and the hash is that of the text. */
static bool has_key(struct check *k, uint32_t group)
{
    const struct correlate *c = k->c;
    const struct group *g = &c->group_items[group];
    bool tally = has_tally(correlation_at(c, g->correlation));
    struct key key;
    uint32_t cells = 0;
    for (uint32_t at = g->more; at != CELL_NONE; at = c->cells[at].next) {
        if (!cell_mark(k, at))
            return false;
        cells++;
    }
    if ((tally && cells == 0) || !group_key(c, group, &key) || (uint32_t)key.hash != g->hash)
        return false;
    size_t beyond = key.len < GROUP_TEXT_BYTES ? 0 : key.len - GROUP_TEXT_BYTES;
    return cells == tally + (beyond + CELL_TEXT_BYTES - 1) / CELL_TEXT_BYTES &&
           group_seek(c, g->correlation, &key) == CELL_NONE;
}

/* A window that waits began within the last timespan of its group. */
static bool is_armed_well(struct check *k, const struct group *g)
{
    const struct sigma_correlation *s = correlation_at(k->c, g->correlation);
    int64_t last_ns = k->c->cells[g->last].time_ns;
    if ((g->flags & GROUP_ARMED) == 0)
        return true;
    k->armed++;
    return s->has_not && tally_of(k->c, g)->armed_ns <= last_ns &&
           tally_of(k->c, g)->armed_ns > last_ns - s->timespan_ns;
}

/* The groups of a correlation, from the oldest to the newest, which enter the table. */
static bool is_lane(struct check *k, uint32_t correlation)
{
    struct correlate *c = k->c;
    const struct lane *lane = &c->lanes[correlation];
    int64_t time_ns = INT64_MIN;
    uint32_t older = CELL_NONE;
    uint32_t count = 0;
    for (uint32_t at = lane->oldest; at != CELL_NONE; at = c->group_items[at].newer) {
        if (!group_mark(k, at))
            return false;
        const struct group *g = &c->group_items[at];
        if (g->correlation != correlation || g->older != older || g->spare != 0 || g->chain != 0 ||
            (g->flags & ~(GROUP_FIRED | GROUP_ARMED)) != 0 || !has_key(k, at) ||
            !has_entries(k, g) || !is_armed_well(k, g) || c->cells[g->last].time_ns < time_ns)
            return false;
        time_ns = c->cells[g->last].time_ns;
        older = at;
        count++;
        group_enter(c, at);
    }
    return older == lane->newest && count == lane->groups;
}

/* What is free, and with the lanes before it nothing is left over. */
static bool has_all(struct check *k)
{
    const struct correlate *c = k->c;
    for (uint32_t at = c->cell_free; at != CELL_NONE; at = c->cells[at].next) {
        if (!cell_mark(k, at))
            return false;
    }
    for (uint32_t at = c->group_free; at != CELL_NONE; at = c->group_items[at].newer) {
        if (!group_mark(k, at) || c->group_items[at].correlation != GROUP_FREE)
            return false;
    }
    return k->cells_seen == c->cell_used && k->groups_seen == c->group_used;
}

/* A heap, with a window of every group that is armed. */
static bool has_waits(const struct check *k)
{
    const struct correlate *c = k->c;
    uint32_t live = 0;
    for (uint32_t i = 0; i < c->wait_count; i++) {
        const struct wait *w = &c->waits[i];
        if (w->group >= c->group_used || (i != 0 && wait_before(w, &c->waits[(i - 1) / 2])))
            return false;
        live += wait_is_live(c, w);
    }
    return live == k->armed;
}

static int state_check(struct correlate *c)
{
    struct check k = {.c = c,
                      .cells = calloc(c->cell_used + 1U, sizeof(*k.cells)),
                      .groups = calloc(c->group_used + 1U, sizeof(*k.groups))};
    int err = k.cells == NULL || k.groups == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; i < c->order_count && err == 0; i++)
        err = is_lane(&k, c->order[i]) ? 0 : ERR_FORMAT;
    if (err == 0 && (!has_all(&k) || !has_waits(&k)))
        err = ERR_FORMAT;
    free(k.cells);
    free(k.groups);
    return err;
}

/* Into an empty state. */
static int state_read(struct correlate *c, struct slice *bytes)
{
    struct head head;
    if (!take(bytes, &head, sizeof(head)) || head.signature != signature(c) ||
        head.cell_used > c->cell_count || head.group_used > c->group_count ||
        head.wait_count > c->wait_cap)
        return ERR_FORMAT;
    c->evictions = head.evictions;
    c->cuts = head.cuts;
    c->ungrouped = head.ungrouped;
    c->cell_used = head.cell_used;
    c->cell_free = head.cell_free;
    c->group_used = head.group_used;
    c->group_free = head.group_free;
    c->wait_count = head.wait_count;
    c->generations = head.generations;
    for (uint32_t i = 0; i < c->order_count; i++) {
        struct lane *lane = &c->lanes[c->order[i]];
        uint32_t keep = lane->keep;
        if (!take(bytes, lane, sizeof(*lane)) || lane->keep != keep)
            return ERR_FORMAT;
    }
    if (!take(bytes, c->cells, c->cell_used * sizeof(*c->cells)) ||
        !take(bytes, c->group_items, c->group_used * sizeof(*c->group_items)) ||
        !take(bytes, c->waits, c->wait_count * sizeof(*c->waits)))
        return ERR_FORMAT;
    return state_check(c);
}

int correlate_load(struct correlate *c, struct slice *bytes)
{
    const struct correlate_options options = {.set = c->set,
                                              .order = c->order,
                                              .order_count = c->order_count,
                                              .cells = c->cell_count,
                                              .seed = c->seed,
                                              .tells_joining = c->tells_joining};
    struct slice rest = *bytes;
    struct correlate *fresh = NULL;
    int err = correlate_new(&fresh, &options);
    if (err == 0)
        err = state_read(fresh, &rest);
    if (err == 0) {
        struct correlate old = *c;
        *c = *fresh;
        *fresh = old;
        *bytes = rest;
    }
    correlate_free(fresh);
    return err;
}
