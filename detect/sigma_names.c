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

static const struct {
    struct slice name; /* product, or product/service */
    struct slice format;
} PRODUCTS[] = {
#define SIGMA_PRODUCT(name, format) {{name, sizeof(name) - 1}, {format, sizeof(format) - 1}},
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

/* What a key of the rule's own format is. False where it has no such key. */
static bool key_find(const struct sigma_reader *r, struct slice name, uint16_t *field,
                     bool *unnamed)
{
    const struct sigma_logs *logs = r->set->logs;
    const char *key = NULL;
    for (size_t i = 0; logs != NULL && r->rule->format.len != 0; i++) {
        key = logs->key_at(r->rule->format, i, field, unnamed);
        if (key == NULL || slice_equal(slice_from(key), name))
            break;
    }
    return key != NULL;
}

/* <format>.<name> */
static int unnamed_each(const struct sigma_reader *r, struct slice name,
                        int (*each)(void *self, uint16_t field, struct slice name), void *self)
{
    struct buf text = {0};
    const char *copy = NULL;
    buf_slice(&text, r->rule->format);
    buf_byte(&text, '.');
    buf_slice(&text, name);
    if (buf_ok(&text))
        copy = arena_copy(&r->set->arena, buf_content(&text));
    struct slice whole = slice_of(copy, text.len);
    buf_release(&text);
    return copy == NULL ? ERR_NOMEM : each(self, FIELD_UNNAMED, whole);
}

int sigma_names_each(const struct sigma_reader *r, struct slice name,
                     int (*each)(void *self, uint16_t field, struct slice name), void *self)
{
    uint16_t field = FIELD_NONE;
    bool unnamed = false;
    if (r->set->names == SIGMA_NAMES_LITERAL) {
        struct slice literal = literal_name(r, name);
        return literal.data == NULL ? ERR_NOMEM : each(self, FIELD_UNNAMED, literal);
    }
    if (key_find(r, name, &field, &unnamed)) {
        int err = field == FIELD_NONE ? 0 : each(self, field, field_info(field)->name);
        return err == 0 && unnamed ? unnamed_each(r, name, each, self) : err;
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
    field = field_find(name);
    return each(self, field == FIELD_NONE ? FIELD_UNNAMED : field,
                field == FIELD_NONE ? name : field_info(field)->name);
}

/* Names that a rule may use, the format's own first. */
static size_t names_list(const struct sigma_reader *r, const char *names[NAMES_MAX])
{
    const struct sigma_logs *logs = r->set->logs;
    bool keys = logs != NULL && r->rule->format.len != 0;
    size_t count = 0;
    size_t place = 0;
    uint16_t field;
    bool unnamed;
    for (size_t i = 0; keys && count < NAMES_MAX; i++) {
        names[count] = logs->key_at(r->rule->format, i, &field, &unnamed);
        if (names[count] == NULL)
            break;
        count++;
    }
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]) && count < NAMES_MAX; i++)
        names[count++] = NAMES[i].name.data;
    for (const struct field_info *f = field_next(&place); f != NULL && count < NAMES_MAX;
         f = field_next(&place)) {
        if (logs == NULL || logs->fills(f->id))
            names[count++] = f->name.data;
    }
    return count;
}

/* Counts the fields of a name that a line may have. */
struct known_fields {
    const struct sigma_logs *logs;
    unsigned count;
};

/*
 * Is it a name of the dictionary that went wrong: other letters behind or before the same point? Any
 * other may be that of a template's format.
 */
static bool is_misspelt(struct slice name, size_t point)
{
    size_t place = 0;
    for (const struct field_info *f = field_next(&place); f != NULL; f = field_next(&place)) {
        const char *one = f->name.data;
        const char *behind = memchr(one, '.', f->name.len);
        if (behind == NULL)
            continue;
        size_t prefix = (size_t)(behind - one);
        bool same_prefix = prefix == point && memcmp(one, name.data, point) == 0;
        bool same_rest =
            slice_equal(slice_from_offset(f->name, prefix), slice_from_offset(name, point));
        if (same_prefix || (same_rest && diag_suggest(name, &one, 1) != NULL))
            return true;
    }
    return false;
}

