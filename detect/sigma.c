#include "detect/sigma.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "detect/sigma_check.h"
#include "detect/sigma_correlation.h"
#include "event/pred_leaf.h"

static const struct yaml_bounds BOUNDS = {.depth = SIGMA_DEPTH_MAX,
                                          .aliases = SIGMA_ALIASES_MAX,
                                          .nodes = SIGMA_NODES_MAX,
                                          .document_bytes = SIGMA_DOCUMENT_BYTES_MAX};

static const char *const LEVELS[] = {
    [SIGMA_INFORMATIONAL] = "informational",
    [SIGMA_LOW] = "low",
    [SIGMA_MEDIUM] = "medium",
    [SIGMA_HIGH] = "high",
    [SIGMA_CRITICAL] = "critical",
};

static const char *const STATUSES[] = {"stable", "test", "experimental", "deprecated",
                                       "unsupported"};

const char *sigma_level_name(enum sigma_level level)
{
    return LEVELS[level];
}

void sigma_set_init(struct sigma_set *set, enum sigma_names names)
{
    *set = (struct sigma_set){.names = names, .now_ns = CLOCK_NONE, .index_seed = hash_seed()};
}

void sigma_set_release(struct sigma_set *set)
{
    arena_release(&set->arena);
    diag_release(&set->warnings);
    *set = (struct sigma_set){0};
}

/* Reports */

static void fault_at(struct sigma_reader *r, uint32_t line, uint32_t column, const char *format,
                     va_list args) __attribute__((format(printf, 4, 0)));

static void fault_at(struct sigma_reader *r, uint32_t line, uint32_t column, const char *format,
                     va_list args)
{
    r->faulty = true;
    r->set->faulty = true;
    diag_vadd(r->diag, r->rule->filename, line, column, format, args);
}

int sigma_fault(struct sigma_reader *r, const struct yaml_node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault_at(r, at->line, at->column, format, args);
    va_end(args);
    return ERR_CONF;
}

int sigma_fault_key(struct sigma_reader *r, const struct yaml_node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault_at(r, at->key == NULL ? at->line : at->key_line,
             at->key == NULL ? at->column : at->key_column, format, args);
    va_end(args);
    return ERR_CONF;
}

void sigma_warn(struct sigma_reader *r, const struct yaml_node *at, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (buf_ok(&text))
        diag_add(&r->set->warnings, r->rule->filename, at->line, at->column, "warning: %s",
                 buf_string(&text));
    r->set->warning_count++;
    buf_release(&text);
}

int sigma_keys_check(struct sigma_reader *r, const struct yaml_node *map, const char *const *keys)
{
    int err = 0;
    size_t count = 0;
    while (keys[count] != NULL)
        count++;
    if (map->kind != YAML_MAP)
        return sigma_fault(r, map, "a map is expected");
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct slice key = slice_of(node->key, node->key_len);
        size_t i = 0;
        while (i < count && !slice_equal(key, slice_from(keys[i])))
            i++;
        if (i < count)
            continue;
        const char *near = diag_suggest(key, keys, count);
        err = sigma_fault_key(r, node, "unknown key \"%s\"%s%s%s", node->key,
                              near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                              near == NULL ? "" : "\"?");
    }
    return err;
}

/* Trees and scalars */

struct ast *sigma_ast(struct sigma_reader *r, enum ast_kind kind)
{
    struct ast *node = arena_alloc(&r->set->arena, sizeof(*node));
    if (node != NULL)
        node->kind = kind;
    return node;
}

void sigma_ast_add(struct ast *parent, struct ast *child)
{
    if (child != NULL)
        ast_add(parent, child);
}

struct ast *sigma_ast_simple(struct ast *node)
{
    return node->first != NULL && node->first->next == NULL ? node->first : node;
}

bool sigma_bool(const struct yaml_node *node, bool *out)
{
    static const char *const WORDS[] = {"false", "False", "FALSE", "true", "True", "TRUE"};
    for (size_t i = 0; node->kind == YAML_TEXT && i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_equal(node->text, slice_from(WORDS[i]))) {
            *out = i >= 3;
            return true;
        }
    }
    return false;
}

