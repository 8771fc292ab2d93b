#include "app/lists.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

static bool domain_is_listed(const void *context, const char *name)
{
    const struct domain_list *suffixes = context;
    return domain_is_suffix(suffixes, name);
}

static struct slice node_text(const struct conf_node *list, const char *key)
{
    const char *text = conf_text(list, key);
    return text == NULL ? SLICE("") : slice_from(text);
}

/* A date alone is its first moment in UTC. */
static int read_expires(int64_t *out, struct slice text)
{
    struct buf full = {0};
    buf_slice(&full, text);
    if (text.len == sizeof("2026-11-21") - 1)
        buf_text(&full, "T00:00:00Z");
    int status = buf_ok(&full) ? clock_parse(out, buf_content(&full)) : ERR_NOMEM;
    buf_release(&full);
    return status;
}

/* What a word of the configuration means: one more for lines. */
static enum indicator_format format_of(int64_t choice)
{
    return choice == INDICATOR_FORMATS ? INDICATOR_FORMAT_LINES : (enum indicator_format)choice;
}

/* Keys that the list's format does not know. */
static void check_keys(const struct list_file *f, const struct config *config, struct diag *diag)
{
    const struct indicator_source *s = &f->source;
    bool feed = s->format == INDICATOR_FORMAT_MISP || s->format == INDICATOR_FORMAT_STIX;
    if (feed && s->type != INDICATOR_TYPE_AUTO)
        conf_error(config_conf(config), conf_find(f->node, "type"), diag,
                   "a feed in JSON says itself what its entries are; leave the type out");
    if (s->format == INDICATOR_FORMAT_CSV)
        return;
    if (s->column.len != 0) {
        conf_error(config_conf(config), conf_find(f->node, "column"), diag,
                   "%s has no columns; give it the format csv",
                   feed ? "a feed in JSON" : "a list of lines");
    }
    if (feed && s->expiry_column.len != 0)
        conf_error(config_conf(config), conf_find(f->node, "expiry_column"), diag,
                   "a feed in JSON has no columns; leave the key out");
}

static int describe_source(struct list_file *f, const struct config *config, struct diag *diag)
{
    struct slice version = node_text(f->node, "version");
    f->source = (struct indicator_source){
        .name = node_text(f->node, "name"),
        .content = buf_content(&f->content),
        .path = buf_string(&f->path),
        .type = (enum indicator_type)conf_int(f->node, "type"),
        .format = format_of(conf_int(f->node, "format")),
        .column = node_text(f->node, "column"),
        .expiry_column = node_text(f->node, "expiry_column"),
        .expires_ns = INT64_MAX,
    };
    const struct conf_node *expires = conf_find(f->node, "expires");
    if (expires != NULL && expires->text.len != 0) {
        int status = read_expires(&f->source.expires_ns, expires->text);
        if (status == ERR_FORMAT) {
            conf_error(config_conf(config), expires, diag,
                       "\"%s\" is no time; write 2026-11-21 or 2026-11-21T10:00:00+09:00",
                       expires->text.data);
        } else if (status != 0) {
            return status;
        }
    }
    check_keys(f, config, diag);
    int status = sha256_of(&f->hash, f->source.content);
    if (status != 0)
        return status;
    sha256_hex(f->version, &f->hash);
    f->source.version = version.len != 0 ? version : slice_of(f->version, LISTS_VERSION_DIGITS);
    return 0;
}

static int read_content(struct list_file *f, const struct lists_origin *origin)
{
    if (origin != NULL)
        return origin->read(origin->self, node_text(f->node, "name"), &f->content);
    return file_read_all(&f->content, buf_string(&f->path), LISTS_FILE_BYTES_MAX);
}

static int read_file(struct list_file *f, const struct config *config,
                     const struct lists_origin *origin, struct diag *diag)
{
    const struct conf_node *file = conf_find(f->node, "file");
    conf_resolve(&f->path, config_conf(config), conf_text(f->node, "file"));
    int status = read_content(f, origin);
    if (status == ERR_NOMEM)
        return status;
    if (status == ERR_RANGE) {
        conf_error(config_conf(config), file, diag, "%s has more than %d MiB", buf_string(&f->path),
                   LISTS_FILE_BYTES_MAX >> 20);
    } else if (status != 0) {
        conf_error(config_conf(config), file, diag,
                   "cannot read %s; give the path of a file, relative to this one",
                   buf_string(&f->path));
    }
    return describe_source(f, config, diag);
}

