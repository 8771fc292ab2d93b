/*
 * detect/sigma.h - a set of Sigma 2.1 documents: rules, correlations, filters.
 *
 *   sigma_set_add(set, "rules/proxy/tool.yml", text, &diag);   each file
 *   sigma_set_link(set, &diag);                                references, filters, cycles
 *   set->rules[i].condition                                    a tree for event/pred.h
 *
 * Every error of every file is reported as file:line:column with what would be right; what is not
 * supported is an error that names the feature. A set with an error is refused whole.
 *
 * Specification: Sigma rules 2.1.0, correlation rules 2.1.0 with the condition expressions of 2.2,
 * filters 2.1.0; where they are silent, docs/rules.md.
 *
 * Ownership: all documents, names and trees live in the set's arena; texts given are copied.
 * Threads:   one owner until sigma_set_link(); immutable then.
 * Failures:  ERR_CONF with diagnoses, ERR_NOMEM.
 */
#pragma once

#include "base/diag.h"
#include "base/yaml.h"
#include "event/ast.h"

enum sigma_limits {
    SIGMA_DOCUMENT_BYTES_MAX = 64 << 10,
    SIGMA_DEPTH_MAX = 32,
    SIGMA_ALIASES_MAX = 64,
    SIGMA_NODES_MAX = 100000,   /* of one file */
    SIGMA_RULES_MAX = 20000,    /* documents of a set */
    SIGMA_REFERENCES_MAX = 64,  /* rules of one correlation */
    SIGMA_GROUP_FIELDS_MAX = 8, /* of one correlation */
    SIGMA_VALUES_MAX = 20000,   /* alternatives of one value list, placeholders expanded */
    SIGMA_PATTERN_BYTES_MAX = 8192,
    SIGMA_TREE_NODES_MAX =
        100000,                /* of one condition, selections that it names twice counted twice */
    SIGMA_TREE_DEPTH_MAX = 26, /* leaves room for filters and logsources below AST_DEPTH_MAX */
};

enum sigma_kind {
    SIGMA_RULE,
    SIGMA_CORRELATION,
    SIGMA_FILTER,
};

enum sigma_level {
    SIGMA_INFORMATIONAL,
    SIGMA_LOW,
    SIGMA_MEDIUM,
    SIGMA_HIGH,
    SIGMA_CRITICAL,
};

struct sigma_logsource {
    struct slice category;
    struct slice product;
    struct slice service;
};

/* Words for people; Japanese ones may be empty. */
struct sigma_words {
    struct slice title;
    struct slice title_ja;
    struct slice description;
    struct slice description_ja;
    struct slice action; /* what to look at, where, by when */
    struct slice action_ja;
};

struct sigma_correlation;
struct sigma_filter;

struct sigma_rule {
    enum sigma_kind kind;
    const char *filename;
    uint32_t line;     /* where the document begins */
    struct slice id;   /* the document's id, or its name, or its title where it has neither */
    struct slice name; /* may be empty */
    struct sigma_words words;
    enum sigma_level level;
    bool deprecated;   /* status deprecated or unsupported: loaded, never run */
    struct slice tags; /* blank separated */
    struct sigma_logsource logsource;
    const struct yaml_node *document;
    struct ast *condition;  /* rule: with its filters; filter: as written; correlation: NULL */
    struct ast *unfiltered; /* rule: without its filters; the same where it has none */
    uint32_t *filters;      /* rule: indices of the filters that apply */
    struct ast **hidden;    /* rule: of each of them, the rows that it takes out */
    uint32_t filter_count;
    struct sigma_correlation *correlation;
    struct sigma_filter *filter;
    bool referenced;   /* by a correlation ... */
    bool generated;    /* ... which says that it stands alone, too */
    bool signals;      /* a municipality tells the prefecture of it: a correlation there names it */
    struct ast *scope; /* the formats that its logsource means; NULL: every one */
    bool nowhere;      /* its logsource is none of ours: it never runs */
    struct slice format; /* its logsource is this one, whose own keys are names, too; or empty */
};

/* Placeholder values for the `expand` modifier. */
struct sigma_placeholder {
    struct slice name;
    struct slice *values;
    size_t count;
};

/* How field names are read. */
enum sigma_names {
    SIGMA_NAMES_FIELDS, /* through the field dictionary and its aliases; rules know their sources */
    SIGMA_NAMES_LITERAL, /* as they stand: event.<name> of a batch of format "event" */
};

/* What is known of the logs that are read here; without it nothing is said of them. */
struct sigma_logs {
    /* Is there a format of this name? */
    bool (*format)(struct slice name);
    /* Does any format, or what is derived of it, fill a field of the dictionary? */
    bool (*fills)(uint16_t field);
    /*
     * Key number `at` of a format with keys of its own, and the field that it is, or FIELD_NONE;
     * *unnamed tells whether <format>.<key> may have its value, too. NULL at the end.
     */
    const char *(*key_at)(struct slice format, size_t at, uint16_t *field, bool *unnamed);
};

struct sigma_set {
    struct arena arena;
    enum sigma_names names;
    const struct sigma_logs *logs;                /* or NULL */
    const struct sigma_placeholder *placeholders; /* borrowed */
    size_t placeholder_count;
    int64_t now_ns; /* for the expiry of filters; CLOCK_NONE: none has expired */
    struct sigma_rule *rules;
    uint32_t rule_count;
    uint32_t rule_cap;
    uint32_t *index; /* hash of an id or a name -> rule + 1 */
    uint32_t index_mask;
    uint64_t index_seed;
    uint32_t *order; /* correlations, inner ones first; after sigma_set_link() */
    uint32_t order_count;
    struct diag warnings; /* apart from errors, so that they take no room from them */
    uint32_t warning_count;
    bool faulty;
};

void sigma_set_init(struct sigma_set *set, enum sigma_names names);
void sigma_set_release(struct sigma_set *set);

/* Read the documents of one file. Go on with the next file after ERR_CONF: all errors at once. */
int sigma_set_add(struct sigma_set *set, const char *filename, struct slice text,
                  struct diag *diag);
/* Resolve references between documents; ERR_CONF where this or any sigma_set_add() found an error. */
int sigma_set_link(struct sigma_set *set, struct diag *diag);

/* The document of an id or a name, or NULL. */
struct sigma_rule *sigma_find(const struct sigma_set *set, struct slice reference);
/* Does it give results of its own? */
static inline bool sigma_stands_alone(const struct sigma_rule *rule)
{
    return rule->kind != SIGMA_FILTER && (!rule->referenced || rule->generated);
}

const char *sigma_level_name(enum sigma_level level);
