#include "detect/sigma_check.h"

#include <math.h>

#include "base/err.h"
#include "detect/sigma_correlation.h"
#include "detect/sigma_possible.h"

enum {
    COUNT_MAX = 65534, /* that a count of events or values reaches (detect/correlate.h) */
    NEIGHBOURS = SIGMA_BOUNDS_MAX + 1,
    SUBSETS_REFERENCES_MAX = 12, /* of an expression over more rules nothing is said */
};

/* Values */

struct value_check {
    struct arena *arena;
    struct claim claim; /* of the last leaf */
    bool any;           /* a leaf that may hold, or one that is asked the other way round */
    bool some;
};

static int leaf_check(void *self, struct ast *leaf)
{
    struct value_check *c = self;
    int err = claim_init(&c->claim, c->arena, leaf, true);
    c->some = true;
    c->any |= err == 0 && !claim_never(&c->claim);
    return err;
}

int sigma_check_value(struct sigma_reader *r, const struct yaml_node *value, struct ast *tree)
{
    struct arena arena = {0};
    struct value_check c = {.arena = &arena};
    int err = 0;
    if (r->set->names == SIGMA_NAMES_LITERAL || r->rule->nowhere)
        return 0;
    err = ast_leaves(tree, leaf_check, &c);
    if (err == 0 && c.some && !c.any) {
        struct buf reason = {0};
        claim_print_reason(&reason, &c.claim);
        if (buf_ok(&reason)) {
            sigma_warn(r, value, "no line has the value \"%.*s\": %s", (int)value->text.len,
                       value->text.data, buf_string(&reason));
        }
        buf_release(&reason);
    }
    arena_release(&arena);
    return err;
}

/* Conditions */

static void warn_possible(struct sigma_reader *r, const struct yaml_node *at,
                          const struct possible *found, const char *why)
{
    struct buf first = {0};
    struct buf second = {0};
    struct buf reason = {0};
    claim_print(&first, found->first);
    claim_print(&second, found->second);
    if (found->first == found->second)
        claim_print_reason(&reason, found->first);
    const char *a = buf_string(&first);
    const char *b = buf_string(&second);
    const char *c = buf_string(&reason);
    if (!buf_ok(&first) || !buf_ok(&second) || !buf_ok(&reason)) {
        r->set->warning_count++;
    } else if (found->relation == CLAIM_TWO_LINES) {
        sigma_warn(r, at,
                   "the condition holds only for a line that has the field twice%s: %s and %s; for "
                   "either of them write a list of values",
                   why, a, b);
    } else if (found->first == found->second) {
        sigma_warn(r, at, "the condition never holds%s: %s, but %s", why, a, c);
    } else {
        sigma_warn(r, at, "the condition never holds%s: %s and %s exclude each other", why, a, b);
    }
    buf_release(&first);
    buf_release(&second);
    buf_release(&reason);
}

/* What of a rule makes it impossible: itself, its filters, its logsource. */
static int rule_check(struct sigma_reader *r, struct arena *arena, bool *never)
{
    const struct sigma_rule *rule = r->rule;
    const struct ast *whole[] = {rule->condition, rule->scope};
    static const char *const WHY[] = {"", " with its filters", " on the logs of its logsource"};
    const struct ast *parts[][2] = {{rule->unfiltered, NULL}, {rule->condition, NULL}};
    const struct yaml_node *body = yaml_get(rule->document, SLICE("detection"));
    const struct yaml_node *at = yaml_get(body, SLICE("condition"));
    struct possible found;
    int err = possible_find(&found, arena, whole, rule->scope == NULL ? 1 : 2);
    if (err != 0 || found.relation == CLAIM_TOGETHER)
        return err;
    *never = found.relation == CLAIM_EXCLUDED;
    size_t cause = sizeof(parts) / sizeof(parts[0]);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && err == 0; i++) {
        struct possible part;
        err = possible_find(&part, arena, parts[i], 1);
        if (err != 0 || part.relation != found.relation)
            continue;
        found = part;
        cause = i;
        break;
    }
    if (err == 0)
        warn_possible(r, at == NULL ? rule->document : at, &found, WHY[cause]);
    return err;
}

