#include "base/conf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/conf_schema.h"
#include "base/err.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/yaml.h"

enum {
    CONF_ARENA_BYTES_MAX = 1 << 30,
    CONF_NAME_BYTES_SHOWN = 80,
};

struct conf {
    struct arena arena;
    const char *filename;
    struct conf_node *root;
};

/* A node that still has to be filled from the file, or with defaults where yaml is NULL. */
struct conf_work {
    struct conf_node *node;
    const struct conf_schema *schema;
    const struct yaml_node *yaml;
    uint32_t line; /* of the nearest place in the file, for what is missing */
    uint32_t column;
    struct conf_work *next;
};

/* Sections are filled one after the other from a queue: no recursion on input. */
struct conf_builder {
    struct conf *conf;
    struct diag *diag;
    struct arena scratch; /* the YAML tree, the schema, the queue */
    struct conf_work *first;
    struct conf_work *last;
    size_t nodes;
    bool faulty;
};

static void complain(struct conf_builder *b, const struct yaml_node *at, struct buf *why)
{
    b->faulty = true;
    diag_add(b->diag, b->conf->filename, at->line, at->column, "%s", buf_string(why));
    buf_release(why);
}

/* A new child of `parent`, queued to be filled. `last` is the parent's last child so far. */
static int child_add(struct conf_node **last, struct conf_builder *b,
                     const struct conf_work *parent, const struct conf_schema *schema,
                     const struct yaml_node *yaml)
{
    struct conf_node *node = arena_alloc(&b->conf->arena, sizeof(*node));
    struct conf_work *work = arena_alloc(&b->scratch, sizeof(*work));
    if (node == NULL || work == NULL || ++b->nodes > CONF_NODES_MAX)
        return ERR_NOMEM;
    node->row = schema->row;
    node->given = yaml != NULL;
    node->line = yaml == NULL ? 0 : yaml->line;
    node->column = yaml == NULL ? 0 : yaml->column;
    if (parent->node->kind == CONF_MAP) {
        node->key = arena_copy(&b->conf->arena,
                               yaml == NULL ? schema->name : slice_of(yaml->key, yaml->key_len));
        if (node->key == NULL)
            return ERR_NOMEM;
    }
    if (*last == NULL) {
        parent->node->first = node;
    } else {
        (*last)->next = node;
    }
    *last = node;
    parent->node->count++;
    work->node = node;
    work->schema = schema;
    work->yaml = yaml;
    work->line = yaml == NULL ? parent->line : yaml->key_line;
    work->column = yaml == NULL ? parent->column : yaml->key_column;
    if (b->last == NULL) {
        b->first = work;
    } else {
        b->last->next = work;
    }
    b->last = work;
    return 0;
}

static int fill_scalar(struct conf_builder *b, const struct conf_work *work)
{
    struct buf why = {0};
    const struct conf_key *row = work->schema->row;
    struct slice text = work->yaml == NULL ? slice_from(row->initial) : work->yaml->text;
    work->node->kind = CONF_SCALAR;
    if (work->yaml != NULL && work->yaml->kind != YAML_TEXT) {
        buf_printf(&why, "a %s where one value is expected; write ",
                   work->yaml->kind == YAML_LIST ? "list" : "map");
        conf_value_describe(&why, row);
        complain(b, work->yaml, &why);
        return 0;
    }
    if (work->yaml != NULL && yaml_null(work->yaml)) {
        buf_text(&why, "the value is missing; write ");
        conf_value_describe(&why, row);
        complain(b, work->yaml, &why);
        return 0;
    }
    int err = conf_value_parse(&work->node->number, row, text, &why);
    assert(err == 0 || work->yaml != NULL); /* a default of our own table is right */
    if (err != 0) {
        complain(b, work->yaml, &why);
        return 0;
    }
    const char *copy = arena_copy(&b->conf->arena, text);
    work->node->text = slice_of(copy, text.len);
    return copy == NULL ? ERR_NOMEM : 0;
}

static void complain_unknown(struct conf_builder *b, const struct conf_work *work,
                             const struct yaml_node *child)
{
    const char *names[CONF_KEYS_MAX];
    size_t count = 0;
    struct buf why = {0};
    struct slice key = slice_of(child->key, child->key_len);
    if (b->diag->count >= DIAG_MESSAGES_MAX) { /* looking for names costs too much to throw away */
        b->diag->count++;
        b->faulty = true;
        return;
    }
    for (const struct conf_schema *s = work->schema->first; s != NULL; s = s->next) {
        const char *name = arena_copy(&b->scratch, s->name);
        if (name != NULL)
            names[count++] = name;
    }
    buf_text(&why, "unknown key ");
    escape_quoted(&why, key, CONF_NAME_BYTES_SHOWN);
    const char *near = diag_suggest(key, names, count);
    if (near != NULL)
        buf_printf(&why, "; did you mean \"%s\"?", near);
    for (size_t i = 0; near == NULL && i < count; i++)
        buf_printf(&why, "%s%s", i == 0 ? "; known here: " : ", ", names[i]);
    struct yaml_node place = {.line = child->key_line, .column = child->key_column};
    complain(b, &place, &why);
}

