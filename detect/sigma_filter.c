/* A filter: what is taken out of the rules that it names. */
#include "detect/sigma_filter.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/sigma_read.h"

static const char *const LAYERS[] = {"base", "prefecture", "municipality"};

const char *sigma_layer_name(enum sigma_layer layer)
{
    return LAYERS[layer];
}

static int read_references(struct sigma_reader *r, const struct yaml_node *map,
                           struct sigma_filter *f)
{
    const struct yaml_node *rules = yaml_get(map, SLICE("rules"));
    if (rules == NULL)
        return sigma_fault_key(r, map, "the filter has no rules; name the rules that it filters");
    if (rules->kind == YAML_MAP || (rules->kind == YAML_LIST && rules->count == 0) ||
        (rules->kind == YAML_TEXT && rules->text.len == 0))
        return sigma_fault(r, rules, "rules is a list of ids or names of rules");
    f->rules = rules;
    return 0;
}

static bool is_tenant(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len == SIGMA_TENANT_DIGITS;
}

/* owner, reason, expires, layer, tenant: keys of ours under `sekisho`. */
static int read_ours(struct sigma_reader *r, const struct yaml_node *document,
                     struct sigma_filter *f)
{
    const struct yaml_node *ours = yaml_get(document, SLICE("sekisho"));
    static const char *const KEYS[] = {"layer", "tenant", "owner", "reason", "expires", NULL};
    int err = ours == NULL ? 0 : sigma_keys_check(r, ours, KEYS);
    if (err != 0)
        return err;
    f->owner = yaml_text(ours, SLICE("owner"));
    f->reason = yaml_text(ours, SLICE("reason"));
    f->expires_ns = CLOCK_NONE;
    f->layer = SIGMA_LAYER_BASE;
    const struct yaml_node *layer = yaml_get(ours, SLICE("layer"));
    const struct yaml_node *expires = yaml_get(ours, SLICE("expires"));
    const struct yaml_node *tenant = yaml_get(ours, SLICE("tenant"));
    if (layer != NULL) {
        unsigned i = 0;
        while (i < SIGMA_LAYER_COUNT && !slice_equal(layer->text, slice_from(LAYERS[i])))
            i++;
        if (i == SIGMA_LAYER_COUNT)
            return sigma_fault(r, layer, "layer is base, prefecture or municipality");
        f->layer = (enum sigma_layer)i;
    }
    if (tenant != NULL) {
        f->tenant = tenant->text;
        if (!is_tenant(tenant->text)) {
            return sigma_fault(r, tenant,
                               "tenant is the six digits of a municipality's code, in "
                               "quotes");
        }
    }
    if (f->layer == SIGMA_LAYER_MUNICIPALITY && f->tenant.len == 0)
        return sigma_fault(r, ours, "a filter of layer municipality names its tenant");
    if (f->layer != SIGMA_LAYER_BASE &&
        (f->owner.len == 0 || f->reason.len == 0 || expires == NULL)) {
        return sigma_fault(r, ours == NULL ? document : ours,
                           "a filter of layer %s names owner, reason and expires under sekisho",
                           LAYERS[f->layer]);
    }
    if (expires == NULL)
        return 0;
    if (clock_parse(&f->expires_ns, expires->text) != 0)
        return sigma_fault(r, expires, "expires is a date, as 2027-03-31T00:00:00+09:00");
    if (r->set->now_ns != CLOCK_NONE && f->expires_ns <= r->set->now_ns)
        return sigma_fault(r, expires, "the filter expired on %.*s; renew it or take it out",
                           (int)expires->text.len, expires->text.data);
    return 0;
}

