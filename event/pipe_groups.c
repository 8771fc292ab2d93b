#include "event/pipe_groups.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    FIRST_GROUPS = 64,
    FIRST_TALLIES = 1024,
    SUM_WORDS = 3, /* low, high, how many */
    SUM_COUNT = 2,
    QUANTILE_WORDS = 2, /* how many, the cell in the end */
};

#define GROUP_NONE UINT32_MAX

static uint32_t state_words(uint8_t function)
{
    if (function == PIPE_SUM || function == PIPE_AVG)
        return SUM_WORDS;
    return function == PIPE_QUANTILE ? QUANTILE_WORDS : 1;
}

static void plan(struct pipe_groups *g)
{
    const struct pipe *p = g->pipe;
    g->only_counts = true;
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        const struct pipe_aggregate *a = &p->aggregates[i];
        g->state_at[i] = g->width;
        g->width += state_words(a->function);
        g->only_counts &= a->function == PIPE_COUNT && a->column == PIPE_COLUMN_NONE;
        g->tally_of[i] = i;
        for (uint32_t k = 0; k < i && a->function == PIPE_QUANTILE; k++) {
            if (p->aggregates[k].function == PIPE_QUANTILE &&
                p->aggregates[k].column == a->column && g->tally_of[i] == i)
                g->tally_of[i] = g->tally_of[k];
        }
    }
}

static void *resize(struct pipe_groups *g, void *memory, size_t from, size_t to)
{
    return pipe_budget_resize(g->pool->budget, memory, from, to);
}

static int budget_error(const struct pipe_groups *g)
{
    return pipe_budget_error(g->pool->budget);
}

static int grow_groups(struct pipe_groups *g)
{
    uint32_t cap = g->cap == 0 ? FIRST_GROUPS : g->cap * 2;
    size_t key_bytes = (cap * g->pipe->key_count + 1) * sizeof(*g->keys);
    size_t state_bytes = ((size_t)cap * g->width + 1) * sizeof(*g->states);
    size_t hash_bytes = cap * sizeof(*g->hashes);
    if (g->cap > UINT32_MAX / (4 * PIPE_KEYS_MAX))
        return ERR_NOMEM;
    uint32_t *keys = resize(g, g->keys, g->key_bytes, key_bytes);
    if (keys == NULL)
        return budget_error(g);
    g->keys = keys;
    g->key_bytes = key_bytes;
    uint64_t *states = resize(g, g->states, g->state_bytes, state_bytes);
    if (states == NULL)
        return budget_error(g);
    g->states = states;
    g->state_bytes = state_bytes;
    uint32_t *hashes = resize(g, g->hashes, g->hash_bytes, hash_bytes);
    if (hashes == NULL)
        return budget_error(g);
    g->hashes = hashes;
    g->hash_bytes = hash_bytes;
    g->cap = cap;
    return 0;
}

static int grow_slots(struct pipe_groups *g)
{
    uint32_t count = g->slot_count == 0 ? 2 * FIRST_GROUPS : g->slot_count * 2;
    uint32_t *slots = resize(g, NULL, 0, count * sizeof(*slots));
    if (slots == NULL)
        return budget_error(g);
    memset(slots, 0, count * sizeof(*slots));
    for (uint32_t group = 0; group < g->count; group++) {
        uint32_t at = g->hashes[group] & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = group + 1;
    }
    (void)resize(g, g->slots, g->slot_count * sizeof(*slots), 0);
    g->slots = slots;
    g->slot_count = count;
    return 0;
}

int pipe_groups_init(struct pipe_groups *g, const struct pipe *pipe, struct pipe_pool *pool)
{
    *g = (struct pipe_groups){.pipe = pipe, .pool = pool, .seed = hash_seed()};
    plan(g);
    int err = grow_groups(g);
    if (err == 0)
        err = grow_slots(g);
    return err;
}

