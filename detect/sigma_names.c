/* What the names in rules stand for: fields, and the logs that a logsource means. */
#include <string.h>

#include "base/err.h"
#include "detect/sigma_read.h"

static const struct {
    struct slice name;
    struct slice fields;
} NAMES[] = {
#define SIGMA_NAME(name, fields) {{name, sizeof(name) - 1}, {fields, sizeof(fields) - 1}},
#include "detect/sigma_names.def"
};

enum {
    NAMES_MAX = 512, /* that a suggestion is looked for in */
};

enum scope_mode {
    SCOPE_NONE,
    SCOPE_ONLY,
    SCOPE_EXCEPT,
};

static const struct {
    struct slice name;
    enum scope_mode mode;
    struct slice formats;
} CATEGORIES[] = {
#define SIGMA_CATEGORY(name, mode, formats) \
    {{name, sizeof(name) - 1}, SCOPE_##mode, {formats, sizeof(formats) - 1}},
#include "detect/sigma_names.def"
};

/* The next word of a blank-separated list; empty at the end. */
static struct slice word_next(struct slice *list)
{
    const char *blank = list->len == 0 ? NULL : memchr(list->data, ' ', list->len);
    struct slice word = *list;
    if (blank != NULL)
        word.len = (size_t)(blank - list->data);
    *list = slice_from_offset(*list, blank == NULL ? list->len : word.len + 1);
    return word;
}

static struct slice literal_name(const struct sigma_reader *r, struct slice name)
{
    struct buf out = {0};
    struct slice result = {0};
    buf_text(&out, "event.");
    buf_slice(&out, name);
    if (buf_ok(&out))
        result = slice_of(arena_copy(&r->set->arena, buf_content(&out)), out.len);
    buf_release(&out);
    return result;
}

int sigma_names_each(const struct sigma_reader *r, struct slice name,
                     int (*each)(void *self, uint16_t field, struct slice name), void *self)
{
    if (r->set->names == SIGMA_NAMES_LITERAL) {
        struct slice literal = literal_name(r, name);
        return literal.data == NULL ? ERR_NOMEM : each(self, FIELD_UNNAMED, literal);
    }
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (!slice_equal(NAMES[i].name, name))
            continue;
        struct slice fields = NAMES[i].fields;
        int err = 0;
        for (struct slice word = word_next(&fields); err == 0 && word.len != 0;
             word = word_next(&fields))
            err = each(self, field_find(word), word);
        return err;
    }
    uint16_t field = field_find(name);
    return each(self, field == FIELD_NONE ? FIELD_UNNAMED : field,
                field == FIELD_NONE ? name : field_info(field)->name);
}

void sigma_names_check(struct sigma_reader *r, const struct yaml_node *at, struct slice name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    size_t place = 0;
    if (r->set->names == SIGMA_NAMES_LITERAL || name.len == 0 || field_find(name) != FIELD_NONE ||
        memchr(name.data, '.', name.len) != NULL)
        return;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_equal(NAMES[i].name, name))
            return;
        names[count++] = NAMES[i].name.data;
    }
    for (const struct field_info *f = field_next(&place); f != NULL && count < NAMES_MAX;
         f = field_next(&place))
        names[count++] = f->name.data;
    const char *near = diag_suggest(name, names, count);
    sigma_warn(r, at, "no log has a field \"%.*s\", so this never holds%s%s%s", (int)name.len,
               name.data, near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
               near == NULL ? "" : "\"?");
}

/* `sekisho.format` is one of the names, or none of them. */
static int scope_make(struct sigma_reader *r, struct slice formats, bool except, struct ast **out)
{
    struct ast *any = sigma_ast(r, AST_OR);
    if (any == NULL)
        return ERR_NOMEM;
    for (struct slice word = word_next(&formats); word.len != 0; word = word_next(&formats)) {
        struct ast *leaf = sigma_ast(r, AST_LEAF);
        if (leaf == NULL)
            return ERR_NOMEM;
        leaf->op = AST_EQUAL;
        leaf->field = FIELD_FORMAT;
        leaf->field_name = SLICE("sekisho.format");
        leaf->text = word;
        sigma_ast_add(any, leaf);
    }
    *out = any;
    if (!except)
        return 0;
    struct ast *not = sigma_ast(r, AST_NOT);
    if (not == NULL)
        return ERR_NOMEM;
    sigma_ast_add(not, any);
    *out = not ;
    return 0;
}

int sigma_names_scope(struct sigma_reader *r)
{
    const struct sigma_logsource *source = &r->rule->logsource;
    if (r->set->names == SIGMA_NAMES_LITERAL || slice_equal(source->product, SLICE("sekisho")))
        return 0;
    for (size_t i = 0; i < sizeof(CATEGORIES) / sizeof(CATEGORIES[0]); i++) {
        if (!slice_equal(CATEGORIES[i].name, source->category))
            continue;
        if (CATEGORIES[i].mode == SCOPE_NONE)
            return 0;
        return scope_make(r, CATEGORIES[i].formats, CATEGORIES[i].mode == SCOPE_EXCEPT,
                          &r->rule->scope);
    }
    r->rule->nowhere = true;
    return 0;
}
