#include "ingest/format_ask.h"

#include <stddef.h>

static const struct closer {
    uint16_t format;
    uint16_t general;
} CLOSER[] = {
#define CLOSER(name, general) {FORMAT_##name, FORMAT_##general},
#include "ingest/closer.def"
#undef CLOSER
};

enum {
    CLOSER_COUNT = sizeof(CLOSER) / sizeof(CLOSER[0]),
};

/* The parser if it is its turn and its probe says yes. */
static const struct parser *ask_one(struct format_ask *ask, const struct parser *p,
                                    struct slice message)
{
    uint64_t bit = p == NULL ? 0 : UINT64_C(1) << (p->format & 63);
    if (bit == 0 || (ask->was_asked & bit) != 0 || (p->last_resort && ask->given > 0))
        return NULL;
    ask->was_asked |= bit;
    if (!p->probe(p->in_structured && ask->structured.len > 0 ? ask->structured : message))
        return NULL;
    ask->given++;
    return p;
}

static const struct parser *ask_settled(struct format_ask *ask, struct slice message)
{
    const struct parser *p = NULL;
    while (p == NULL && ask->closer < CLOSER_COUNT) {
        const struct closer *row = &CLOSER[ask->closer++];
        if (row->general == ask->settled)
            p = ask_one(ask, parser_get(row->format), message);
    }
    if (p == NULL && ask->closer == CLOSER_COUNT) {
        const struct parser *settled = parser_get(ask->settled);
        ask->closer++;
        p = settled != NULL && settled->last_resort ? NULL : ask_one(ask, settled, message);
    }
    return p;
}

const struct parser *format_ask_next(struct format_ask *ask, struct slice message)
{
    const struct parser *p = NULL;
    if (ask->given == FORMAT_ASK_MAX)
        return NULL;
    if (ask->settled != FORMAT_AUTO)
        p = ask_settled(ask, message);
    const struct parser *next = p == NULL ? parser_at(ask->at) : NULL;
    for (; p == NULL && next != NULL; next = parser_at(++ask->at))
        p = ask_one(ask, next, message);
    return p;
}
