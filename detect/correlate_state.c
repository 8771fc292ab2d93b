#include "detect/correlate_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

/* Entries that a condition can need: of a count from below, as many as its bound. */
static uint32_t lane_keep(const struct sigma_correlation *s)
{
    double most = 0;
    bool below = s->type == SIGMA_EVENT_COUNT;
    if (s->type == SIGMA_VALUE_PERCENTILE || s->type == SIGMA_VALUE_MEDIAN)
        return CORRELATE_RANKED_MAX;
    for (uint32_t i = 0; i < s->bound_count; i++) {
        const struct sigma_bound *b = &s->bounds[i];
        below = below && (b->op == SIGMA_GT || b->op == SIGMA_GTE);
        most = b->number > most ? b->number : most;
    }
    return below && most < CORRELATE_ENTRIES_MAX - 2 ? (uint32_t)most + 2 : CORRELATE_ENTRIES_MAX;
}

/* Places that were never used are taken in their order, so that their pages cost nothing before. */
static void pools_fill(struct correlate *c)
{
    c->cell_free = CELL_NONE;
    c->group_free = CELL_NONE;
    for (uint32_t i = 0; i < c->set->rule_count; i++) {
        c->lanes[i] = (struct lane){CELL_NONE, CELL_NONE, 0, 0};
        if (correlation_at(c, i) != NULL)
            c->lanes[i].keep = lane_keep(correlation_at(c, i));
    }
}

int correlate_new(struct correlate **out, const struct correlate_options *options)
{
    const struct sigma_set *set = options->set;
    struct correlate *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->set = set;
    c->order = options->order;
    c->order_count = options->order_count;
    c->tells_joining = options->tells_joining;
    c->seed = options->seed;
    c->cell_count = options->cells < CELLS_MIN ? CELLS_MIN : options->cells;
    c->group_count = c->cell_count / GROUP_CELLS;
    c->table_mask = 1;
    while (c->table_mask < c->group_count + c->group_count / 2)
        c->table_mask = c->table_mask * 2 + 1;
    c->value_mask = c->table_mask;
    while (c->value_mask < c->cell_count + c->cell_count / 2)
        c->value_mask = c->value_mask * 2 + 1;
    c->values = calloc((size_t)c->value_mask + 1, sizeof(*c->values));
    c->waits = calloc((size_t)c->group_count * WAITS_PER_GROUP, sizeof(*c->waits));
    c->cells = calloc(c->cell_count, sizeof(*c->cells));
    c->group_items = calloc(c->group_count, sizeof(*c->group_items));
    c->table = calloc((size_t)c->table_mask + 1, sizeof(*c->table));
    c->lanes = calloc(set->rule_count + 1U, sizeof(*c->lanes));
    c->fired = calloc(set->rule_count + 1U, sizeof(*c->fired));
    c->seeds = calloc(set->rule_count + 1U, sizeof(*c->seeds));
    c->numbers = calloc(CORRELATE_ENTRIES_MAX + 1, sizeof(*c->numbers));
    if (c->values == NULL || c->waits == NULL || c->cells == NULL || c->group_items == NULL ||
        c->table == NULL || c->lanes == NULL || c->fired == NULL || c->numbers == NULL ||
        c->seeds == NULL) {
        correlate_free(c);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < set->rule_count; i++)
        c->seeds[i] = hash_slice(c->seed, set->rules[i].id);
    pools_fill(c);
    *out = c;
    return 0;
}

void correlate_reset(struct correlate *c)
{
    c->cell_used = 0;
    c->group_used = 0;
    c->wait_count = 0;
    memset(c->table, 0, ((size_t)c->table_mask + 1) * sizeof(*c->table));
    memset(c->values, 0, ((size_t)c->value_mask + 1) * sizeof(*c->values));
    pools_fill(c);
}

void correlate_free(struct correlate *c)
{
    if (c == NULL)
        return;
    free(c->cells);
    free(c->group_items);
    free(c->table);
    free(c->values);
    free(c->waits);
    free(c->lanes);
    free(c->fired);
    free(c->seeds);
    free(c->numbers);
    free(c);
}

uint64_t correlate_evictions(const struct correlate *c)
{
    return c->evictions;
}

