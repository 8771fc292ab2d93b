#include "app/environment.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

/* Sigma rules and the lists beside them; errors of all files at once. */
static int load_rules(struct environment *e, const char *path, struct diag *diag)
{
    const struct rule_options options = {.path = path,
                                         .lists = true,
                                         .names = SIGMA_NAMES_FIELDS,
                                         .scoped = true,
                                         .now_ns = CLOCK_NONE,
                                         .record = &e->rule_bytes};
    if (path == NULL)
        return 0;
    struct rule_set *rules = calloc(1, sizeof(*rules));
    int status = rules == NULL ? ERR_NOMEM : rule_load(rules, &options, diag);
    if (status != 0) {
        free(rules);
        return status;
    }
    e->rules = rules;
    return 0;
}

int environment_open(struct environment *out, const struct config *config, const char *rules,
                     struct diag *diag)
{
    struct environment e = {0};
    const char *country = config_path(config, "mmdb.country");
    const char *asn = config_path(config, "mmdb.asn");
    if ((country != NULL || asn != NULL) && geo_open(&e.geo, country, asn) != 0) {
        diag_add(
            diag, country != NULL ? country : asn, 0, 0,
            "no readable MaxMind database; give the path of an .mmdb file or leave the key out");
        return ERR_CONF;
    }
    const char *suffixes = config_path(config, "public_suffix_list");
    if (domain_open(&e.domains, suffixes) != 0) {
        diag_add(diag, suffixes != NULL ? suffixes : "public_suffix_list", 0, 0,
                 "no readable public suffix list; install the package publicsuffix or give a path");
        environment_close(&e);
        return ERR_CONF;
    }
    int status = lists_read(&e.lists, config, diag);
    if (status == 0)
        status = lists_build(&e.indicators, &e.lists, e.domains, diag);
    if (status == 0 && e.lists.count > ENVIRONMENT_LISTS_MAX) {
        diag_add(diag, "lists", 0, 0, "more than %d lists; join some of them",
                 ENVIRONMENT_LISTS_MAX);
        status = ERR_CONF;
    }
    if (status == 0)
        status = load_rules(&e, rules != NULL ? rules : config_path(config, "rules"), diag);
    if (status != 0) {
        environment_close(&e);
        return status;
    }
    e.feed = (struct feed_environment){.geo = e.geo, .domains = e.domains};
    *out = e;
    return 0;
}

void environment_close(struct environment *e)
{
    lists_release(&e->lists);
    if (e->rules != NULL)
        rule_set_release(e->rules);
    free(e->rules);
    buf_release(&e->rule_bytes);
    indicator_set_free(e->indicators);
    arena_release(&e->names);
    geo_close(e->geo);
    domain_close(e->domains);
    *e = (struct environment){0};
}

/* Put one blob; it is listed where the log names another content, or none. */
static int record_blob(struct store *store, struct slice name, struct slice content,
                       struct frame_env *envs, size_t *count)
{
    struct frame_env env;
    struct frame_env before;
    int status = store_env_put(store, &env, name, content);
    if (status != 0)
        return status;
    if (store_env_current(store, &before, name) == 0 &&
        memcmp(&before.sha256, &env.sha256, sizeof(env.sha256)) == 0)
        return 0;
    envs[(*count)++] = env;
    return 0;
}

/* The lists as they were read, whatever the files have become. */
static int record_lists(struct environment *e, struct store *store, struct arena *names,
                        struct frame_env *envs, size_t *count)
{
    int status = 0;
    for (size_t i = 0; i < e->lists.count && status == 0; i++) {
        const struct list_file *file = &e->lists.files[i];
        struct buf name = {0};
        buf_text(&name, "list/");
        buf_slice(&name, file->source.name);
        const char *kept = arena_copy(names, buf_content(&name));
        status = kept == NULL ? ERR_NOMEM
                              : record_blob(store, slice_of(kept, name.len),
                                            buf_content(&file->content), envs, count);
        buf_release(&name);
    }
    lists_release(&e->lists);
    return status;
}

int environment_record(struct environment *e, struct store *store, const struct config *config,
                       struct frame_env *envs, size_t *count)
{
    static const struct {
        struct slice name;
        const char *key;
    } FILES[] = {
        {{.data = "mmdb.country", .len = 12}, "mmdb.country"},
        {{.data = "mmdb.asn", .len = 8}, "mmdb.asn"},
        {{.data = "public_suffix_list", .len = 18}, "public_suffix_list"},
    };
    *count = 0;
    int status = record_blob(store, SLICE("config"), config_bytes(config), envs, count);
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]) && status == 0; i++) {
        const char *path = config_path(config, FILES[i].key);
        struct buf content = {0};
        if (path == NULL)
            continue;
        status = file_read_all(&content, path, ENVIRONMENT_BLOB_BYTES_MAX);
        if (status == 0)
            status = record_blob(store, FILES[i].name, buf_content(&content), envs, count);
        buf_release(&content);
    }
    if (status == 0 && e->rule_bytes.len != 0)
        status = record_blob(store, SLICE("rules"), buf_content(&e->rule_bytes), envs, count);
    buf_release(&e->rule_bytes);
    return status == 0 ? record_lists(e, store, &e->names, envs, count) : status;
}
