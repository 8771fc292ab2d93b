/*
 * app/sample_rules.h - which rules can hold for a sample, and what the others lack.
 *
 * Ownership: sample_rules_close() frees; the items borrow of it.
 * Threads:   one owner.
 * Failures:  ERR_CONF with diagnoses for rules that cannot be read, ERR_NOMEM; ERR_RANGE past the
 *            limits of app/rule_needs.h.
 */
#pragma once

#include "app/rule_reach.h"
#include "event/batch.h"

struct sample_rules;

struct sample_rule {
    struct slice id;
    struct slice name; /* may be empty */
    struct slice title;
    bool correlation;
    bool needs_networks; /* it binds when the municipality's zones and assets are configured */
    enum reach reach;
    struct slice lacks; /* REACH_FIELDS: "url.domain and (url.path or url.query)" */
};

int sample_rules_open(struct sample_rules **out, const char *path, int64_t now_ns,
                      struct diag *diag);
void sample_rules_close(struct sample_rules *r);

/* Count a batch of the sample; its municipality, source and format are what rules may ask for. */
int sample_rules_take(struct sample_rules *r, const struct batch *b);
/* Behind the last batch: all that are no filters, in the order of the set. */
int sample_rules_judge(struct sample_rules *r, const struct sample_rule **items, uint32_t *count);
