#include "event/pred_compose.h"

#include "base/err.h"

enum {
    URL_GLUE_BYTES_MAX = 4, /* between two parts of one URL: ://, :, @, /, ?, # */
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
        if (part->is_value && part->kind != SLOT_PERCENT && part->kind != SLOT_FORM)
            value_decode(out, value, part->kind);
        else
            buf_slice(out, value);
    }
    return true;
}