void pipe_groups_release(struct pipe_groups *g)
{
    if (g->pool == NULL)
        return;
    (void)resize(g, g->keys, g->key_bytes, 0);
    (void)resize(g, g->states, g->state_bytes, 0);
    (void)resize(g, g->hashes, g->hash_bytes, 0);
    (void)resize(g, g->slots, g->slot_count * sizeof(*g->slots), 0);
    (void)resize(g, g->direct, g->direct_cap * sizeof(*g->direct), 0);
    (void)resize(g, g->tallies, g->tally_slots * sizeof(*g->tallies), 0);
    g->pool = NULL;
}

/* The group of these keys, made if there is none. */
static int group_find(struct pipe_groups *g, const uint32_t *keys, uint32_t *out)
{
    uint32_t count = g->pipe->key_count;
    size_t bytes = count * sizeof(*keys);
    uint32_t hash = (uint32_t)hash_bytes(g->seed, keys, bytes);
    uint32_t at = hash & (g->slot_count - 1);
    for (; g->slots[at] != 0; at = (at + 1) & (g->slot_count - 1)) {
        uint32_t group = g->slots[at] - 1;
        if (g->hashes[group] == hash && memcmp(g->keys + (size_t)group * count, keys, bytes) == 0) {
            *out = group;
            return 0;
        }
    }
    int err = g->count == g->cap ? grow_groups(g) : 0;
    if (err == 0 && g->count >= g->slot_count / 2) {
        err = grow_slots(g);
        at = hash & (g->slot_count - 1);
        while (err == 0 && g->slots[at] != 0)
            at = (at + 1) & (g->slot_count - 1);
    }
    if (err != 0)
        return err;
    memcpy(g->keys + (size_t)g->count * count, keys, bytes);
    memset(g->states + (size_t)g->count * g->width, 0, g->width * sizeof(*g->states));
    g->hashes[g->count] = hash;
    g->slots[at] = g->count + 1;
    *out = g->count++;
    return 0;
}

/* Room in `direct` for every cell of the pool. */
static int direct_grow(struct pipe_groups *g)
{
    uint32_t cap = g->pool->cap;
    uint32_t *direct = resize(g, g->direct, g->direct_cap * sizeof(*direct), cap * sizeof(*direct));
    if (direct == NULL)
        return budget_error(g);
    memset(direct + g->direct_cap, 0, (cap - g->direct_cap) * sizeof(*direct));
    g->direct = direct;
    g->direct_cap = cap;
    return 0;
}

/* A single key: GROUP_NONE for a set. */
static int group_of_one(struct pipe_groups *g, uint32_t cell, uint32_t *out)
{
    int err = cell >= g->direct_cap ? direct_grow(g) : 0;
    if (err != 0)
        return err;
    *out = GROUP_NONE;
    if (g->direct[cell] != 0) {
        *out = g->direct[cell] - 1;
    } else if (pipe_cell_kind(g->pool, cell) != PIPE_SET) {
        err = group_find(g, &cell, out);
        if (err == 0)
            g->direct[cell] = *out + 1;
    }
    return err;
}

/* Several keys: GROUP_NONE where one is a set. Those that came lately need no look at the cells. */
static int group_of_many(struct pipe_groups *g, const uint32_t *keys, uint32_t *out)
{
    uint32_t count = g->pipe->key_count;
    uint64_t mix = 0;
    for (uint32_t k = 0; k < count; k++)
        mix = (mix ^ keys[k]) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t *recent = &g->recent[mix >> 56 & (PIPE_RECENT - 1)];
    if (*recent != 0) {
        const uint32_t *held = g->keys + (size_t)(*recent - 1) * count;
        uint32_t differ = 0;
        for (uint32_t k = 0; k < count; k++)
            differ |= held[k] ^ keys[k];
        *out = *recent - 1;
        if (differ == 0)
            return 0;
    }
    *out = GROUP_NONE;
    for (uint32_t k = 0; k < count; k++) {
        if (pipe_cell_kind(g->pool, keys[k]) == PIPE_SET)
            return 0;
    }
    int err = group_find(g, keys, out);
    if (err == 0)
        *recent = *out + 1;
    return err;
}