bool sigma_number(const struct yaml_node *node, struct ast_bound *out)
{
    struct number number;
    if (node->kind != YAML_TEXT || !leaf_parse_number(node->text, &number))
        return false;
    *out = (struct ast_bound){.text = node->text,
                              .number = number.integer,
                              .real = number.real,
                              .is_real = number.is_real};
    return true;
}

/* The index of ids and names */

static uint32_t *index_slot(const struct sigma_set *set, struct slice reference)
{
    uint32_t at = (uint32_t)hash_slice(set->index_seed, reference) & set->index_mask;
    for (; set->index[at] != 0; at = (at + 1) & set->index_mask) {
        const struct sigma_rule *rule = &set->rules[set->index[at] - 1];
        if (slice_equal(rule->id, reference) || slice_equal(rule->name, reference))
            break;
    }
    return &set->index[at];
}

struct sigma_rule *sigma_find(const struct sigma_set *set, struct slice reference)
{
    if (set->index == NULL || reference.len == 0)
        return NULL;
    uint32_t at = *index_slot(set, reference);
    return at == 0 ? NULL : &set->rules[at - 1];
}

static void index_put(struct sigma_set *set, uint32_t rule)
{
    struct slice words[] = {set->rules[rule].id, set->rules[rule].name};
    for (unsigned i = 0; i < 2; i++) {
        uint32_t *slot = words[i].len == 0 ? NULL : index_slot(set, words[i]);
        if (slot != NULL && *slot == 0)
            *slot = rule + 1;
    }
}

/* Room for one more document and its index. */
static int set_grow(struct sigma_set *set)
{
    if (set->rule_count < set->rule_cap)
        return 0;
    uint32_t cap = set->rule_cap == 0 ? 64 : set->rule_cap * 2;
    struct sigma_rule *rules = arena_array(&set->arena, cap, sizeof(*rules));
    uint32_t *index = arena_array(&set->arena, (size_t)cap * 4, sizeof(*index));
    if (rules == NULL || index == NULL)
        return ERR_NOMEM;
    if (set->rule_count != 0)
        memcpy(rules, set->rules, set->rule_count * sizeof(*rules));
    set->rules = rules;
    set->rule_cap = cap;
    set->index = index;
    set->index_mask = cap * 4 - 1;
    for (uint32_t i = 0; i < set->rule_count; i++)
        index_put(set, i);
    return 0;
}

/* One document */

static int one_of(struct sigma_reader *r, const struct yaml_node *document, const char *key,
                  const char *const *words, size_t count)
{
    const struct yaml_node *node = yaml_get(document, slice_from(key));
    if (node == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (node->kind == YAML_TEXT && slice_equal(node->text, slice_from(words[i])))
            return (int)i;
    }
    struct buf list = {0};
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%s%s", i == 0 ? "" : " ", words[i]);
    (void)sigma_fault(r, node, "%s is one of %s", key, buf_string(&list));
    buf_release(&list);
    return -1;
}

static void read_words(struct sigma_reader *r, const struct yaml_node *document)
{
    struct sigma_words *w = &r->rule->words;
    const struct yaml_node *title = yaml_get(document, SLICE("title"));
    w->title = yaml_text(document, SLICE("title"));
    w->title_ja = yaml_text(document, SLICE("title_ja"));
    w->description = yaml_text(document, SLICE("description"));
    w->description_ja = yaml_text(document, SLICE("description_ja"));
    w->action = yaml_text(document, SLICE("action"));
    w->action_ja = yaml_text(document, SLICE("action_ja"));
    if (w->title.len == 0 || (title != NULL && yaml_null(title)))
        (void)sigma_fault_key(r, title == NULL ? document : title,
                              "the document has no title; write what it finds");
}

static int read_tags(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *tags = yaml_get(document, SLICE("tags"));
    struct buf text = {0};
    if (tags == NULL || (tags->kind == YAML_TEXT && yaml_null(tags)))
        return 0;
    if (tags->kind != YAML_LIST)
        return sigma_fault(r, tags, "tags is a list");
    for (const struct yaml_node *tag = tags->first; tag != NULL; tag = tag->next) {
        if (tag != tags->first)
            buf_byte(&text, ' ');
        buf_slice(&text, tag->text);
    }
    if (buf_ok(&text))
        r->rule->tags = slice_of(arena_copy(&r->set->arena, buf_content(&text)), text.len);
    buf_release(&text);
    return r->rule->tags.data == NULL ? ERR_NOMEM : 0;
}