uint64_t correlate_cuts(const struct correlate *c)
{
    return c->cuts;
}

uint64_t correlate_ungrouped(const struct correlate *c)
{
    return c->ungrouped;
}

/* The newest cell of a value in a group, by hash */

static uint64_t value_hash(uint64_t group, uint64_t hash)
{
    return (hash ^ group) * UINT64_C(0x9e3779b97f4a7c15) >> 7;
}

static uint32_t *value_slot(const struct correlate *c, uint64_t group, uint64_t hash)
{
    uint32_t at = (uint32_t)value_hash(group, hash) & c->value_mask;
    while (c->values[at] != 0) {
        const struct cell *cell = &c->cells[c->values[at] - 1];
        if (cell->group == group && cell->hash == hash)
            break;
        at = (at + 1) & c->value_mask;
    }
    return &c->values[at];
}

void value_enter(struct correlate *c, uint32_t at)
{
    *value_slot(c, c->cells[at].group, c->cells[at].hash) = at + 1;
}

/* Take a slot out and close the gap behind it (Knuth, algorithm R of 6.4). */
static void value_remove(struct correlate *c, const struct cell *cell)
{
    uint32_t hole = (uint32_t)(value_slot(c, cell->group, cell->hash) - c->values);
    for (uint32_t at = (hole + 1) & c->value_mask; c->values[at] != 0;
         at = (at + 1) & c->value_mask) {
        const struct cell *other = &c->cells[c->values[at] - 1];
        uint32_t home = (uint32_t)value_hash(other->group, other->hash) & c->value_mask;
        bool stays = hole <= at ? home > hole && home <= at : home > hole || home <= at;
        if (stays)
            continue;
        c->values[hole] = c->values[at];
        hole = at;
    }
    c->values[hole] = 0;
}

/* Cells */

static void cell_give(struct correlate *c, uint32_t at)
{
    c->cells[at].next = c->cell_free;
    c->cell_free = at;
}

static void text_free(struct correlate *c, uint32_t *first)
{
    while (*first != CELL_NONE) {
        uint32_t next = c->cells[*first].next;
        cell_give(c, *first);
        *first = next;
    }
}

static bool is_whole(double number)
{
    return number > -1e15 && number < 1e15 && !(number < floor(number)) &&
           !(number > floor(number));
}

static bool is_distinct(const struct correlate *c, const struct group *g)
{
    return correlation_at(c, g->correlation)->type == SIGMA_VALUE_COUNT;
}

void entry_count(struct correlate *c, uint32_t group, uint32_t at)
{
    struct group *g = &c->group_items[group];
    struct cell *cell = &c->cells[at];
    g->count++;
    if ((cell->flags & ENTRY_VALUE) == 0)
        return;
    g->valued++;
    if (!is_distinct(c, g)) {
        if (is_whole(cell->value))
            g->sum += cell->value;
        else
            g->fractions++;
        return;
    }
    uint32_t *slot = value_slot(c, cell->group, cell->hash);
    if (*slot != 0)
        c->cells[*slot - 1].flags &= (uint8_t)~ENTRY_LATEST;
    else
        g->distinct++;
    cell->flags |= ENTRY_LATEST;
    *slot = at + 1;
}

void entry_drop(struct correlate *c, struct group *g)
{
    uint32_t at = g->first;
    const struct cell *cell = &c->cells[at];
    g->first = cell->next;
    g->count--;
    if ((cell->flags & ENTRY_VALUE) != 0) {
        g->valued--;
        if (!is_distinct(c, g)) {
            if (is_whole(cell->value))
                g->sum -= cell->value;
            else
                g->fractions--;
        } else if ((cell->flags & ENTRY_LATEST) != 0) {
            g->distinct--;
            value_remove(c, cell);
        }
    }
    cell_give(c, at);
    if (g->first == CELL_NONE)
        g->last = CELL_NONE;
}

/* Groups */

static uint32_t *table_slot(const struct correlate *c, uint64_t hash, uint32_t group)
{
    uint32_t at = (uint32_t)hash & c->table_mask;
    while (c->table[at] != 0 && c->table[at] != group + 1)
        at = (at + 1) & c->table_mask;
    return &c->table[at];
}

