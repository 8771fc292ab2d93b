#include "detect/rule_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "detect/sigma_read.h"

enum {
    KEY_SEED = 1, /* of a hash that nobody attacks: ids are the operator's */
    TECHNIQUE_BYTES_MAX = 200,
};

#define WINDOW_NS (3600 * CLOCK_NS_PER_SECOND)

/* Shown in an alert beside its keys, where the row has them. */
static const char *const SHOWN[] = {
    "source.ip",   "destination.ip",      "destination.port", "url.domain",
    "url.path",    "user.name",           "event.action",     "sekisho.verdict",
    "threat.name", "network.application", "source.bytes",
};

void rule_set_init(struct rule_set *rules, enum sigma_names names, bool scoped)
{
    *rules = (struct rule_set){.scoped = scoped};
    sigma_set_init(&rules->set, names);
}

void rule_set_release(struct rule_set *rules)
{
    pred_free(rules->pred);
    sigma_set_release(&rules->set);
    *rules = (struct rule_set){0};
}

/* Both of them, or the second where there is no first; NULL without memory. */
static const struct ast *tree_both(struct rule_set *rules, struct ast *first, struct ast *second)
{
    if (first == NULL)
        return second;
    struct ast *both = arena_alloc(&rules->set.arena, sizeof(*both));
    struct ast *left = arena_alloc(&rules->set.arena, sizeof(*left));
    struct ast *right = arena_alloc(&rules->set.arena, sizeof(*right));
    if (both == NULL || left == NULL || right == NULL)
        return NULL;
    both->kind = AST_AND;
    left->kind = AST_AND;
    right->kind = AST_AND;
    ast_add(left, first);
    ast_add(right, second);
    ast_add(both, left);
    ast_add(both, right);
    return both;
}

/* What is asked for one rule: its condition, on the logs that it means. */
static const struct ast *rule_tree(struct rule_set *rules, const struct sigma_rule *rule)
{
    return tree_both(rules, rules->scoped ? rule->scope : NULL, rule->condition);
}

const struct ast *rule_set_hidden(struct rule_set *rules, const struct sigma_rule *rule,
                                  uint32_t place)
{
    struct ast *all = arena_alloc(&rules->set.arena, sizeof(*all));
    struct ast *parts[] = {rules->scoped ? rule->scope : NULL, rule->unfiltered,
                           rule->hidden[place]};
    if (all == NULL)
        return NULL;
    all->kind = AST_AND;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct ast *part = arena_alloc(&rules->set.arena, sizeof(*part));
        if (part == NULL)
            return NULL;
        part->kind = AST_AND;
        if (parts[i] == NULL)
            continue;
        ast_add(part, parts[i]);
        ast_add(all, part);
    }
    return all;
}

static bool runs(const struct rule_set *rules, const struct sigma_rule *rule)
{
    return rule->kind == SIGMA_RULE && !(rules->scoped && (rule->nowhere || rule->deprecated));
}

/* The filters of the rules that run, each with its tree behind those of the rules. */
static int filters_add(struct rule_set *rules, const struct ast **trees)
{
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        const struct sigma_rule *rule = &rules->set.rules[rules->rules[i]];
        for (uint32_t f = 0; f < rule->filter_count; f++) {
            const struct ast *tree = rule_set_hidden(rules, rule, f);
            if (tree == NULL)
                return ERR_NOMEM;
            rules->filters[rules->filter_count] =
                (struct rule_filter){.rule = rules->rules[i], .filter = rule->filters[f]};
            trees[rules->rule_count + rules->filter_count++] = tree;
        }
    }
    return 0;
}

static int compile(struct rule_set *rules, struct diag *diag)
{
    struct sigma_set *set = &rules->set;
    size_t filters = 0;
    for (uint32_t i = 0; i < set->rule_count; i++)
        filters += runs(rules, &set->rules[i]) ? set->rules[i].filter_count : 0;
    const struct ast **trees =
        arena_array(&set->arena, set->rule_count + filters + 1U, sizeof(const struct ast *));
    rules->rules = arena_array(&set->arena, set->rule_count + 1U, sizeof(*rules->rules));
    rules->filters = arena_array(&set->arena, filters + 1U, sizeof(*rules->filters));
    if (trees == NULL || rules->rules == NULL || rules->filters == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < set->rule_count; i++) {
        const struct sigma_rule *rule = &set->rules[i];
        if (!runs(rules, rule))
            continue;
        trees[rules->rule_count] = rule_tree(rules, rule);
        if (trees[rules->rule_count] == NULL)
            return ERR_NOMEM;
        rules->rules[rules->rule_count++] = i;
    }
    int err = filters_add(rules, trees);
    if (err != 0 || rules->rule_count == 0)
        return err;
    return pred_compile(&rules->pred, trees, rules->rule_count + rules->filter_count, diag);
}

