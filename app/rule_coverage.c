/* app/rule_coverage.c - sekisho rule coverage: which rules can bind where, and why others cannot. */
#include "app/rule_coverage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"
#include "app/rule_reach.h"
#include "app/sink.h"
#include "app/source_fields.h"
#include "base/escape.h"
#include "event/ndjson.h"

enum {
    NAME_COLUMNS = 40,
    TECHNIQUES_MAX = 4096,
};

struct technique {
    struct slice name;
    uint32_t rules;
    uint32_t binding;
};

struct coverage {
    const struct coverage_options *options;
    struct rule_set rules;
    struct need_fields fields;
    struct source_fields sources;
    bool *here;      /* by rule: binds in the municipality at hand */
    bool *anywhere;  /* by rule */
    uint64_t *given; /* by correlation that spans municipalities: references, one bit each */
    struct technique *techniques; /* TECHNIQUES_MAX */
    uint32_t technique_count;
    struct arena arena; /* of the municipality at hand */
    struct sink sink;
    struct diag diag;
};

static const struct sigma_rule *rule_at(const struct coverage *c, uint32_t i)
{
    return &c->rules.set.rules[i];
}

/* Lines of output */

/* What a person calls a rule. */
static struct slice rule_label(const struct sigma_rule *rule)
{
    return rule->name.len != 0 ? rule->name : rule->id;
}

static void key_text(struct buf *out, const char *key, struct slice value)
{
    buf_printf(out, ",\"%s\":", key);
    ndjson_string(out, value);
}

static void json_rule(struct buf *out, const struct sigma_rule *rule)
{
    key_text(out, "rule.id", rule->id);
    if (rule->name.len != 0)
        key_text(out, "rule.name", rule->name);
    key_text(out, "title", rule->words.title);
}

static void json_source(struct buf *out, const struct source *s)
{
    buf_printf(out, ",\"sekisho.tenant\":\"%06" PRIu32 "\"", s->tenant);
    key_text(out, "sekisho.source", s->name);
    key_text(out, "sekisho.format", s->format);
}

static void json_reach(struct buf *out, enum reach reach)
{
    buf_printf(out, ",\"binds\":%s", reach == REACH_BINDS ? "true" : "false");
    if (reach != REACH_BINDS)
        buf_printf(out, ",\"reason\":\"%s\"", reach_name(reach));
}

/* The clauses, each a text. */
static void json_needs(struct buf *out, const char *key, const struct needs *needs,
                       const struct need_fields *fields)
{
    struct buf text = {0};
    buf_printf(out, ",\"%s\":[", key);
    for (uint32_t i = 0; i < needs->count; i++) {
        const struct needs one = {.clauses = {needs->clauses[i]}, .count = 1};
        buf_reset(&text);
        needs_print(&text, &one, fields);
        if (i != 0)
            buf_byte(out, ',');
        ndjson_string(out, buf_content(&text));
    }
    buf_byte(out, ']');
    buf_release(&text);
}

/* Name, padded, with what is said of it behind. */
static void table_label(struct buf *out, const char *state, const struct sigma_rule *rule)
{
    buf_printf(out, "  %-6s ", state);
    size_t from = out->len;
    escape_text(out, rule_label(rule));
    for (size_t len = out->len - from; len < NAME_COLUMNS; len++)
        buf_byte(out, ' ');
    buf_byte(out, ' ');
}

/* Why a rule is blind, in words; what it is about where it binds. */
static void table_reason(struct coverage *c, const struct sigma_rule *rule, enum reach reach,
                         const struct needs *lacks)
{
    struct buf *out = &c->sink.out;
    switch (reach) {
    case REACH_FIELDS:
        buf_text(out, "without ");
        needs_print(out, lacks, &c->fields);
        break;
    case REACH_NOWHERE:
        buf_text(out, "its logsource is none of the logs that are read here");
        break;
    case REACH_DEPRECATED:
        buf_text(out, "deprecated: never run");
        break;
    case REACH_BINDS:
    case REACH_REFERENCES:
    case REACH_LOGSOURCE:
    default:
        escape_text(out, rule->words.title);
        break;
    }
    buf_byte(out, '\n');
}