void group_enter(struct correlate *c, uint32_t group)
{
    *table_slot(c, c->group_items[group].hash, group) = group + 1;
}

/* Take a slot out and close the gap behind it (Knuth, algorithm R of 6.4). */
static void table_remove(struct correlate *c, uint32_t group)
{
    uint32_t hole = (uint32_t)(table_slot(c, c->group_items[group].hash, group) - c->table);
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & c->table_mask;
        if (c->table[at] == 0)
            break;
        uint32_t home = (uint32_t)c->group_items[c->table[at] - 1].hash & c->table_mask;
        bool stays = hole <= at ? home > hole && home <= at : home > hole || home <= at;
        if (stays)
            continue;
        c->table[hole] = c->table[at];
        hole = at;
    }
    c->table[hole] = 0;
}

static void lane_unlink(struct correlate *c, uint32_t group)
{
    struct group *g = &c->group_items[group];
    struct lane *lane = &c->lanes[g->correlation];
    if (g->older == CELL_NONE)
        lane->oldest = g->newer;
    else
        c->group_items[g->older].newer = g->newer;
    if (g->newer == CELL_NONE)
        lane->newest = g->older;
    else
        c->group_items[g->newer].older = g->older;
}

static void lane_append(struct correlate *c, uint32_t group)
{
    struct group *g = &c->group_items[group];
    struct lane *lane = &c->lanes[g->correlation];
    g->older = lane->newest;
    g->newer = CELL_NONE;
    if (lane->newest == CELL_NONE)
        lane->oldest = group;
    else
        c->group_items[lane->newest].newer = group;
    lane->newest = group;
}

void group_drop(struct correlate *c, uint32_t group)
{
    struct group *g = &c->group_items[group];
    while (g->first != CELL_NONE)
        entry_drop(c, g);
    text_free(c, &g->text);
    table_remove(c, group);
    lane_unlink(c, group);
    c->lanes[g->correlation].groups--;
    g->correlation = CELL_NONE;
    g->newer = c->group_free;
    c->group_free = group;
}

/* Room for cells and a group: the lane with most groups gives up its oldest one, but the spared. */
static bool room_make(struct correlate *c, uint32_t spared)
{
    uint32_t victim = CELL_NONE;
    uint32_t most = 0;
    for (uint32_t i = 0; i < c->order_count; i++) {
        const struct lane *lane = &c->lanes[c->order[i]];
        uint32_t oldest = lane->oldest;
        if (oldest != CELL_NONE && oldest == spared)
            oldest = c->group_items[oldest].newer;
        if (oldest == CELL_NONE || lane->groups <= most)
            continue;
        most = lane->groups;
        victim = oldest;
    }
    if (victim == CELL_NONE)
        return false;
    group_drop(c, victim);
    c->evictions++;
    return true;
}

uint32_t cell_take(struct correlate *c, uint32_t spared)
{
    if (c->cell_free == CELL_NONE && c->cell_used < c->cell_count) {
        c->cells[c->cell_used] = (struct cell){.next = CELL_NONE};
        return c->cell_used++;
    }
    while (c->cell_free == CELL_NONE) {
        if (!room_make(c, spared))
            return CELL_NONE;
    }
    uint32_t at = c->cell_free;
    c->cell_free = c->cells[at].next;
    c->cells[at] = (struct cell){.next = CELL_NONE};
    return at;
}

static bool text_equal(const struct correlate *c, const struct group *g, const struct key *key)
{
    size_t done = 0;
    for (uint32_t at = g->text; at != CELL_NONE && done < key->len; at = c->cells[at].next) {
        size_t part = key->len - done;
        part = part < sizeof(c->cells[at].text) ? part : sizeof(c->cells[at].text);
        if (memcmp(c->cells[at].text, key->text + done, part) != 0)
            return false;
        done += part;
    }
    return done == key->len;
}

static bool text_put(struct correlate *c, uint32_t group, const struct key *key)
{
    uint32_t last = CELL_NONE;
    for (size_t done = 0; done < key->len;) {
        uint32_t at = cell_take(c, group);
        if (at == CELL_NONE)
            return false;
        size_t part = key->len - done;
        part = part < sizeof(c->cells[at].text) ? part : sizeof(c->cells[at].text);
        memcpy(c->cells[at].text, key->text + done, part);
        done += part;
        if (last == CELL_NONE)
            c->group_items[group].text = at;
        else
            c->cells[last].next = at;
        last = at;
    }
    return true;
}

