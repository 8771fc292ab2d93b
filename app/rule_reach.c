#include "app/rule_reach.h"

#include "base/err.h"

const char *reach_name(enum reach reach)
{
    static const char *const NAMES[] = {
        [REACH_BINDS] = "binds",           [REACH_LOGSOURCE] = "logsource",
        [REACH_FIELDS] = "fields",         [REACH_REFERENCES] = "references",
        [REACH_NOWHERE] = "other systems", [REACH_DEPRECATED] = "deprecated",
    };
    return NAMES[reach];
}

enum reach rule_reach_ever(const struct sigma_rule *rule)
{
    if (rule->deprecated)
        return REACH_DEPRECATED;
    return rule->nowhere ? REACH_NOWHERE : REACH_BINDS;
}

static int correlation_fields(struct need_fields *out, const struct sigma_correlation *c)
{
    int err = 0;
    for (uint32_t i = 0; i < c->field_count && err == 0; i++)
        err = need_fields_add_field(out, c->fields[i].field, c->fields[i].name);
    for (uint32_t i = 0; i < c->reference_count; i++) {
        for (uint32_t k = 0; k < c->group_count && err == 0; k++) {
            const struct sigma_field *group = &c->references[i].groups[k];
            err = need_fields_add_field(out, group->field, group->name);
        }
    }
    return err;
}

int rule_reach_fields(struct need_fields *out, const struct sigma_set *set)
{
    int err = 0;
    for (uint32_t i = 0; i < set->rule_count && err == 0; i++) {
        const struct sigma_rule *rule = &set->rules[i];
        if (rule_reach_ever(rule) != REACH_BINDS || rule->kind == SIGMA_FILTER)
            continue;
        if (rule->kind == SIGMA_CORRELATION) {
            err = correlation_fields(out, rule->correlation);
            continue;
        }
        err = need_fields_add(out, rule->condition);
        if (err == 0 && rule->scope != NULL)
            err = need_fields_add(out, rule->scope);
    }
    return err;
}

int rule_reach(enum reach *out, struct needs *lacks, const struct sigma_rule *rule,
               const struct need_fields *fields, const struct need_facts *facts)
{
    enum reach reach = rule_reach_ever(rule);
    struct needs needs = {0};
    int err = 0;
    if (reach == REACH_BINDS && rule->scope != NULL) {
        err = needs_of(&needs, fields, rule->scope, facts);
        reach = needs.count == 0 ? REACH_BINDS : REACH_LOGSOURCE;
    }
    if (err == 0 && reach == REACH_BINDS) {
        err = needs_of(&needs, fields, rule->condition, facts);
        reach = needs.count == 0 ? REACH_BINDS : REACH_FIELDS;
    }
    if (err != 0)
        return err;
    *lacks = needs;
    *out = reach;
    return 0;
}

bool correlation_counts(const struct sigma_rule *correlation, uint32_t reference,
                        const struct need_fields *fields, const struct need_facts *facts)
{
    const struct sigma_correlation *c = correlation->correlation;
    for (uint32_t i = 0; i < c->group_count; i++) {
        const struct sigma_field *group = &c->references[reference].groups[i];
        if (!need_facts_have(facts, fields, group->field, group->name))
            return false;
    }
    for (uint32_t i = 0; i < c->field_count; i++) {
        if (!need_facts_have(facts, fields, c->fields[i].field, c->fields[i].name))
            return false;
    }
    return true;
}

/* Can the expression be true? A reference may be absent anywhere, so NOT asks for what may be false. */
static bool program_reach(const struct sigma_correlation *c, uint64_t present)
{
    struct {
        bool yes;
        bool no;
    } stack[SIGMA_PROGRAM_MAX] = {{.yes = false}};
    uint32_t depth = 0;
    for (uint32_t i = 0; i < c->program_len; i++) {
        const struct sigma_step *step = &c->program[i];
        if (step->kind == AST_LEAF) {
            stack[depth].yes = (present >> step->reference & 1) != 0;
            stack[depth++].no = true;
        } else if (step->kind == AST_NOT && depth > 0) {
            bool yes = stack[depth - 1].yes;
            stack[depth - 1].yes = stack[depth - 1].no;
            stack[depth - 1].no = yes;
        } else if (depth > 1) {
            bool any = step->kind == AST_OR;
            bool left = stack[depth - 2].yes;
            bool right = stack[depth - 1].yes;
            bool no = stack[depth - 2].no;
            bool no_right = stack[depth - 1].no;
            depth--;
            stack[depth - 1].yes = any ? left || right : left && right;
            stack[depth - 1].no = any ? no && no_right : no || no_right;
        }
    }
    return depth == 1 && stack[0].yes;
}

bool correlation_reach(const struct sigma_rule *correlation, uint64_t present)
{
    const struct sigma_correlation *c = correlation->correlation;
    int there = __builtin_popcountll(present);
    bool temporal = c->type == SIGMA_TEMPORAL || c->type == SIGMA_TEMPORAL_ORDERED;
    if (there == 0)
        return false;
    if (!temporal)
        return true;
    if (c->program != NULL)
        return program_reach(c, present);
    for (int i = 1; i <= there; i++) {
        if (sigma_bounds_hold(c, i))
            return true;
    }
    return false;
}
