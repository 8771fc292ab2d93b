#include "detect/sigma_explain.h"

#include "base/err.h"
#include "detect/sigma_read.h"

struct parts {
    struct sigma_reader r;
    struct sigma_parts *out;
    size_t cap;
};

/* Items below a detection, so that one array holds all parts. */
static size_t count_below(const struct yaml_node *map)
{
    size_t count = 0;
    for (const struct yaml_node *s = map->first; s != NULL; s = s->next) {
        count += 1 + s->count;
        for (const struct yaml_node *m = s->first; m != NULL; m = m->next)
            count += m->count;
    }
    return count;
}

static int item_add(struct parts *p, struct slice selection, const struct yaml_node *item,
                    uint32_t map)
{
    struct sigma_part part = {
        .kind = SIGMA_PART_ITEM, .selection = selection, .node = item, .map = map};
    int err = sigma_item_read(&p->r, item, &part.tree);
    if (err == 0)
        p->out->items[p->out->count++] = part;
    return err;
}

static int map_add(struct parts *p, struct slice selection, const struct yaml_node *map,
                   uint32_t number)
{
    int err = 0;
    for (const struct yaml_node *item = map->first; item != NULL && err == 0; item = item->next)
        err = item_add(p, selection, item, number);
    return err;
}

static int selection_add(struct parts *p, const struct yaml_node *node)
{
    struct slice name = slice_of(node->key, node->key_len);
    struct sigma_part part = {.kind = SIGMA_PART_SELECTION, .selection = name, .node = node};
    int err = sigma_selection_read(&p->r, node, &part.tree);
    if (err != 0)
        return err;
    p->out->items[p->out->count++] = part;
    if (node->kind == YAML_MAP)
        return map_add(p, name, node, 0);
    uint32_t number = 0;
    for (const struct yaml_node *one = node->first; one != NULL && err == 0; one = one->next) {
        number++;
        err =
            one->kind == YAML_MAP ? map_add(p, name, one, number) : item_add(p, name, one, number);
    }
    return err;
}

int sigma_parts_make(struct sigma_parts *out, struct sigma_set *set, struct sigma_rule *rule)
{
    struct diag diag = {0};
    struct sigma_parts parts = {0};
    struct parts p = {.r = {.set = set, .diag = &diag, .rule = rule}, .out = &parts};
    const struct yaml_node *map =
        yaml_get(rule->document, rule->kind == SIGMA_FILTER ? SLICE("filter") : SLICE("detection"));
    size_t most = map == NULL ? 0 : count_below(map);
    parts.items = arena_array(&set->arena, most + 1, sizeof(*parts.items));
    int err = parts.items == NULL ? ERR_NOMEM : 0;
    for (const struct yaml_node *s = map == NULL ? NULL : map->first; s != NULL && err == 0;
         s = s->next) {
        struct slice key = slice_of(s->key, s->key_len);
        bool other = slice_equal(key, SLICE("condition")) ||
                     (rule->kind == SIGMA_FILTER && slice_equal(key, SLICE("rules")));
        if (!other)
            err = selection_add(&p, s);
    }
    diag_release(&diag);
    if (err == 0)
        *out = parts;
    return err;
}