uint32_t group_find(struct correlate *c, uint32_t correlation, const struct key *key)
{
    for (uint32_t at = (uint32_t)key->hash & c->table_mask; c->table[at] != 0;
         at = (at + 1) & c->table_mask) {
        const struct group *g = &c->group_items[c->table[at] - 1];
        if (g->hash == key->hash && g->correlation == correlation && text_equal(c, g, key))
            return c->table[at] - 1;
    }
    if (c->group_free == CELL_NONE && c->group_used < c->group_count) {
        c->group_items[c->group_used].newer = CELL_NONE;
        c->group_free = c->group_used++;
    }
    while (c->group_free == CELL_NONE) {
        if (!room_make(c, CELL_NONE))
            return CELL_NONE;
    }
    uint32_t group = c->group_free;
    struct group *g = &c->group_items[group];
    c->group_free = g->newer;
    *g = (struct group){.hash = key->hash,
                        .generation = ++c->generations,
                        .correlation = correlation,
                        .first = CELL_NONE,
                        .last = CELL_NONE,
                        .text = CELL_NONE};
    group_enter(c, group);
    lane_append(c, group);
    c->lanes[correlation].groups++;
    if (text_put(c, group, key))
        return group;
    group_drop(c, group);
    return CELL_NONE;
}

bool group_is(const struct correlate *c, uint32_t group, const struct key *key)
{
    const struct group *g = &c->group_items[group];
    return g->hash == key->hash && text_equal(c, g, key);
}

void group_touch(struct correlate *c, uint32_t group)
{
    lane_unlink(c, group);
    lane_append(c, group);
}

/* Windows that wait */

static bool wait_before(const struct wait *a, const struct wait *b)
{
    return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : a->group < b->group;
}

static bool wait_is_live(const struct correlate *c, const struct wait *w)
{
    const struct group *g = &c->group_items[w->group];
    if (g->correlation == CELL_NONE || g->generation != w->check || !g->armed)
        return false;
    return g->armed_ns + correlation_at(c, g->correlation)->timespan_ns == w->end_ns;
}

static void heap_down(struct correlate *c, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= c->wait_count)
            return;
        if (child + 1 < c->wait_count && wait_before(&c->waits[child + 1], &c->waits[child]))
            child++;
        if (!wait_before(&c->waits[child], &c->waits[at]))
            return;
        struct wait swap = c->waits[at];
        c->waits[at] = c->waits[child];
        c->waits[child] = swap;
        at = child;
    }
}

/* Groups that are gone left their windows behind: there is room for one of each that is there. */
static void heap_sweep(struct correlate *c)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->wait_count; i++) {
        if (wait_is_live(c, &c->waits[i]))
            c->waits[kept++] = c->waits[i];
    }
    c->wait_count = kept;
    for (uint32_t i = kept / 2; i > 0; i--)
        heap_down(c, i - 1);
}

void wait_arm(struct correlate *c, uint32_t group, int64_t from_ns)
{
    struct group *g = &c->group_items[group];
    g->armed = true;
    g->armed_ns = from_ns;
    if (c->wait_count == c->group_count * WAITS_PER_GROUP)
        heap_sweep(c);
    uint32_t at = c->wait_count++;
    c->waits[at] = (struct wait){.end_ns = from_ns + correlation_at(c, g->correlation)->timespan_ns,
                                 .group = group,
                                 .check = g->generation};
    while (at > 0 && wait_before(&c->waits[at], &c->waits[(at - 1) / 2])) {
        struct wait swap = c->waits[at];
        c->waits[at] = c->waits[(at - 1) / 2];
        c->waits[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

bool wait_next(struct correlate *c, int64_t now_ns, struct wait *out)
{
    while (c->wait_count != 0 && c->waits[0].end_ns <= now_ns) {
        *out = c->waits[0];
        c->waits[0] = c->waits[--c->wait_count];
        heap_down(c, 0);
        if (wait_is_live(c, out))
            return true;
    }
    return false;
}