static void read_logsource(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *node = yaml_get(document, SLICE("logsource"));
    struct sigma_logsource *l = &r->rule->logsource;
    l->category = yaml_text(node, SLICE("category"));
    l->product = yaml_text(node, SLICE("product"));
    l->service = yaml_text(node, SLICE("service"));
    if (l->category.len + l->product.len + l->service.len != 0)
        return;
    if (node == NULL)
        (void)sigma_fault_key(r, document, "the document has no logsource; name a category");
    else
        (void)sigma_fault(r, node, "logsource names a category, a product or a service");
}

/* Ids stand in lines of their own, between tabs. */
static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20)
            return true;
    }
    return false;
}

static void read_identity(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *id = yaml_get(document, SLICE("id"));
    struct sigma_rule *rule = r->rule;
    rule->name = yaml_text(document, SLICE("name"));
    rule->id = yaml_text(document, SLICE("id"));
    if (id != NULL && (rule->id.len == 0 || has_control(rule->id)))
        (void)sigma_fault(r, id, "id is a UUID");
    if (has_control(rule->name))
        (void)sigma_fault(r, yaml_get(document, SLICE("name")), "name has control characters");
    const struct sigma_rule *earlier = sigma_find(r->set, rule->id);
    if (earlier == NULL)
        earlier = sigma_find(r->set, rule->name);
    if (earlier != NULL) {
        (void)sigma_fault_key(r, id == NULL ? document : id,
                              "the id or name is that of %s:%u already; give it another",
                              earlier->filename, earlier->line);
    }
    if (rule->id.len == 0)
        rule->id = rule->name.len == 0 ? yaml_text(document, SLICE("title")) : rule->name;
}

static int read_kind(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *action = yaml_get(document, SLICE("action"));
    static const char *const OLD[] = {"global", "repeat", "reset"};
    for (size_t i = 0; action != NULL && i < sizeof(OLD) / sizeof(OLD[0]); i++) {
        if (slice_equal(action->text, slice_from(OLD[i]))) {
            return sigma_fault_key(r, action,
                                   "action: %s is of old Sigma collections; write whole "
                                   "documents",
                                   OLD[i]);
        }
    }
    bool correlation = yaml_get(document, SLICE("correlation")) != NULL;
    bool filter = yaml_get(document, SLICE("filter")) != NULL;
    bool detection = yaml_get(document, SLICE("detection")) != NULL;
    if ((int)correlation + (int)filter + (int)detection > 1)
        return sigma_fault(r, document, "a document has one of detection, correlation and filter");
    r->rule->kind = correlation ? SIGMA_CORRELATION : filter ? SIGMA_FILTER : SIGMA_RULE;
    return 0;
}

static int read_body(struct sigma_reader *r, const struct yaml_node *document)
{
    const struct yaml_node *detection = yaml_get(document, SLICE("detection"));
    if (r->rule->kind == SIGMA_CORRELATION)
        return sigma_correlation_read(r, document);
    read_logsource(r, document);
    if (r->rule->kind == SIGMA_FILTER)
        return sigma_filter_read(r, document);
    static const char *const OURS[] = {"group-by", "window", NULL};
    const struct yaml_node *ours = yaml_get(document, SLICE("sekisho"));
    int keys = ours == NULL ? 0 : sigma_keys_check(r, ours, OURS);
    if (detection == NULL)
        return sigma_fault(r, document, "the document has no detection, correlation or filter");
    int err = sigma_names_scope(r);
    if (err == 0)
        err = sigma_detection_read(r, detection, &r->rule->condition);
    r->rule->unfiltered = r->rule->condition;
    return err != 0 ? err : keys;
}