static void json_judged(struct coverage *c, const struct source *s, uint32_t rule, enum reach reach,
                        const struct needs *lacks)
{
    struct buf *out = &c->sink.out;
    buf_text(out, "{\"coverage\":\"rule\"");
    json_source(out, s);
    json_rule(out, rule_at(c, rule));
    json_reach(out, reach);
    if (reach == REACH_FIELDS)
        json_needs(out, "missing", lacks, &c->fields);
    buf_text(out, "}\n");
}

/* The rules that are judged so, a line each. */
static void table_judged(struct coverage *c, enum reach which, const enum reach *reach,
                         const struct needs *lacks)
{
    for (uint32_t i = 0; i < c->rules.set.rule_count; i++) {
        if (rule_at(c, i)->kind != SIGMA_RULE || reach[i] != which)
            continue;
        table_label(&c->sink.out, which == REACH_BINDS ? "binds" : "blind", rule_at(c, i));
        table_reason(c, rule_at(c, i), which, &lacks[i]);
    }
}

/* The names of those that do not mean the format, in one line. */
static void table_elsewhere(struct coverage *c, const enum reach *reach)
{
    struct buf *out = &c->sink.out;
    bool any = false;
    for (uint32_t i = 0; i < c->rules.set.rule_count; i++) {
        if (rule_at(c, i)->kind != SIGMA_RULE || reach[i] != REACH_LOGSOURCE)
            continue;
        buf_text(out, any ? " " : "  blind  their logsource does not mean this format: ");
        escape_text(out, rule_label(rule_at(c, i)));
        any = true;
    }
    if (any)
        buf_byte(out, '\n');
}

static int print_rules(struct coverage *c, const struct source *s, const enum reach *reach,
                       const struct needs *lacks)
{
    if (!c->options->json) {
        table_judged(c, REACH_BINDS, reach, lacks);
        table_judged(c, REACH_FIELDS, reach, lacks);
        table_elsewhere(c, reach);
        return sink_check(&c->sink);
    }
    int err = 0;
    for (uint32_t i = 0; i < c->rules.set.rule_count && err == 0; i++) {
        if (rule_at(c, i)->kind != SIGMA_RULE)
            continue;
        json_judged(c, s, i, reach[i], &lacks[i]);
        err = sink_check(&c->sink);
    }
    return err;
}

/* The rules that a correlation lacks: all references but those of `present`. */
static void lacking_rules(struct coverage *c, const struct sigma_rule *rule, uint64_t present)
{
    const struct sigma_correlation *correlation = rule->correlation;
    struct buf *out = &c->sink.out;
    bool first = true;
    for (uint32_t i = 0; i < correlation->reference_count; i++) {
        struct slice label = rule_label(rule_at(c, correlation->references[i].rule));
        if ((present >> i & 1) != 0)
            continue;
        if (c->options->json) {
            if (!first)
                buf_byte(out, ',');
            ndjson_string(out, label);
        } else {
            buf_text(out, first ? "" : ", ");
            escape_text(out, label);
        }
        first = false;
    }
}

/* Source NULL: it is about all municipalities. */
static int print_correlation(struct coverage *c, const struct source *s, uint32_t rule,
                             enum reach reach, uint64_t present)
{
    struct buf *out = &c->sink.out;
    const struct sigma_rule *r = rule_at(c, rule);
    if (c->options->json) {
        buf_text(out, "{\"coverage\":\"correlation\"");
        if (s != NULL)
            buf_printf(out, ",\"sekisho.tenant\":\"%06" PRIu32 "\"", s->tenant);
        json_rule(out, r);
        json_reach(out, reach);
        if (reach == REACH_REFERENCES) {
            buf_text(out, ",\"missing\":[");
            lacking_rules(c, r, present);
            buf_byte(out, ']');
        }
        buf_text(out, "}\n");
        return sink_check(&c->sink);
    }
    table_label(out, reach == REACH_BINDS ? "binds" : "blind", r);
    if (reach == REACH_REFERENCES) {
        buf_text(out, "nothing to group or count from ");
        lacking_rules(c, r, present);
        buf_byte(out, '\n');
    } else {
        table_reason(c, r, reach, NULL);
    }
    return sink_check(&c->sink);
}

