#include "detect/sigma_correlation.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/correlate.h"
#include "detect/sigma_read.h"

enum {
    TIMESPAN_SECONDS_MAX = 366 * 86400,
    COUNT_MAX = CORRELATE_ENTRIES_MAX - 2,
};

static const char *const TYPES[SIGMA_CORRELATION_TYPES] = {
    [SIGMA_EVENT_COUNT] = "event_count",
    [SIGMA_VALUE_COUNT] = "value_count",
    [SIGMA_VALUE_SUM] = "value_sum",
    [SIGMA_VALUE_AVG] = "value_avg",
    [SIGMA_VALUE_PERCENTILE] = "value_percentile",
    [SIGMA_VALUE_MEDIAN] = "value_median",
    [SIGMA_TEMPORAL] = "temporal",
    [SIGMA_TEMPORAL_ORDERED] = "temporal_ordered",
};

static const char *const BOUNDS[SIGMA_BOUNDS_MAX] = {
    [SIGMA_GT] = "gt",   [SIGMA_GTE] = "gte", [SIGMA_LT] = "lt",
    [SIGMA_LTE] = "lte", [SIGMA_EQ] = "eq",   [SIGMA_NEQ] = "neq",
};

const char *sigma_correlation_type_name(enum sigma_correlation_type type)
{
    return TYPES[type];
}

bool sigma_bounds_hold(const struct sigma_correlation *c, double number)
{
    for (uint32_t i = 0; i < c->bound_count; i++) {
        double bound = c->bounds[i].number;
        bool less = number < bound;
        bool more = number > bound;
        bool holds = false;
        switch (c->bounds[i].op) {
        case SIGMA_GT:
            holds = more;
            break;
        case SIGMA_GTE:
            holds = !less;
            break;
        case SIGMA_LT:
            holds = less;
            break;
        case SIGMA_LTE:
            holds = !more;
            break;
        case SIGMA_EQ:
            holds = !less && !more;
            break;
        case SIGMA_NEQ:
        default:
            holds = less || more;
            break;
        }
        if (!holds)
            return false;
    }
    return true;
}

bool sigma_program_holds(const struct sigma_correlation *c, uint64_t present)
{
    bool stack[SIGMA_PROGRAM_MAX] = {false};
    unsigned depth = 0;
    for (uint32_t i = 0; i < c->program_len; i++) {
        const struct sigma_step *step = &c->program[i];
        if (step->kind == AST_LEAF) {
            stack[depth++] = (present >> step->reference & 1) != 0;
        } else if (step->kind == AST_NOT) {
            stack[depth - 1] = !stack[depth - 1];
        } else {
            bool right = stack[--depth];
            stack[depth - 1] =
                step->kind == AST_AND ? stack[depth - 1] && right : stack[depth - 1] || right;
        }
    }
    return depth == 1 && stack[0];
}

static bool is_temporal(const struct sigma_correlation *c)
{
    return c->type == SIGMA_TEMPORAL || c->type == SIGMA_TEMPORAL_ORDERED;
}

static bool needs_field(const struct sigma_correlation *c)
{
    return c->type != SIGMA_EVENT_COUNT && !is_temporal(c);
}

static int read_type(struct sigma_reader *r, const struct yaml_node *map,
                     struct sigma_correlation *c)
{
    const struct yaml_node *type = yaml_get(map, SLICE("type"));
    if (type == NULL || type->kind != YAML_TEXT)
        return sigma_fault_key(r, map, "the correlation has no type");
    unsigned i = 0;
    while (i < SIGMA_CORRELATION_TYPES && !slice_equal(type->text, slice_from(TYPES[i])))
        i++;
    if (i == SIGMA_CORRELATION_TYPES) {
        const char *near = diag_suggest(type->text, TYPES, SIGMA_CORRELATION_TYPES);
        return sigma_fault(r, type, "unknown correlation type \"%.*s\"%s%s%s", (int)type->text.len,
                           type->text.data, near == NULL ? "" : "; did you mean \"",
                           near == NULL ? "" : near, near == NULL ? "" : "\"?");
    }
    c->type = (enum sigma_correlation_type)i;
    return 0;
}

