/*
 * app/rule_load.h - rules from files and folders, made into a set that batches can be asked.
 *
 * Ownership: rule_set_release() frees what was loaded.
 * Failures:  ERR_CONF with diagnoses for all errors of all files, ERR_NOMEM.
 */
#pragma once

#include "detect/detect.h"

/* How rules are read and which of them run. */
struct rule_options {
    const char *path;         /* NULL: `recorded` has the files */
    struct slice recorded;    /* as `record` got them */
    const char *placeholders; /* a file, or NULL */
    bool lists;               /* placeholders also from the folder `lists` beside the rules */
    enum sigma_names names;
    bool needs_rules;   /* none at all is an error */
    bool scoped;        /* only on the logs that their logsource means */
    int64_t now_ns;     /* a filter that ended before is an error; CLOCK_NONE: none is */
    struct buf *record; /* the bytes of all files (app/rule_files.h), or NULL */
};

int rule_load(struct rule_set *out, const struct rule_options *options, struct diag *diag);

/* What a set holds. */
struct rule_counts {
    size_t files; /* with documents */
    size_t rules;
    size_t correlations;
    size_t filters;
    size_t idle;  /* rules that never run: deprecated, or of logs that there are none of */
    size_t lists; /* of values for placeholders */
    size_t values;
};
/* NULL: none. */
struct rule_counts rule_count(const struct rule_set *rules);
