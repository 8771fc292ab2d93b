/* Selections and the condition over them. */
#include <string.h>

#include "base/err.h"
#include "detect/sigma_read.h"

enum {
    SELECTIONS_MAX = 256,
};

struct selection {
    struct slice name;
    struct ast *tree;
};

struct detection {
    struct sigma_reader *r;
    struct selection selections[SELECTIONS_MAX];
    unsigned count;
};

/* A map: all of its items. */
static int read_map(struct sigma_reader *r, const struct yaml_node *map, struct ast **out)
{
    struct ast *all = sigma_ast(r, AST_AND);
    if (all == NULL)
        return ERR_NOMEM;
    if (map->count == 0)
        return sigma_fault(r, map, "an empty map selects nothing");
    int err = 0;
    for (const struct yaml_node *item = map->first; item != NULL; item = item->next) {
        struct ast *tree = NULL;
        int got = sigma_item_read(r, item, &tree);
        if (got != 0 && got != ERR_CONF)
            return got;
        err = got != 0 ? got : err;
        sigma_ast_add(all, tree);
    }
    if (err == 0)
        *out = sigma_ast_simple(all);
    return err;
}

/* A list: any of its maps and keywords. */
static int read_list(struct sigma_reader *r, const struct yaml_node *list, struct ast **out)
{
    struct ast *any = sigma_ast(r, AST_OR);
    int err = any == NULL ? ERR_NOMEM : 0;
    for (const struct yaml_node *item = list->first; item != NULL && err != ERR_NOMEM;
         item = item->next) {
        struct ast *tree = NULL;
        int got = 0;
        if (item->kind == YAML_LIST)
            got = sigma_fault(r, item, "a list in a list; a list holds maps or keywords");
        else
            got =
                item->kind == YAML_MAP ? read_map(r, item, &tree) : sigma_item_read(r, item, &tree);
        err = got != 0 ? got : err;
        sigma_ast_add(any, tree);
    }
    if (err == 0)
        *out = sigma_ast_simple(any);
    return err;
}

int sigma_selection_read(struct sigma_reader *r, const struct yaml_node *node, struct ast **out)
{
    if (node->kind == YAML_TEXT && yaml_null(node))
        return sigma_fault_key(r, node, "the selection %s is empty", node->key);
    if (node->kind == YAML_TEXT) {
        struct yaml_node keyword = *node;
        keyword.key = NULL;
        return sigma_item_read(r, &keyword, out);
    }
    if (node->count == 0)
        return sigma_fault_key(r, node, "the selection %s is empty", node->key);
    return node->kind == YAML_MAP ? read_map(r, node, out) : read_list(r, node, out);
}

static int resolve_name(void *self, const struct yaml_node *at, struct slice name, struct ast **out)
{
    struct detection *d = self;
    const char *names[SELECTIONS_MAX];
    for (unsigned i = 0; i < d->count; i++) {
        names[i] = d->selections[i].name.data;
        if (slice_equal(d->selections[i].name, name)) {
            *out = d->selections[i].tree;
            return 0;
        }
    }
    const char *near = diag_suggest(name, names, d->count);
    return sigma_fault(d->r, at,
                       "the condition names the selection %.*s, which is not defined%s%s%s",
                       (int)name.len, name.data, near == NULL ? "" : "; did you mean ",
                       near == NULL ? "" : near, near == NULL ? "" : "?");
}

