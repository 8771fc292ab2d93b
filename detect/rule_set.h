/*
 * detect/rule_set.h - Sigma documents as detection uses them: one predicate, and the words of each.
 *
 *   rule_set_init(), sigma_set_add(&rules->set, ...) for each file, rule_set_compile()
 *
 * What a rule says beside Sigma stands under `sekisho`:
 *
 *   sekisho:
 *     group-by: [source.ip, url.registered_domain]   # default: source.ip
 *     window: 1h                                      # hits nearer than this are one alert
 *
 * Ownership: the set owns documents, trees, texts and the predicate.
 * Threads:   immutable once compiled.
 * Failures:  ERR_CONF with diagnoses, ERR_NOMEM. A zeroed struct may be released.
 */
#pragma once

#include "detect/detector.h"
#include "detect/signal.h"
#include "event/pred.h"

enum rule_limits {
    RULE_KEYS_MAX = FINDING_KEYS_MAX,
    RULE_SHOWN_MAX = 16, /* values in an alert, keys included */
};

/* What an alert of a rule is told with. */
struct rule_entry {
    uint64_t key; /* of its id, never 0 */
    const char *id;
    struct detector_text text;
    struct signal_fields fields; /* the keys, then what is shown beside them */
    uint32_t key_count;
    int64_t window_ns;
};

/* A filter of a rule. */
struct rule_filter {
    uint32_t rule; /* indices of documents */
    uint32_t filter;
};

struct rule_set {
    struct sigma_set set;
    bool scoped;                 /* only on the logs that their logsource means */
    struct pred *pred;           /* NULL: no rules */
    uint32_t *rules;             /* expression -> index of the rule */
    bool prefecture;             /* there are correlations over municipalities */
    uint32_t rule_count;         /* expressions of rules; behind them those of `filters` */
    struct rule_filter *filters; /* each expression holds for the rows that it takes out */
    uint32_t filter_count;
    struct signal_fields fields; /* that correlations ask for */
    struct rule_entry *entries;  /* by index of the document */
};

void rule_set_init(struct rule_set *rules, enum sigma_names names, bool scoped);
int rule_set_compile(struct rule_set *rules, struct diag *diag);
void rule_set_release(struct rule_set *rules);

/* One rule as a predicate by itself, with its filters and on the logs that it means. */
int rule_set_pred(struct pred **out, struct rule_set *rules, const struct sigma_rule *rule,
                  struct diag *diag);

/* Several rules as one predicate each way: any of them; and an expression for each, in their order. */
int rule_set_preds(struct pred **any, struct pred **each, struct rule_set *rules,
                   const uint32_t *wanted, uint32_t count, struct diag *diag);
/* How many of the hits of `pred` are of rules; those behind them are of `filters`. */
size_t rule_set_split(const struct rule_set *rules, const struct hits *hits);

/*
 * What one of its filters takes out of a rule, by the filter's place in the rule: a tree in the
 * set's arena, or NULL without memory.
 */
const struct ast *rule_set_hidden(struct rule_set *rules, const struct sigma_rule *rule,
                                  uint32_t place);

/* The entry of a key, or NULL: a rule that was there before and is no more. */
const struct rule_entry *rule_set_find(const struct rule_set *rules, uint64_t key);
