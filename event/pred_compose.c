#include "event/pred_compose.h"

#include "base/err.h"

enum {
    URL_GLUE_BYTES_MAX = 4, /* between two parts of one URL: ://, :, @, /, ?, # */
    CLASS_SLOTS = 2 * BATCH_LIVE_ROWS_MAX,
    CLASS_PLANS_MAX = 8, /* a plan is compared with so many others */
};

struct run_of_parts {
    uint32_t first; /* slots of the shape */
    uint32_t last;
    bool has_scheme;
    bool has_host;
    bool has_path;
    bool has_query;
};

static bool is_part(uint16_t field)
{
    return field == FIELD_URL_SCHEME || field == FIELD_URL_DOMAIN || field == FIELD_URL_PORT ||
           field == FIELD_URL_PATH || field == FIELD_URL_QUERY || field == FIELD_URL_USERNAME ||
           field == FIELD_URL_FRAGMENT;
}

static bool is_glue(const struct batch *b, const struct shape_slot *slot)
{
    if (slot->piece_len > URL_GLUE_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < slot->piece_len; i++) {
        char c = b->skeleton.data[slot->piece + i];
        if (c == '\0' || strchr(":/?#@[]", c) == NULL)
            return false;
    }
    return true;
}

static void run_note(struct run_of_parts *run, uint16_t field)
{
    run->has_scheme |= field == FIELD_URL_SCHEME;
    run->has_host |= field == FIELD_URL_DOMAIN;
    run->has_path |= field == FIELD_URL_PATH;
    run->has_query |= field == FIELD_URL_QUERY;
}

/* The run of parts that begins at slot *at or after it. */
static bool run_next(const struct batch *b, const struct shape *shape, uint32_t *at,
                     struct run_of_parts *out)
{
    uint32_t i = *at;
    while (i < shape->slot_count && !is_part(shape->slots[i].field))
        i++;
    if (i >= shape->slot_count)
        return false;
    *out = (struct run_of_parts){.first = i};
    run_note(out, shape->slots[i].field);
    while (i + 1 < shape->slot_count && is_part(shape->slots[i + 1].field) &&
           is_glue(b, &shape->slots[i + 1])) {
        i++;
        run_note(out, shape->slots[i].field);
    }
    out->last = i;
    *at = i + 1;
    return true;
}

static void part_bytes(struct url_plan *plan, struct slice bytes)
{
    if (bytes.len != 0)
        plan->parts[plan->part_count++] = (struct url_part){.bytes = bytes};
}

static void run_parts(struct url_plan *plan, const struct batch *b, const struct shape *shape,
                      const struct run_of_parts *run)
{
    for (uint32_t i = run->first; i <= run->last; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        if (i != run->first)
            part_bytes(plan, slice_of(b->skeleton.data + slot->piece, slot->piece_len));
        plan->parts[plan->part_count++] =
            (struct url_part){.column = slot->column, .kind = slot->kind, .is_value = true};
    }
}

static void run_end(struct url_plan *plan)
{
    if (plan->part_count != 0)
        plan->parts[plan->part_count - 1].is_last = true;
}

/* Host, path and query from different places. */
static void apart(struct url_plan *plan, const struct batch *b, const struct shape *shape)
{
    struct run_of_parts run;
    struct run_of_parts host = {0};
    struct run_of_parts path = {0};
    struct run_of_parts query = {0};
    uint32_t at = 0;
    while (run_next(b, shape, &at, &run)) {
        if (run.has_host && !host.has_host)
            host = run;
        if (run.has_path && !path.has_path)
            path = run;
        if (run.has_query && !query.has_query)
            query = run;
    }
    if (host.has_host)
        run_parts(plan, b, shape, &host);
    if (path.has_path)
        run_parts(plan, b, shape, &path);
    bool inside = (path.has_path && query.first == path.first) ||
                  (host.has_host && query.first == host.first);
    if (query.has_query && !inside) {
        part_bytes(plan, SLICE("?"));
        run_parts(plan, b, shape, &query);
    }
    run_end(plan);
}

int url_plan_make(struct url_plan *out, struct arena *arena, const struct batch *b,
                  const struct shape *shape)
{
    struct url_plan plan = {0};
    struct run_of_parts run;
    uint32_t at = 0;
    if (!run_next(b, shape, &at, &run)) {
        *out = plan;
        return 0;
    }
    plan.parts = arena_array(arena, (size_t)shape->slot_count * 2 + 1, sizeof(*plan.parts));
    if (plan.parts == NULL)
        return ERR_NOMEM;
    do {
        if (run.has_scheme || (run.has_host && run.has_path)) {
            run_parts(&plan, b, shape, &run);
            run_end(&plan);
        }
    } while (run_next(b, shape, &at, &run));
    if (plan.part_count == 0)
        apart(&plan, b, shape);
    *out = plan;
    return 0;
}

static bool same_plan(const struct url_plan *a, const struct url_plan *b)
{
    if (a->part_count != b->part_count)
        return false;
    for (uint32_t i = 0; i < a->part_count; i++) {
        const struct url_part *x = &a->parts[i];
        const struct url_part *y = &b->parts[i];
        if (x->is_value != y->is_value || x->is_last != y->is_last || x->column != y->column ||
            x->kind != y->kind || !slice_equal(x->bytes, y->bytes))
            return false;
    }
    return true;
}