static void complain_missing(struct conf_builder *b, const struct conf_work *work,
                             const struct conf_schema *child)
{
    struct buf why = {0};
    buf_printf(&why, "the key \"%.*s\" is missing", (int)child->name.len, child->name.data);
    if (work->node->key != NULL)
        buf_printf(&why, " in \"%s\"", work->node->key);
    if (conf_schema_is_scalar(child)) {
        buf_text(&why, "; write ");
        conf_value_describe(&why, child->row);
    } else {
        buf_printf(&why, "; write a %s", conf_schema_is_list(child) ? "list" : "section");
    }
    if (child->row != NULL && child->row->help != NULL)
        buf_printf(&why, ": %s", child->row->help);
    struct yaml_node place = {.line = work->line, .column = work->column};
    complain(b, &place, &why);
}

/* The children of a section that the file leaves out. */
static int fill_missing(struct conf_node **last, struct conf_builder *b,
                        const struct conf_work *work)
{
    for (const struct conf_schema *s = work->schema->first; s != NULL; s = s->next) {
        bool placeholder = slice_equal(s->name, SLICE("*"));
        if (placeholder || (work->yaml != NULL && yaml_get(work->yaml, s->name) != NULL))
            continue;
        bool scalar = conf_schema_is_scalar(s);
        if (conf_schema_required(s)) {
            complain_missing(b, work, s);
        } else if (scalar ? s->row->initial != NULL : conf_schema_implied(s)) {
            int err = child_add(last, b, work, s, NULL);
            if (err != 0)
                return err;
        }
    }
    return 0;
}

/* An entry has to be there: an empty list or map is as wrong as a missing one. */
static void check_entries(struct conf_builder *b, const struct conf_work *work)
{
    struct buf why = {0};
    if (work->node->count != 0 || work->yaml == NULL || !conf_schema_required(work->schema) ||
        !(conf_schema_is_list(work->schema) || conf_schema_is_open(work->schema)))
        return;
    buf_printf(&why, "\"%s\" is empty; at least one entry is needed",
               work->node->key == NULL ? "" : work->node->key);
    complain(b, work->yaml, &why);
}

static int fill_map(struct conf_builder *b, const struct conf_work *work)
{
    struct conf_node *last = NULL;
    struct buf why = {0};
    work->node->kind = CONF_MAP;
    if (work->yaml != NULL && work->yaml->kind != YAML_MAP && !yaml_null(work->yaml)) {
        buf_printf(&why, "a %s where a section is expected; write \"key: value\" lines",
                   work->yaml->kind == YAML_LIST ? "list" : "single value");
        complain(b, work->yaml, &why);
        return 0;
    }
    const struct yaml_node *child = work->yaml == NULL ? NULL : work->yaml->first;
    for (; child != NULL; child = child->next) {
        struct slice key = slice_of(child->key, child->key_len);
        const struct conf_schema *schema = conf_schema_child(work->schema, key);
        if (schema == NULL) {
            complain_unknown(b, work, child);
            continue;
        }
        int err = child_add(&last, b, work, schema, child);
        if (err != 0)
            return err;
    }
    check_entries(b, work);
    return fill_missing(&last, b, work);
}

static int fill_list(struct conf_builder *b, const struct conf_work *work)
{
    struct conf_node *last = NULL;
    struct buf why = {0};
    work->node->kind = CONF_LIST;
    if (work->yaml->kind != YAML_LIST && !yaml_null(work->yaml)) {
        buf_printf(&why, "a %s where a list is expected; write \"- \" before each entry",
                   work->yaml->kind == YAML_MAP ? "map" : "single value");
        complain(b, work->yaml, &why);
        return 0;
    }
    const struct conf_schema *item = conf_schema_item(work->schema);
    for (const struct yaml_node *child = work->yaml->first; child != NULL; child = child->next) {
        int err = child_add(&last, b, work, item, child);
        if (err != 0)
            return err;
    }
    check_entries(b, work);
    return 0;
}

static int fill_all(struct conf_builder *b)
{
    for (const struct conf_work *work = b->first; work != NULL; work = work->next) {
        int err = 0;
        if (conf_schema_is_scalar(work->schema)) {
            err = fill_scalar(b, work);
        } else if (conf_schema_is_list(work->schema)) {
            err = fill_list(b, work);
        } else {
            err = fill_map(b, work);
        }
        if (err != 0)
            return err;
    }
    return 0;
}