/* Of the dictionary and filled, or what a format or a template of this name may have. */
static int known_count(void *self, uint16_t field, struct slice name)
{
    struct known_fields *c = self;
    const char *point = name.len == 0 ? NULL : memchr(name.data, '.', name.len);
    struct slice prefix = slice_of(name.data, point == NULL ? 0 : (size_t)(point - name.data));
    if (field != FIELD_UNNAMED) {
        c->count += c->logs == NULL || c->logs->fills(field);
        return 0;
    }
    bool format = point != NULL && c->logs != NULL && c->logs->format(prefix);
    c->count += point != NULL && (format || !is_misspelt(name, prefix.len));
    return 0;
}

void sigma_names_check(struct sigma_reader *r, const struct yaml_node *at,
                       const struct sigma_rule *rule, struct slice name)
{
    const char *names[NAMES_MAX];
    struct sigma_rule like = *rule;
    const struct sigma_reader of = {.set = r->set, .rule = &like};
    struct known_fields known = {.logs = r->set->logs};
    if (r->set->names == SIGMA_NAMES_LITERAL || name.len == 0 || rule->nowhere)
        return;
    if (sigma_names_each(&of, name, known_count, &known) != 0 || known.count != 0)
        return;
    const char *near = diag_suggest(name, names, names_list(&of, names));
    bool field = field_find(name) != FIELD_NONE;
    sigma_warn(r, at, "%s \"%.*s\", so this never holds%s%s%s",
               field ? "no format fills the field" : "no log has a field", (int)name.len, name.data,
               near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
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

/* Is the name "product", or "product/service"? */
static bool product_is(struct slice name, const struct sigma_logsource *source)
{
    size_t product = source->product.len;
    if (slice_equal(name, source->product))
        return true;
    return name.len == product + 1 + source->service.len && slice_starts(name, source->product) &&
           name.data[product] == '/' &&
           slice_equal(slice_from_offset(name, product + 1), source->service);
}

/* The format that product and service mean, or the empty name. */
static struct slice product_format(const struct sigma_logsource *source)
{
    for (size_t i = 0; i < sizeof(PRODUCTS) / sizeof(PRODUCTS[0]); i++) {
        if (product_is(PRODUCTS[i].name, source))
            return PRODUCTS[i].format;
    }
    return SLICE("");
}

/* A product that we know narrows a category that we know. */
static int scope_narrow(struct sigma_reader *r)
{
    struct ast *both = sigma_ast(r, AST_AND);
    struct ast *format = NULL;
    int err = both == NULL ? ERR_NOMEM : 0;
    if (err == 0)
        err = scope_make(r, r->rule->format, false, &format);
    if (err != 0 || r->rule->scope == NULL) {
        r->rule->scope = err == 0 ? format : NULL;
        return err;
    }
    ast_add(both, r->rule->scope);
    ast_add(both, format);
    r->rule->scope = both;
    return 0;
}

static int category_scope(struct sigma_reader *r)
{
    const struct sigma_logsource *source = &r->rule->logsource;
    for (size_t i = 0; i < sizeof(CATEGORIES) / sizeof(CATEGORIES[0]); i++) {
        if (!slice_equal(CATEGORIES[i].name, source->category))
            continue;
        if (CATEGORIES[i].mode == SCOPE_NONE)
            return 0;
        return scope_make(r, CATEGORIES[i].formats, CATEGORIES[i].mode == SCOPE_EXCEPT,
                          &r->rule->scope);
    }
    r->rule->nowhere = source->category.len != 0 || r->rule->format.len == 0;
    return 0;
}

int sigma_names_scope(struct sigma_reader *r)
{
    const struct sigma_logsource *source = &r->rule->logsource;
    const struct yaml_node *at = yaml_get(r->rule->document, SLICE("logsource"));
    if (r->set->names == SIGMA_NAMES_LITERAL || slice_equal(source->product, SLICE("sekisho")))
        return 0;
    r->rule->format = product_format(source);
    int err = category_scope(r);
    if (err == 0 && r->rule->nowhere && at != NULL) {
        sigma_warn(r, at,
                   "none of the logs that are read here are of this logsource: the rule never "
                   "runs");
    }
    return err != 0 || r->rule->nowhere || r->rule->format.len == 0 ? err : scope_narrow(r);
}
