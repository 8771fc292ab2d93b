#include "event/pipe_combine.h"

#include <stdlib.h>

#include "base/err.h"

int pipe_combine_init(struct pipe_combine *c)
{
    *c = (struct pipe_combine){.slots = calloc(PIPE_COMBINATIONS_MAX, sizeof(*c->slots)),
                               .of_row = calloc(BATCH_ROWS_MAX, sizeof(*c->of_row))};
    if (c->slots != NULL && c->of_row != NULL)
        return 0;
    pipe_combine_release(c);
    return ERR_NOMEM;
}

void pipe_combine_release(struct pipe_combine *c)
{
    free(c->slots);
    free(c->of_row);
    *c = (struct pipe_combine){0};
}

/* Values of a key, null counted. */
static uint32_t values_of(const struct pipe_numbers *key)
{
    return key->of_row == NULL ? 1 : key->end + 1;
}

static void add_key(uint32_t *of_row, const struct pipe_numbers *key, const uint16_t *rows,
                    uint32_t count)
{
    uint32_t values = key->end + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = key->of_row[rows[i]];
        of_row[i] = of_row[i] * values + (number < key->end ? number : key->end);
    }
}

bool pipe_combine_rows(struct pipe_combine *c, const struct pipe_numbers *keys, uint32_t key_count,
                       const uint16_t *rows, uint32_t count)
{
    uint64_t most = (uint64_t)count * PIPE_COMBINATIONS_ROW + PIPE_COMBINATIONS_LEAST;
    uint64_t slots = 1;
    if (most > PIPE_COMBINATIONS_MAX)
        most = PIPE_COMBINATIONS_MAX;
    for (uint32_t k = 0; k < key_count && slots <= most; k++)
        slots *= values_of(&keys[k]);
    if (slots > most)
        return false;
    memset(c->slots, 0, slots * sizeof(*c->slots));
    memset(c->of_row, 0, count * sizeof(*c->of_row));
    for (uint32_t k = 0; k < key_count; k++) {
        if (keys[k].of_row != NULL)
            add_key(c->of_row, &keys[k], rows, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct pipe_slot *slot = &c->slots[c->of_row[i]];
        slot->count++;
        slot->row = rows[i];
    }
    c->slot_count = (uint32_t)slots;
    return true;
}
