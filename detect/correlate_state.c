#include "detect/correlate_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/pages.h"

enum {
    PART_ALIGN = 64, /* a line of the cache */
};

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

/* The next part of the block: `count` items. */
static size_t part_of(size_t *bytes, size_t count, size_t size)
{
    size_t at = *bytes;
    *bytes = (at + count * size + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
    return at;
}

/* What no correlation of the set needs has no part. */
static int block_make(struct correlate *c)
{
    bool counts_values = false;
    bool has_not = false;
    for (uint32_t i = 0; i < c->order_count; i++) {
        const struct sigma_correlation *s = correlation_at(c, c->order[i]);
        counts_values |= s->type == SIGMA_VALUE_COUNT;
        has_not |= s->has_not;
    }
    c->value_count = counts_values ? c->cell_count + c->cell_count / 2 : 0;
    c->wait_cap = has_not ? c->group_count * WAITS_PER_GROUP : 0;
    size_t bytes = 0;
    size_t groups = part_of(&bytes, c->group_count, sizeof(*c->group_items));
    size_t cells = part_of(&bytes, c->cell_count, sizeof(*c->cells));
    size_t table = part_of(&bytes, c->group_count, sizeof(*c->table));
    size_t values = part_of(&bytes, c->value_count, sizeof(*c->values));
    size_t waits = part_of(&bytes, c->wait_cap, sizeof(*c->waits));
    size_t numbers = part_of(&bytes, CORRELATE_ENTRIES_MAX + 1, sizeof(*c->numbers));
    char *block = pages_alloc(bytes);
    if (block == NULL)
        return ERR_NOMEM;
    c->block = block;
    c->block_bytes = bytes;
    c->group_items = (void *)(block + groups);
    c->cells = (void *)(block + cells);
    c->table = (void *)(block + table);
    c->values = (void *)(block + values);
    c->waits = (void *)(block + waits);
    c->numbers = (void *)(block + numbers);
    return 0;
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
    c->lanes = calloc(set->rule_count + 1U, sizeof(*c->lanes));
    c->fired = calloc(set->rule_count + 1U, sizeof(*c->fired));
    c->seeds = calloc(set->rule_count + 1U, sizeof(*c->seeds));
    if (c->lanes == NULL || c->fired == NULL || c->seeds == NULL || block_make(c) != 0) {
        correlate_free(c);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < set->rule_count; i++)
        c->seeds[i] = hash_slice(c->seed, set->rules[i].id);
    pools_fill(c);
    *out = c;
    return 0;
}

void correlate_free(struct correlate *c)
{
    if (c == NULL)
        return;
    pages_free(c->block, c->block_bytes);
    free(c->lanes);
    free(c->fired);
    free(c->seeds);
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

/* A place among `count`, by the upper half of what is 32 bits. */
static uint32_t place_of(uint32_t hash, uint32_t count)
{
    return (uint32_t)((uint64_t)hash * count >> 32);
}

/* The newest cell of a value in a group, by hash */

static uint32_t value_home(const struct correlate *c, uint64_t hash)
{
    return place_of((uint32_t)(hash >> 32), c->value_count);
}

static uint32_t value_behind(const struct correlate *c, uint32_t at)
{
    return at + 1 == c->value_count ? 0 : at + 1;
}

static uint32_t *value_slot(const struct correlate *c, uint64_t hash)
{
    uint32_t at = value_home(c, hash);
    while (c->values[at] != 0 && c->cells[c->values[at] - 1].hash != hash)
        at = value_behind(c, at);
    return &c->values[at];
}

bool value_enter(struct correlate *c, uint32_t at)
{
    uint32_t *slot = value_slot(c, c->cells[at].hash);
    if (*slot != 0)
        return false;
    *slot = at + 1;
    return true;
}

/* Take a slot out and close the gap behind it (Knuth, algorithm R of 6.4). */
static void value_remove(struct correlate *c, const struct cell *cell)
{
    uint32_t hole = (uint32_t)(value_slot(c, cell->hash) - c->values);
    for (uint32_t at = value_behind(c, hole); c->values[at] != 0; at = value_behind(c, at)) {
        uint32_t home = value_home(c, c->cells[c->values[at] - 1].hash);
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

static void cells_give(struct correlate *c, uint32_t *first)
{
    while (*first != CELL_NONE) {
        uint32_t next = c->cells[*first].next;
        cell_give(c, *first);
        *first = next;
    }
}

bool is_whole(double number)
{
    return number > -1e15 && number < 1e15 && !(number < floor(number)) &&
           !(number > floor(number));
}

void entry_count(struct correlate *c, uint32_t group, uint32_t at)
{
    struct group *g = &c->group_items[group];
    const struct sigma_correlation *s = correlation_at(c, g->correlation);
    struct cell *cell = &c->cells[at];
    g->count++;
    if ((cell->flags & ENTRY_VALUE) == 0)
        return;
    if (s->type != SIGMA_VALUE_COUNT) {
        g->values++;
        if (!is_summed(s))
            return;
        struct cell *tally = tally_of(c, g);
        if (is_whole(cell->value))
            tally->sum += cell->value;
        else
            tally->broken++;
        return;
    }
    uint32_t *slot = value_slot(c, cell->hash);
    if (*slot != 0)
        c->cells[*slot - 1].flags &= (uint8_t)~ENTRY_LATEST;
    else
        g->values++;
    cell->flags |= ENTRY_LATEST;
    *slot = at + 1;
}

/* The entry's value leaves the group. */
static void value_drop(struct correlate *c, struct group *g, const struct cell *cell)
{
    const struct sigma_correlation *s = correlation_at(c, g->correlation);
    if (s->type == SIGMA_VALUE_COUNT) {
        if ((cell->flags & ENTRY_LATEST) == 0)
            return;
        value_remove(c, cell);
    } else if (is_summed(s)) {
        struct cell *tally = tally_of(c, g);
        if (is_whole(cell->value))
            tally->sum -= cell->value;
        else
            tally->broken--;
    }
    g->values--;
}

void entry_append(struct correlate *c, uint32_t group, uint32_t at)
{
    struct group *g = &c->group_items[group];
    if (g->last == CELL_NONE)
        g->first = at;
    else
        c->cells[g->last].next = at;
    g->last = at;
    entry_count(c, group, at);
}

void entry_drop(struct correlate *c, struct group *g)
{
    uint32_t at = g->first;
    const struct cell *cell = &c->cells[at];
    g->first = cell->next;
    g->count--;
    if ((cell->flags & ENTRY_VALUE) != 0)
        value_drop(c, g, cell);
    cell_give(c, at);
    if (g->first == CELL_NONE)
        g->last = CELL_NONE;
}

void entries_sweep(struct correlate *c, struct group *g)
{
    uint32_t *link = &g->first;
    while (*link != CELL_NONE) {
        uint32_t at = *link;
        struct cell *cell = &c->cells[at];
        if ((cell->flags & ENTRY_KEPT) != 0) {
            cell->flags &= (uint8_t)~ENTRY_KEPT;
            link = &cell->next;
            continue;
        }
        *link = cell->next;
        g->count--;
        cell_give(c, at);
    }
}

/* Groups */

/* The first of those that share a place in the table: group + 1. */
static uint32_t *table_place(const struct correlate *c, uint32_t hash)
{
    return &c->table[place_of(hash, c->group_count)];
}

void group_enter(struct correlate *c, uint32_t group)
{
    struct group *g = &c->group_items[group];
    uint32_t *place = table_place(c, g->hash);
    g->chain = *place;
    *place = group + 1;
}

static void table_remove(struct correlate *c, uint32_t group)
{
    const struct group *g = &c->group_items[group];
    uint32_t *place = table_place(c, g->hash);
    while (*place != group + 1)
        place = &c->group_items[*place - 1].chain;
    *place = g->chain;
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
    cells_give(c, &g->more);
    table_remove(c, group);
    lane_unlink(c, group);
    c->lanes[g->correlation].groups--;
    g->correlation = GROUP_FREE;
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

/* The first cell of a group's text. */
static uint32_t text_first(const struct correlate *c, const struct group *g)
{
    return has_tally(correlation_at(c, g->correlation)) ? tally_of(c, g)->next : g->more;
}

static bool text_equal(const struct correlate *c, const struct group *g, const struct key *key)
{
    size_t done = key->len < GROUP_TEXT_BYTES ? key->len : GROUP_TEXT_BYTES;
    if (memcmp(g->text, key->text, done) != 0)
        return false;
    if (done == key->len)
        return true; /* lengths come first: where these are equal, there is no more */
    for (uint32_t at = text_first(c, g); at != CELL_NONE && done < key->len;
         at = c->cells[at].next) {
        size_t part = key->len - done;
        part = part < CELL_TEXT_BYTES ? part : CELL_TEXT_BYTES;
        if (memcmp(c->cells[at].text, key->text + done, part) != 0)
            return false;
        done += part;
    }
    return done == key->len;
}

/* A cell behind those that the group has beside its entries; CELL_NONE where there is no room. */
static uint32_t more_take(struct correlate *c, uint32_t group, uint32_t last)
{
    uint32_t at = cell_take(c, group);
    if (at == CELL_NONE)
        return CELL_NONE;
    if (last == CELL_NONE)
        c->group_items[group].more = at;
    else
        c->cells[last].next = at;
    return at;
}

/* Tally and text of a new group; false where there is no room. */
static bool group_fill(struct correlate *c, uint32_t group, const struct key *key)
{
    struct group *g = &c->group_items[group];
    uint32_t last = CELL_NONE;
    if (has_tally(correlation_at(c, g->correlation))) {
        last = more_take(c, group, last);
        if (last == CELL_NONE)
            return false;
        if (correlation_at(c, g->correlation)->has_not)
            c->cells[last].generation = ++c->generations;
    }
    size_t done = key->len < GROUP_TEXT_BYTES ? key->len : GROUP_TEXT_BYTES;
    memcpy(g->text, key->text, done);
    while (done < key->len) {
        last = more_take(c, group, last);
        if (last == CELL_NONE)
            return false;
        size_t part = key->len - done;
        part = part < CELL_TEXT_BYTES ? part : CELL_TEXT_BYTES;
        memcpy(c->cells[last].text, key->text + done, part);
        done += part;
    }
    return true;
}

uint64_t key_hash(const struct correlate *c, uint32_t correlation, struct slice text)
{
    return hash_slice(c->seeds[correlation], text);
}

uint32_t group_seek(const struct correlate *c, uint32_t correlation, const struct key *key)
{
    uint32_t hash = (uint32_t)key->hash;
    uint32_t next = *table_place(c, hash);
    while (next != 0) {
        const struct group *g = &c->group_items[next - 1];
        if (g->hash == hash && g->correlation == correlation && text_equal(c, g, key))
            return next - 1;
        next = g->chain;
    }
    return CELL_NONE;
}

uint32_t group_find(struct correlate *c, uint32_t correlation, const struct key *key)
{
    uint32_t known = group_seek(c, correlation, key);
    if (known != CELL_NONE)
        return known;
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
    *g = (struct group){.hash = (uint32_t)key->hash,
                        .correlation = (uint16_t)correlation,
                        .first = CELL_NONE,
                        .last = CELL_NONE,
                        .more = CELL_NONE};
    group_enter(c, group);
    lane_append(c, group);
    c->lanes[correlation].groups++;
    if (group_fill(c, group, key))
        return group;
    group_drop(c, group);
    return CELL_NONE;
}

bool group_is(const struct correlate *c, uint32_t group, const struct key *key)
{
    const struct group *g = &c->group_items[group];
    return g->correlation != GROUP_FREE && g->hash == (uint32_t)key->hash && text_equal(c, g, key);
}

bool group_key(const struct correlate *c, uint32_t group, struct key *out)
{
    const struct group *g = &c->group_items[group];
    size_t have = GROUP_TEXT_BYTES;
    size_t at = 0;
    memcpy(out->text, g->text, have);
    for (uint32_t cell = text_first(c, g); cell != CELL_NONE && have < sizeof(out->text);
         cell = c->cells[cell].next) {
        size_t room = sizeof(out->text) - have;
        size_t part = room < CELL_TEXT_BYTES ? room : CELL_TEXT_BYTES;
        memcpy(out->text + have, c->cells[cell].text, part);
        have += part;
    }
    for (uint32_t i = 0; i < correlation_at(c, g->correlation)->group_count; i++) {
        uint16_t len = 0;
        if (have - at < sizeof(len))
            return false;
        memcpy(&len, out->text + at, sizeof(len));
        at += sizeof(len);
        if (have - at < len)
            return false;
        out->values[i] = slice_of(out->text + at, len);
        at += len;
    }
    out->len = at;
    out->hash = key_hash(c, g->correlation, slice_of(out->text, at));
    return true;
}

void group_touch(struct correlate *c, uint32_t group)
{
    lane_unlink(c, group);
    lane_append(c, group);
}

/* Windows that wait */

bool wait_before(const struct wait *a, const struct wait *b)
{
    return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : a->group < b->group;
}

bool wait_is_live(const struct correlate *c, const struct wait *w)
{
    const struct group *g = &c->group_items[w->group];
    if (g->correlation == GROUP_FREE || (g->flags & GROUP_ARMED) == 0)
        return false;
    const struct cell *tally = tally_of(c, g);
    return tally->generation == w->check &&
           tally->armed_ns + correlation_at(c, g->correlation)->timespan_ns == w->end_ns;
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
    g->flags |= GROUP_ARMED;
    tally_of(c, g)->armed_ns = from_ns;
    if (c->wait_count == c->wait_cap)
        heap_sweep(c);
    uint32_t at = c->wait_count++;
    c->waits[at] = (struct wait){.end_ns = from_ns + correlation_at(c, g->correlation)->timespan_ns,
                                 .group = group,
                                 .check = (uint32_t)tally_of(c, g)->generation};
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