static int build(struct conf_builder *b, const struct conf_key *table, size_t count,
                 struct slice text)
{
    struct conf_schema *schema = NULL;
    struct yaml_node *yaml = NULL;
    int err = conf_schema_new(&schema, &b->scratch, table, count);
    if (err != 0)
        return err;
    err = yaml_read(&yaml, &b->scratch, text, b->conf->filename, b->diag);
    if (err != 0)
        return err == ERR_FORMAT ? ERR_CONF : err;
    struct conf_work *root = arena_alloc(&b->scratch, sizeof(*root));
    b->conf->root = arena_alloc(&b->conf->arena, sizeof(*b->conf->root));
    if (root == NULL || b->conf->root == NULL)
        return ERR_NOMEM;
    *root = (struct conf_work){
        .node = b->conf->root, .schema = schema, .yaml = yaml, .line = 1, .column = 1};
    b->conf->root->given = true;
    b->conf->root->line = yaml->line;
    b->conf->root->column = yaml->column;
    b->first = root;
    b->last = root;
    err = fill_all(b);
    if (err == 0 && b->faulty)
        err = ERR_CONF;
    return err;
}

int conf_parse(struct conf **out, const struct conf_key *table, size_t count, struct slice text,
               const char *filename, struct diag *diag)
{
    struct conf *conf = calloc(1, sizeof(*conf));
    if (conf == NULL)
        return ERR_NOMEM;
    conf->arena.limit_bytes = CONF_ARENA_BYTES_MAX;
    struct conf_builder b = {.conf = conf, .diag = diag};
    b.scratch.limit_bytes = CONF_ARENA_BYTES_MAX;
    conf->filename = arena_copy(&conf->arena, slice_from(filename));
    int err = conf->filename == NULL ? ERR_NOMEM : build(&b, table, count, text);
    arena_release(&b.scratch);
    if (err != 0) {
        conf_free(conf);
        return err;
    }
    *out = conf;
    return 0;
}

int conf_load(struct conf **out, const struct conf_key *table, size_t count, const char *path,
              struct diag *diag)
{
    struct buf text = {0};
    int err = file_read_all(&text, path, YAML_TEXT_BYTES_MAX);
    if (err == ERR_RANGE) {
        diag_add(diag, path, 0, 0, "larger than %d bytes", YAML_TEXT_BYTES_MAX);
    } else if (err != 0) {
        char reason[128];
        diag_add(diag, path, 0, 0, "cannot be read: %s", strerror_r(errno, reason, sizeof(reason)));
    } else {
        err = conf_parse(out, table, count, buf_content(&text), path, diag);
    }
    buf_release(&text);
    return err;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    arena_release(&conf->arena);
    free(conf);
}

const struct conf_node *conf_root(const struct conf *conf)
{
    return conf->root;
}

const char *conf_filename(const struct conf *conf)
{
    return conf->filename;
}

const struct conf_node *conf_child(const struct conf_node *map, struct slice key)
{
    if (map == NULL || map->kind != CONF_MAP)
        return NULL;
    for (const struct conf_node *n = map->first; n != NULL; n = n->next) {
        if (slice_equal(slice_from(n->key), key))
            return n;
    }
    return NULL;
}

const struct conf_node *conf_find(const struct conf_node *from, const char *path)
{
    const struct conf_node *node = from;
    while (node != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        node = conf_child(node, slice_of(path, len));
        path += path[len] == '.' ? len + 1 : len;
    }
    return node;
}

static const struct conf_node *find_scalar(const struct conf_node *from, const char *path)
{
    const struct conf_node *node = conf_find(from, path);
    return node == NULL || node->kind != CONF_SCALAR ? NULL : node;
}

const char *conf_text(const struct conf_node *from, const char *path)
{
    const struct conf_node *node = find_scalar(from, path);
    return node == NULL ? NULL : node->text.data;
}

int64_t conf_int(const struct conf_node *from, const char *path)
{
    const struct conf_node *node = find_scalar(from, path);
    return node == NULL ? 0 : node->number;
}

bool conf_bool(const struct conf_node *from, const char *path)
{
    return conf_int(from, path) != 0;
}

size_t conf_count(const struct conf_node *from, const char *path)
{
    const struct conf_node *node = conf_find(from, path);
    return node == NULL ? 0 : node->count;
}

bool conf_given(const struct conf_node *from, const char *path)
{
    const struct conf_node *node = conf_find(from, path);
    return node != NULL && node->given;
}

void conf_resolve(struct buf *out, const struct conf *conf, const char *path)
{
    const char *slash = strrchr(conf->filename, '/');
    if (path[0] != '/' && slash != NULL)
        buf_append(out, conf->filename, (size_t)(slash - conf->filename) + 1);
    buf_text(out, path);
}

void conf_error(const struct conf *conf, const struct conf_node *node, struct diag *diag,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(diag, conf->filename, node->line, node->column, format, args);
    va_end(args);
}