static int document_read(struct sigma_reader *r, const struct yaml_node *document)
{
    struct sigma_rule *rule = r->rule;
    if (document->kind != YAML_MAP)
        return sigma_fault(r, document, "a rule document is a map, as \"title: ...\"");
    int err = read_kind(r, document);
    if (err != 0)
        return err;
    read_words(r, document);
    read_identity(r, document);
    int level = one_of(r, document, "level", LEVELS, sizeof(LEVELS) / sizeof(LEVELS[0]));
    int status = one_of(r, document, "status", STATUSES, sizeof(STATUSES) / sizeof(STATUSES[0]));
    rule->level = level < 0 ? SIGMA_MEDIUM : (enum sigma_level)level;
    rule->deprecated = status >= 3;
    err = read_tags(r, document);
    return err == ERR_NOMEM ? err : read_body(r, document);
}

int sigma_set_add(struct sigma_set *set, const char *filename, struct slice text, struct diag *diag)
{
    struct yaml_node *documents = NULL;
    const char *name = arena_copy(&set->arena, slice_from(filename));
    if (name == NULL)
        return ERR_NOMEM;
    int err = yaml_read_within(&documents, &set->arena, text, name, &BOUNDS, diag);
    if (err == ERR_NOMEM)
        return err;
    if (err != 0) {
        set->faulty = true;
        return ERR_CONF;
    }
    bool faulty = false;
    for (const struct yaml_node *d = documents->first; d != NULL; d = d->next) {
        if (d->kind == YAML_TEXT && yaml_null(d))
            continue; /* "---" at the end */
        err = set->rule_count == SIGMA_RULES_MAX ? ERR_RANGE : set_grow(set);
        if (err == ERR_RANGE) {
            diag_add(diag, name, d->line, d->column, "more than %d documents", SIGMA_RULES_MAX);
            set->faulty = true;
            return ERR_CONF;
        }
        if (err != 0)
            return err;
        struct sigma_reader r = {.set = set, .diag = diag, .rule = &set->rules[set->rule_count]};
        *r.rule = (struct sigma_rule){.filename = name, .line = d->line, .document = d};
        err = document_read(&r, d);
        if (err != 0 && err != ERR_CONF)
            return err;
        faulty |= r.faulty;
        index_put(set, set->rule_count++);
    }
    return faulty ? ERR_CONF : 0;
}

/* References between documents */

/* Inner correlations before outer ones (Kahn); what is left over refers to itself in a circle. */
static int order_make(struct sigma_set *set, struct diag *diag)
{
    bool *placed = arena_array(&set->arena, set->rule_count + 1U, sizeof(*placed));
    set->order = arena_array(&set->arena, set->rule_count + 1U, sizeof(*set->order));
    if (placed == NULL || set->order == NULL)
        return ERR_NOMEM;
    uint32_t before = UINT32_MAX;
    while (before != set->order_count) {
        before = set->order_count;
        for (uint32_t i = 0; i < set->rule_count; i++) {
            const struct sigma_correlation *c = set->rules[i].correlation;
            bool ready = c != NULL && !placed[i];
            for (uint32_t k = 0; ready && k < c->reference_count; k++) {
                uint32_t inner = c->references[k].rule;
                ready = set->rules[inner].correlation == NULL || placed[inner];
            }
            if (ready) {
                placed[i] = true;
                set->order[set->order_count++] = i;
            }
        }
    }
    for (uint32_t i = 0; i < set->rule_count; i++) {
        if (set->rules[i].correlation == NULL || placed[i])
            continue;
        struct sigma_reader r = {.set = set, .diag = diag, .rule = &set->rules[i]};
        (void)sigma_fault(&r, set->rules[i].document,
                          "the correlation is part of a cycle: it refers to itself");
        return ERR_CONF;
    }
    return 0;
}

int sigma_set_link(struct sigma_set *set, struct diag *diag)
{
    if (set->faulty)
        return ERR_CONF;
    int err = 0;
    for (uint32_t i = 0; i < set->rule_count && err != ERR_NOMEM; i++) {
        struct sigma_reader r = {.set = set, .diag = diag, .rule = &set->rules[i]};
        int got = r.rule->kind == SIGMA_CORRELATION ? sigma_correlation_link(&r)
                  : r.rule->kind == SIGMA_FILTER    ? sigma_filter_link(&r, i)
                                                    : 0;
        err = got != 0 ? got : err;
    }
    if (err == 0)
        err = order_make(set, diag);
    if (err == 0 && set->names == SIGMA_NAMES_FIELDS)
        err = sigma_check_set(set);
    return err;
}
