#include "event/pipe_pool.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    FIRST_CELLS = 256,
    FIRST_SLOTS = 2 * FIRST_CELLS,
    FIRST_BYTES = 4096,
};

void *pipe_budget_resize(struct pipe_budget *b, void *memory, size_t from, size_t to)
{
    if (to > from) {
        size_t used = atomic_fetch_add(&b->used_bytes, to - from) + (to - from);
        if (b->limit_bytes != 0 && used > b->limit_bytes) {
            (void)atomic_fetch_sub(&b->used_bytes, to - from);
            atomic_store(&b->exceeded, true);
            return NULL;
        }
    }
    if (to == 0) {
        free(memory);
        (void)atomic_fetch_sub(&b->used_bytes, from);
        return NULL;
    }
    void *grown = realloc(memory, to);
    if (grown == NULL)
        (void)(to > from ? atomic_fetch_sub(&b->used_bytes, to - from) : 0);
    else if (to < from)
        (void)atomic_fetch_sub(&b->used_bytes, from - to);
    return grown;
}

int pipe_budget_error(const struct pipe_budget *b)
{
    return atomic_load(&b->exceeded) ? ERR_RANGE : ERR_NOMEM;
}

int pipe_pool_init(struct pipe_pool *p, struct pipe_budget *budget)
{
    struct pipe_pool pool = {.budget = budget, .seed = hash_seed()};
    pool.cells = pipe_budget_resize(budget, NULL, 0, FIRST_CELLS * sizeof(*pool.cells));
    pool.bytes = pipe_budget_resize(budget, NULL, 0, FIRST_BYTES);
    pool.slots = pipe_budget_resize(budget, NULL, 0, FIRST_SLOTS * sizeof(*pool.slots));
    pool.cap = pool.cells == NULL ? 0 : FIRST_CELLS;
    pool.bytes_cap = pool.bytes == NULL ? 0 : FIRST_BYTES;
    pool.slot_count = pool.slots == NULL ? 0 : FIRST_SLOTS;
    if (pool.cells == NULL || pool.bytes == NULL || pool.slots == NULL) {
        pipe_pool_release(&pool);
        return pipe_budget_error(budget);
    }
    pipe_pool_reset(&pool);
    *p = pool;
    return 0;
}

void pipe_pool_release(struct pipe_pool *p)
{
    if (p->budget == NULL)
        return;
    (void)pipe_budget_resize(p->budget, p->cells, p->cap * sizeof(*p->cells), 0);
    (void)pipe_budget_resize(p->budget, p->bytes, p->bytes_cap, 0);
    (void)pipe_budget_resize(p->budget, p->slots, p->slot_count * sizeof(*p->slots), 0);
    *p = (struct pipe_pool){0};
}

void pipe_pool_reset(struct pipe_pool *p)
{
    p->resets++;
    memset(p->slots, 0, p->slot_count * sizeof(*p->slots));
    p->cells[PIPE_CELL_NULL] = (struct pipe_cell){.kind = PIPE_NULL};
    p->count = 1;
    p->len = 0;
}

static int slots_grow(struct pipe_pool *p)
{
    uint32_t count = p->slot_count * 2;
    uint32_t *slots = pipe_budget_resize(p->budget, NULL, 0, count * sizeof(*slots));
    if (slots == NULL)
        return pipe_budget_error(p->budget);
    memset(slots, 0, count * sizeof(*slots));
    for (uint32_t cell = 1; cell < p->count; cell++) {
        uint32_t at = p->cells[cell].hash & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = cell;
    }
    (void)pipe_budget_resize(p->budget, p->slots, p->slot_count * sizeof(*slots), 0);
    p->slots = slots;
    p->slot_count = count;
    return 0;
}

static int make_room(struct pipe_pool *p, size_t bytes)
{
    if (p->count == p->cap) {
        if (p->cap > PIPE_CELLS_MAX / 4)
            return ERR_NOMEM;
        struct pipe_cell *cells = pipe_budget_resize(p->budget, p->cells, p->cap * sizeof(*cells),
                                                     (size_t)p->cap * 2 * sizeof(*cells));
        if (cells == NULL)
            return pipe_budget_error(p->budget);
        p->cells = cells;
        p->cap *= 2;
    }
    size_t cap = p->bytes_cap;
    while (cap - p->len < bytes)
        cap *= 2;
    if (cap != p->bytes_cap) {
        char *grown = pipe_budget_resize(p->budget, p->bytes, p->bytes_cap, cap);
        if (grown == NULL)
            return pipe_budget_error(p->budget);
        p->bytes = grown;
        p->bytes_cap = cap;
    }
    return p->count >= p->slot_count / 2 ? slots_grow(p) : 0;
}

