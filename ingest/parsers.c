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