/* What is said of a source, above or below its rules: how many rows, how many rules bind. */
static void print_source(struct coverage *c, const struct source *s, uint32_t rules,
                         uint32_t binding)
{
    struct buf *out = &c->sink.out;
    if (c->options->json) {
        buf_text(out, "{\"coverage\":\"source\"");
        json_source(out, s);
        buf_printf(out, ",\"rows\":%" PRIu64 ",\"counted_rows\":%" PRIu64, s->rows,
                   s->counted_rows);
        buf_printf(out, ",\"rules\":%" PRIu32 ",\"binding\":%" PRIu32 "}\n", rules, binding);
        return;
    }
    buf_printf(out, "%06" PRIu32 " ", s->tenant);
    escape_text(out, s->name);
    buf_byte(out, ' ');
    escape_text(out, s->format);
    buf_printf(out, ": %" PRIu64 " rows, %" PRIu32 " of %" PRIu32 " rules bind\n", s->rows, binding,
               rules);
}

/* Of fields that rules ask for and of which some row has a value: how many. */
static int print_fields(struct coverage *c, const struct source *s)
{
    struct buf *out = &c->sink.out;
    for (uint32_t i = 0; i < c->fields.count; i++) {
        if (s->values[i] == 0 || c->fields.items[i].null_counts)
            continue;
        buf_text(out, "{\"coverage\":\"field\"");
        json_source(out, s);
        key_text(out, "field", c->fields.items[i].name);
        buf_printf(out, ",\"rows\":%" PRIu64 ",\"counted_rows\":%" PRIu64 "}\n", s->values[i],
                   s->counted_rows);
    }
    return sink_check(&c->sink);
}

/* One municipality */

static int judge_source(struct coverage *c, const struct source *s, const struct need_facts *facts,
                        enum reach *reach)
{
    struct needs *lacks = arena_array(&c->arena, c->rules.set.rule_count + 1U, sizeof(*lacks));
    uint32_t rules = 0;
    uint32_t binding = 0;
    int err = lacks == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; i < c->rules.set.rule_count && err == 0; i++) {
        if (rule_at(c, i)->kind != SIGMA_RULE)
            continue;
        err = rule_reach(&reach[i], &lacks[i], rule_at(c, i), &c->fields, facts);
        rules++;
        binding += reach[i] == REACH_BINDS;
        c->here[i] |= reach[i] == REACH_BINDS;
    }
    if (err != 0)
        return err;
    print_source(c, s, rules, binding);
    if (c->options->json)
        err = print_fields(c, s);
    return err == 0 ? print_rules(c, s, reach, lacks) : err;
}

/* Sources of one municipality: [first, end). */
struct town {
    uint32_t first;
    uint32_t end;
    struct need_facts *facts;
    enum reach *reach; /* by source and rule */
};

/* Does a reference give events to a correlation in the municipality? */
static bool reference_gives(const struct coverage *c, const struct town *t,
                            const struct sigma_rule *correlation, uint32_t reference)
{
    uint32_t rule = correlation->correlation->references[reference].rule;
    if (rule_at(c, rule)->kind == SIGMA_CORRELATION)
        return c->here[rule];
    for (uint32_t i = 0; i < t->end - t->first; i++) {
        if (t->reach[(size_t)i * c->rules.set.rule_count + rule] == REACH_BINDS &&
            correlation_counts(correlation, reference, &c->fields, &t->facts[i]))
            return true;
    }
    return false;
}

/* Those within municipalities, inner ones first. */
static int judge_correlations(struct coverage *c, const struct town *t)
{
    int err = 0;
    for (uint32_t i = 0; i < c->rules.set.order_count && err == 0; i++) {
        uint32_t at = c->rules.set.order[i];
        const struct sigma_rule *rule = rule_at(c, at);
        enum reach reach = rule_reach_ever(rule);
        uint64_t present = 0;
        for (uint32_t k = 0; k < rule->correlation->reference_count; k++)
            present |= (uint64_t)reference_gives(c, t, rule, k) << k;
        if (rule->correlation->prefecture) {
            c->given[at] |= present;
            continue;
        }
        if (reach == REACH_BINDS && !correlation_reach(rule, present))
            reach = REACH_REFERENCES;
        c->here[at] = reach == REACH_BINDS;
        err = print_correlation(c, &c->sources.items[t->first], at, reach, present);
    }
    return err;
}

