#include "app/rule_load.h"

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

int rule_load(struct rule_set *out, const struct rule_options *options, struct diag *diag)
{
    struct rule_set rules;
    rule_set_init(&rules, options->names, options->scoped);
    rules.set.now_ns = options->now_ns;
    rules.set.logs = &LOGS;
    int err = 0;
    if (options->placeholders != NULL)
        err = rule_placeholders_read(&rules.set, options->placeholders, diag);
    if (err == 0 && options->lists)
        err = rule_lists_add(&rules.set, options->path, options->record, diag);
    int added = err == 0 ? rule_files_add(&rules.set, options->path, options->record, diag) : err;
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