static int groups_of_rows(struct pipe_groups *g, const uint32_t *const *columns, uint32_t count)
{
    const struct pipe *p = g->pipe;
    uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
    int err = 0;
    if (p->key_count == 1) {
        const uint32_t *cells = columns[p->keys[0].column];
        for (uint32_t i = 0; i < count && err == 0; i++) {
            if (i != 0 && cells[i] == cells[i - 1])
                g->batch[i] = g->batch[i - 1];
            else
                err = group_of_one(g, cells[i], &g->batch[i]);
        }
        return err;
    }
    for (uint32_t i = 0; i < count && err == 0; i++) {
        for (uint32_t k = 0; k < p->key_count; k++)
            keys[k] = columns[p->keys[k].column][i];
        err = group_of_many(g, keys, &g->batch[i]);
    }
    return err;
}

static uint64_t tally_hash(const struct pipe_groups *g, uint32_t group, uint32_t aggregate,
                           uint32_t cell)
{
    uint64_t h = ((uint64_t)group << 32 | cell) ^ g->seed;
    h = (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ aggregate ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static int tallies_grow(struct pipe_groups *g)
{
    size_t slots = g->tally_slots == 0 ? FIRST_TALLIES : g->tally_slots * 2;
    struct pipe_tally *tallies = resize(g, NULL, 0, slots * sizeof(*tallies));
    if (tallies == NULL)
        return budget_error(g);
    memset(tallies, 0, slots * sizeof(*tallies));
    for (size_t i = 0; i < g->tally_slots; i++) {
        const struct pipe_tally *t = &g->tallies[i];
        if (t->cell == PIPE_CELL_NULL)
            continue;
        size_t at = tally_hash(g, t->group, t->aggregate, t->cell) & (slots - 1);
        while (tallies[at].cell != PIPE_CELL_NULL)
            at = (at + 1) & (slots - 1);
        tallies[at] = *t;
    }
    (void)resize(g, g->tallies, g->tally_slots * sizeof(*tallies), 0);
    g->tallies = tallies;
    g->tally_slots = slots;
    return 0;
}

/* Count a value of a group; *fresh: it is the first of its kind. */
static int tally_add(struct pipe_groups *g, const struct pipe_tally *add, bool *fresh)
{
    int err = g->tally_count >= g->tally_slots / 2 ? tallies_grow(g) : 0;
    if (err != 0)
        return err;
    size_t at = tally_hash(g, add->group, add->aggregate, add->cell) & (g->tally_slots - 1);
    struct pipe_tally *t = &g->tallies[at];
    while (t->cell != PIPE_CELL_NULL &&
           (t->cell != add->cell || t->group != add->group || t->aggregate != add->aggregate)) {
        at = (at + 1) & (g->tally_slots - 1);
        t = &g->tallies[at];
    }
    *fresh = t->cell == PIPE_CELL_NULL;
    if (*fresh) {
        *t = *add;
        g->tally_count++;
    } else {
        t->count += add->count;
    }
    return 0;
}

static uint64_t *state_of(struct pipe_groups *g, uint32_t group, uint32_t aggregate)
{
    return g->states + (size_t)group * g->width + g->state_at[aggregate];
}

static void sum_add(uint64_t *state, pipe_number value, uint64_t count)
{
    pipe_number_put(state, pipe_number_get(state) + value);
    state[SUM_COUNT] += count;
}

static void extreme_add(struct pipe_groups *g, uint8_t function, uint64_t *state, uint32_t cell)
{
    uint32_t held = (uint32_t)*state;
    int order = held == PIPE_CELL_NULL || held == cell ? 0 : pipe_cell_compare(g->pool, cell, held);
    if (held == PIPE_CELL_NULL || (function == PIPE_MIN ? order < 0 : order > 0))
        *state = cell;
}

/* One value for one aggregate of a group. */
static int value_add(struct pipe_groups *g, uint32_t group, uint32_t aggregate, uint32_t cell)
{
    uint8_t function = g->pipe->aggregates[aggregate].function;
    uint64_t *state = state_of(g, group, aggregate);
    const struct pipe_tally tally = {group, cell, aggregate, 1};
    pipe_number number = 0;
    bool fresh = false;
    int err = 0;
    switch (function) {
    case PIPE_SUM:
    case PIPE_AVG:
        if (pipe_cell_number(g->pool, cell, &number))
            sum_add(state, number, 1);
        return 0;
    case PIPE_MIN:
    case PIPE_MAX:
        extreme_add(g, function, state, cell);
        return 0;
    case PIPE_DISTINCT:
        err = tally_add(g, &tally, &fresh);
        *state += fresh;
        return err;
    case PIPE_QUANTILE:
        if (g->tally_of[aggregate] != aggregate || !pipe_cell_number(g->pool, cell, &number))
            return 0;
        err = tally_add(g, &tally, &fresh);
        *state += err == 0;
        return err;
    case PIPE_COUNT:
    default:
        return 0;
    }
}

/* One row for one aggregate of a group. */
static int row_add(struct pipe_groups *g, uint32_t group, uint32_t aggregate, uint32_t cell)
{
    if (g->pipe->aggregates[aggregate].function == PIPE_COUNT) {
        *state_of(g, group, aggregate) += cell != PIPE_CELL_NULL;
        return 0;
    }
    uint32_t count = pipe_cell_count(g->pool, cell);
    int err = 0;
    for (uint32_t i = 0; i < count && err == 0; i++)
        err = value_add(g, group, aggregate, pipe_cell_member(g->pool, cell, i));
    return err;
}

static int group_row(struct pipe_groups *g, uint32_t group, const uint32_t *const *columns,
                     uint32_t row)
{
    const struct pipe *p = g->pipe;
    int err = 0;
    for (uint32_t a = 0; a < p->aggregate_count && err == 0; a++) {
        uint32_t column = p->aggregates[a].column;
        if (column == PIPE_COLUMN_NONE)
            (*state_of(g, group, a))++;
        else
            err = row_add(g, group, a, columns[column][row]);
    }
    return err;
}

/* A row with sets among its keys: into the group of each combination. */
static int combinations_add(struct pipe_groups *g, const uint32_t *const *columns, uint32_t row)
{
    const struct pipe *p = g->pipe;
    uint32_t at[PIPE_KEYS_MAX + 1] = {0};
    uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
    uint32_t done = 0;
    uint32_t k = 0;
    int err = 0;
    do {
        uint32_t group = 0;
        for (k = 0; k < p->key_count; k++) {
            uint32_t cell = columns[p->keys[k].column][row];
            keys[k] = cell == PIPE_CELL_NULL ? cell : pipe_cell_member(g->pool, cell, at[k]);
        }
        if (++done > PIPE_EVENT_GROUPS_MAX) {
            atomic_store(&g->pool->budget->exceeded, true);
            return ERR_RANGE;
        }
        err = group_find(g, keys, &group);
        if (err == 0)
            err = group_row(g, group, columns, row);
        for (k = 0; k < p->key_count; k++) {
            if (++at[k] < pipe_cell_count(g->pool, columns[p->keys[k].column][row]))
                break;
            at[k] = 0;
        }
    } while (err == 0 && k < p->key_count);
    return err;
}

int pipe_groups_add(struct pipe_groups *g, const uint32_t *const *columns, uint32_t count)
{
    int err = groups_of_rows(g, columns, count);
    for (uint32_t i = 0; i < count && err == 0; i++) {
        uint32_t group = g->batch[i];
        if (group == GROUP_NONE)
            err = combinations_add(g, columns, i);
        else if (g->only_counts)
            g->states[(size_t)group * g->width]++;
        else
            err = group_row(g, group, columns, i);
    }
    return err;
}

int pipe_groups_find(struct pipe_groups *g, const uint32_t *keys, uint32_t *out)
{
    return g->pipe->key_count == 1 ? group_of_one(g, keys[0], out) : group_of_many(g, keys, out);
}

void pipe_groups_count(struct pipe_groups *g, uint32_t group, uint64_t rows)
{
    for (uint32_t a = 0; a < g->pipe->aggregate_count; a++)
        *state_of(g, group, a) += rows;
}

int pipe_groups_add_row(struct pipe_groups *g, uint32_t group, const uint32_t *const *columns,
                        uint32_t row)
{
    return group_row(g, group, columns, row);
}

int pipe_groups_add_table(struct pipe_groups *g, const struct pipe_table *t)
{
    const uint32_t *columns[PIPE_COLUMNS_MAX];
    uint32_t *cells = malloc((size_t)PIPE_BATCH_ROWS * (t->column_count + 1) * sizeof(*cells));
    int err = cells == NULL ? ERR_NOMEM : 0;
    for (size_t first = 0; first < t->row_count && err == 0; first += PIPE_BATCH_ROWS) {
        size_t left = t->row_count - first;
        uint32_t count = left < PIPE_BATCH_ROWS ? (uint32_t)left : PIPE_BATCH_ROWS;
        for (uint32_t c = 0; c < t->column_count; c++) {
            uint32_t *to = cells + (size_t)c * PIPE_BATCH_ROWS;
            columns[c] = to;
            for (uint32_t i = 0; i < count; i++)
                to[i] = pipe_table_row(t, first + i)[c];
        }
        err = pipe_groups_add(g, columns, count);
    }
    free(cells);
    return err;
}

int pipe_groups_first(struct pipe_groups *g, const uint32_t *keys, bool *fresh)
{
    uint32_t before = g->count;
    uint32_t group = 0;
    int err = group_find(g, keys, &group);
    if (err == 0)
        *fresh = group == before;
    return err;
}

/* A state of another thread's group into ours; its cells are known under numbers of ours in `map`. */
static void state_merge(struct pipe_groups *g, uint32_t aggregate, uint64_t *to,
                        const uint64_t *from, const uint32_t *map)
{
    uint8_t function = g->pipe->aggregates[aggregate].function;
    switch (function) {
    case PIPE_SUM:
    case PIPE_AVG:
        sum_add(to, pipe_number_get(from), from[SUM_COUNT]);
        break;
    case PIPE_MIN:
    case PIPE_MAX:
        if (*from != PIPE_CELL_NULL)
            extreme_add(g, function, to, map[*from]);
        break;
    case PIPE_DISTINCT: /* with the tallies */
        break;
    case PIPE_COUNT:
    case PIPE_QUANTILE:
    default:
        *to += *from;
        break;
    }
}

/* Cells of another pool under their numbers in ours; all of them, as nearly all are in use. */
static uint32_t *map_make(struct pipe_groups *g, const struct pipe_pool *from, int *err)
{
    uint32_t *map = malloc((size_t)from->count * sizeof(*map));
    *err = map == NULL ? ERR_NOMEM : 0;
    for (uint32_t cell = 0; cell < from->count && *err == 0; cell++)
        *err = pipe_pool_copy(g->pool, from, cell, &map[cell]);
    return map;
}

int pipe_groups_merge(struct pipe_groups *g, const struct pipe_groups *from)
{
    const struct pipe *p = g->pipe;
    uint32_t keys[PIPE_KEYS_MAX + 1] = {0};
    int err = 0;
    uint32_t *map = map_make(g, from->pool, &err);
    uint32_t *groups = malloc(((size_t)from->count + 1) * sizeof(*groups));
    if (err == 0 && groups == NULL)
        err = ERR_NOMEM;
    for (uint32_t i = 0; i < from->count && err == 0; i++) {
        for (uint32_t k = 0; k < p->key_count; k++)
            keys[k] = map[from->keys[i * p->key_count + k]];
        err = group_find(g, keys, &groups[i]);
        for (uint32_t a = 0; a < p->aggregate_count && err == 0; a++)
            state_merge(g, a, state_of(g, groups[i], a),
                        from->states + (size_t)i * from->width + from->state_at[a], map);
    }
    for (size_t i = 0; i < from->tally_slots && err == 0; i++) {
        struct pipe_tally tally = from->tallies[i];
        bool fresh = false;
        if (tally.cell == PIPE_CELL_NULL)
            continue;
        tally.group = groups[tally.group];
        tally.cell = map[tally.cell];
        err = tally_add(g, &tally, &fresh);
        if (err == 0 && p->aggregates[tally.aggregate].function == PIPE_DISTINCT)
            *state_of(g, tally.group, tally.aggregate) += fresh;
    }
    free(groups);
    free(map);
    return err;
}
