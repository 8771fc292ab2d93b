#include "base/conf_schema.h"

#include <assert.h>

#include "base/err.h"

static struct conf_schema *child_named(const struct conf_schema *s, struct slice name)
{
    for (struct conf_schema *child = s->first; child != NULL; child = child->next) {
        if (slice_equal(child->name, name))
            return child;
    }
    return NULL;
}

/* The child of the name, found or made; NULL without memory. */
static struct conf_schema *child_make(struct arena *arena, struct conf_schema *s, struct slice name)
{
    struct conf_schema *child = child_named(s, name);
    if (child != NULL)
        return child;
    child = arena_alloc(arena, sizeof(*child));
    if (child == NULL)
        return NULL;
    child->name = name;
    child->parent = s;
    child->depth = s->depth + 1;
    assert(child->depth <= CONF_SEGMENTS_MAX);
    if (s->last == NULL) {
        s->first = child;
    } else {
        s->last->next = child;
    }
    s->last = child;
    s->count++;
    return child;
}

/* The next segment of a path: a name, "*" or "[]"; moves *path behind it. */
static struct slice take_segment(const char **path)
{
    const char *at = *path;
    if (*at == '.')
        at++;
    size_t len = *at == '[' ? 2 : strcspn(at, ".[");
    struct slice segment = slice_of(at, len);
    assert(len != 0);
    *path = at + len;
    return segment;
}

int conf_schema_new(struct conf_schema **out, struct arena *arena, const struct conf_key *table,
                    size_t count)
{
    assert(count <= CONF_KEYS_MAX);
    struct conf_schema *root = arena_alloc(arena, sizeof(*root));
    if (root == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct conf_schema *at = root;
        const char *path = table[i].path;
        while (*path != '\0') {
            at = child_make(arena, at, take_segment(&path));
            if (at == NULL)
                return ERR_NOMEM;
        }
        assert(at->row == NULL);
        at->row = &table[i];
    }
    *out = root;
    return 0;
}

const struct conf_schema *conf_schema_item(const struct conf_schema *s)
{
    return child_named(s, SLICE("[]"));
}

const struct conf_schema *conf_schema_child(const struct conf_schema *s, struct slice name)
{
    bool placeholder = slice_equal(name, SLICE("*")) || slice_equal(name, SLICE("[]"));
    const struct conf_schema *child = placeholder ? NULL : child_named(s, name);
    return child != NULL ? child : child_named(s, SLICE("*"));
}

bool conf_schema_is_scalar(const struct conf_schema *s)
{
    return s->row != NULL && s->row->type != CONF_SECTION;
}

bool conf_schema_is_list(const struct conf_schema *s)
{
    return conf_schema_item(s) != NULL;
}

bool conf_schema_is_open(const struct conf_schema *s)
{
    return child_named(s, SLICE("*")) != NULL;
}

bool conf_schema_required(const struct conf_schema *s)
{
    if (s->row != NULL)
        return s->row->required;
    /* A required scalar under a placeholder asks for at least one entry. */
    for (const struct conf_schema *child = s->first; child != NULL; child = child->next) {
        bool entry = slice_equal(child->name, SLICE("*")) || slice_equal(child->name, SLICE("[]"));
        if (entry && conf_schema_is_scalar(child) && child->row->required)
            return true;
    }
    return false;
}

bool conf_schema_implied(const struct conf_schema *s)
{
    if (conf_schema_is_scalar(s) || conf_schema_is_list(s) || conf_schema_is_open(s))
        return false;
    for (const struct conf_schema *child = s->first; child != NULL; child = child->next) {
        if (conf_schema_required(child))
            return false;
    }
    return true;
}

const struct conf_schema *conf_schema_walk(const struct conf_schema *s)
{
    if (s->first != NULL)
        return s->first;
    while (s != NULL && s->next == NULL)
        s = s->parent;
    return s == NULL ? NULL : s->next;
}
