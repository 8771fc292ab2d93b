#include "app/manifest.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/yaml.h"

struct manifest {
    struct arena arena;
    struct replay_file *files;
    size_t count;
    int64_t reference_ns;
    const char *path;
};

/* The path as seen from the manifest's directory. */
static const char *resolve(struct manifest *m, struct slice file)
{
    const char *slash = strrchr(m->path, '/');
    struct buf b = {0};
    if (file.len != 0 && file.data[0] != '/' && slash != NULL)
        buf_append(&b, m->path, (size_t)(slash - m->path) + 1);
    buf_slice(&b, file);
    const char *copy = arena_copy(&m->arena, buf_content(&b));
    buf_release(&b);
    return copy;
}

static void check_keys(const struct manifest *m, const struct yaml_node *entry, struct diag *diag)
{
    static const char *const KEYS[] = {"tenant", "source", "format", "file", "zone", "encoding"};
    enum {
        COUNT = sizeof(KEYS) / sizeof(KEYS[0]),
    };
    for (const struct yaml_node *n = entry->first; n != NULL; n = n->next) {
        size_t i = 0;
        while (i < COUNT && strcmp(KEYS[i], n->key) != 0)
            i++;
        if (i < COUNT)
            continue;
        const char *near = diag_suggest(slice_of(n->key, n->key_len), KEYS, COUNT);
        diag_add(diag, m->path, n->key_line, n->key_column,
                 "unknown key \"%s\"; known are tenant source format file zone encoding%s%s",
                 n->key, near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
    }
}

static int read_entry(struct manifest *m, const struct yaml_node *entry, struct config *config,
                      struct diag *diag)
{
    struct replay_file *f = &m->files[m->count++];
    if (entry->kind != YAML_MAP) {
        diag_add(diag, m->path, entry->line, entry->column,
                 "an entry is a map: {tenant: \"052027\", source: fw1, format: fortigate, file: "
                 "fw1.log}");
        return 0;
    }
    check_keys(m, entry, diag);
    struct slice tenant = yaml_text(entry, SLICE("tenant"));
    struct slice file = yaml_text(entry, SLICE("file"));
    struct slice format = yaml_text(entry, SLICE("format"));
    struct slice zone = yaml_text(entry, SLICE("zone"));
    struct slice encoding = yaml_text(entry, SLICE("encoding"));
    f->source_name = yaml_text(entry, SLICE("source"));
    if (tenant_code_parse(&f->tenant, tenant) != 0)
        diag_add(diag, m->path, entry->line, entry->column,
                 "tenant is missing or no municipality code; give 6 digits in quotes");
    if (file.len == 0)
        diag_add(diag, m->path, entry->line, entry->column, "file is missing; give a path");
    if (f->source_name.len == 0)
        f->source_name = SLICE("file");
    f->path = resolve(m, file);
    config_source(config, f->tenant, f->source_name, &f->source);
    if (zone.len != 0 && clock_parse_zone(&f->source.zone_minutes, zone) != 0)
        diag_add(diag, m->path, entry->line, entry->column, "zone is an offset such as +09:00");
    if (encoding.len != 0 && !charset_find(&f->source.encoding, encoding))
        diag_add(diag, m->path, entry->line, entry->column,
                 "encoding is one of auto, utf-8, cp932 and euc-jp");
    if (format.len != 0)
        (void)config_format(config, format, &f->source.format, &f->source.layout, diag);
    return f->path == NULL ? ERR_NOMEM : 0;
}

static int read_root(struct manifest *m, const struct yaml_node *root, struct config *config,
                     struct diag *diag)
{
    const struct yaml_node *list = root;
    if (root->kind == YAML_MAP) {
        struct slice reference = yaml_text(root, SLICE("reference_time"));
        list = yaml_get(root, SLICE("files"));
        if (reference.len != 0 && clock_parse(&m->reference_ns, reference) != 0)
            diag_add(diag, m->path, root->line, root->column,
                     "reference_time is a time such as 2026-10-05T00:00:00+09:00");
    }
    if (list == NULL || list->kind != YAML_LIST || list->count == 0) {
        diag_add(diag, m->path, root->line, root->column,
                 "a manifest is a list of {tenant, source, format, file, zone, encoding}");
        return 0;
    }
    m->files = arena_array(&m->arena, list->count, sizeof(*m->files));
    int status = m->files == NULL ? ERR_NOMEM : 0;
    for (const struct yaml_node *n = list->first; n != NULL && status == 0; n = n->next)
        status = read_entry(m, n, config, diag);
    return status;
}

int manifest_load(struct manifest **out, const char *path, struct config *config, struct diag *diag)
{
    struct manifest *m = calloc(1, sizeof(*m));
    struct buf text = {0};
    if (m == NULL)
        return ERR_NOMEM;
    m->path = path;
    m->reference_ns = CLOCK_NONE;
    size_t before = diag->count;
    struct yaml_node *root = NULL;
    int status = file_read_all(&text, path, YAML_TEXT_BYTES_MAX);
    if (status != 0) {
        diag_add(diag, path, 0, 0, "cannot be read: %s", err_name(status));
        status = ERR_CONF;
    }
    if (status == 0)
        status = yaml_read(&root, &m->arena, buf_content(&text), path, diag);
    if (status == ERR_FORMAT)
        status = ERR_CONF;
    if (status == 0)
        status = read_root(m, root, config, diag);
    if (status == 0 && diag->count != before)
        status = ERR_CONF;
    buf_release(&text);
    if (status != 0) {
        manifest_free(m);
        return status;
    }
    *out = m;
    return 0;
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    arena_release(&m->arena);
    free(m);
}

const struct replay_file *manifest_files(const struct manifest *m, size_t *count)
{
    *count = m->count;
    return m->files;
}

int64_t manifest_reference_ns(const struct manifest *m)
{
    return m->reference_ns;
}