static int judge_town(struct coverage *c, uint32_t first, uint32_t end)
{
    uint32_t rules = c->rules.set.rule_count;
    struct town t = {.first = first, .end = end};
    arena_reset(&c->arena);
    t.facts = arena_array(&c->arena, end - first, sizeof(*t.facts));
    t.reach = arena_array(&c->arena, (size_t)(end - first) * (rules + 1U), sizeof(*t.reach));
    int err = t.facts == NULL || t.reach == NULL ? ERR_NOMEM : 0;
    memset(c->here, 0, rules * sizeof(*c->here));
    for (uint32_t i = first; i < end && err == 0; i++) {
        t.facts[i - first] = source_facts(&c->sources.items[i], &c->fields);
        err = judge_source(c, &c->sources.items[i], &t.facts[i - first],
                           t.reach + (size_t)(i - first) * rules);
    }
    if (err == 0 && c->rules.set.order_count != 0) {
        if (!c->options->json)
            buf_printf(&c->sink.out, "%06" PRIu32 " correlations\n",
                       c->sources.items[first].tenant);
        err = judge_correlations(c, &t);
    }
    for (uint32_t i = 0; i < rules; i++)
        c->anywhere[i] |= c->here[i];
    return err;
}

/* Those that span municipalities. */
static int judge_prefecture(struct coverage *c)
{
    bool said = c->options->json;
    int err = 0;
    for (uint32_t i = 0; i < c->rules.set.order_count && err == 0; i++) {
        uint32_t at = c->rules.set.order[i];
        const struct sigma_rule *rule = rule_at(c, at);
        enum reach reach = rule_reach_ever(rule);
        if (!rule->correlation->prefecture)
            continue;
        if (reach == REACH_BINDS && !correlation_reach(rule, c->given[at]))
            reach = REACH_REFERENCES;
        c->anywhere[at] = reach == REACH_BINDS;
        if (!said)
            buf_text(&c->sink.out, "correlations of all municipalities\n");
        said = true;
        err = print_correlation(c, NULL, at, reach, c->given[at]);
    }
    return err;
}

/* Without a store */

static int print_needs(struct coverage *c, uint32_t at)
{
    const struct sigma_rule *rule = rule_at(c, at);
    const struct need_facts nothing = {0};
    struct needs needs = {0};
    enum reach reach = rule_reach_ever(rule);
    struct buf *out = &c->sink.out;
    int err = reach == REACH_BINDS ? needs_of(&needs, &c->fields, rule->condition, &nothing) : 0;
    c->anywhere[at] = reach == REACH_BINDS;
    if (err != 0)
        return err;
    if (c->options->json) {
        buf_text(out, "{\"coverage\":\"needs\"");
        json_rule(out, rule);
        key_text(out, "logsource", rule->logsource.category);
        json_reach(out, reach);
        json_needs(out, "needs", &needs, &c->fields);
        buf_text(out, "}\n");
        return sink_check(&c->sink);
    }
    table_label(out, reach == REACH_BINDS ? "runs" : "never", rule);
    if (reach != REACH_BINDS) {
        table_reason(c, rule, reach, &needs);
        return sink_check(&c->sink);
    }
    escape_text(out, rule->logsource.category.len != 0 ? rule->logsource.category : SLICE("any"));
    buf_text(out, ": ");
    if (needs.count == 0)
        buf_text(out, "no field in particular");
    needs_print(out, &needs, &c->fields);
    buf_byte(out, '\n');
    return sink_check(&c->sink);
}

static int judge_needs(struct coverage *c)
{
    int err = 0;
    for (uint32_t i = 0; i < c->rules.set.rule_count && err == 0; i++) {
        if (rule_at(c, i)->kind == SIGMA_RULE)
            err = print_needs(c, i);
    }
    for (uint32_t i = 0; i < c->rules.set.order_count && err == 0; i++) {
        uint32_t at = c->rules.set.order[i];
        const struct sigma_rule *rule = rule_at(c, at);
        uint64_t present = 0;
        for (uint32_t k = 0; k < rule->correlation->reference_count; k++)
            present |= (uint64_t)c->anywhere[rule->correlation->references[k].rule] << k;
        enum reach reach = rule_reach_ever(rule);
        if (reach == REACH_BINDS && !correlation_reach(rule, present))
            reach = REACH_REFERENCES;
        c->anywhere[at] = reach == REACH_BINDS;
        if (reach != REACH_BINDS || c->options->json)
            err = print_correlation(c, NULL, at, reach, present);
    }
    return err;
}

/* ATT&CK */