size_t rule_set_split(const struct rule_set *rules, const struct hits *hits)
{
    size_t count = hits->count;
    if (rules->filter_count == 0)
        return count;
    while (count != 0 && hits->items[count - 1].expression >= rules->rule_count)
        count--;
    return count;
}

/* Words */

/* Up to three texts joined by a blank, NUL-terminated; NULL without memory. */
static const char *join(struct sigma_set *set, struct slice a, struct slice b)
{
    struct buf text = {0};
    const char *out = NULL;
    buf_slice(&text, a);
    if (a.len != 0 && b.len != 0)
        buf_byte(&text, ' ');
    buf_slice(&text, b);
    while (text.len != 0 && text.data[text.len - 1] == '\n')
        text.len--;
    if (buf_ok(&text))
        out = arena_copy(&set->arena, buf_content(&text));
    buf_release(&text);
    return out;
}

static struct slice first_of(struct slice a, struct slice b)
{
    return a.len != 0 ? a : b;
}

/* The tags attack.t1567.002 as T1567.002. */
static const char *techniques(struct sigma_set *set, struct slice tags)
{
    struct buf text = {.limit = TECHNIQUE_BYTES_MAX};
    const char *out = NULL;
    for (size_t at = 0; at < tags.len;) {
        const char *blank = memchr(tags.data + at, ' ', tags.len - at);
        size_t len = blank == NULL ? tags.len - at : (size_t)(blank - tags.data) - at;
        struct slice tag = slice_of(tags.data + at, len);
        at += len + 1;
        if (!slice_starts(tag, SLICE("attack.t")) || tag.len < sizeof("attack.t1000") - 1 ||
            tag.data[8] < '0' || tag.data[8] > '9')
            continue;
        if (text.len != 0)
            buf_byte(&text, ' ');
        buf_byte(&text, 'T');
        buf_slice(&text, slice_from_offset(tag, 8));
    }
    if (buf_ok(&text))
        out = arena_copy(&set->arena, buf_content(&text));
    buf_release(&text);
    return out;
}

static int entry_words(struct sigma_set *set, const struct sigma_rule *rule, struct rule_entry *out)
{
    static const enum alert_severity SEVERITIES[] = {
        [SIGMA_INFORMATIONAL] = ALERT_INFORMATIONAL,
        [SIGMA_LOW] = ALERT_LOW,
        [SIGMA_MEDIUM] = ALERT_MEDIUM,
        [SIGMA_HIGH] = ALERT_HIGH,
        [SIGMA_CRITICAL] = ALERT_CRITICAL,
    };
    const struct sigma_words *w = &rule->words;
    struct slice none = SLICE("");
    out->id = join(set, rule->id, none);
    out->text = (struct detector_text){
        .name = join(set, w->title, none),
        .severity = SEVERITIES[rule->level],
        .technique = techniques(set, rule->tags),
        .message_ja =
            join(set, first_of(w->title_ja, w->title), first_of(w->description_ja, w->description)),
        .message_en = join(set, w->title, w->description),
        .action_ja = join(set, first_of(w->action_ja, w->action), none),
        .action_en = join(set, w->action, none),
    };
    out->key = hash_slice(KEY_SEED, rule->id) | 1;
    return out->id == NULL || out->text.name == NULL || out->text.technique == NULL ||
                   out->text.message_ja == NULL || out->text.message_en == NULL ||
                   out->text.action_ja == NULL || out->text.action_en == NULL
               ? ERR_NOMEM
               : 0;
}

/* Fields of an alert */

static int field_add(void *self, uint16_t field, struct slice name)
{
    struct signal_fields *fields = self;
    for (uint32_t i = 0; i < fields->count; i++) {
        if (slice_equal(fields->items[i].name, name))
            return 0;
    }
    if (fields->count < RULE_SHOWN_MAX)
        fields->items[fields->count++] = (struct sigma_field){.field = field, .name = name};
    return 0;
}