/* A text, or a list of texts, one by one. */
static const struct yaml_node *texts_first(const struct yaml_node *node)
{
    return node->kind == YAML_LIST ? node->first : node;
}

static const struct yaml_node *texts_next(const struct yaml_node *list, const struct yaml_node *one)
{
    return list->kind == YAML_LIST ? one->next : NULL;
}

static bool is_text(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && node->text.len != 0;
}

static int read_references(struct sigma_reader *r, const struct yaml_node *map,
                           struct sigma_correlation *c)
{
    const struct yaml_node *rules = yaml_get(map, SLICE("rules"));
    if (rules == NULL || rules->kind == YAML_MAP || texts_first(rules) == NULL) {
        return sigma_fault_key(r, rules == NULL ? map : rules,
                               "the correlation has no rules; name the ids or names of the rules "
                               "that it correlates");
    }
    for (const struct yaml_node *one = texts_first(rules); one != NULL;
         one = texts_next(rules, one)) {
        if (!is_text(one))
            return sigma_fault(r, one, "rules is a list of ids or names of rules");
        if (c->reference_count == SIGMA_REFERENCES_MAX)
            return sigma_fault(r, one, "more than %d rules", SIGMA_REFERENCES_MAX);
        c->references[c->reference_count++].name = one->text;
    }
    return 0;
}

static int read_groups(struct sigma_reader *r, const struct yaml_node *map,
                       struct sigma_correlation *c)
{
    const struct yaml_node *groups = yaml_get(map, SLICE("group-by"));
    if (groups == NULL || (groups->kind == YAML_TEXT && yaml_null(groups)))
        return 0;
    if (groups->kind == YAML_MAP)
        return sigma_fault(r, groups, "group-by is a list of fields");
    for (const struct yaml_node *one = texts_first(groups); one != NULL;
         one = texts_next(groups, one)) {
        if (!is_text(one))
            return sigma_fault(r, one, "group-by is a list of fields");
        if (c->group_count == SIGMA_GROUP_FIELDS_MAX)
            return sigma_fault(r, one, "more than %d fields in group-by", SIGMA_GROUP_FIELDS_MAX);
        c->groups[c->group_count++] = one->text;
    }
    return 0;
}