/* By shape: the first shape found that makes its URLs in the same way. */
static void plans_unify(uint32_t *first, const struct url_plan *plans, uint32_t count)
{
    uint32_t known[CLASS_PLANS_MAX];
    uint32_t known_count = 0;
    for (uint32_t shape = 1; shape < count; shape++) {
        first[shape] = shape;
        for (uint32_t i = 0; i < known_count && first[shape] == shape; i++) {
            if (same_plan(&plans[shape], &plans[known[i]]))
                first[shape] = known[i];
        }
        if (first[shape] == shape && known_count < CLASS_PLANS_MAX)
            known[known_count++] = shape;
    }
}

/* Rows by what their URLs are made of. */
struct class_table {
    const struct batch *b;
    const struct url_plan *plans;
    uint32_t *first; /* by shape: plans_unify() */
    uint16_t *slots; /* class + 1 by hash */
    uint32_t first_row;
};

/* Codes and numbers stand for their texts; no other column's values do. */
static bool part_stands(const struct column *c)
{
    return c->storage == COLUMN_CODES || (c->storage == COLUMN_INT && c->exception_count == 0);
}

static uint64_t part_value(const struct column *c, uint32_t row)
{
    return c->storage == COLUMN_CODES ? c->codes[row] : (uint64_t)c->numbers[row];
}

/* False where codes and numbers do not tell what the URLs are. */
static bool row_hash(const struct class_table *t, uint32_t row, uint32_t *out)
{
    uint32_t shape = t->b->shape[row];
    const struct url_plan *plan = &t->plans[shape];
    uint64_t hash = t->first[shape];
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct column *c = &t->b->columns[plan->parts[i].column];
        if (!plan->parts[i].is_value)
            continue;
        if (!part_stands(c))
            return false;
        hash = (hash ^ part_value(c, row)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    *out = (uint32_t)hash;
    return true;
}

static bool same_urls(const struct class_table *t, uint32_t row, uint32_t other)
{
    const struct url_plan *plan = &t->plans[t->b->shape[row]];
    if (t->first[t->b->shape[row]] != t->first[t->b->shape[other]])
        return false;
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct column *c = &t->b->columns[plan->parts[i].column];
        if (plan->parts[i].is_value && part_value(c, row) != part_value(c, other))
            return false;
    }
    return true;
}

/* The slot of the row's class, or an empty one; NULL where the row is a class by itself. */
static uint16_t *class_slot(const struct class_table *t, const struct url_classes *c, uint32_t row)
{
    uint32_t at = 0;
    if (!row_hash(t, row, &at))
        return NULL;
    at %= CLASS_SLOTS;
    while (t->slots[at] != 0 && !same_urls(t, row, t->first_row + c->row[t->slots[at] - 1]))
        at = (at + 1) % CLASS_SLOTS;
    return &t->slots[at];
}

int url_classes_make(struct url_classes *out, struct arena *arena, const struct batch *b,
                     const struct url_plan *plans, uint32_t first_row, uint32_t row_count)
{
    struct class_table t = {.b = b,
                            .plans = plans,
                            .first = arena_array(arena, b->shape_count + 1U, sizeof(*t.first)),
                            .slots = arena_array(arena, CLASS_SLOTS, sizeof(*t.slots)),
                            .first_row = first_row};
    struct url_classes c = {.of_row = arena_array(arena, row_count, sizeof(*c.of_row)),
                            .row = arena_array(arena, row_count, sizeof(*c.row))};
    if (t.first == NULL || t.slots == NULL || c.of_row == NULL || c.row == NULL)
        return ERR_NOMEM;
    plans_unify(t.first, plans, b->shape_count);
    for (uint32_t i = 0; i < row_count; i++) {
        c.of_row[i] = CODE_NONE;
        if (plans[b->shape[first_row + i]].part_count == 0)
            continue;
        uint16_t *slot = class_slot(&t, &c, first_row + i);
        if (slot != NULL && *slot != 0) {
            c.of_row[i] = (uint16_t)(*slot - 1);
            continue;
        }
        c.row[c.count] = i;
        c.of_row[i] = (uint16_t)c.count++;
        if (slot != NULL)
            *slot = (uint16_t)c.count;
    }
    *out = c;
    return 0;
}

bool url_compose(const struct batch *b, const struct url_plan *plan, uint32_t row, uint32_t *at,
                 struct buf *scratch, struct buf *out)
{
    if (*at >= plan->part_count)
        return false;
    bool more = true;
    while (more) {
        const struct url_part *part = &plan->parts[(*at)++];
        struct slice value = part->bytes;
        more = !part->is_last;
        if (part->is_value && !batch_value(b, &b->columns[part->column], row, scratch, &value))
            continue;
        uint8_t kind = slot_is_percent(part->kind) ? slot_plain(part->kind) : part->kind;
        if (part->is_value)
            value_decode(out, value, kind);
        else
            buf_slice(out, value);
    }
    return true;
}