/* The cell of a value, made if it is new. The bytes are not those of the pool. */
static int intern(struct pipe_pool *p, enum pipe_cell_kind kind, struct slice value, uint32_t *out)
{
    uint32_t hash = (uint32_t)hash_slice(p->seed + (uint64_t)kind, value);
    uint32_t at = hash & (p->slot_count - 1);
    for (uint32_t cell = p->slots[at]; cell != 0; cell = p->slots[at]) {
        const struct pipe_cell *c = &p->cells[cell];
        if (c->hash == hash && c->kind == (uint8_t)kind &&
            slice_equal(pipe_cell_bytes(p, cell), value)) {
            *out = cell;
            return 0;
        }
        at = (at + 1) & (p->slot_count - 1);
    }
    int err = value.len > UINT32_MAX ? ERR_NOMEM : make_room(p, value.len);
    if (err != 0)
        return err;
    at = hash & (p->slot_count - 1);
    while (p->slots[at] != 0)
        at = (at + 1) & (p->slot_count - 1);
    memcpy(p->bytes + p->len, value.data, value.len);
    p->cells[p->count] = (struct pipe_cell){
        .at = p->len, .len = (uint32_t)value.len, .hash = hash, .kind = (uint8_t)kind};
    p->len += value.len;
    p->slots[at] = p->count;
    *out = p->count++;
    return 0;
}

int pipe_pool_number(struct pipe_pool *p, pipe_number value, uint32_t *out)
{
    uint64_t words[2];
    pipe_number_put(words, value);
    return intern(p, PIPE_NUMBER, slice_of(words, sizeof(words)), out);
}

int pipe_pool_time(struct pipe_pool *p, int64_t ns, uint32_t *out)
{
    return intern(p, PIPE_TIME, slice_of(&ns, sizeof(ns)), out);
}

int pipe_pool_ip(struct pipe_pool *p, const struct ip *ip, uint32_t *out)
{
    return intern(p, PIPE_IP, slice_of(ip->bytes, sizeof(ip->bytes)), out);
}

int pipe_pool_text(struct pipe_pool *p, struct slice text, uint32_t *out)
{
    return intern(p, PIPE_TEXT, text, out);
}

static int cell_order(const void *a, const void *b)
{
    uint32_t x = bytes_get32(a);
    uint32_t y = bytes_get32(b);
    return x < y ? -1 : x > y;
}

int pipe_pool_set(struct pipe_pool *p, uint32_t *cells, uint32_t count, uint32_t *out)
{
    uint32_t distinct = 0;
    if (count > 1)
        qsort(cells, count, sizeof(*cells), cell_order);
    for (uint32_t i = 0; i < count; i++) {
        if (distinct == 0 || cells[distinct - 1] != cells[i])
            cells[distinct++] = cells[i];
    }
    if (distinct > 1)
        return intern(p, PIPE_SET, slice_of(cells, distinct * sizeof(*cells)), out);
    *out = distinct == 0 ? PIPE_CELL_NULL : cells[0];
    return 0;
}

int pipe_pool_copy(struct pipe_pool *p, const struct pipe_pool *from, uint32_t cell, uint32_t *out)
{
    enum pipe_cell_kind kind = pipe_cell_kind(from, cell);
    uint32_t members[PIPE_SET_MAX];
    if (kind == PIPE_NULL) {
        *out = PIPE_CELL_NULL;
        return 0;
    }
    if (kind != PIPE_SET)
        return intern(p, kind, pipe_cell_bytes(from, cell), out);
    uint32_t count = pipe_cell_count(from, cell);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t member = pipe_cell_member(from, cell, i);
        int err =
            intern(p, pipe_cell_kind(from, member), pipe_cell_bytes(from, member), &members[i]);
        if (err != 0)
            return err;
    }
    return pipe_pool_set(p, members, count, out);
}

