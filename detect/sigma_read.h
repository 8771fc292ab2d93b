/*
 * detect/sigma_read.h - private to detect/sigma_*.c: what the readers of a document share.
 */
#pragma once

#include "detect/sigma.h"

/* A document while it is read. */
struct sigma_reader {
    struct sigma_set *set;
    struct diag *diag;
    struct sigma_rule *rule;
    bool faulty;
};

/* Report a fault at the value of a node (or at its key). Returns ERR_CONF. */
int sigma_fault(struct sigma_reader *r, const struct yaml_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int sigma_fault_key(struct sigma_reader *r, const struct yaml_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Report what works and is probably not meant. */
void sigma_warn(struct sigma_reader *r, const struct yaml_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Refuse keys of a map that are not in the list (NULL ends it), with the nearest one that is. */
int sigma_keys_check(struct sigma_reader *r, const struct yaml_node *map, const char *const *keys);

/* A node of a tree, or NULL without memory. */
struct ast *sigma_ast(struct sigma_reader *r, enum ast_kind kind);
/* Append a child. A NULL child is passed over. */
void sigma_ast_add(struct ast *parent, struct ast *child);
/* The node itself, or its only child. */
struct ast *sigma_ast_simple(struct ast *node);

/* A scalar as true or false; false where it is neither. */
bool sigma_bool(const struct yaml_node *node, bool *out);
/* A scalar as a number. */
bool sigma_number(const struct yaml_node *node, struct ast_bound *out);

/*
 * One item "field|modifier|...: values" (or a list of keywords, `node->key` then NULL) as a tree
 * (detect/sigma_item.c).
 */
int sigma_item_read(struct sigma_reader *r, const struct yaml_node *node, struct ast **out);

/* The selections and the condition under `detection` or `filter` (detect/sigma_detection.c). */
int sigma_detection_read(struct sigma_reader *r, const struct yaml_node *map, struct ast **out);

/* One of its selections. */
int sigma_selection_read(struct sigma_reader *r, const struct yaml_node *node, struct ast **out);

/* `correlation` (detect/sigma_correlation.c). */
int sigma_correlation_read(struct sigma_reader *r, const struct yaml_node *document);
/* Its references, once all documents are there. */
int sigma_correlation_link(struct sigma_reader *r);

/* `filter` (detect/sigma_filter.c). */
int sigma_filter_read(struct sigma_reader *r, const struct yaml_node *document);
int sigma_filter_link(struct sigma_reader *r, uint32_t index);

/*
 * A condition (detect/sigma_condition.c): `resolve` gives the tree of a name, or of `1 of` and
 * `all of` a pattern or `them`; it reports what it does not know.
 */
struct sigma_resolver {
    int (*name)(void *self, const struct yaml_node *at, struct slice name, struct ast **out);
    /* `all`: every one of them; `them`: pattern is empty. NULL: no quantifiers here. */
    int (*pattern)(void *self, const struct yaml_node *at, struct slice pattern, bool all,
                   struct ast **out);
    void *self;
};
int sigma_condition_read(struct sigma_reader *r, const struct yaml_node *at,
                         const struct sigma_resolver *resolver, struct ast **out);

/*
 * The fields that a name of a rule stands for (detect/sigma_names.c): calls `each` for every one;
 * any of them may satisfy a condition.
 */
int sigma_names_each(const struct sigma_reader *r, struct slice name,
                     int (*each)(void *self, uint16_t field, struct slice name), void *self);
/* Warn of a name in a rule that no log has a field for, as it never holds. */
void sigma_names_check(struct sigma_reader *r, const struct yaml_node *at,
                       const struct sigma_rule *rule, struct slice name);
/* The formats that the rule's logsource means: `scope` and `nowhere` of the rule. */
int sigma_names_scope(struct sigma_reader *r);
