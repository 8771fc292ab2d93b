/*
 * app/config.h - the configuration file as what the collector needs.
 *
 * Ownership: a struct config owns everything below it.
 * Threads:   immutable after config_load().
 * Failures:  ERR_CONF with every fault of the file in the diagnosis, in one pass.
 */
#pragma once

#include "base/conf.h"
#include "detect/detect.h"
#include "ingest/ingest.h"

struct config;

/* What is known of one source of one municipality. */
struct config_source {
    uint16_t format;               /* enum format; FORMAT_AUTO by the look of each line */
    const struct template *layout; /* of FORMAT_TEMPLATE, else NULL */
    int32_t zone_minutes;
    enum charset encoding;
    enum source_class class;
    const struct zone_table *networks; /* or NULL */
    struct feed_names names;
};

/* Read and check a file; NULL as path gives the defaults without `data` and without municipalities. */
int config_load(struct config **out, const char *path, struct diag *diag);
/*
 * The same from bytes that a log names: what rows are judged with. No other file is looked at, so the
 * formats of sources are not known. `bytes` may be empty.
 */
int config_load_past(struct config **out, struct slice bytes, struct diag *diag);
void config_free(struct config *c);

/* The scalars, by the paths of app/config.def. */
const struct conf_node *config_root(const struct config *c);
/* The same with its file, for conf_resolve() and conf_error(). */
const struct conf *config_conf(const struct config *c);
/* The text of a path-typed key as seen from the file's directory; NULL when not given. */
const char *config_path(const struct config *c, const char *key);
/* The file's own bytes, empty without a file. */
struct slice config_bytes(const struct config *c);

/* The answer for any source, listed or not. */
void config_source(const struct config *c, uint32_t tenant, struct slice source,
                   struct config_source *out);
/* What detection has to know of it; the texts and tables are the configuration's. */
void config_profile(const struct config *c, uint32_t tenant, struct detect_profile *out);
/* Municipalities that are listed, and the code of each, ascending. */
size_t config_tenant_count(const struct config *c);
uint32_t config_tenant_code(const struct config *c, size_t index);
/* The municipality's name, or "" when it is not listed; of 0 that of all of them together. */
const char *config_tenant_name(const struct config *c, uint32_t tenant);

/*
 * A format as written: a name, "auto", or "template:FILE"; the layout of a file is read and kept.
 * ERR_CONF with a finding that says what is wrong and which formats there are.
 */
int config_format(struct config *c, struct slice text, uint16_t *format,
                  const struct template **layout, struct diag *diag);

/* Whether the municipality's segments are to be sealed. */
bool config_encrypts(const struct config *c, uint32_t tenant);

/* The example file and the manual page's list of keys. */
void config_print_example(struct buf *out);
void config_print_man(struct buf *out);
