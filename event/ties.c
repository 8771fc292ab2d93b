#include "event/ties.h"

#include "base/err.h"

enum {
    ROWS_AT_ONCE = 64, /* looked at before asking whether they differ */
};

void ties_release(struct ties *t)
{
    arena_release(&t->arena);
    *t = (struct ties){0};
}

static void find_first_rows(struct ties *t, const struct batch *b)
{
    for (uint32_t s = 0; s < b->shape_count; s++)
        t->first_rows[s] = TIES_NO_ROW;
    for (uint32_t row = b->row_count; row-- != 0;)
        t->first_rows[b->shape[row]] = row;
}

static bool codes_are_tied(const struct ties *t, const struct batch *b, const struct column *c,
                           int64_t *out)
{
    uint16_t own[BATCH_SHAPES_MAX] = {0};
    for (uint32_t s = 0; s < b->shape_count; s++) {
        if (t->first_rows[s] != TIES_NO_ROW)
            own[s] = c->codes[t->first_rows[s]];
        out[s] = own[s] == CODE_NONE ? TIE_NONE : own[s];
    }
    for (uint32_t row = 0; row < b->row_count;) {
        uint32_t end = row + ROWS_AT_ONCE < b->row_count ? row + ROWS_AT_ONCE : b->row_count;
        unsigned differ = 0;
        for (; row < end; row++)
            differ |= (unsigned)c->codes[row] ^ own[b->shape[row]];
        if (differ != 0)
            return false;
    }
    return true;
}

static bool numbers_are_tied(const struct ties *t, const struct batch *b, const struct column *c,
                             int64_t *out)
{
    for (uint32_t s = 0; s < b->shape_count; s++)
        out[s] = t->first_rows[s] == TIES_NO_ROW ? TIE_NONE : c->numbers[t->first_rows[s]];
    for (uint32_t row = 0; row < b->row_count;) {
        uint32_t end = row + ROWS_AT_ONCE < b->row_count ? row + ROWS_AT_ONCE : b->row_count;
        int64_t differ = 0;
        for (; row < end; row++)
            differ |= c->numbers[row] ^ out[b->shape[row]];
        if (differ != 0)
            return false;
    }
    return true;
}

int ties_find(struct ties *t, const struct batch *b)
{
    arena_reset(&t->arena);
    t->columns = arena_array(&t->arena, b->column_count + 1U, sizeof(*t->columns));
    t->first_rows = arena_array(&t->arena, b->shape_count + 1U, sizeof(*t->first_rows));
    int64_t *next = NULL;
    if (t->columns == NULL || t->first_rows == NULL)
        return ERR_NOMEM;
    find_first_rows(t, b);
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        bool tied = false;
        if (next == NULL)
            next = arena_array(&t->arena, b->shape_count + 1U, sizeof(*next));
        if (next == NULL)
            return ERR_NOMEM;
        if (c->exception_count == 0 && c->storage == COLUMN_CODES)
            tied = codes_are_tied(t, b, c, next);
        else if (c->exception_count == 0 && c->storage == COLUMN_INT && c->type == FIELD_TYPE_INT)
            tied = numbers_are_tied(t, b, c, next);
        t->columns[i] = tied ? next : NULL;
        next = tied ? NULL : next;
    }
    return 0;
}