/* Alerts tell lists by name, so each has its own. */
static void check_name(const struct lists *l, const struct config *config, struct diag *diag)
{
    const struct list_file *last = &l->files[l->count - 1];
    for (const struct list_file *f = l->files; f < last; f++) {
        if (slice_equal(f->source.name, last->source.name)) {
            conf_error(config_conf(config), conf_find(last->node, "name"), diag,
                       "another list has the name \"%.*s\"", (int)last->source.name.len,
                       last->source.name.data);
            return;
        }
    }
}

int lists_read(struct lists *out, const struct config *config, struct diag *diag)
{
    return lists_read_from(out, config, NULL, diag);
}

int lists_read_from(struct lists *out, const struct config *config,
                    const struct lists_origin *origin, struct diag *diag)
{
    const struct conf_node *section = conf_find(config_root(config), "lists");
    struct lists l = {0};
    size_t before = diag->count;
    int status = 0;
    size_t count = section == NULL ? 0 : section->count;
    if (count > INDICATOR_LISTS_MAX) {
        conf_error(config_conf(config), section, diag, "more than %d lists", INDICATOR_LISTS_MAX);
        return ERR_CONF;
    }
    l.files = calloc(count + 1, sizeof(*l.files));
    if (l.files == NULL)
        return ERR_NOMEM;
    for (const struct conf_node *n = section == NULL ? NULL : section->first;
         n != NULL && status == 0; n = n->next) {
        struct list_file *f = &l.files[l.count++];
        f->node = n;
        status = read_file(f, config, origin, diag);
        if (status == 0)
            check_name(&l, config, diag);
    }
    if (status == 0 && diag->count != before)
        status = ERR_CONF;
    if (status != 0) {
        lists_release(&l);
        return status;
    }
    *out = l;
    return 0;
}

/* --- a list of the command line --- */

/* The words behind a file's name. */
static const struct list_word {
    const char *word;
    enum indicator_format format;
    enum indicator_type type;
} WORDS[] = {
    {"plain", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_AUTO},
    {"lines", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_AUTO},
    {"csv", INDICATOR_FORMAT_CSV, INDICATOR_TYPE_AUTO},
    {"misp", INDICATOR_FORMAT_MISP, INDICATOR_TYPE_AUTO},
    {"stix", INDICATOR_FORMAT_STIX, INDICATOR_TYPE_AUTO},
    {"address", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_ADDRESS},
    {"network", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_NETWORK},
    {"address_port", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_ADDRESS_PORT},
    {"domain", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_DOMAIN},
    {"url", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_URL},
    {"path", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_PATH},
    {"agent", INDICATOR_FORMAT_LINES, INDICATOR_TYPE_AGENT},
};

static const struct list_word *word_of(struct slice text)
{
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_equal(text, slice_from(WORDS[i].word)))
            return &WORDS[i];
    }
    return NULL;
}

/* By the look of a file: JSON with objects is STIX, other JSON is MISP. */
static enum indicator_format guess_format(struct slice content, struct slice path)
{
    size_t at = slice_starts(content, SLICE("\xef\xbb\xbf")) ? 3 : 0;
    while (at < content.len && (content.data[at] == ' ' || content.data[at] == '\t' ||
                                content.data[at] == '\r' || content.data[at] == '\n'))
        at++;
    if (at < content.len && (content.data[at] == '{' || content.data[at] == '[')) {
        bool stix =
            slice_has(content, SLICE("\"objects\"")) && !slice_has(content, SLICE("\"Event\""));
        return stix ? INDICATOR_FORMAT_STIX : INDICATOR_FORMAT_MISP;
    }
    const struct slice csv = SLICE(".csv");
    return path.len > csv.len && memcmp(path.data + path.len - csv.len, csv.data, csv.len) == 0
               ? INDICATOR_FORMAT_CSV
               : INDICATOR_FORMAT_LINES;
}

static int read_added(struct list_file *f, const struct list_word *word, struct diag *diag)
{
    const char *path = buf_string(&f->path);
    int status = file_read_all(&f->content, path, LISTS_FILE_BYTES_MAX);
    if (status != 0) {
        diag_add(diag, path, 0, 0, "cannot be read; give the path of a list of at most %d MiB",
                 LISTS_FILE_BYTES_MAX >> 20);
        return status == ERR_NOMEM ? status : ERR_CONF;
    }
    struct slice content = buf_content(&f->content);
    const char *slash = strrchr(path, '/');
    status = sha256_of(&f->hash, content);
    if (status != 0)
        return status;
    sha256_hex(f->version, &f->hash);
    f->source = (struct indicator_source){
        .name = slice_from(slash == NULL ? path : slash + 1),
        .version = slice_of(f->version, LISTS_VERSION_DIGITS),
        .content = content,
        .path = path,
        .type = word == NULL ? INDICATOR_TYPE_AUTO : word->type,
        .format = word == NULL ? guess_format(content, slice_from(path)) : word->format,
        .expires_ns = INT64_MAX,
    };
    return 0;
}

