#include "app/past.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"

/* Sets that were read from the log's blobs. */
struct read_sets {
    struct read_sets *next;
    struct environment environment;
    struct config *config;
};

struct past {
    struct past_options o;
    struct log_state names; /* what the names mean; nothing else of it is used */
    bool begun;
    bool is_new;
    struct read_sets *sets;
    unsigned count;
};

/* Databases decide what is stored of a row, and prevalence is told by itself. */
static bool is_judged_with(struct slice name)
{
    return !slice_starts(name, SLICE("mmdb.")) && !slice_equal(name, SLICE("prevalence"));
}

int past_new(struct past **out, const struct past_options *options)
{
    static const struct sha256 NONE;
    struct past *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    p->o = *options;
    p->is_new = true;
    int status = log_state_init(&p->names, &NONE);
    if (status != 0) {
        free(p);
        return status;
    }
    p->begun = true;
    *out = p;
    return 0;
}

/* It and what is behind it. */
static void sets_free(struct read_sets *s)
{
    struct read_sets *next = NULL;
    for (; s != NULL; s = next) {
        next = s->next;
        environment_close(&s->environment);
        config_free(s->config);
        free(s);
    }
}

void past_free(struct past *p)
{
    if (p == NULL)
        return;
    sets_free(p->sets);
    if (p->begun)
        log_state_release(&p->names);
    free(p);
}

int past_begin(struct past *p, const struct log_file_header *header)
{
    static const struct sha256 NONE;
    struct log_state names;
    const char *why = NULL;
    int status =
        header == NULL ? log_state_init(&names, &NONE) : log_file_state(&names, header, &why);
    if (status != 0)
        return status;
    log_state_release(&p->names);
    p->names = names;
    p->is_new = true;
    return 0;
}

int past_take(struct past *p, const struct frame_view *frame)
{
    struct frame_items items = frame->envs;
    struct frame_env env;
    int status = 0;
    while (status == 0 && frame_next_env(&env, &items)) {
        const struct frame_env *before = log_state_env(&p->names, env.name);
        if (is_judged_with(env.name) &&
            (before == NULL || !sha256_equal(&before->sha256, &env.sha256)))
            p->is_new = true;
        status = log_state_env_set(&p->names, &env);
    }
    return status;
}

bool past_is_new(const struct past *p)
{
    return p->is_new;
}

unsigned past_count(const struct past *p)
{
    return p->count;
}

static const struct frame_env *find(const void *self, struct slice name)
{
    const struct past *p = self;
    return log_state_env(&p->names, name);
}

bool past_is(const struct past *p, const struct environment *e)
{
    return environment_is(e, find, p);
}

/* The bytes that a name means; none where the log has none. */
static int read_blob(struct past *p, struct slice name, struct buf *out, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct sha256 hash;
    const struct frame_env *env = log_state_env(&p->names, name);
    if (env == NULL || env->bytes == 0)
        return 0;
    int status = store_env_path(path, sizeof(path), p->o.dir, &env->sha256);
    if (status == 0)
        status = file_read_all(out, path, ENVIRONMENT_BLOB_BYTES_MAX);
    if (status == 0)
        status = sha256_of(&hash, buf_content(out));
    if (status == 0 && !sha256_equal(&hash, &env->sha256))
        status = ERR_CORRUPT;
    if (status == 0 || status == ERR_NOMEM)
        return status;
    diag_add(diag, path, 0, 0,
             "%.*s of the log cannot be read: %s; run sekisho verify and restore it from a copy",
             (int)name.len, name.data, err_name(status));
    return ERR_CONF;
}

/* For lists and the rest of an environment. */
struct origin {
    struct past *past;
    struct diag *diag;
};

static int read_named(void *self, struct slice name, struct buf *out)
{
    struct origin *o = self;
    return read_blob(o->past, name, out, o->diag);
}

static int read_sets(struct past *p, struct read_sets *s, struct diag *diag)
{
    char suffixes[FILE_PATH_BYTES_MAX];
    struct origin origin = {.past = p, .diag = diag};
    const struct frame_env *env = log_state_env(&p->names, SLICE("public_suffix_list"));
    struct environment_origin from = {.read = read_named, .self = &origin};
    struct buf bytes = {0};
    if (env != NULL && env->bytes != 0 &&
        store_env_path(suffixes, sizeof(suffixes), p->o.dir, &env->sha256) == 0) {
        from.suffixes = env;
        from.suffixes_path = suffixes;
    }
    int status = read_blob(p, SLICE("config"), &bytes, diag);
    if (status == 0)
        status = config_load_past(&s->config, buf_content(&bytes), diag);
    if (status == 0)
        status = environment_open_past(&s->environment, s->config, &from, diag);
    buf_release(&bytes);
    return status;
}

static struct watch_sets sets_of(const struct environment *e)
{
    return (struct watch_sets){.config = e->config, .indicators = e->indicators, .rules = e->rules};
}

/* Put the sets that are in force before the others; false where they were not read. */
static bool bring_forward(struct past *p)
{
    for (struct read_sets **place = &p->sets; *place != NULL; place = &(*place)->next) {
        struct read_sets *s = *place;
        if (!past_is(p, &s->environment))
            continue;
        *place = s->next;
        s->next = p->sets;
        p->sets = s;
        return true;
    }
    return false;
}

/* Read them; the ones before may be in use still, those before these are not. */
static int read_next(struct past *p, struct diag *diag)
{
    struct read_sets *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    int status = read_sets(p, s, diag);
    if (status != 0) {
        sets_free(s);
        return status;
    }
    if (p->sets != NULL) {
        sets_free(p->sets->next);
        p->sets->next = NULL;
    }
    s->next = p->sets;
    p->sets = s;
    p->count++;
    return 0;
}

int past_sets(struct past *p, struct watch_sets *out, struct diag *diag)
{
    for (size_t i = 0; i < sizeof(p->o.loaded) / sizeof(p->o.loaded[0]); i++) {
        if (p->o.loaded[i] != NULL && past_is(p, p->o.loaded[i])) {
            *out = sets_of(p->o.loaded[i]);
            p->is_new = false;
            return 0;
        }
    }
    int status = bring_forward(p) ? 0 : read_next(p, diag);
    p->is_new = false;
    if (status != 0)
        return status == ERR_NOMEM ? status : ERR_CONF;
    *out = sets_of(&p->sets->environment);
    return 0;
}
