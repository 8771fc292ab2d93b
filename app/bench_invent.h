/*
 * app/bench_invent.h - private: rules that nobody wrote, and a slow second opinion on what they hit.
 *
 *   texts of rows --invent_new()--> patterns in rules --invent_rule_text()--> Sigma
 *                                          |
 *                                          +--invent_holds(rule, row)--> what the engine must say
 *
 * Five patterns make two rules: lists of names, parts of paths and of URLs, pairs of a client and
 * its path, and texts that stand in very many events beside one that does not. One rule in forty
 * names something that the rows have, but seldom, so that a few events in a thousand are hit. A
 * longer set begins with the rules of a shorter one.
 *
 * invent_holds() folds case, decodes percent escapes and compares byte by byte: nothing in it is
 * the engine's.
 *
 * Ownership: an invention owns its texts; rows' texts lie in the arena given.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum invent_field {
    INVENT_URL,
    INVENT_PATH,
    INVENT_QUERY,
    INVENT_AGENT,
    INVENT_DOMAIN,
    INVENT_FIELDS,
};

enum {
    INVENT_TEXT_MAX = 63,
    INVENT_FORMS =
        2, /* as written, and percent-decoded; the second is empty where it is the same */
};

/* The texts of a row, letters small; data NULL where it has none. */
struct invent_row {
    struct slice forms[INVENT_FIELDS][INVENT_FORMS];
};

struct invent;

/* Of a rule by its number, for printf. */
#define INVENT_RULE_ID "invented_%06u"

/* The name of a field in a rule. */
const char *invent_field_name(enum invent_field field);
/* Take a row's value of a field. */
int invent_row_take(struct invent_row *row, enum invent_field field, struct slice value,
                    struct arena *arena);

int invent_new(struct invent **out, uint32_t rules, uint64_t seed, const struct invent_row *rows,
               size_t row_count);
void invent_free(struct invent *inv);
/* Append a rule as a Sigma document. */
void invent_rule_text(const struct invent *inv, uint32_t rule, struct buf *out);
bool invent_holds(const struct invent *inv, uint32_t rule, const struct invent_row *row);
