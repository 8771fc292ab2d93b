#include "store/bound.h"

#include "base/err.h"

int bound_init(struct bound *out, struct batch *scratch_owner, const struct batch *b)
{
    uint32_t shapes = b->shape_count == 0 ? 1 : b->shape_count;
    uint8_t *binds = arena_array(&scratch_owner->arena, (size_t)shapes * b->column_count + 1, 1);
    if (binds == NULL)
        return ERR_NOMEM;
    for (uint32_t s = 1; s < b->shape_count; s++) {
        for (uint32_t i = 0; i < b->shapes[s].slot_count; i++)
            binds[(size_t)s * b->column_count + b->shapes[s].slots[i].column] = 1;
    }
    *out = (struct bound){.batch = b, .binds = binds};
    return 0;
}

uint32_t bound_count(const struct bound *bound, uint32_t column)
{
    const struct batch *b = bound->batch;
    uint32_t n = 0;
    if (b->columns[column].derived)
        return b->row_count;
    for (uint32_t s = 1; s < b->shape_count; s++) {
        if (bound->binds[(size_t)s * b->column_count + column] != 0)
            n += b->shapes[s].row_count;
    }
    return n;
}

uint32_t bound_rows(const struct bound *bound, uint32_t column, uint16_t *rows)
{
    const struct batch *b = bound->batch;
    uint8_t own[BATCH_SHAPES_MAX] = {0};
    uint32_t n = 0;
    own[0] = b->columns[column].derived;
    for (uint32_t s = 1; s < b->shape_count; s++)
        own[s] = own[0] | bound->binds[(size_t)s * b->column_count + column];
    for (uint32_t row = 0; row < b->row_count; row++) {
        rows[n] = (uint16_t)row;
        n += own[b->shape[row]];
    }
    return n;
}