static int technique_add(struct coverage *c, struct slice name, bool binding)
{
    uint32_t i = 0;
    while (i < c->technique_count && !slice_equal(c->techniques[i].name, name))
        i++;
    if (i == TECHNIQUES_MAX)
        return ERR_RANGE;
    c->techniques[i].name = name;
    c->techniques[i].rules++;
    c->techniques[i].binding += binding;
    c->technique_count += i == c->technique_count;
    return 0;
}

static int technique_compare(const void *left, const void *right)
{
    const struct technique *a = left;
    const struct technique *b = right;
    return slice_compare(a->name, b->name);
}

/* Of rules that run: T1567.002, number of rules, how many of them bind somewhere. */
static int techniques_count(struct coverage *c)
{
    int err = 0;
    for (uint32_t i = 0; i < c->rules.set.rule_count && err == 0; i++) {
        struct slice left = slice_from(c->rules.entries[i].text.technique);
        if (rule_at(c, i)->kind == SIGMA_FILTER || rule_reach_ever(rule_at(c, i)) != REACH_BINDS)
            continue;
        while (left.len != 0 && err == 0) {
            const char *blank = memchr(left.data, ' ', left.len);
            size_t len = blank == NULL ? left.len : (size_t)(blank - left.data);
            err = technique_add(c, slice_of(left.data, len), c->anywhere[i]);
            left = slice_from_offset(left, len + 1);
        }
    }
    if (c->technique_count != 0)
        qsort(c->techniques, c->technique_count, sizeof(*c->techniques), technique_compare);
    return err;
}

static int print_techniques(struct coverage *c)
{
    struct buf *out = &c->sink.out;
    bool stored = c->options->data != NULL;
    int err = techniques_count(c);
    if (err == 0 && !c->options->json)
        buf_text(out, "ATT&CK techniques\n");
    for (uint32_t i = 0; i < c->technique_count && err == 0; i++) {
        const struct technique *t = &c->techniques[i];
        if (c->options->json) {
            buf_text(out, "{\"coverage\":\"technique\"");
            key_text(out, "threat.technique.id", t->name);
            buf_printf(out, ",\"rules\":%" PRIu32, t->rules);
            if (stored)
                buf_printf(out, ",\"binding\":%" PRIu32, t->binding);
            buf_text(out, "}\n");
            continue;
        }
        buf_printf(out, "  %-10.*s %4" PRIu32 " rules", (int)t->name.len, t->name.data, t->rules);
        if (stored)
            buf_printf(out, ", %" PRIu32 " bind somewhere", t->binding);
        buf_byte(out, '\n');
    }
    return err == 0 ? sink_check(&c->sink) : err;
}

/* The whole */

static bool is_sampled(const struct coverage *c)
{
    for (uint32_t i = 0; i < c->sources.count; i++) {
        if (c->sources.items[i].counted_rows < c->sources.items[i].rows)
            return true;
    }
    return false;
}

static bool is_blind(const struct coverage *c, uint32_t rule)
{
    return rule_at(c, rule)->kind != SIGMA_FILTER && !c->anywhere[rule];
}

static void json_summary(struct coverage *c, uint32_t rules)
{
    struct buf *out = &c->sink.out;
    bool first = true;
    buf_printf(out, "{\"coverage\":\"summary\",\"rules\":%" PRIu32, rules);
    if (c->options->data != NULL)
        buf_printf(out, ",\"sources\":%" PRIu32 ",\"sampled\":%s,\"complete\":%s", c->sources.count,
                   is_sampled(c) ? "true" : "false", c->sources.missing == 0 ? "true" : "false");
    buf_printf(out, ",\"techniques\":%" PRIu32 ",\"blind_everywhere\":[", c->technique_count);
    for (uint32_t i = 0; i < c->rules.set.rule_count; i++) {
        if (!is_blind(c, i))
            continue;
        if (!first)
            buf_byte(out, ',');
        ndjson_string(out, rule_at(c, i)->id);
        first = false;
    }
    buf_text(out, "]}\n");
}

