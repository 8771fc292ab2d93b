/*
 * detect/sigma_explain.h - a rule taken apart, so that it can be said why it holds or does not.
 *
 * Ownership: parts and trees live in the set's arena.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "detect/sigma.h"

enum sigma_part_kind {
    SIGMA_PART_SELECTION, /* a whole selection */
    SIGMA_PART_ITEM,      /* one line of it */
};

struct sigma_part {
    enum sigma_part_kind kind;
    struct slice selection;       /* its name */
    const struct yaml_node *node; /* the selection or the item as written */
    uint32_t map;                 /* which map of a list of maps, from 1; 0 = the only one */
    struct ast *tree;
};

struct sigma_parts {
    struct sigma_part *items;
    size_t count;
};

/* The selections of a rule or a filter, each before its items. */
int sigma_parts_make(struct sigma_parts *out, struct sigma_set *set, struct sigma_rule *rule);
