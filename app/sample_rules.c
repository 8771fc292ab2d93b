#include "app/sample_rules.h"

#include <stdlib.h>

#include "app/field_questions.h"
#include "app/rule_load.h"
#include "base/err.h"

enum {
    FORMATS_MAX = 64, /* by format id */
};

/* Lines of one format. */
struct format_facts {
    struct known_source known;
    uint64_t *values; /* by field; NULL: no lines */
    bool *holds;      /* by leaf on what is known */
    struct need_facts facts;
};

struct sample_rules {
    struct rule_set rules;
    struct need_fields fields;
    struct field_questions questions;
    struct format_facts formats[FORMATS_MAX];
    struct sample_rule *items;
    bool *binds; /* by rule of the set */
    struct arena arena;
    struct diag *diag;
};

int sample_rules_open(struct sample_rules **out, const char *path, int64_t now_ns,
                      struct diag *diag)
{
    const struct rule_options options = {.path = path,
                                         .lists = true,
                                         .names = SIGMA_NAMES_FIELDS,
                                         .needs_rules = true,
                                         .scoped = true,
                                         .now_ns = now_ns};
    struct diag said = {0};
    struct sample_rules *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    r->diag = diag;
    int err = rule_load(&r->rules, &options, &said);
    if (err != 0) /* warnings are for `rule check` */
        diag_add_all(diag, &said);
    diag_release(&said);
    if (err == 0)
        err = rule_reach_fields(&r->fields, &r->rules.set);
    if (err == 0)
        err = field_questions_make(&r->questions, &r->arena, &r->fields, diag);
    if (err != 0) {
        sample_rules_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void sample_rules_close(struct sample_rules *r)
{
    if (r == NULL)
        return;
    field_questions_release(&r->questions);
    need_fields_release(&r->fields);
    rule_set_release(&r->rules);
    arena_release(&r->arena);
    free(r);
}

static int facts_begin(struct sample_rules *r, struct format_facts *f, const struct batch *b)
{
    const char *name = arena_copy(&r->arena, b->format_name);
    const char *source = arena_copy(&r->arena, b->source);
    f->values = arena_array(&r->arena, r->fields.count + 1, sizeof(*f->values));
    f->holds = arena_array(&r->arena, r->fields.known_count + 1, sizeof(*f->holds));
    if (name == NULL || source == NULL || f->values == NULL || f->holds == NULL)
        return ERR_NOMEM;
    f->known = (struct known_source){.tenant = b->tenant,
                                     .name = slice_of(source, b->source.len),
                                     .format = slice_of(name, b->format_name.len)};
    return known_sources_answer(&f->known, &f->holds, 1, &r->fields, r->diag);
}

int sample_rules_take(struct sample_rules *r, const struct batch *b)
{
    struct format_facts *f = &r->formats[b->format % FORMATS_MAX];
    int err = f->values == NULL ? facts_begin(r, f, b) : 0;
    return err == 0 ? field_questions_ask(&r->questions, b, NULL, f->values) : err;
}

/* How near a rule comes: one format of the sample that it can hold for is enough. */
static bool is_nearer(enum reach a, enum reach b)
{
    static const uint8_t RANKS[] = {
        [REACH_BINDS] = 0,     [REACH_FIELDS] = 1,  [REACH_REFERENCES] = 2,
        [REACH_LOGSOURCE] = 3, [REACH_NOWHERE] = 4, [REACH_DEPRECATED] = 5,
    };
    return RANKS[a] < RANKS[b];
}

/* Zones and assets come from the configuration, for every line that has the address. */
static void facts_with_networks(struct need_facts *facts, const struct need_fields *fields)
{
    static const uint16_t DERIVED[][2] = {{FIELD_ZONE_SOURCE, FIELD_SOURCE_IP},
                                          {FIELD_ASSET_SOURCE, FIELD_SOURCE_IP},
                                          {FIELD_ZONE_DESTINATION, FIELD_DESTINATION_IP},
                                          {FIELD_ASSET_DESTINATION, FIELD_DESTINATION_IP}};
    for (uint32_t i = 0; i < fields->count; i++) {
        for (size_t k = 0; k < sizeof(DERIVED) / sizeof(DERIVED[0]); k++) {
            const struct field_info *from = field_info(DERIVED[k][1]);
            if (fields->items[i].field == DERIVED[k][0] &&
                need_facts_have(facts, fields, from->id, from->name))
                need_set_add(&facts->values, i);
        }
    }
}

static int rule_judge(struct sample_rules *r, const struct sigma_rule *rule,
                      struct sample_rule *item)
{
    struct buf text = {0};
    int err = 0;
    item->reach = rule_reach_ever(rule);
    if (item->reach != REACH_BINDS)
        return 0;
    item->reach = REACH_LOGSOURCE;
    for (unsigned i = 0; i < FORMATS_MAX && err == 0; i++) {
        struct needs lacks = {0};
        enum reach reach = REACH_LOGSOURCE;
        if (r->formats[i].values == NULL)
            continue;
        struct need_facts facts = r->formats[i].facts;
        err = rule_reach(&reach, &lacks, rule, &r->fields, &facts);
        bool plainly = reach == REACH_BINDS;
        facts_with_networks(&facts, &r->fields);
        if (err == 0)
            err = rule_reach(&reach, &lacks, rule, &r->fields, &facts);
        if (err != 0 || (!is_nearer(reach, item->reach) && !(plainly && item->needs_networks)))
            continue;
        item->reach = reach;
        item->needs_networks = reach == REACH_BINDS && !plainly;
        buf_reset(&text);
        needs_print(&text, &lacks, &r->fields);
    }
    const char *kept = arena_copy(&r->arena, buf_content(&text));
    item->lacks = slice_of(kept, text.len);
    if (kept == NULL || !buf_ok(&text))
        err = ERR_NOMEM;
    buf_release(&text);
    return err;
}

/* A correlation has what it needs where enough of its rules have, and their groups are there. */
static void correlation_judge(struct sample_rules *r, uint32_t at, struct sample_rule *item)
{
    const struct sigma_rule *rule = &r->rules.set.rules[at];
    uint64_t present = 0;
    item->reach = rule_reach_ever(rule);
    if (item->reach != REACH_BINDS)
        return;
    for (uint32_t k = 0; k < rule->correlation->reference_count; k++) {
        uint32_t to = rule->correlation->references[k].rule;
        bool counts = r->rules.set.rules[to].kind == SIGMA_CORRELATION;
        for (unsigned i = 0; i < FORMATS_MAX && !counts; i++)
            counts = r->formats[i].values != NULL &&
                     correlation_counts(rule, k, &r->fields, &r->formats[i].facts);
        present |= (uint64_t)(counts && r->binds[to]) << k;
    }
    item->reach = correlation_reach(rule, present) ? REACH_BINDS : REACH_REFERENCES;
    r->binds[at] = item->reach == REACH_BINDS;
}

static int judge_make(struct sample_rules *r)
{
    size_t count = r->rules.set.rule_count + (size_t)1;
    r->items = arena_array(&r->arena, count, sizeof(*r->items));
    r->binds = arena_array(&r->arena, count, sizeof(*r->binds));
    if (r->items == NULL || r->binds == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < FORMATS_MAX; i++) {
        struct format_facts *f = &r->formats[i];
        f->facts.known_holds = f->holds;
        for (uint32_t k = 0; k < r->fields.count && f->values != NULL; k++) {
            if (f->values[k] != 0)
                need_set_add(&f->facts.values, k);
        }
    }
    return 0;
}

static struct sample_rule *item_add(struct sample_rules *r, uint32_t at, uint32_t *count)
{
    const struct sigma_rule *rule = &r->rules.set.rules[at];
    struct sample_rule *item = &r->items[(*count)++];
    *item = (struct sample_rule){.id = rule->id,
                                 .name = rule->name,
                                 .title = rule->words.title,
                                 .correlation = rule->kind == SIGMA_CORRELATION};
    return item;
}

int sample_rules_judge(struct sample_rules *r, const struct sample_rule **items, uint32_t *count)
{
    const struct sigma_set *set = &r->rules.set;
    uint32_t found = 0;
    int err = judge_make(r);
    for (uint32_t i = 0; i < set->rule_count && err == 0; i++) {
        if (set->rules[i].kind != SIGMA_RULE)
            continue;
        struct sample_rule *item = item_add(r, i, &found);
        err = rule_judge(r, &set->rules[i], item);
        r->binds[i] = item->reach == REACH_BINDS;
    }
    for (uint32_t i = 0; i < set->order_count && err == 0; i++)
        correlation_judge(r, set->order[i], item_add(r, set->order[i], &found));
    if (err != 0)
        return err;
    *items = r->items;
    *count = found;
    return 0;
}
