#include "app/rule_load.h"

#include <string.h>

#include "app/rule_files.h"
#include "base/err.h"
#include "ingest/ingest.h"

static bool logs_format(struct slice name)
{
    return parser_find(name) != NULL;
}

static const char *logs_key_at(struct slice format, size_t at, uint16_t *field, bool *unnamed)
{
    const struct parser *p = parser_find(format);
    return p == NULL || p->key_at == NULL ? NULL : p->key_at(at, field, unnamed);
}

static const struct sigma_logs LOGS = {
    .format = logs_format,
    .fills = parser_fills,
    .key_at = logs_key_at,
};

static int add_files(struct sigma_set *set, const struct rule_options *options, struct diag *diag)
{
    if (options->path == NULL)
        return rule_record_add(set, options->recorded, diag);
    return rule_files_add(set, options->path, options->record, diag);
}

int rule_load(struct rule_set *out, const struct rule_options *options, struct diag *diag)
{
    struct rule_set rules;
    rule_set_init(&rules, options->names, options->scoped);
    rules.set.now_ns = options->now_ns;
    rules.set.logs = &LOGS;
    int err = 0;
    if (options->placeholders != NULL)
        err = rule_placeholders_read(&rules.set, options->placeholders, diag);
    if (err == 0 && options->lists && options->path != NULL)
        err = rule_lists_add(&rules.set, options->path, options->record, diag);
    int added = err == 0 ? add_files(&rules.set, options, diag) : err;
    err = added == 0 || added == ERR_CONF ? rule_set_compile(&rules, diag) : added;
    if (err == 0)
        err = added;
    if (err == 0 && options->needs_rules && rules.set.rule_count == 0) {
        diag_add(diag, options->path, 0, 0,
                 "has no rules; name a file of Sigma documents, or a "
                 "folder with *.yml files");
        err = ERR_CONF;
    }
    if (rules.set.warnings.count != 0)
        diag_add_all(diag, &rules.set.warnings);
    if (err != 0) {
        rule_set_release(&rules);
        return err;
    }
    *out = rules;
    return 0;
}

struct rule_counts rule_count(const struct rule_set *rules)
{
    struct rule_counts c = {0};
    const char *file = "";
    if (rules == NULL)
        return c;
    const struct sigma_set *set = &rules->set;
    for (uint32_t i = 0; i < set->rule_count; i++) {
        const struct sigma_rule *rule = &set->rules[i];
        c.files += strcmp(rule->filename, file) != 0;
        file = rule->filename;
        c.rules += rule->kind == SIGMA_RULE;
        c.correlations += rule->kind == SIGMA_CORRELATION;
        c.filters += rule->kind == SIGMA_FILTER;
        c.idle += rule->kind == SIGMA_RULE && (rule->deprecated || rule->nowhere);
    }
    for (size_t i = 0; i < set->placeholder_count; i++)
        c.values += set->placeholders[i].count;
    c.lists = set->placeholder_count;
    return c;
}