static void table_summary(struct coverage *c, uint32_t rules, uint32_t blind)
{
    struct buf *out = &c->sink.out;
    if (blind != 0)
        buf_printf(out, "blind everywhere\n");
    for (uint32_t i = 0; i < c->rules.set.rule_count && blind != 0; i++) {
        enum reach reach = rule_reach_ever(rule_at(c, i));
        if (!is_blind(c, i))
            continue;
        table_label(out, reach == REACH_BINDS ? "blind" : "never", rule_at(c, i));
        table_reason(c, rule_at(c, i), reach, NULL);
    }
    if (is_sampled(c)) {
        buf_printf(out,
                   "Of large sources the first %d rows were counted, and of later ones those that "
                   "could add a field.\n",
                   SOURCE_SAMPLE_ROWS);
    }
    if (c->options->data != NULL)
        buf_printf(out, "%" PRIu32 " sources, ", c->sources.count);
    buf_printf(out, "%" PRIu32 " rules, %" PRIu32 " techniques; %" PRIu32 " rules %s\n", rules,
               c->technique_count, blind,
               c->options->data != NULL ? "blind everywhere" : "can never run");
}

/* Returns how many rules are blind everywhere. */
static uint32_t print_summary(struct coverage *c)
{
    uint32_t rules = 0;
    uint32_t blind = 0;
    for (uint32_t i = 0; i < c->rules.set.rule_count; i++) {
        rules += rule_at(c, i)->kind != SIGMA_FILTER;
        blind += is_blind(c, i);
    }
    if (c->options->json)
        json_summary(c, rules);
    else
        table_summary(c, rules, blind);
    return blind;
}

static int judge_sources(struct coverage *c)
{
    const struct coverage_options *o = c->options;
    const struct sieve_query query = {.tenant = o->tenant,
                                      .has_tenant = o->has_tenant,
                                      .since_ns = o->since_ns,
                                      .until_ns = o->until_ns};
    int err = source_fields_read(&c->sources, o->data, &c->fields, &query, &c->diag);
    for (uint32_t first = 0; first < c->sources.count && err == 0;) {
        uint32_t end = first + 1;
        while (end < c->sources.count &&
               c->sources.items[end].tenant == c->sources.items[first].tenant)
            end++;
        err = judge_town(c, first, end);
        first = end;
    }
    if (err == 0 && c->sources.count == 0)
        diag_add(&c->diag, o->data, 0, 0, "no rows; look at a longer time, or at another tenant");
    return err == 0 && c->sources.count != 0 ? judge_prefecture(c) : err;
}

static int judge(struct coverage *c)
{
    size_t rules = c->rules.set.rule_count + 1U;
    struct arena *arena = &c->rules.set.arena;
    c->here = arena_array(arena, rules, sizeof(*c->here));
    c->anywhere = arena_array(arena, rules, sizeof(*c->anywhere));
    c->given = arena_array(arena, rules, sizeof(*c->given));
    c->techniques = arena_array(arena, TECHNIQUES_MAX, sizeof(*c->techniques));
    if (c->here == NULL || c->anywhere == NULL || c->given == NULL || c->techniques == NULL)
        return ERR_NOMEM;
    int err = rule_reach_fields(&c->fields, &c->rules.set);
    if (err == ERR_RANGE) {
        diag_add(&c->diag, c->options->rules.path, 0, 0,
                 "the rules ask for more than %d different fields; look at fewer rules at once",
                 NEED_FIELDS_MAX);
    }
    if (err == 0)
        err = c->options->data == NULL ? judge_needs(c) : judge_sources(c);
    bool empty = c->options->data != NULL && c->sources.count == 0;
    return err == 0 && !empty ? print_techniques(c) : err;
}

int rule_coverage(const struct coverage_options *options)
{
    struct coverage c = {.options = options, .sink = {.fd = STDOUT_FILENO}};
    int err = rule_load(&c.rules, &options->rules, &c.diag);
    bool faulty = err == ERR_CONF;
    if (err == 0) {
        diag_release(&c.diag); /* warnings are for `rule check` */
        err = judge(&c);
    }
    bool empty = err == 0 && options->data != NULL && c.sources.count == 0;
    uint32_t blind = err == 0 && !empty ? print_summary(&c) : empty;
    int closed = sink_close(&c.sink);
    err = err != 0 ? err : closed;
    if (err != 0 && c.diag.count == 0)
        diag_add(&c.diag, "sekisho rule coverage", 0, 0, "%s", err_name(err));
    option_say(&c.diag);
    int code = err != 0 ? option_exit_code(err) : blind == 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
    if (err == 0 && c.sources.missing != 0)
        code = EXIT_CODE_INCOMPLETE;
    source_fields_release(&c.sources);
    need_fields_release(&c.fields);
    arena_release(&c.arena);
    diag_release(&c.diag);
    rule_set_release(&c.rules);
    return faulty ? EXIT_CODE_USAGE : code;
}