static int read_timespan(struct sigma_reader *r, const struct yaml_node *map,
                         struct sigma_correlation *c)
{
    const struct yaml_node *span = yaml_get(map, SLICE("timespan"));
    if (span == NULL)
        return sigma_fault_key(r, map, "the correlation has no timespan");
    static const struct {
        char unit;
        int64_t seconds;
    } UNITS[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', INT64_C(7) * 86400}};
    struct ast_bound number;
    struct yaml_node digits = *span;
    size_t len = span->kind == YAML_TEXT ? span->text.len : 0;
    digits.text.len = len == 0 ? 0 : len - 1;
    for (size_t i = 0; len > 1 && i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        if (span->text.data[len - 1] != UNITS[i].unit || !sigma_number(&digits, &number) ||
            number.is_real || number.number <= 0 || number.number > INT32_MAX)
            continue;
        int64_t seconds = number.number * UNITS[i].seconds;
        if (seconds > TIMESPAN_SECONDS_MAX)
            return sigma_fault(r, span, "a timespan of more than a year");
        c->timespan_ns = seconds * CLOCK_NS_PER_SECOND;
        return 0;
    }
    return sigma_fault(
        r, span,
        "timespan is a number and one of s m h d w, as 10m; months and years have no "
        "fixed length");
}

static int read_bound(struct sigma_reader *r, const struct yaml_node *node,
                      struct sigma_correlation *c)
{
    struct slice key = slice_of(node->key, node->key_len);
    struct ast_bound number;
    if (slice_equal(key, SLICE("field")))
        return 0;
    if (slice_equal(key, SLICE("percentile")) && c->type == SIGMA_VALUE_PERCENTILE) {
        if (!sigma_number(node, &number) || number.real < 0 || number.real > 100)
            return sigma_fault(r, node, "percentile is a number from 0 to 100");
        c->percentile = number.real;
        return 0;
    }
    unsigned i = 0;
    while (i < SIGMA_BOUNDS_MAX && !slice_equal(key, slice_from(BOUNDS[i])))
        i++;
    if (i == SIGMA_BOUNDS_MAX) {
        return sigma_fault_key(r, node,
                               "unknown key \"%s\" in the condition; it takes gt gte lt "
                               "lte eq neq, and field",
                               node->key);
    }
    if (node->kind != YAML_TEXT || !sigma_number(node, &number))
        return sigma_fault(r, node, "%s takes a number, not \"%.*s\"", BOUNDS[i],
                           (int)node->text.len, node->text.data);
    if ((c->type == SIGMA_EVENT_COUNT || c->type == SIGMA_VALUE_COUNT) && number.real > COUNT_MAX)
        return sigma_fault(r, node, "%s: %s can count up to %d", BOUNDS[i], TYPES[c->type],
                           COUNT_MAX);
    if (c->bound_count == SIGMA_BOUNDS_MAX)
        return sigma_fault(r, node, "more than %d bounds", SIGMA_BOUNDS_MAX);
    c->bounds[c->bound_count++] =
        (struct sigma_bound){.op = (enum sigma_bound_op)i, .number = number.real};
    return 0;
}

static int field_take(void *self, uint16_t field, struct slice name)
{
    struct sigma_field *out = self;
    if (out->name.data == NULL)
        *out = (struct sigma_field){.field = field, .name = name};
    return 0;
}

static int read_fields(struct sigma_reader *r, const struct yaml_node *condition,
                       struct sigma_correlation *c)
{
    const struct yaml_node *field = yaml_get(condition, SLICE("field"));
    if (!needs_field(c))
        return field == NULL ? 0 : sigma_fault_key(r, field, "%s takes no field", TYPES[c->type]);
    if (field == NULL || field->kind == YAML_MAP || texts_first(field) == NULL)
        return sigma_fault(r, condition, "the condition of %s names its field", TYPES[c->type]);
    for (const struct yaml_node *one = texts_first(field); one != NULL;
         one = texts_next(field, one)) {
        if (!is_text(one))
            return sigma_fault(r, one, "field is the name of a field, or a list of names");
        uint32_t most = c->type == SIGMA_VALUE_COUNT ? SIGMA_VALUE_FIELDS_MAX : 1;
        if (c->field_count == most)
            return sigma_fault(r, one, "%s takes at most %u field%s", TYPES[c->type], most,
                               most == 1 ? "" : "s");
        int err = sigma_names_each(r, one->text, field_take, &c->fields[c->field_count++]);
        if (err != 0)
            return err;
    }
    return 0;
}

static int read_bounds(struct sigma_reader *r, const struct yaml_node *condition,
                       struct sigma_correlation *c)
{
    int err = 0;
    for (const struct yaml_node *node = condition->first; node != NULL && err != ERR_NOMEM;
         node = node->next) {
        int got = read_bound(r, node, c);
        err = got != 0 ? got : err;
    }
    if (err != 0)
        return err;
    if (c->bound_count == 0)
        return sigma_fault(r, condition, "the condition has no bound; write gte: 10, for example");
    if (c->type == SIGMA_VALUE_PERCENTILE && yaml_get(condition, SLICE("percentile")) == NULL)
        return sigma_fault(r, condition, "the condition of value_percentile names its percentile");
    return read_fields(r, condition, c);
}

static int resolve_reference(void *self, const struct yaml_node *at, struct slice name,
                             struct ast **out)
{
    struct sigma_reader *r = self;
    const struct sigma_correlation *c = r->rule->correlation;
    for (uint32_t i = 0; i < c->reference_count; i++) {
        if (!slice_equal(c->references[i].name, name))
            continue;
        struct ast *leaf = sigma_ast(r, AST_LEAF);
        if (leaf == NULL)
            return ERR_NOMEM;
        leaf->field = (uint16_t)i;
        *out = leaf;
        return 0;
    }
    return sigma_fault(r, at, "the condition names %.*s, which is not among the rules",
                       (int)name.len, name.data);
}

/* A tree into postfix order, children before their node. */
static int program_make(struct sigma_reader *r, const struct yaml_node *at,
                        struct sigma_correlation *c, const struct ast *root)
{
    struct {
        const struct ast *node;
        const struct ast *child;
        unsigned done;
    } stack[AST_DEPTH_MAX + 1];
    unsigned depth = 0;
    c->program = arena_array(&r->set->arena, SIGMA_PROGRAM_MAX, sizeof(*c->program));
    if (c->program == NULL)
        return ERR_NOMEM;
    stack[depth].node = root;
    stack[depth].done = 0;
    stack[depth++].child = root->first;
    while (depth > 0) {
        const struct ast *node = stack[depth - 1].node;
        const struct ast *child = stack[depth - 1].child;
        unsigned *done = &stack[depth - 1].done;
        bool join = (node->kind == AST_AND || node->kind == AST_OR) && *done >= 2;
        bool step = node->kind == AST_LEAF || join || (node->kind == AST_NOT && *done == 1);
        if (step && c->program_len == SIGMA_PROGRAM_MAX)
            return sigma_fault(r, at, "the condition has more than %d terms", SIGMA_PROGRAM_MAX);
        if (step)
            c->program[c->program_len++] =
                (struct sigma_step){.kind = (uint8_t)node->kind, .reference = (uint8_t)node->field};
        *done = join ? 1 : *done;
        if (child == NULL) {
            if (--depth > 0)
                stack[depth - 1].done++;
            c->has_not |= node->kind == AST_NOT;
            continue;
        }
        stack[depth - 1].child = child->next;
        if (depth > AST_DEPTH_MAX)
            return sigma_fault(r, at, "the condition is nested too deep");
        stack[depth].node = child;
        stack[depth].done = 0;
        stack[depth++].child = child->first;
    }
    return 0;
}

static int read_expression(struct sigma_reader *r, const struct yaml_node *condition,
                           struct sigma_correlation *c)
{
    struct sigma_resolver resolver = {.name = resolve_reference, .self = r};
    struct ast *tree = NULL;
    if (c->type != SIGMA_TEMPORAL) {
        return sigma_fault(
            r, condition,
            "the condition of %s is a map of bounds; an expression over rules is for "
            "temporal alone",
            TYPES[c->type]);
    }
    int err = sigma_condition_read(r, condition, &resolver, &tree);
    return err != 0 ? err : program_make(r, condition, c, tree);
}

static int read_condition(struct sigma_reader *r, const struct yaml_node *map,
                          struct sigma_correlation *c)
{
    const struct yaml_node *condition = yaml_get(map, SLICE("condition"));
    if (condition == NULL && !is_temporal(c))
        return sigma_fault_key(r, map, "the correlation has no condition");
    if (condition == NULL) {
        c->bounds[0] = (struct sigma_bound){SIGMA_GTE, (double)c->reference_count};
        c->bound_count = 1;
        return 0;
    }
    if (condition->kind == YAML_MAP)
        return read_bounds(r, condition, c);
    if (condition->kind == YAML_TEXT)
        return read_expression(r, condition, c);
    return sigma_fault(r, condition, "the condition is a map of bounds or an expression");
}

static int read_generate(struct sigma_reader *r, const struct yaml_node *document,
                         const struct yaml_node *map, struct sigma_correlation *c)
{
    const struct yaml_node *places[] = {yaml_get(map, SLICE("generate")),
                                        yaml_get(document, SLICE("generate"))};
    for (unsigned i = 0; i < 2; i++) {
        bool value = false;
        if (places[i] != NULL && !sigma_bool(places[i], &value))
            return sigma_fault(r, places[i], "generate is true or false");
        c->generate |= value;
    }
    const struct yaml_node *ours = yaml_get(document, SLICE("sekisho"));
    static const char *const OURS[] = {"scope", "group-by", "window", NULL};
    int err = ours == NULL ? 0 : sigma_keys_check(r, ours, OURS);
    if (err != 0)
        return err;
    const struct yaml_node *scope = yaml_get(ours, SLICE("scope"));
    if (scope == NULL || slice_equal(scope->text, SLICE("tenant")))
        return 0;
    if (!slice_equal(scope->text, SLICE("prefecture")))
        return sigma_fault(r, scope, "scope is tenant or prefecture");
    c->prefecture = true;
    return 0;
}

int sigma_correlation_read(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *map = yaml_get(document, SLICE("correlation"));
    struct sigma_correlation *c = arena_alloc(&r->set->arena, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    r->rule->correlation = c;
    c->node = map;
    if (map->kind != YAML_MAP) {
        return sigma_fault(r, map,
                           "correlation is a map of type, rules, group-by, timespan and "
                           "condition");
    }
    static const char *const KEYS[] = {"type",      "rules",   "group-by", "timespan",
                                       "condition", "aliases", "generate", NULL};
    int known = sigma_keys_check(r, map, KEYS);
    int type = read_type(r, map, c);
    int references = read_references(r, map, c);
    int errs[] = {type,
                  references,
                  read_groups(r, map, c),
                  read_timespan(r, map, c),
                  read_generate(r, document, map, c),
                  known,
                  0};
    /* What the condition may be depends on the type and names the rules. */
    if (type == 0 && references == 0)
        errs[6] = read_condition(r, map, c);
    int err = 0;
    for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++)
        err = err == ERR_NOMEM || errs[i] == 0 ? err : errs[i];
    return err;
}

/* The field that a group name stands for in the events of a reference. */
static int group_resolve(struct sigma_reader *r, struct slice group, struct sigma_reference *ref,
                         struct sigma_field *out)
{
    const struct yaml_node *aliases = yaml_get(r->rule->correlation->node, SLICE("aliases"));
    const struct yaml_node *alias = yaml_get(aliases, group);
    struct slice name = group;
    if (alias != NULL) {
        struct slice own = yaml_text(alias, ref->name);
        const struct sigma_rule *rule = &r->set->rules[ref->rule];
        if (own.data == NULL)
            own = yaml_text(alias, rule->name.len == 0 ? rule->id : rule->name);
        if (own.data == NULL)
            own = yaml_text(alias, rule->id);
        if (own.data == NULL)
            return sigma_fault(r, alias, "the alias %.*s does not say its field in the rule %.*s",
                               (int)group.len, group.data, (int)ref->name.len, ref->name.data);
        name = own;
    }
    const struct sigma_reader of = {.set = r->set, .rule = &r->set->rules[ref->rule]};
    if (of.rule->kind == SIGMA_RULE)
        sigma_names_check(r, yaml_get(r->rule->correlation->node, SLICE("group-by")), of.rule,
                          name);
    return sigma_names_each(&of, name, field_take, out);
}

static int check_aliases(struct sigma_reader *r, const struct sigma_correlation *c)
{
    const struct yaml_node *aliases = yaml_get(c->node, SLICE("aliases"));
    if (aliases == NULL)
        return 0;
    if (aliases->kind != YAML_MAP)
        return sigma_fault(r, aliases, "aliases is a map of alias to a map of rule to field");
    for (const struct yaml_node *alias = aliases->first; alias != NULL; alias = alias->next) {
        if (alias->kind != YAML_MAP || alias->count == 0)
            return sigma_fault(r, alias, "aliases: %s is a map of rule to field", alias->key);
        for (const struct yaml_node *one = alias->first; one != NULL; one = one->next) {
            const struct sigma_rule *rule = sigma_find(r->set, slice_of(one->key, one->key_len));
            bool known = false;
            for (uint32_t i = 0; i < c->reference_count; i++)
                known |= rule != NULL && rule == &r->set->rules[c->references[i].rule];
            if (!known)
                return sigma_fault_key(r, one, "aliases: %s is not among the rules", one->key);
            if (!is_text(one))
                return sigma_fault(r, one, "aliases: the name of a field is expected");
        }
    }
    return 0;
}

static int reference_link(struct sigma_reader *r, struct sigma_correlation *c,
                          struct sigma_reference *ref)
{
    const struct yaml_node *rules = yaml_get(c->node, SLICE("rules"));
    struct sigma_rule *rule = sigma_find(r->set, ref->name);
    if (rule == NULL || rule->kind == SIGMA_FILTER) {
        return sigma_fault(r, rules, "the correlation names the rule \"%.*s\", which is %s",
                           (int)ref->name.len, ref->name.data,
                           rule == NULL ? "not defined" : "a filter");
    }
    if (rule->correlation != NULL && rule->correlation->has_not) {
        return sigma_fault(r, rules,
                           "the correlation names \"%.*s\", whose condition has not: it is known "
                           "only when its window is over, too late for another correlation",
                           (int)ref->name.len, ref->name.data);
    }
    if (rule->correlation != NULL && rule->correlation->prefecture && !c->prefecture) {
        return sigma_fault(r, rules,
                           "the correlation names \"%.*s\", which is the prefecture's: say "
                           "sekisho: {scope: prefecture} here, too",
                           (int)ref->name.len, ref->name.data);
    }
    if (rule->deprecated || rule->nowhere)
        sigma_warn(r, rules, "the rule \"%.*s\" never runs: %s", (int)ref->name.len, ref->name.data,
                   rule->deprecated ? "it is deprecated" : "its logsource is none of ours");
    ref->rule = (uint32_t)(rule - r->set->rules);
    rule->referenced = true;
    rule->signals |= c->prefecture && (rule->correlation == NULL || !rule->correlation->prefecture);
    rule->generated |= c->generate;
    return 0;
}

/* How many different rules are named. */
static uint32_t distinct_rules(const struct sigma_correlation *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->reference_count; i++) {
        bool first = true;
        for (uint32_t k = 0; k < i; k++)
            first = first && c->references[k].rule != c->references[i].rule;
        count += first;
    }
    return count;
}

