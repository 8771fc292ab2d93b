/*
 * detect/sigma_modifier.h - private: the modifiers of a field name, field|contains|all.
 *
 * The table below is all there is; docs/sigma-support.md is made from it and from the tests.
 */
#pragma once

#include "detect/sigma_read.h"

enum sigma_modifier {
#define MODIFIER(upper, name, group) MODIFIER_##upper,
#include "detect/sigma_modifiers.def"
#undef MODIFIER
    MODIFIER_COUNT,
};

/* What a modifier does; two of the last six never stand together. */
enum sigma_group {
    GROUP_FLAG, /* all cased neq */
    GROUP_TEXT, /* changes the text of the value, in the order of the chain */
    GROUP_EXPAND,
    GROUP_RE_FLAG, /* directly behind re */
    GROUP_RE,
    GROUP_CIDR,
    GROUP_COMPARE,
    GROUP_TIME,
    GROUP_EXISTS,
    GROUP_FIELDREF,
};

enum {
    MODIFIERS_MAX = 16, /* of one item */
};

/* field|modifier|modifier: values */
struct sigma_item {
    const struct yaml_node *node;
    struct slice field; /* empty: keywords */
    uint8_t chain[MODIFIERS_MAX];
    uint32_t count;
    bool has[MODIFIER_COUNT];
};

/* Split and check the key of a node; a node without a key has no field and no modifiers. */
int sigma_item_open(struct sigma_reader *r, const struct yaml_node *node, struct sigma_item *out);

const char *sigma_modifier_name(enum sigma_modifier modifier);
enum sigma_group sigma_modifier_group(enum sigma_modifier modifier);
/* The first modifier of a group in the chain, or MODIFIER_COUNT. */
enum sigma_modifier sigma_item_in(const struct sigma_item *item, enum sigma_group group);
