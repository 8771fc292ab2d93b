#include "event/field.h"

#include <assert.h>
#include <strings.h>

/* By id; ids that were never given have id 0. */
static const struct field_info FIELDS[] = {
#define FIELD(id_, name_, ecs_, aliases_, type_, index_, sensitivity_, help_) \
    [id_] = {.id = (id_),                                                     \
             .type = FIELD_TYPE_##type_,                                      \
             .index = FIELD_INDEX_##index_,                                   \
             .sensitivity = FIELD_SENSITIVITY_##sensitivity_,                 \
             .name = {.data = (ecs_), .len = sizeof(ecs_) - 1},               \
             .aliases = {.data = (aliases_), .len = sizeof(aliases_) - 1},    \
             .help = (help_)},
#include "event/fields.def"
#undef FIELD
};

enum {
    FIELDS_COUNT = sizeof(FIELDS) / sizeof(FIELDS[0]),
};

static_assert((int)FIELDS_COUNT <= (int)FIELD_LOCAL_FIRST,
              "ids of the dictionary end where local ones begin");

const struct field_info *field_info(uint16_t id)
{
    return id < FIELDS_COUNT && FIELDS[id].id != 0 ? &FIELDS[id] : NULL;
}

static bool alias_in(struct slice aliases, struct slice name)
{
    size_t at = 0;
    while (at < aliases.len) {
        size_t end = at;
        while (end < aliases.len && aliases.data[end] != ' ')
            end++;
        if (end - at == name.len && strncasecmp(aliases.data + at, name.data, name.len) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

uint16_t field_find(struct slice name)
{
    if (name.len == 0)
        return FIELD_NONE;
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        if (FIELDS[i].id != 0 && slice_equal(FIELDS[i].name, name))
            return FIELDS[i].id;
    }
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        if (FIELDS[i].id != 0 && alias_in(FIELDS[i].aliases, name))
            return FIELDS[i].id;
    }
    return FIELD_NONE;
}

const struct field_info *field_next(size_t *at)
{
    while (*at < FIELDS_COUNT && FIELDS[*at].id == 0)
        (*at)++;
    return *at < FIELDS_COUNT ? &FIELDS[(*at)++] : NULL;
}