/* Stars alone are wildcards here. Linear with one mark. */
static bool name_matches(struct slice pattern, struct slice name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star = SIZE_MAX;
    size_t mark = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.len && pattern.data[p] == name.data[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

static int resolve_pattern(void *self, const struct yaml_node *at, struct slice pattern, bool all,
                           struct ast **out)
{
    struct detection *d = self;
    struct ast *joined = sigma_ast(d->r, all ? AST_AND : AST_OR);
    if (joined == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < d->count; i++) {
        const struct selection *s = &d->selections[i];
        bool them = pattern.len == 0 && s->name.len != 0 && *s->name.data != '_';
        if (!them && (pattern.len == 0 || !name_matches(pattern, s->name)))
            continue;
        struct ast *link = sigma_ast(d->r, AST_AND);
        if (link == NULL)
            return ERR_NOMEM;
        sigma_ast_add(link, s->tree);
        sigma_ast_add(joined, link);
    }
    if (joined->first == NULL) {
        return sigma_fault(d->r, at, "the condition's \"of %.*s\" stands for no selection",
                           pattern.len == 0 ? 4 : (int)pattern.len,
                           pattern.len == 0 ? "them" : pattern.data);
    }
    *out = joined;
    return 0;
}

/* A text, or a list of them joined by OR. */
static int read_condition(struct sigma_reader *r, const struct yaml_node *node,
                          const struct sigma_resolver *resolver, struct ast **out)
{
    if (node->kind == YAML_TEXT)
        return sigma_condition_read(r, node, resolver, out);
    if (node->kind == YAML_MAP || node->count == 0)
        return sigma_fault(r, node, "the condition is a text or a list of texts");
    struct ast *any = sigma_ast(r, AST_OR);
    int err = any == NULL ? ERR_NOMEM : 0;
    for (const struct yaml_node *one = node->first; one != NULL && err == 0; one = one->next) {
        struct ast *tree = NULL;
        err = one->kind == YAML_TEXT
                  ? sigma_condition_read(r, one, resolver, &tree)
                  : sigma_fault(r, one, "the condition is a text or a list of texts");
        sigma_ast_add(any, tree);
    }
    if (err == 0)
        *out = sigma_ast_simple(any);
    return err;
}

/* Keys that stand beside selections. */
static int read_key(struct sigma_reader *r, const struct yaml_node *node, bool *is_selection)
{
    struct slice key = slice_of(node->key, node->key_len);
    *is_selection = false;
    if (slice_equal(key, SLICE("condition")) ||
        (r->rule->kind == SIGMA_FILTER && slice_equal(key, SLICE("rules"))))
        return 0;
    if (slice_equal(key, SLICE("timeframe"))) {
        return sigma_fault_key(r, node,
                               "timeframe belongs to the aggregation of old Sigma; write "
                               "a correlation with a timespan");
    }
    *is_selection = true;
    return 0;
}

/* Bounds what asking the tree costs; selections are shared, so it is walked, not counted. */
static int tree_check(struct sigma_reader *r, const struct yaml_node *at, const struct ast *tree)
{
    const struct ast *stack[SIGMA_TREE_DEPTH_MAX + 1];
    unsigned depth = 0;
    uint32_t nodes = 1;
    stack[depth++] = tree->first;
    while (depth > 0) {
        const struct ast *node = stack[depth - 1];
        if (node == NULL) {
            depth--;
            continue;
        }
        stack[depth - 1] = node->next;
        if (++nodes > SIGMA_TREE_NODES_MAX) {
            return sigma_fault(r, at,
                               "the condition stands for more than %d comparisons; split the "
                               "rule",
                               SIGMA_TREE_NODES_MAX);
        }
        if (node->first != NULL && depth == SIGMA_TREE_DEPTH_MAX)
            return sigma_fault(r, at, "the condition is nested too deep; split the rule");
        if (node->first != NULL)
            stack[depth++] = node->first;
    }
    return 0;
}

int sigma_detection_read(struct sigma_reader *r, const struct yaml_node *map, struct ast **out)
{
    struct detection *d = arena_alloc(&r->set->arena, sizeof(*d));
    const char *part = r->rule->kind == SIGMA_FILTER ? "filter" : "detection";
    if (d == NULL)
        return ERR_NOMEM;
    if (map->kind != YAML_MAP)
        return sigma_fault(r, map, "%s is a map of selections and a condition", part);
    d->r = r;
    int err = 0;
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct ast *tree = NULL;
        bool is_selection = false;
        int got = read_key(r, node, &is_selection);
        if (got == 0 && is_selection && d->count == SELECTIONS_MAX)
            return sigma_fault_key(r, node, "more than %d selections", SELECTIONS_MAX);
        if (got == 0 && is_selection)
            got = sigma_selection_read(r, node, &tree);
        if (got != 0 && got != ERR_CONF)
            return got;
        err = got != 0 ? got : err;
        if (is_selection)
            d->selections[d->count++] =
                (struct selection){slice_of(node->key, node->key_len), tree};
    }
    const struct yaml_node *condition = yaml_get(map, SLICE("condition"));
    if (condition == NULL)
        return sigma_fault_key(r, map, "%s has no condition", part);
    if (d->count == 0)
        return sigma_fault_key(r, map, "%s has no selection beside its condition", part);
    struct sigma_resolver resolver = {resolve_name, resolve_pattern, d};
    struct ast *tree = NULL;
    int got = read_condition(r, condition, &resolver, &tree);
    err = got != 0 ? got : err;
    if (err == 0 && tree != NULL)
        err = tree_check(r, condition, tree);
    if (err == 0)
        *out = tree;
    return err;
}
