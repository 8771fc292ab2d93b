#include "ingest/parsers.h"

enum {
#define PARSER(id, upper, lower) PARSER_INDEX_##upper,
#include "ingest/parsers.def"
#undef PARSER
    PARSER_COUNT
};

static const struct parser *const VTABLES[PARSER_COUNT] = {
#define PARSER(id, upper, lower) [PARSER_INDEX_##upper] = &parser_##lower,
#include "ingest/parsers.def"
#undef PARSER
};

const struct parser *parser_get(uint16_t format)
{
    for (size_t i = 0; i < PARSER_COUNT; i++) {
        if (VTABLES[i]->format == format)
            return VTABLES[i];
    }
    return NULL;
}

const struct parser *parser_find(struct slice name)
{
    for (size_t i = 0; i < PARSER_COUNT; i++) {
        if (slice_equal(slice_from(VTABLES[i]->name), name))
            return VTABLES[i];
    }
    return NULL;
}

const struct parser *parser_at(size_t index)
{
    return index < PARSER_COUNT ? VTABLES[index] : NULL;
}

bool parser_fills(uint16_t field)
{
    static const uint16_t UNFILLED_FIELDS[] = {
#define UNFILLED(name) FIELD_##name,
#include "ingest/unfilled.def"
#undef UNFILLED
    };
    for (size_t i = 0; i < sizeof(UNFILLED_FIELDS) / sizeof(UNFILLED_FIELDS[0]); i++) {
        if (field == UNFILLED_FIELDS[i])
            return false;
    }
    return field_info(field) != NULL;
}