static int entry_keys(struct sigma_reader *r, const struct yaml_node *list, struct rule_entry *out)
{
    int err = 0;
    if (list == NULL)
        return sigma_names_each(r, SLICE("source.ip"), field_add, &out->fields);
    if (list->kind != YAML_LIST || list->count > RULE_KEYS_MAX)
        return sigma_fault(r, list, "sekisho: group-by is a list of up to %d fields",
                           RULE_KEYS_MAX);
    for (const struct yaml_node *one = list->first; one != NULL && err == 0; one = one->next) {
        if (one->kind != YAML_TEXT || one->text.len == 0)
            return sigma_fault(r, one, "sekisho: group-by is a list of fields");
        err = sigma_names_each(r, one->text, field_add, &out->fields);
    }
    return err;
}

static int entry_fields(struct sigma_reader *r, struct rule_entry *out)
{
    const struct yaml_node *ours = yaml_get(r->rule->document, SLICE("sekisho"));
    const struct yaml_node *window = yaml_get(ours, SLICE("window"));
    out->fields.items = arena_array(&r->set->arena, RULE_SHOWN_MAX, sizeof(*out->fields.items));
    if (out->fields.items == NULL)
        return ERR_NOMEM;
    out->window_ns = WINDOW_NS;
    if (window != NULL && clock_parse_duration(&out->window_ns, window->text) != 0)
        return sigma_fault(r, window, "sekisho: window is a duration, as 1h");
    int err = entry_keys(r, yaml_get(ours, SLICE("group-by")), out);
    out->key_count = out->fields.count < RULE_KEYS_MAX ? out->fields.count : RULE_KEYS_MAX;
    for (size_t i = 0; i < sizeof(SHOWN) / sizeof(SHOWN[0]) && err == 0; i++)
        err = sigma_names_each(r, slice_from(SHOWN[i]), field_add, &out->fields);
    return err;
}

static int entries_make(struct rule_set *rules, struct diag *diag)
{
    struct sigma_set *set = &rules->set;
    rules->entries = arena_array(&set->arena, set->rule_count + 1U, sizeof(*rules->entries));
    int err = rules->entries == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; i < set->rule_count && err != ERR_NOMEM; i++) {
        struct sigma_reader r = {.set = set, .diag = diag, .rule = &set->rules[i]};
        int got = entry_words(set, r.rule, &rules->entries[i]);
        if (got == 0)
            got = entry_fields(&r, &rules->entries[i]);
        err = got != 0 ? got : err;
    }
    return err;
}

int rule_set_compile(struct rule_set *rules, struct diag *diag)
{
    int err = sigma_set_link(&rules->set, diag);
    if (err == 0)
        err = entries_make(rules, diag);
    for (uint32_t i = 0; i < rules->set.rule_count && err == 0; i++) {
        const struct sigma_correlation *c = rules->set.rules[i].correlation;
        rules->prefecture |= c != NULL && c->prefecture;
    }
    if (err == 0)
        err = signal_fields_make(&rules->fields, &rules->set);
    return err == 0 ? compile(rules, diag) : err;
}

int rule_set_pred(struct pred **out, struct rule_set *rules, const struct sigma_rule *rule,
                  struct diag *diag)
{
    const struct ast *tree = rule_tree(rules, rule);
    return tree == NULL ? ERR_NOMEM : pred_compile(out, &tree, 1, diag);
}

int rule_set_preds(struct pred **any, struct pred **each, struct rule_set *rules,
                   const uint32_t *wanted, uint32_t count, struct diag *diag)
{
    struct arena *arena = &rules->set.arena;
    const struct ast **trees = arena_array(arena, count + 1U, sizeof(const struct ast *));
    struct ast *either = arena_alloc(arena, sizeof(*either));
    if (trees == NULL || either == NULL)
        return ERR_NOMEM;
    either->kind = AST_OR;
    for (uint32_t i = 0; i < count; i++) {
        struct ast *one = arena_alloc(arena, sizeof(*one));
        trees[i] = rule_tree(rules, &rules->set.rules[wanted[i]]);
        if (one == NULL || trees[i] == NULL)
            return ERR_NOMEM;
        *one = *trees[i]; /* its children are shared, its place among siblings is its own */
        one->next = NULL;
        ast_add(either, one);
    }
    const struct ast *alone[] = {either};
    int err = pred_compile(any, alone, 1, diag);
    return err == 0 ? pred_compile(each, trees, count, diag) : err;
}

const struct rule_entry *rule_set_find(const struct rule_set *rules, uint64_t key)
{
    for (uint32_t i = 0; rules != NULL && i < rules->set.rule_count; i++) {
        if (rules->entries[i].key == key)
            return &rules->entries[i];
    }
    return NULL;
}
