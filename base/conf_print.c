#include <assert.h>

#include "base/conf_schema.h"
#include "base/yaml.h"

enum {
    CONF_INDENT = 2, /* columns a level */
    CONF_PRINT_DEPTH_MAX = CONF_SEGMENTS_MAX + 1,
    CONF_SCHEMA_BYTES_MAX = 1 << 20,
};

static void put_indent(struct buf *out, size_t level)
{
    for (size_t i = 0; i < level * CONF_INDENT; i++)
        buf_byte(out, ' ');
}

/* The types that a YAML reader takes for what they are when they stand bare. */
static void put_scalar(struct buf *out, enum conf_type type, struct slice text)
{
    if (type == CONF_INT || type == CONF_BOOL || type == CONF_DURATION || type == CONF_SIZE) {
        buf_slice(out, text);
    } else {
        yaml_print_scalar(out, text);
    }
}

static void put_node(struct buf *out, const struct conf_node *node, size_t level)
{
    if (!node->given)
        buf_byte(out, '#');
    put_indent(out, level);
    if (node->key == NULL) {
        buf_byte(out, '-');
    } else {
        yaml_print_scalar(out, slice_from(node->key));
        buf_byte(out, ':');
    }
    if (node->kind == CONF_SCALAR) {
        buf_byte(out, ' ');
        put_scalar(out, node->row->type, node->text);
    }
    buf_byte(out, '\n');
}

void conf_print(const struct conf *conf, struct buf *out)
{
    const struct conf_node *open[CONF_PRINT_DEPTH_MAX];
    size_t level = 0;
    const struct conf_node *node = conf_root(conf)->first;
    while (node != NULL) {
        put_node(out, node, level);
        if (node->first != NULL) {
            assert(level < CONF_PRINT_DEPTH_MAX);
            open[level++] = node;
            node = node->first;
            continue;
        }
        while (node->next == NULL && level > 0)
            node = open[--level];
        node = node->next;
    }
}

/* Whether the example writes the key out; a commented section holds only commented keys. */
static bool shown_active(const struct conf_schema *s)
{
    for (; s->parent != NULL; s = s->parent) {
        bool placeholder = slice_equal(s->name, SLICE("*")) || slice_equal(s->name, SLICE("[]"));
        /* An entry is written out where its list or map is. */
        if (!conf_schema_required(s) && !(placeholder && !conf_schema_is_scalar(s)))
            return false;
    }
    return true;
}

/* A value that the type accepts, for keys that have no default. */
static const char *sample_value(const struct conf_key *row)
{
    switch (row->type) {
    case CONF_INT:
        return "1";
    case CONF_BOOL:
        return "true";
    case CONF_DURATION:
        return "10s";
    case CONF_SIZE:
        return "1MiB";
    case CONF_ENUM:
        return row->choices[0];
    case CONF_ZONE:
        return "+09:00";
    case CONF_CIDR:
        return "192.0.2.0/24";
    case CONF_PATH:
        return "/path/to/it";
    case CONF_SECTION:
    case CONF_STRING:
    default:
        return "text";
    }
}

/* Needs a row: only scalars have samples. */
static void put_sample(struct buf *out, const struct conf_key *row)
{
    assert(row != NULL);
    struct buf number = {0};
    const char *text = row->initial;
    bool ranged = row->type == CONF_INT || row->type == CONF_DURATION || row->type == CONF_SIZE;
    if (text == NULL && ranged && row->min < row->max) {
        conf_value_print(&number, row->type, row->min);
        text = buf_string(&number);
    }
    put_scalar(out, row->type, slice_from(text == NULL ? sample_value(row) : text));
    buf_release(&number);
}

/* "duration from 1s to 10m, default 10s": what a key takes. */
static void put_facts(struct buf *out, const struct conf_key *row)
{
    conf_value_describe(out, row);
    if (row->required) {
        buf_text(out, ", required");
    } else if (row->initial != NULL) {
        buf_printf(out, ", default %s", row->initial[0] == '\0' ? "empty" : row->initial);
    }
}

static void put_example(struct buf *out, const struct conf_schema *s)
{
    size_t level = s->depth - 1;
    bool scalar = conf_schema_is_scalar(s);
    if (s->row != NULL) {
        put_indent(out, level);
        buf_printf(out, "# %s", s->row->help == NULL ? "" : s->row->help);
        if (scalar) {
            buf_text(out, s->row->help == NULL ? "(" : " (");
            put_facts(out, s->row);
            buf_byte(out, ')');
        }
        buf_byte(out, '\n');
    }
    if (!shown_active(s))
        buf_byte(out, '#');
    put_indent(out, level);
    if (slice_equal(s->name, SLICE("[]"))) {
        buf_byte(out, '-');
    } else if (slice_equal(s->name, SLICE("*"))) {
        buf_text(out, "name:");
    } else {
        buf_printf(out, "%.*s:", (int)s->name.len, s->name.data);
    }
    if (scalar) {
        buf_byte(out, ' ');
        put_sample(out, s->row);
    }
    buf_byte(out, '\n');
}

void conf_print_example(const struct conf_key *table, size_t count, struct buf *out)
{
    struct arena arena = {.limit_bytes = CONF_SCHEMA_BYTES_MAX};
    struct conf_schema *root = NULL;
    if (conf_schema_new(&root, &arena, table, count) != 0) {
        out->failed = true;
    } else {
        for (const struct conf_schema *s = root->first; s != NULL; s = conf_schema_walk(s)) {
            if (s->depth == 1 && s != root->first)
                buf_byte(out, '\n');
            put_example(out, s);
        }
    }
    arena_release(&arena);
}

/* Text for mdoc: backslashes, and what would be a request at the start of a line. */
static void put_mdoc(struct buf *out, const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        buf_text(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            buf_text(out, "\\e");
        } else {
            buf_append(out, *text == '\n' ? " " : text, 1);
        }
    }
}

void conf_print_man(const struct conf_key *table, size_t count, struct buf *out)
{
    buf_text(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < count; i++) {
        const struct conf_key *row = &table[i];
        buf_text(out, ".It Cm ");
        put_mdoc(out, row->path);
        buf_byte(out, '\n');
        if (row->help != NULL) {
            put_mdoc(out, row->help);
            buf_byte(out, '\n');
        }
        if (row->type != CONF_SECTION) {
            struct buf facts = {0};
            put_facts(&facts, row);
            buf_byte(out, '(');
            put_mdoc(out, buf_string(&facts));
            buf_text(out, ")\n");
            buf_release(&facts);
        }
    }
    buf_text(out, ".El\n");
}