int sigma_filter_read(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *map = yaml_get(document, SLICE("filter"));
    struct sigma_filter *f = arena_alloc(&r->set->arena, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    r->rule->filter = f;
    if (map->kind != YAML_MAP)
        return sigma_fault(r, map, "filter is a map of rules, selections and a condition");
    int first = read_references(r, map, f);
    int second = read_ours(r, document, f);
    int third = sigma_detection_read(r, map, &r->rule->condition);
    if (first == ERR_NOMEM || second == ERR_NOMEM || third == ERR_NOMEM)
        return ERR_NOMEM;
    if (third == 0 && r->rule->condition != NULL) {
        const struct ast *top = r->rule->condition;
        if (top->kind != AST_NOT) {
            sigma_warn(r, map,
                       "the filter's condition is joined by AND as it stands, and does not "
                       "begin with \"not\": it keeps what it selects");
        }
    }
    return first != 0 ? first : second != 0 ? second : third;
}

static bool part_matches(struct slice filter, struct slice rule)
{
    return filter.len == 0 || slice_equal(filter, rule);
}

static bool logsource_matches(const struct sigma_logsource *filter,
                              const struct sigma_logsource *rule)
{
    return part_matches(filter->category, rule->category) &&
           part_matches(filter->product, rule->product) &&
           part_matches(filter->service, rule->service);
}

/* Rows of the filter's own municipality. */
static struct ast *own_leaf(struct sigma_reader *r, const struct sigma_filter *f)
{
    struct ast *leaf = sigma_ast(r, AST_LEAF);
    if (leaf == NULL)
        return NULL;
    leaf->op = AST_EQUAL;
    leaf->field = FIELD_TENANT;
    leaf->field_name = SLICE("sekisho.tenant");
    leaf->text = f->tenant;
    return leaf;
}

/* Rows from the filter's end on. */
static struct ast *over_leaf(struct sigma_reader *r, const struct sigma_filter *f)
{
    struct ast *leaf = sigma_ast(r, AST_LEAF);
    if (leaf == NULL)
        return NULL;
    leaf->op = AST_GREATER_EQUAL;
    leaf->field = FIELD_TIMESTAMP;
    leaf->field_name = SLICE("@timestamp");
    leaf->bound = (struct ast_bound){.number = f->expires_ns, .real = (double)f->expires_ns};
    return leaf;
}

/* The filter says nothing about other municipalities, and nothing any more from its end on. */
static int filter_bounds(struct sigma_reader *r, const struct sigma_filter *f, struct ast *any)
{
    struct ast *other = sigma_ast(r, AST_NOT);
    struct ast *own = own_leaf(r, f);
    struct ast *over = over_leaf(r, f);
    if (other == NULL || own == NULL || over == NULL)
        return ERR_NOMEM;
    if (f->tenant.len != 0) {
        ast_add(other, own);
        ast_add(any, other);
    }
    if (f->expires_ns != CLOCK_NONE)
        ast_add(any, over);
    return 0;
}

/*
 * What the filter takes out: rows of its municipality, before its end, for which its condition does
 * not hold. The NOT stays even before "not selection": only the rule's own leaves then say where to
 * look, so a filter costs no more than its rule, however much of the traffic it selects.
 */
static struct ast *filter_hidden(struct sigma_reader *r, const struct sigma_filter *f)
{
    struct ast *all = sigma_ast(r, AST_AND);
    struct ast *own = own_leaf(r, f);
    struct ast *before = sigma_ast(r, AST_NOT);
    struct ast *over = over_leaf(r, f);
    struct ast *selected = sigma_ast(r, AST_NOT);
    if (all == NULL || own == NULL || before == NULL || over == NULL || selected == NULL)
        return NULL;
    ast_add(before, over);
    ast_add(selected, r->rule->condition);
    if (f->tenant.len != 0)
        ast_add(all, own);
    if (f->expires_ns != CLOCK_NONE)
        ast_add(all, before);
    ast_add(all, selected);
    return all;
}

/* Name the filter in the rule. */
static int filter_note(struct sigma_reader *r, struct sigma_rule *rule, uint32_t index)
{
    size_t count = rule->filter_count + 1U;
    uint32_t *filters = arena_array(&r->set->arena, count, sizeof(*filters));
    struct ast **hidden = arena_array(&r->set->arena, count, sizeof(struct ast *));
    struct ast *last = filter_hidden(r, r->rule->filter);
    if (filters == NULL || hidden == NULL || last == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < rule->filter_count; i++) {
        filters[i] = rule->filters[i];
        hidden[i] = rule->hidden[i];
    }
    filters[rule->filter_count] = index;
    hidden[rule->filter_count] = last;
    rule->filters = filters;
    rule->hidden = hidden;
    rule->filter_count++;
    return 0;
}

/* AND the filter to the rule. */
static int filter_join(struct sigma_reader *r, struct sigma_rule *rule, uint32_t index)
{
    bool first = rule->filter_count == 0;
    struct ast *both = first ? sigma_ast(r, AST_AND) : rule->condition;
    struct ast *left = sigma_ast(r, AST_AND);
    struct ast *any = sigma_ast(r, AST_OR);
    struct ast *right = sigma_ast(r, AST_AND);
    if (both == NULL || left == NULL || any == NULL || right == NULL)
        return ERR_NOMEM;
    int err = filter_bounds(r, r->rule->filter, any);
    if (err != 0)
        return err;
    ast_add(right, r->rule->condition);
    ast_add(any, right);
    if (first) {
        ast_add(left, rule->condition);
        ast_add(both, left);
    }
    ast_add(both, any);
    rule->condition = both;
    return filter_note(r, rule, index);
}

static int filter_apply(struct sigma_reader *r, const struct yaml_node *reference, uint32_t index)
{
    if (reference->kind != YAML_TEXT)
        return sigma_fault(r, reference, "rules is a list of ids or names of rules");
    struct sigma_rule *rule = sigma_find(r->set, reference->text);
    if (rule == NULL)
        return sigma_fault(r, reference, "the filter names the rule \"%.*s\", which is not defined",
                           (int)reference->text.len, reference->text.data);
    if (rule->kind != SIGMA_RULE) {
        return sigma_fault(r, reference,
                           "the filter names \"%.*s\", which is no rule; filters work "
                           "on rules",
                           (int)reference->text.len, reference->text.data);
    }
    if (!logsource_matches(&r->rule->logsource, &rule->logsource) || rule->condition == NULL ||
        r->rule->condition == NULL)
        return 0;
    if (rule->filter_count != 0 && rule->filters[rule->filter_count - 1] == index)
        return 0; /* named twice */
    return filter_join(r, rule, index);
}

int sigma_filter_link(struct sigma_reader *r, uint32_t index)
{
    const struct yaml_node *rules = r->rule->filter->rules;
    if (rules == NULL || rules->kind == YAML_TEXT)
        return rules == NULL ? 0 : filter_apply(r, rules, index);
    int err = 0;
    for (const struct yaml_node *one = rules->first; one != NULL && err != ERR_NOMEM;
         one = one->next) {
        int got = filter_apply(r, one, index);
        err = got != 0 ? got : err;
    }
    return err;
}