static pipe_number number_of(const struct pipe_pool *p, uint32_t cell)
{
    uint64_t words[2];
    memcpy(words, p->bytes + p->cells[cell].at, sizeof(words));
    return pipe_number_get(words);
}

bool pipe_cell_number(const struct pipe_pool *p, uint32_t cell, pipe_number *out)
{
    enum pipe_cell_kind kind = pipe_cell_kind(p, cell);
    if (kind == PIPE_TEXT)
        return pipe_number_read(out, pipe_cell_bytes(p, cell));
    if (kind != PIPE_NUMBER)
        return false;
    *out = number_of(p, cell);
    return true;
}

int64_t pipe_cell_time(const struct pipe_pool *p, uint32_t cell)
{
    int64_t ns = 0;
    memcpy(&ns, p->bytes + p->cells[cell].at, sizeof(ns));
    return ns;
}

struct ip pipe_cell_ip(const struct pipe_pool *p, uint32_t cell)
{
    struct ip ip;
    memcpy(ip.bytes, p->bytes + p->cells[cell].at, sizeof(ip.bytes));
    return ip;
}

uint32_t pipe_cell_count(const struct pipe_pool *p, uint32_t cell)
{
    if (pipe_cell_kind(p, cell) == PIPE_SET)
        return p->cells[cell].len / (uint32_t)sizeof(uint32_t);
    return cell != PIPE_CELL_NULL;
}

uint32_t pipe_cell_member(const struct pipe_pool *p, uint32_t cell, uint32_t i)
{
    if (pipe_cell_kind(p, cell) != PIPE_SET)
        return cell;
    return bytes_get32(p->bytes + p->cells[cell].at + i * sizeof(uint32_t));
}

static int number_compare(pipe_number a, pipe_number b)
{
    return a < b ? -1 : a > b;
}

/* What a value is compared as: numbers, times, addresses, other text, null. */
static unsigned rank_of(const struct pipe_pool *p, uint32_t cell, pipe_number *number)
{
    if (pipe_cell_number(p, cell, number))
        return 0;
    switch (pipe_cell_kind(p, cell)) {
    case PIPE_TIME:
        return 1;
    case PIPE_IP:
        return 2;
    case PIPE_NULL:
        return 4;
    case PIPE_NUMBER:
    case PIPE_TEXT:
    case PIPE_SET:
    default:
        return 3;
    }
}

/* Equal numbers: a number before texts, those bytewise. */
static int written_compare(const struct pipe_pool *p, uint32_t a, uint32_t b)
{
    bool text_a = pipe_cell_kind(p, a) == PIPE_TEXT;
    bool text_b = pipe_cell_kind(p, b) == PIPE_TEXT;
    if (text_a != text_b)
        return text_a ? 1 : -1;
    return text_a ? slice_compare(pipe_cell_bytes(p, a), pipe_cell_bytes(p, b)) : 0;
}

int pipe_cell_compare(const struct pipe_pool *p, uint32_t a, uint32_t b)
{
    pipe_number x = 0;
    pipe_number y = 0;
    if (a == b)
        return 0;
    unsigned rank_a = rank_of(p, a, &x);
    unsigned rank_b = rank_of(p, b, &y);
    if (rank_a != rank_b)
        return rank_a < rank_b ? -1 : 1;
    if (rank_a == 0) {
        int order = number_compare(x, y);
        return order != 0 ? order : written_compare(p, a, b);
    }
    if (rank_a == 1) {
        int64_t t = pipe_cell_time(p, a);
        int64_t u = pipe_cell_time(p, b);
        return t < u ? -1 : t > u;
    }
    return slice_compare(pipe_cell_bytes(p, a), pipe_cell_bytes(p, b));
}

void pipe_cell_print(const struct pipe_pool *p, uint32_t cell, struct buf *out)
{
    switch (pipe_cell_kind(p, cell)) {
    case PIPE_NUMBER:
        pipe_number_print(out, number_of(p, cell));
        break;
    case PIPE_TIME:
        clock_print(out, pipe_cell_time(p, cell));
        break;
    case PIPE_IP: {
        struct ip ip = pipe_cell_ip(p, cell);
        ip_print(out, &ip);
        break;
    }
    case PIPE_TEXT:
        buf_slice(out, pipe_cell_bytes(p, cell));
        break;
    case PIPE_NULL:
    case PIPE_SET:
    default:
        break;
    }
}