/* A temporal correlation counts rules: can so many ever be there? */
static int check_reach(struct sigma_reader *r, struct sigma_correlation *c)
{
    const struct yaml_node *condition = yaml_get(c->node, SLICE("condition"));
    bool ordered = c->type == SIGMA_TEMPORAL_ORDERED;
    uint32_t most = ordered ? c->reference_count : distinct_rules(c);
    if (!is_temporal(c) || c->program != NULL)
        return 0;
    if (condition == NULL) {
        c->bounds[0].number = most;
        return 0;
    }
    for (uint32_t i = 1; i <= most; i++) {
        if (sigma_bounds_hold(c, i))
            return 0;
    }
    return sigma_fault(r, condition, "the condition never holds: the correlation names %u rules",
                       most);
}

int sigma_correlation_link(struct sigma_reader *r)
{
    struct sigma_correlation *c = r->rule->correlation;
    int err = 0;
    for (uint32_t i = 0; i < c->reference_count; i++) {
        int got = reference_link(r, c, &c->references[i]);
        err = got != 0 ? got : err;
    }
    if (err == 0)
        err = check_reach(r, c);
    if (err == 0)
        err = check_aliases(r, c);
    for (uint32_t i = 0; err == 0 && i < c->reference_count; i++) {
        for (uint32_t g = 0; err == 0 && g < c->group_count; g++)
            err = group_resolve(r, c->groups[g], &c->references[i], &c->references[i].groups[g]);
    }
    return err;
}
