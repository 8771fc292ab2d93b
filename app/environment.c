#include "app/environment.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

/* Sigma rules and the lists beside them; errors of all files at once. */
static int load_rules(struct environment *e, const struct rule_options *what, struct diag *diag)
{
    struct rule_options options = *what;
    options.lists = true;
    options.names = SIGMA_NAMES_FIELDS;
    options.scoped = true;
    if (options.path == NULL && options.recorded.len == 0)
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

static int open_suffixes(struct environment *e, const char *path, struct diag *diag)
{
    int status = domain_open(&e->domains, path);
    if (status == 0 || status == ERR_NOMEM)
        return status;
    diag_add(diag, path != NULL ? path : "public_suffix_list", 0, 0,
             "no readable public suffix list%s; install the package publicsuffix or give a path",
             status == ERR_FORMAT  ? ": it names neither com nor jp, or is cut off"
             : status == ERR_RANGE ? ": too large"
                                   : "");
    return ERR_CONF;
}

static int open_databases(struct environment *e, const struct config *config, struct diag *diag)
{
    const char *country = config_path(config, "mmdb.country");
    const char *asn = config_path(config, "mmdb.asn");
    if (country == NULL && asn == NULL)
        return 0;
    int status = geo_open(&e->geo, country, asn, diag);
    return status == 0 || status == ERR_NOMEM || status == ERR_AGAIN ? status : ERR_CONF;
}

static int open_lists(struct environment *e, const struct lists_origin *origin, struct diag *diag)
{
    int status = lists_read_from(&e->lists, e->config, origin, diag);
    if (status == 0)
        status = lists_build(&e->indicators, &e->lists, e->domains, diag);
    if (status == 0 && e->lists.count > ENVIRONMENT_LISTS_MAX) {
        diag_add(diag, "lists", 0, 0, "more than %d lists; join some of them",
                 ENVIRONMENT_LISTS_MAX);
        status = ERR_CONF;
    }
    return status;
}

/* --- names --- */

static int name_judged(struct environment *e, const char *prefix, struct slice name,
                       struct slice content, const struct sha256 *hash)
{
    struct buf full = {0};
    struct frame_env *env = &e->judged[e->judged_count];
    buf_text(&full, prefix);
    buf_slice(&full, name);
    const char *kept = arena_copy(&e->names, buf_content(&full));
    *env = (struct frame_env){.name = slice_of(kept, full.len), .bytes = content.len};
    buf_release(&full);
    if (kept == NULL)
        return ERR_NOMEM;
    if (hash != NULL)
        env->sha256 = *hash;
    int status = hash != NULL ? 0 : sha256_of(&env->sha256, content);
    e->judged_count += status == 0;
    return status;
}

static int name_suffixes(struct environment *e)
{
    return name_judged(e, "", SLICE("public_suffix_list"), domain_content(e->domains), NULL);
}

static int name_parts(struct environment *e, struct slice rules)
{
    e->judged = calloc(3 + e->lists.count, sizeof(*e->judged));
    if (e->judged == NULL)
        return ERR_NOMEM;
    int status = name_judged(e, "", SLICE("config"), config_bytes(e->config), NULL);
    if (status == 0)
        status = name_judged(e, "", SLICE("rules"), rules, NULL);
    for (size_t i = 0; i < e->lists.count && status == 0; i++) {
        const struct list_file *f = &e->lists.files[i];
        status = name_judged(e, "list/", f->source.name, f->source.content, &f->hash);
    }
    return status;
}

bool environment_is(const struct environment *e,
                    const struct frame_env *(*find)(const void *self, struct slice name),
                    const void *self)
{
    assert(e->judged_count != 0);
    for (size_t i = 0; i < e->judged_count; i++) {
        const struct frame_env *env = &e->judged[i];
        const struct frame_env *other = find(self, env->name);
        if (other == NULL ? env->bytes != 0 : !sha256_equal(&other->sha256, &env->sha256))
            return false;
    }
    return true;
}

static int open_now(struct environment *out, const struct config *config,
                    const struct rule_options *rules, struct diag *diag)
{
    struct environment e = {.config = config};
    struct rule_options what = *rules;
    what.record = &e.rule_bytes;
    if (what.path == NULL)
        what.path = config_path(config, "rules");
    int status = open_databases(&e, config, diag);
    if (status == 0)
        status = open_suffixes(&e, config_path(config, "public_suffix_list"), diag);
    if (status == 0)
        status = open_lists(&e, NULL, diag);
    if (status == 0)
        status = load_rules(&e, &what, diag);
    if (status == 0)
        status = name_parts(&e, buf_content(&e.rule_bytes));
    if (status == 0)
        status = name_suffixes(&e);
    if (status != 0) {
        environment_close(&e);
        return status;
    }
    e.feed = (struct feed_environment){.geo = e.geo, .domains = e.domains};
    *out = e;
    return 0;
}

int environment_open_databases(struct environment *out, const struct config *config,
                               struct diag *diag)
{
    struct environment e = {.config = config};
    int status = open_databases(&e, config, diag);
    if (status == 0)
        status = open_suffixes(&e, config_path(config, "public_suffix_list"), diag);
    if (status != 0) {
        environment_close(&e);
        return status;
    }
    e.feed = (struct feed_environment){.geo = e.geo, .domains = e.domains};
    *out = e;
    return 0;
}

int environment_open(struct environment *out, const struct config *config, const char *rules,
                     struct diag *diag)
{
    const struct rule_options what = {.path = rules, .now_ns = CLOCK_NONE};
    return open_now(out, config, &what, diag);
}

int environment_check(struct environment *out, const struct config *config, int64_t now_ns,
                      struct diag *diag)
{
    const struct rule_options what = {.now_ns = now_ns};
    return open_now(out, config, &what, diag);
}

/* Adapts a log's names to those of lists. */
static int read_list(void *self, struct slice name, struct buf *out)
{
    const struct environment_origin *origin = self;
    struct buf full = {0};
    buf_text(&full, "list/");
    buf_slice(&full, name);
    int status = buf_ok(&full) ? origin->read(origin->self, buf_content(&full), out) : ERR_NOMEM;
    buf_release(&full);
    return status;
}

int environment_open_past(struct environment *out, const struct config *config,
                          const struct environment_origin *origin, struct diag *diag)
{
    struct environment e = {.config = config};
    struct environment_origin from = *origin;
    const struct lists_origin lists = {.read = read_list, .self = &from};
    bool named = origin->suffixes != NULL;
    struct buf rules = {0};
    int status = open_suffixes(&e, named ? origin->suffixes_path : NULL, diag);
    if (status == 0)
        status = open_lists(&e, &lists, diag);
    if (status == 0)
        status = origin->read(origin->self, SLICE("rules"), &rules);
    const struct rule_options what = {.recorded = buf_content(&rules), .now_ns = CLOCK_NONE};
    if (status == 0)
        status = load_rules(&e, &what, diag);
    if (status == 0)
        status = name_parts(&e, buf_content(&rules));
    if (status == 0 && named)
        status = name_judged(&e, "", origin->suffixes->name, SLICE(""), &origin->suffixes->sha256);
    buf_release(&rules);
    if (status != 0) {
        environment_close(&e);
        return status;
    }
    lists_release(&e.lists);
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
    free(e->judged);
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

static const struct frame_env *find_current(const void *self, struct slice name)
{
    return store_env_find(self, name);
}

bool environment_is_current(const struct environment *e, const struct store *store)
{
    return environment_is(e, find_current, store);
}

/* The lists as they were read, whatever the files have become. */
static int record_lists(struct environment *e, struct store *store, struct frame_env *envs,
                        size_t *count)
{
    int status = 0;
    for (size_t i = 0; i < e->lists.count && status == 0; i++) {
        const struct list_file *file = &e->lists.files[i];
        struct buf name = {0};
        buf_text(&name, "list/");
        buf_slice(&name, file->source.name);
        const char *kept = arena_copy(&e->names, buf_content(&name));
        status = kept == NULL ? ERR_NOMEM
                              : record_blob(store, slice_of(kept, name.len),
                                            buf_content(&file->content), envs, count);
        buf_release(&name);
    }
    return status;
}

/* A blob that was put before, where the log has come to name another one; or none, where there was none. */
static int record_again(struct store *store, const struct frame_env *env, struct frame_env *envs,
                        size_t *count)
{
    const struct frame_env *now = store_env_find(store, env->name);
    if (now == NULL ? env->bytes == 0 : sha256_equal(&now->sha256, &env->sha256))
        return 0;
    if (env->bytes == 0)
        return record_blob(store, env->name, SLICE(""), envs, count);
    envs[(*count)++] = *env;
    return 0;
}

static int record_all_again(const struct environment *e, struct store *store,
                            struct frame_env *envs, size_t *count)
{
    int status = 0;
    for (size_t i = 0; i < e->judged_count && status == 0; i++)
        status = record_again(store, &e->judged[i], envs, count);
    for (size_t i = 0; i < e->database_count && status == 0; i++)
        status = record_again(store, &e->databases[i], envs, count);
    return status;
}

/* What is looked up nowhere any more becomes empty, where the log names it. */
static int record_database(struct environment *e, struct store *store, struct slice name,
                           struct slice content, struct frame_env *envs, size_t *count)
{
    struct frame_env *env = &e->databases[e->database_count];
    if (content.len == 0 && store_env_find(store, name) == NULL)
        return 0;
    int status = store_env_put(store, env, name, content);
    e->database_count += status == 0;
    return status == 0 ? record_again(store, env, envs, count) : status;
}

/* What is in force, whatever the files have become. */
static int record_databases(struct environment *e, struct store *store, struct frame_env *envs,
                            size_t *count)
{
    struct slice country = e->geo == NULL ? SLICE("") : geo_content(e->geo, GEO_COUNTRY);
    struct slice asn = e->geo == NULL ? SLICE("") : geo_content(e->geo, GEO_ASN);
    int status = record_database(e, store, SLICE("mmdb.country"), country, envs, count);
    return status == 0 ? record_database(e, store, SLICE("mmdb.asn"), asn, envs, count) : status;
}

static int record_suffixes(struct environment *e, struct store *store, struct frame_env *envs,
                           size_t *count)
{
    const struct slice name = SLICE("public_suffix_list");
    struct slice content = domain_content(e->domains);
    if (content.len == 0 && store_env_find(store, name) == NULL)
        return 0;
    return record_blob(store, name, content, envs, count);
}

int environment_record(struct environment *e, struct store *store, const struct config *config,
                       struct frame_env *envs, size_t *count)
{
    *count = 0;
    if (e->recorded)
        return record_all_again(e, store, envs, count);
    e->database_count = 0;
    int status = record_blob(store, SLICE("config"), config_bytes(config), envs, count);
    if (status == 0)
        status = record_databases(e, store, envs, count);
    if (status == 0)
        status = record_suffixes(e, store, envs, count);
    if (status == 0 && (e->rule_bytes.len != 0 || store_env_find(store, SLICE("rules")) != NULL))
        status = record_blob(store, SLICE("rules"), buf_content(&e->rule_bytes), envs, count);
    if (status == 0)
        status = record_lists(e, store, envs, count);
    buf_release(&e->rule_bytes);
    lists_release(&e->lists);
    e->recorded = status == 0;
    return status;
}
