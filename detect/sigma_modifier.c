#include "detect/sigma_modifier.h"

#include <string.h>

#include "base/err.h"

static const struct {
    const char *name;
    enum sigma_group group;
} MODIFIERS[MODIFIER_COUNT] = {
#define MODIFIER(upper, name, group) [MODIFIER_##upper] = {name, GROUP_##group},
#include "detect/sigma_modifiers.def"
#undef MODIFIER
};

const char *sigma_modifier_name(enum sigma_modifier modifier)
{
    return MODIFIERS[modifier].name;
}

enum sigma_group sigma_modifier_group(enum sigma_modifier modifier)
{
    return MODIFIERS[modifier].group;
}

enum sigma_modifier sigma_item_in(const struct sigma_item *item, enum sigma_group group)
{
    for (uint32_t i = 0; i < item->count; i++) {
        if (MODIFIERS[item->chain[i]].group == group)
            return (enum sigma_modifier)item->chain[i];
    }
    return MODIFIER_COUNT;
}

static int modifier_find(struct sigma_reader *r, const struct yaml_node *node, struct slice word,
                         uint8_t *out)
{
    const char *names[MODIFIER_COUNT];
    for (unsigned i = 0; i < MODIFIER_COUNT; i++) {
        names[i] = MODIFIERS[i].name;
        if (slice_equal(word, slice_from(names[i]))) {
            *out = (uint8_t)i;
            return 0;
        }
    }
    const char *near = diag_suggest(word, names, MODIFIER_COUNT);
    if (word.len == 0)
        return sigma_fault_key(r, node, "an empty modifier; take the \"|\" out");
    return sigma_fault_key(r, node, "unknown modifier \"%.*s\"%s%s%s", (int)word.len, word.data,
                           near == NULL ? "; it is not part of Sigma 2.1" : "; did you mean \"",
                           near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

/* May `b` stand in a chain with the main modifier `a`? */
static bool goes_with(enum sigma_group a, enum sigma_modifier b)
{
    enum sigma_group group = MODIFIERS[b].group;
    bool around = b == MODIFIER_CONTAINS || b == MODIFIER_STARTSWITH || b == MODIFIER_ENDSWITH;
    switch (a) {
    case GROUP_RE:
        return group == GROUP_RE || group == GROUP_RE_FLAG || group == GROUP_FLAG;
    case GROUP_CIDR:
        return group == GROUP_CIDR || b == MODIFIER_NEQ || b == MODIFIER_ALL ||
               group == GROUP_EXPAND;
    case GROUP_COMPARE:
        return group == GROUP_COMPARE || group == GROUP_TIME || b == MODIFIER_NEQ ||
               b == MODIFIER_ALL;
    case GROUP_TIME:
        return group == GROUP_TIME || group == GROUP_COMPARE || b == MODIFIER_NEQ ||
               b == MODIFIER_ALL;
    case GROUP_EXISTS:
        return group == GROUP_EXISTS;
    case GROUP_FIELDREF:
        return group == GROUP_FIELDREF || group == GROUP_FLAG || around;
    case GROUP_FLAG:
    case GROUP_TEXT:
    case GROUP_EXPAND:
    case GROUP_RE_FLAG:
    default:
        return true;
    }
}

static int check_pairs(struct sigma_reader *r, const struct sigma_item *item)
{
    for (uint32_t i = 0; i < item->count; i++) {
        enum sigma_modifier a = (enum sigma_modifier)item->chain[i];
        for (uint32_t k = 0; k < item->count; k++) {
            enum sigma_modifier b = (enum sigma_modifier)item->chain[k];
            bool twice = i != k && MODIFIERS[a].group == MODIFIERS[b].group &&
                         MODIFIERS[a].group >= GROUP_RE;
            if (!goes_with(MODIFIERS[a].group, b) || twice) {
                return sigma_fault_key(r, item->node,
                                       "the modifiers \"%s\" and \"%s\" do not go together; leave "
                                       "one out",
                                       MODIFIERS[a].name, MODIFIERS[b].name);
            }
        }
        bool behind_re = i > 0 && (item->chain[i - 1] == MODIFIER_RE ||
                                   MODIFIERS[item->chain[i - 1]].group == GROUP_RE_FLAG);
        if (MODIFIERS[a].group == GROUP_RE_FLAG && !behind_re) {
            return sigma_fault_key(r, item->node,
                                   "the modifier \"%s\" is a part of re; write it directly behind "
                                   "re",
                                   MODIFIERS[a].name);
        }
    }
    return 0;
}

/* Encoded text has slashes and dashes that are none. */
static int check_windash(struct sigma_reader *r, const struct sigma_item *item)
{
    static const enum sigma_modifier ENCODINGS[] = {MODIFIER_BASE64,  MODIFIER_BASE64OFFSET,
                                                    MODIFIER_UTF16,   MODIFIER_UTF16LE,
                                                    MODIFIER_UTF16BE, MODIFIER_WIDE};
    for (size_t i = 0; i < sizeof(ENCODINGS) / sizeof(ENCODINGS[0]); i++) {
        if (!item->has[MODIFIER_WINDASH] || !item->has[ENCODINGS[i]])
            continue;
        return sigma_fault_key(r, item->node,
                               "the modifiers \"windash\" and \"%s\" do not go together; write a "
                               "value for each dash",
                               MODIFIERS[ENCODINGS[i]].name);
    }
    return 0;
}

/* Keywords are looked for in texts: what needs a field cannot be asked of them. */
static int check_keyword(struct sigma_reader *r, const struct sigma_item *item)
{
    for (uint32_t i = 0; i < item->count && item->field.len == 0; i++) {
        enum sigma_group group = MODIFIERS[item->chain[i]].group;
        if (group == GROUP_COMPARE || group == GROUP_TIME || group == GROUP_EXISTS ||
            group == GROUP_FIELDREF) {
            return sigma_fault_key(r, item->node,
                                   "the modifier \"%s\" needs a field; a keyword has none",
                                   MODIFIERS[item->chain[i]].name);
        }
    }
    return 0;
}

int sigma_item_open(struct sigma_reader *r, const struct yaml_node *node, struct sigma_item *out)
{
    struct sigma_item item = {.node = node};
    *out = item;
    if (node->key == NULL)
        return 0;
    struct slice rest = slice_of(node->key, node->key_len);
    const char *bar = memchr(rest.data, '|', rest.len);
    item.field = slice_of(rest.data, bar == NULL ? rest.len : (size_t)(bar - rest.data));
    while (bar != NULL) {
        rest = slice_from_offset(rest, (size_t)(bar - rest.data) + 1);
        bar = rest.len == 0 ? NULL : memchr(rest.data, '|', rest.len);
        struct slice word = slice_of(rest.data, bar == NULL ? rest.len : (size_t)(bar - rest.data));
        uint8_t modifier = 0;
        int err = modifier_find(r, node, word, &modifier);
        if (err != 0)
            return err;
        if (item.count == MODIFIERS_MAX)
            return sigma_fault_key(r, node, "more than %d modifiers", MODIFIERS_MAX);
        item.chain[item.count++] = modifier;
        item.has[modifier] = true;
    }
    int err = check_pairs(r, &item);
    if (err == 0)
        err = check_windash(r, &item);
    if (err == 0)
        err = check_keyword(r, &item);
    if (err == 0)
        *out = item;
    return err;
}
