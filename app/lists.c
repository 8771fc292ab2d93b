#include "app/lists.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

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

static int describe_source(struct list_file *f, const struct config *config, struct diag *diag)
{
    struct slice version = node_text(f->node, "version");
    f->source = (struct indicator_source){
        .name = node_text(f->node, "name"),
        .content = buf_content(&f->content),
        .path = buf_string(&f->path),
        .type = (enum indicator_type)conf_int(f->node, "type"),
        .format = (enum indicator_format)conf_int(f->node, "format"),
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
    if (f->source.format == INDICATOR_FORMAT_LINES && f->source.column.len != 0)
        conf_error(config_conf(config), conf_find(f->node, "column"), diag,
                   "a list of lines has no columns; give it the format csv");
    int status = sha256_of(&f->hash, f->source.content);
    if (status != 0)
        return status;
    sha256_hex(f->version, &f->hash);
    f->source.version = version.len != 0 ? version : slice_of(f->version, LISTS_VERSION_DIGITS);
    return 0;
}

static int read_file(struct list_file *f, const struct config *config, struct diag *diag)
{
    const struct conf_node *file = conf_find(f->node, "file");
    conf_resolve(&f->path, config_conf(config), conf_text(f->node, "file"));
    int status = file_read_all(&f->content, buf_string(&f->path), LISTS_FILE_BYTES_MAX);
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
        status = read_file(f, config, diag);
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
                   "%u of %u lines refused\n",
                   (int)s->name.len, s->name.data, (int)s->version.len, s->version.data, c.added,
                   c.shared, c.repeated, c.refused, c.lines);
    }
    if (lists->count != 0)
        buf_printf(out, "indicators: %zu entries, %.1f MB\n", indicator_set_entries(set),
                   (double)indicator_set_bytes(set) / 1e6);
}