int lists_add(struct lists *lists, const char *spec, struct diag *diag)
{
    struct list_file *files = realloc(lists->files, (lists->count + 1) * sizeof(*files));
    if (files == NULL)
        return ERR_NOMEM;
    lists->files = files;
    /* What borrows from a file's own version has moved with it. */
    for (size_t i = 0; i < lists->count; i++)
        files[i].source.version = slice_of(files[i].version, LISTS_VERSION_DIGITS);
    struct list_file *f = &files[lists->count++];
    *f = (struct list_file){0};
    const char *colon = strrchr(spec, ':');
    const struct list_word *word = colon == NULL ? NULL : word_of(slice_from(colon + 1));
    buf_append(&f->path, spec, word == NULL ? strlen(spec) : (size_t)(colon - spec));
    return read_added(f, word, diag);
}

void lists_release(struct lists *lists)
{
    for (size_t i = 0; i < lists->count; i++) {
        buf_release(&lists->files[i].path);
        buf_release(&lists->files[i].content);
    }
    free(lists->files);
    *lists = (struct lists){0};
}

/* A list of which nothing can be used is not what the configuration says. */
static int check_use(const struct lists *lists, const struct indicator_set *set, struct diag *diag)
{
    int status = 0;
    for (size_t i = 0; i < lists->count; i++) {
        struct indicator_counts c = indicator_set_counts(set, i);
        if (c.lines == 0 || c.refused != c.lines)
            continue;
        const struct indicator_source *s = &lists->files[i].source;
        diag_add(diag, s->path, 0, 0,
                 "no line of the list %.*s can be used; look at its type and format",
                 (int)s->name.len, s->name.data);
        status = ERR_CONF;
    }
    return status;
}

int lists_build(struct indicator_set **out, const struct lists *lists,
                const struct domain_list *suffixes, struct diag *diag)
{
    const struct indicator_suffixes check = {.is_suffix = domain_is_listed, .context = suffixes};
    struct indicator_source *sources = calloc(lists->count + 1, sizeof(*sources));
    struct indicator_set *set = NULL;
    if (sources == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < lists->count; i++)
        sources[i] = lists->files[i].source;
    int status =
        indicator_set_new(&set, sources, lists->count, suffixes == NULL ? NULL : &check, diag);
    free(sources);
    if (status == 0)
        status = check_use(lists, set, diag);
    if (status == ERR_RANGE)
        status = ERR_CONF;
    if (status != 0) {
        indicator_set_free(set);
        return status;
    }
    *out = set;
    return 0;
}

void lists_print(struct buf *out, const struct lists *lists, const struct indicator_set *set)
{
    for (size_t i = 0; i < lists->count; i++) {
        const struct indicator_source *s = &lists->files[i].source;
        struct indicator_counts c = indicator_set_counts(set, i);
        buf_printf(out,
                   "list %.*s %.*s: %u entries, %u also in an earlier list, %u repeated, "
                   "%u of %u lines refused",
                   (int)s->name.len, s->name.data, (int)s->version.len, s->version.data, c.added,
                   c.shared, c.repeated, c.refused, c.lines);
        if (c.unused != 0) {
            buf_printf(out, "; %u elements not used: ", c.unused);
            indicator_set_print_unused(out, set, i);
        }
        buf_byte(out, '\n');
    }
    if (lists->count != 0)
        buf_printf(out, "indicators: %zu entries, %.1f MB\n", indicator_set_entries(set),
                   (double)indicator_set_bytes(set) / 1e6);
}

void lists_log(const struct lists *lists, const struct indicator_set *set, struct diag *diag)
{
    for (size_t i = 0; i < lists->count; i++) {
        const struct indicator_source *s = &lists->files[i].source;
        struct indicator_counts c = indicator_set_counts(set, i);
        struct buf unused = {0};
        indicator_set_print_unused(&unused, set, i);
        log_info("lists", "a list of indicators was read",
                 "list=%.*s version=%.*s entries=%u refused=%u unused=%s", (int)s->name.len,
                 s->name.data, (int)s->version.len, s->version.data, c.added + c.shared, c.refused,
                 buf_string(&unused));
        buf_release(&unused);
    }
    if (diag->count != 0)
        log_warn("lists", "not all of the lists and rules can be used", "why=%s", diag_text(diag));
}
