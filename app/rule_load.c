#include "app/rule_load.h"

#include "app/rule_files.h"
#include "base/err.h"

int rule_load(struct rule_set *out, const struct rule_options *options, struct diag *diag)
{
    struct rule_set rules;
    rule_set_init(&rules, options->names, options->scoped);
    rules.set.now_ns = options->now_ns;
    int err = 0;
    if (options->placeholders != NULL)
        err = rule_placeholders_read(&rules.set, options->placeholders, diag);
    if (err == 0 && options->lists)
        err = rule_lists_add(&rules.set, options->path, options->record, diag);
    int added = err == 0 ? rule_files_add(&rules.set, options->path, options->record, diag) : err;
    err = added == 0 || added == ERR_CONF ? rule_set_compile(&rules, diag) : added;
    if (err == 0)
        err = added;
    if (rules.set.warnings.count != 0)
        diag_add_all(diag, &rules.set.warnings);
    if (err != 0) {
        rule_set_release(&rules);
        return err;
    }
    *out = rules;
    return 0;
}