/* Correlations */

/* Does any count near the bounds, and any at the ends of what is counted, hold? */
static bool counts_possible(const struct sigma_correlation *c)
{
    for (int i = 0; i <= NEIGHBOURS; i++) {
        if (sigma_bounds_hold(c, 1 + i) || sigma_bounds_hold(c, COUNT_MAX - i))
            return true;
    }
    for (uint32_t b = 0; b < c->bound_count; b++) {
        for (int i = -NEIGHBOURS; i <= NEIGHBOURS; i++) {
            double count = floor(c->bounds[b].number) + i;
            if (count >= 1 && count <= COUNT_MAX && sigma_bounds_hold(c, count))
                return true;
        }
    }
    return false;
}

/* Does any number at, between, below or above the bounds hold? */
static bool numbers_possible(const struct sigma_correlation *c)
{
    for (uint32_t a = 0; a < c->bound_count; a++) {
        double number = c->bounds[a].number;
        double apart = 1 + fabs(number);
        if (sigma_bounds_hold(c, number) || sigma_bounds_hold(c, number - apart) ||
            sigma_bounds_hold(c, number + apart))
            return true;
        for (uint32_t b = 0; b < a; b++) {
            double other = c->bounds[b].number;
            double middle = other + (number - other) / 2;
            if (sigma_bounds_hold(c, middle) || sigma_bounds_hold(c, other + (middle - other) / 2))
                return true;
        }
    }
    return c->bound_count == 0;
}

/* Some of the rules, at least one, satisfy the expression. */
static bool expression_possible(const struct sigma_correlation *c)
{
    if (c->reference_count > SUBSETS_REFERENCES_MAX)
        return true;
    for (uint64_t present = 1; present < UINT64_C(1) << c->reference_count; present++) {
        if (sigma_program_holds(c, present))
            return true;
    }
    return false;
}

static bool correlation_possible(const struct sigma_correlation *c)
{
    if (c->type == SIGMA_TEMPORAL || c->type == SIGMA_TEMPORAL_ORDERED)
        return c->program == NULL || expression_possible(c);
    return c->type == SIGMA_EVENT_COUNT || c->type == SIGMA_VALUE_COUNT ? counts_possible(c)
                                                                        : numbers_possible(c);
}

static void correlation_check(struct sigma_reader *r, const bool *never)
{
    const struct sigma_correlation *c = r->rule->correlation;
    const struct yaml_node *condition = yaml_get(c->node, SLICE("condition"));
    const struct yaml_node *rules = yaml_get(c->node, SLICE("rules"));
    if (!correlation_possible(c)) {
        sigma_warn(r, condition == NULL ? c->node : condition,
                   "the condition never holds: its bounds exclude each other, or no count (1 to "
                   "%d) and none of the rules satisfy it",
                   COUNT_MAX);
    }
    for (uint32_t i = 0; i < c->reference_count; i++) {
        if (never[c->references[i].rule]) {
            sigma_warn(r, rules, "the rule \"%.*s\" never holds", (int)c->references[i].name.len,
                       c->references[i].name.data);
        }
    }
}

int sigma_check_set(struct sigma_set *set)
{
    struct arena arena = {0};
    bool *never = arena_array(&set->arena, set->rule_count + 1U, sizeof(*never));
    int err = never == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; i < set->rule_count && err == 0; i++) {
        struct sigma_reader r = {.set = set, .rule = &set->rules[i]};
        bool runs = !r.rule->nowhere && !r.rule->deprecated && r.rule->condition != NULL;
        if (r.rule->kind == SIGMA_RULE && runs)
            err = rule_check(&r, &arena, &never[i]);
        arena_reset(&arena);
    }
    for (uint32_t i = 0; i < set->order_count && err == 0; i++) {
        struct sigma_reader r = {.set = set, .rule = &set->rules[set->order[i]]};
        correlation_check(&r, never);
    }
    arena_release(&arena);
    return err;
}
