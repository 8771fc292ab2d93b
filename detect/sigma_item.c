/* One item of a selection: field|modifiers: values, or a list of keywords. */
#include <string.h>

#include "base/err.h"
#include "detect/sigma_check.h"
#include "detect/sigma_modifier.h"
#include "detect/sigma_pattern.h"
#include "event/pred_regex.h"
#include "event/pred_row.h"

/* The alternatives that one value of a rule stands for, as patterns. */
struct alternatives {
    struct slice *items;
    size_t *from; /* where expanding goes on */
    size_t count;
    size_t cap;
};

/* What is asked of each field that a name stands for. */
struct question {
    struct sigma_reader *r;
    struct ast leaf; /* without its field */
    struct ast *any; /* OR of the fields */
    struct slice other;
};

static struct arena *arena_of(const struct sigma_reader *r)
{
    return &r->set->arena;
}

static int question_add(void *self, uint16_t field, struct slice name)
{
    struct question *q = self;
    struct ast *leaf = sigma_ast(q->r, AST_LEAF);
    if (leaf == NULL)
        return ERR_NOMEM;
    *leaf = q->leaf;
    leaf->field = field;
    leaf->field_name = name;
    sigma_ast_add(q->any, leaf);
    return 0;
}

/* The other field of a comparison, then each field that it is compared with. */
static int question_other(void *self, uint16_t field, struct slice name)
{
    struct question *q = self;
    q->leaf.other = field;
    q->leaf.other_name = name;
    const struct sigma_reader *r = q->r;
    return sigma_names_each(r, q->leaf.field_name, question_add, q);
}

/* The leaf, asked of all that the item's field stands for. */
static int leaf_ask(struct sigma_reader *r, const struct sigma_item *item, const struct ast *leaf,
                    struct ast **out)
{
    struct question q = {.r = r, .leaf = *leaf, .any = sigma_ast(r, AST_OR)};
    if (q.any == NULL)
        return ERR_NOMEM;
    q.leaf.kind = AST_LEAF;
    int err = 0;
    if (item->field.len == 0) {
        q.leaf.any_field = true;
        err = question_add(&q, FIELD_NONE, SLICE(""));
    } else if (leaf->other_name.len != 0) {
        q.leaf.field_name = item->field;
        err = sigma_names_each(r, leaf->other_name, question_other, &q);
    } else {
        err = sigma_names_each(r, item->field, question_add, &q);
    }
    if (err == 0)
        *out = sigma_ast_simple(q.any);
    return err;
}

static int alternatives_add(struct sigma_reader *r, const struct yaml_node *value,
                            struct alternatives *a, struct slice pattern)
{
    if (pattern.data == NULL)
        return ERR_NOMEM;
    if (a->count == SIGMA_VALUES_MAX)
        return sigma_fault(r, value, "stands for more than %d values; use a shorter list",
                           SIGMA_VALUES_MAX);
    if (a->count == a->cap) {
        size_t cap = a->cap == 0 ? 4 : a->cap * 2;
        struct slice *items = arena_array(arena_of(r), cap, sizeof(*items));
        size_t *from = arena_array(arena_of(r), cap, sizeof(*from));
        if (items == NULL || from == NULL)
            return ERR_NOMEM;
        if (a->count != 0) {
            memcpy(items, a->items, a->count * sizeof(*items));
            memcpy(from, a->from, a->count * sizeof(*from));
        }
        a->items = items;
        a->from = from;
        a->cap = cap;
    }
    a->from[a->count] = 0;
    a->items[a->count++] = pattern;
    return 0;
}

static const struct sigma_placeholder *placeholder_find(const struct sigma_set *set,
                                                        struct slice name)
{
    for (size_t i = 0; i < set->placeholder_count; i++) {
        if (slice_equal(set->placeholders[i].name, name))
            return &set->placeholders[i];
    }
    return NULL;
}

/* The first %name% at or after `from` in a text; false when there is none. `\%` is a plain one. */
static bool placeholder_next(struct slice text, size_t from, size_t *start, size_t *end)
{
    for (size_t i = from; i < text.len; i++) {
        if (text.data[i] == '\\') {
            i++;
            continue;
        }
        if (text.data[i] != '%')
            continue;
        size_t close = i + 1;
        while (close < text.len &&
               (text.data[close] == '_' || text.data[close] == '-' || text.data[close] == '.' ||
                (text.data[close] >= '0' && text.data[close] <= '9') ||
                (text.data[close] >= 'A' && text.data[close] <= 'Z') ||
                (text.data[close] >= 'a' && text.data[close] <= 'z')))
            close++;
        if (close > i + 1 && close < text.len && text.data[close] == '%') {
            *start = i;
            *end = close + 1;
            return true;
        }
    }
    return false;
}

/* A text with its first placeholder replaced; `value` is itself a rule's text. */
static struct slice placeholder_put(struct sigma_reader *r, struct slice text, size_t start,
                                    size_t end, struct slice value)
{
    struct buf out = {0};
    struct slice result = {0};
    buf_append(&out, text.data, start);
    buf_slice(&out, value);
    buf_append(&out, text.data + end, text.len - end);
    if (buf_ok(&out))
        result = slice_of(arena_copy(arena_of(r), buf_content(&out)), out.len);
    buf_release(&out);
    return result;
}

/* `\%` is a percent sign, nothing else. */
static struct slice unescape_percent(struct sigma_reader *r, struct slice text)
{
    struct buf out = {0};
    struct slice result = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\' && i + 1 < text.len && text.data[i + 1] == '%')
            i++;
        buf_byte(&out, text.data[i]);
    }
    if (buf_ok(&out))
        result = slice_of(arena_copy(arena_of(r), buf_content(&out)), out.len);
    buf_release(&out);
    return result;
}

/*
 * Replace placeholders from left to right: the list grows at its end while it is walked. What a
 * placeholder's value holds is not expanded again.
 */
static int expand(struct sigma_reader *r, const struct yaml_node *value, struct alternatives *a)
{
    struct alternatives todo = *a;
    *a = (struct alternatives){0};
    for (size_t i = 0; i < todo.count; i++) {
        struct slice text = todo.items[i];
        size_t start = 0;
        size_t end = 0;
        int err = 0;
        if (!placeholder_next(text, todo.from[i], &start, &end)) {
            err = alternatives_add(r, value, a, unescape_percent(r, text));
            if (err != 0)
                return err;
            continue;
        }
        struct slice name = slice_of(text.data + start + 1, end - start - 2);
        const struct sigma_placeholder *list = placeholder_find(r->set, name);
        if (list == NULL) {
            return sigma_fault(r, value,
                               "the placeholder %%%.*s%% has no list; name it under lists, or with "
                               "--placeholders",
                               (int)name.len, name.data);
        }
        for (size_t k = 0; err == 0 && k < list->count; k++) {
            err = alternatives_add(r, value, &todo,
                                   placeholder_put(r, text, start, end, list->values[k]));
            if (err == 0)
                todo.from[todo.count - 1] = start + list->values[k].len;
        }
        if (err != 0)
            return err;
    }
    return 0;
}

static int encode_one(struct sigma_reader *r, const struct yaml_node *value,
                      enum sigma_modifier modifier, struct slice pattern, struct alternatives *out)
{
    struct arena *arena = arena_of(r);
    if (pattern_has_wildcard(pattern)) {
        return sigma_fault(r, value,
                           "a wildcard cannot be encoded by \"%s\"; write \\* for a plain star",
                           sigma_modifier_name(modifier));
    }
    struct slice bytes = pattern_bytes(arena, pattern);
    struct slice encoded = {0};
    if (modifier == MODIFIER_BASE64OFFSET) {
        for (unsigned offset = 0; offset < SIGMA_OFFSETS; offset++) {
            encoded = pattern_base64_offset(arena, bytes, offset);
            if (encoded.data != NULL && encoded.len == 0)
                return sigma_fault(r, value,
                                   "too short for base64offset; nothing of it is certain");
            int err = alternatives_add(r, value, out, pattern_plain(arena, encoded));
            if (err != 0)
                return err;
        }
        return 0;
    }
    if (modifier == MODIFIER_BASE64)
        encoded = pattern_base64(arena, bytes);
    else if (modifier == MODIFIER_UTF16BE)
        encoded = pattern_utf16(arena, bytes, SIGMA_UTF16_BE);
    else
        encoded = pattern_utf16(arena, bytes,
                                modifier == MODIFIER_UTF16 ? SIGMA_UTF16_MARK : SIGMA_UTF16_LE);
    return alternatives_add(r, value, out, pattern_plain(arena, encoded));
}

static bool is_encoding(enum sigma_modifier m)
{
    return m == MODIFIER_BASE64 || m == MODIFIER_BASE64OFFSET || m == MODIFIER_UTF16 ||
           m == MODIFIER_UTF16BE || m == MODIFIER_UTF16LE || m == MODIFIER_WIDE;
}

/* Apply one modifier of the chain to all alternatives. */
static int text_change(struct sigma_reader *r, const struct yaml_node *value,
                       enum sigma_modifier modifier, struct alternatives *a)
{
    struct alternatives out = {0};
    int err = 0;
    if (modifier == MODIFIER_WINDASH) /* applied last, where the pattern becomes a leaf */
        return 0;
    for (size_t i = 0; err == 0 && i < a->count; i++) {
        if (is_encoding(modifier)) {
            err = encode_one(r, value, modifier, a->items[i], &out);
            continue;
        }
        struct slice p = pattern_around(arena_of(r), a->items[i], modifier != MODIFIER_STARTSWITH,
                                        modifier != MODIFIER_ENDSWITH);
        err = alternatives_add(r, value, &out, p);
    }
    *a = out;
    return err;
}

/* A pattern as a leaf. */
static int pattern_leaf(struct sigma_reader *r, const struct sigma_item *item,
                        const struct yaml_node *value, struct slice pattern, struct ast **out)
{
    struct ast leaf = {.op = AST_GLOB, .cased = item->has[MODIFIER_CASED], .text = pattern};
    if (item->field.len == 0)
        leaf.text = pattern_around(arena_of(r), pattern, true, true);
    if (item->has[MODIFIER_WINDASH] && pattern_has_dash(pattern)) {
        leaf.op = AST_REGEX;
        leaf.text = pattern_windash(arena_of(r), leaf.text);
    } else if (!pattern_has_wildcard(leaf.text)) {
        leaf.op = AST_EQUAL;
        leaf.text = pattern_bytes(arena_of(r), leaf.text);
    }
    if (leaf.text.data == NULL)
        return ERR_NOMEM;
    if (leaf.text.len > SIGMA_PATTERN_BYTES_MAX)
        return sigma_fault(r, value, "a pattern of more than %d bytes", SIGMA_PATTERN_BYTES_MAX);
    return leaf_ask(r, item, &leaf, out);
}

/* A number with a fraction may be written in many ways: 1.50 is 1.5, too. */
static int add_number(struct sigma_reader *r, const struct yaml_node *value, struct alternatives *a)
{
    struct ast_bound number;
    struct buf text = {0};
    int err = 0;
    if (value->quoted || !sigma_number(value, &number) || !number.is_real)
        return 0;
    buf_printf(&text, "%.15g", number.real);
    if (buf_ok(&text) && !slice_equal(buf_content(&text), value->text))
        err = alternatives_add(r, value, a, pattern_plain(arena_of(r), buf_content(&text)));
    buf_release(&text);
    return err;
}

/* What a value stands for before the modifiers change it, as patterns. */
static int alternatives_read(struct sigma_reader *r, const struct sigma_item *item,
                             const struct yaml_node *value, struct alternatives *a)
{
    int err = 0;
    if (!item->has[MODIFIER_EXPAND]) {
        err = alternatives_add(r, value, a, pattern_read(arena_of(r), value->text));
        if (err == 0 && sigma_item_in(item, GROUP_TEXT) == MODIFIER_COUNT)
            err = add_number(r, value, a);
        return err;
    }
    err = alternatives_add(r, value, a, value->text);
    if (err == 0)
        err = expand(r, value, a);
    for (size_t i = 0; i < a->count && err == 0; i++) {
        a->items[i] = pattern_read(arena_of(r), a->items[i]);
        err = a->items[i].data == NULL ? ERR_NOMEM : 0;
    }
    return err;
}

/* The text of a scalar: a number or a flag is its text. */
static int read_text(struct sigma_reader *r, const struct sigma_item *item,
                     const struct yaml_node *value, struct ast **out)
{
    struct alternatives a = {0};
    int err = alternatives_read(r, item, value, &a);
    for (uint32_t i = 0; err == 0 && i < item->count; i++) {
        if (sigma_modifier_group((enum sigma_modifier)item->chain[i]) == GROUP_TEXT)
            err = text_change(r, value, (enum sigma_modifier)item->chain[i], &a);
    }
    struct ast *any = err == 0 ? sigma_ast(r, AST_OR) : NULL;
    if (any == NULL)
        return err == 0 ? ERR_NOMEM : err;
    for (size_t i = 0; err == 0 && i < a.count; i++) {
        struct ast *leaf = NULL;
        err = pattern_leaf(r, item, value, a.items[i], &leaf);
        if (err == 0)
            sigma_ast_add(any, leaf);
    }
    if (err == 0 && any->first == NULL)
        return sigma_fault(r, value, "the placeholder's list is empty: the value selects nothing");
    if (err == 0)
        *out = sigma_ast_simple(any);
    return err;
}

static int read_regex(struct sigma_reader *r, const struct sigma_item *item,
                      const struct yaml_node *value, struct ast **out)
{
    struct buf text = {0};
    if (item->has[MODIFIER_RE_M] || item->has[MODIFIER_RE_S])
        buf_printf(&text, "(?%s%s)", item->has[MODIFIER_RE_M] ? "m" : "",
                   item->has[MODIFIER_RE_S] ? "s" : "");
    buf_slice(&text, value->text);
    struct ast leaf = {.op = AST_REGEX, .cased = !item->has[MODIFIER_RE_I]};
    if (buf_ok(&text))
        leaf.text = slice_of(arena_copy(arena_of(r), buf_content(&text)), text.len);
    buf_release(&text);
    if (leaf.text.data == NULL)
        return ERR_NOMEM;
    char message[REGEX_MESSAGE_BYTES];
    int err = regex_check(leaf.text, message);
    if (err == ERR_CONF) {
        return sigma_fault(r, value,
                           "the modifier re: this is no regular expression that can be "
                           "run: %s",
                           message);
    }
    return err != 0 ? err : leaf_ask(r, item, &leaf, out);
}

static int read_network(struct sigma_reader *r, const struct sigma_item *item,
                        const struct yaml_node *value, struct ast **out)
{
    struct alternatives a = {0};
    int err = alternatives_add(r, value, &a, value->text);
    if (err == 0 && item->has[MODIFIER_EXPAND])
        err = expand(r, value, &a);
    struct ast *any = err == 0 ? sigma_ast(r, AST_OR) : NULL;
    for (size_t i = 0; err == 0 && any != NULL && i < a.count; i++) {
        struct ast leaf = {.op = AST_NETWORK, .text = a.items[i]};
        struct ast *asked = NULL;
        bool host_bits = false;
        if (network_parse(&leaf.network, a.items[i], &host_bits) != 0) {
            return sigma_fault(r, value,
                               "the modifier cidr: \"%.*s\" is no network; write 192.0.2.0/24 or "
                               "2001:db8::/32",
                               (int)a.items[i].len, a.items[i].data);
        }
        if (host_bits) {
            sigma_warn(r, value,
                       "the network %.*s has bits set behind its prefix; they are ignored",
                       (int)a.items[i].len, a.items[i].data);
        }
        err = leaf_ask(r, item, &leaf, &asked);
        if (err == 0)
            sigma_ast_add(any, asked);
    }
    if (err == 0 && any != NULL && any->first == NULL)
        return sigma_fault(r, value, "the placeholder's list is empty: the value selects nothing");
    if (err == 0 && any != NULL)
        *out = sigma_ast_simple(any);
    return err == 0 && any == NULL ? ERR_NOMEM : err;
}

static enum ast_op compare_op(enum sigma_modifier modifier)
{
    if (modifier == MODIFIER_LT)
        return AST_LESS;
    if (modifier == MODIFIER_LTE)
        return AST_LESS_EQUAL;
    if (modifier == MODIFIER_GT)
        return AST_GREATER;
    return modifier == MODIFIER_GTE ? AST_GREATER_EQUAL : AST_RANGE;
}

static int read_number(struct sigma_reader *r, const struct sigma_item *item,
                       const struct yaml_node *value, struct ast **out)
{
    enum sigma_modifier part = sigma_item_in(item, GROUP_TIME);
    enum sigma_modifier compare = sigma_item_in(item, GROUP_COMPARE);
    enum sigma_modifier named = part != MODIFIER_COUNT ? part : compare;
    struct ast leaf = {.op = compare_op(compare)};
    if (!sigma_number(value, &leaf.bound))
        return sigma_fault(r, value, "the modifier \"%s\" takes a number, not \"%.*s\"",
                           sigma_modifier_name(named), (int)value->text.len, value->text.data);
    leaf.high = leaf.bound;
    if (part != MODIFIER_COUNT)
        leaf.part = (uint8_t)(part - MODIFIER_MINUTE + AST_PART_MINUTE);
    return leaf_ask(r, item, &leaf, out);
}

static int read_exists(struct sigma_reader *r, const struct sigma_item *item,
                       const struct yaml_node *value, struct ast **out)
{
    bool wanted = false;
    if (!sigma_bool(value, &wanted))
        return sigma_fault(r, value, "the modifier exists takes true or false");
    struct ast leaf = {.op = AST_EXISTS};
    struct ast *asked = NULL;
    int err = leaf_ask(r, item, &leaf, &asked);
    if (err != 0 || wanted) {
        *out = asked;
        return err;
    }
    struct ast *not = sigma_ast(r, AST_NOT);
    if (not == NULL)
        return ERR_NOMEM;
    sigma_ast_add(not, asked);
    *out = not ;
    return 0;
}

/* A field of the batch or the row, which no column holds. */
static bool is_row_field(struct slice name)
{
    const struct field_info *info = field_info(field_find(name));
    return row_field_find(info == NULL ? name : info->name) != ROW_FIELD_NONE;
}

static int read_reference(struct sigma_reader *r, const struct sigma_item *item,
                          const struct yaml_node *value, struct ast **out)
{
    struct ast leaf = {
        .op = AST_REF_EQUAL, .cased = item->has[MODIFIER_CASED], .other_name = value->text};
    if (value->text.len == 0)
        return sigma_fault(r, value, "the modifier fieldref takes the name of a field");
    if (r->set->names == SIGMA_NAMES_FIELDS &&
        (is_row_field(item->field) || is_row_field(value->text))) {
        return sigma_fault(r, value,
                           "the modifier fieldref compares fields of the line; %.*s is "
                           "none",
                           (int)(is_row_field(item->field) ? item->field.len : value->text.len),
                           is_row_field(item->field) ? item->field.data : value->text.data);
    }
    sigma_names_check(r, value, r->rule, value->text);
    if (item->has[MODIFIER_CONTAINS] ||
        (item->has[MODIFIER_STARTSWITH] && item->has[MODIFIER_ENDSWITH]))
        leaf.op = AST_REF_CONTAINS;
    else if (item->has[MODIFIER_STARTSWITH])
        leaf.op = AST_REF_PREFIX;
    else if (item->has[MODIFIER_ENDSWITH])
        leaf.op = AST_REF_SUFFIX;
    return leaf_ask(r, item, &leaf, out);
}

/* null: the field has no value, as it is absent or null. */
static int read_null(struct sigma_reader *r, const struct sigma_item *item,
                     const struct yaml_node *value, struct ast **out)
{
    if (item->field.len == 0)
        return sigma_fault(r, value, "null as a keyword; null must be bound to a field");
    for (uint32_t i = 0; i < item->count; i++) {
        if (item->chain[i] != MODIFIER_NEQ)
            return sigma_fault(r, value, "null does not go with the modifier \"%s\"",
                               sigma_modifier_name((enum sigma_modifier)item->chain[i]));
    }
    struct ast leaf = {.op = AST_VALUE};
    struct ast *asked = NULL;
    struct ast *not = sigma_ast(r, AST_NOT);
    int err = leaf_ask(r, item, &leaf, &asked);
    if (err != 0 || not == NULL)
        return err != 0 ? err : ERR_NOMEM;
    sigma_ast_add(not, asked);
    *out = not ;
    return 0;
}

typedef int read_scalar(struct sigma_reader *r, const struct sigma_item *item,
                        const struct yaml_node *value, struct ast **out);

/* What the modifiers make of a value. */
static read_scalar *value_reader(const struct sigma_item *item, const struct yaml_node *value)
{
    if (yaml_null(value))
        return read_null;
    if (item->has[MODIFIER_EXISTS])
        return read_exists;
    if (item->has[MODIFIER_RE])
        return read_regex;
    if (item->has[MODIFIER_CIDR])
        return read_network;
    if (item->has[MODIFIER_FIELDREF])
        return read_reference;
    if (sigma_item_in(item, GROUP_COMPARE) != MODIFIER_COUNT ||
        sigma_item_in(item, GROUP_TIME) != MODIFIER_COUNT)
        return read_number;
    return read_text;
}

static int read_value(struct sigma_reader *r, const struct sigma_item *item,
                      const struct yaml_node *value, struct ast **out)
{
    if (value->kind != YAML_TEXT)
        return sigma_fault(r, value, "a %s where a value belongs",
                           value->kind == YAML_LIST ? "list in a list" : "map");
    int err = value_reader(item, value)(r, item, value, out);
    return err == 0 ? sigma_check_value(r, value, *out) : err;
}

/* The list of values, joined. */
static int read_list(struct sigma_reader *r, const struct sigma_item *item,
                     const struct yaml_node *list, struct ast **out)
{
    struct ast *joined = sigma_ast(r, item->has[MODIFIER_ALL] ? AST_AND : AST_OR);
    if (joined == NULL)
        return ERR_NOMEM;
    if (list->count == 0)
        return sigma_fault(r, list, "an empty list for \"%s\" selects nothing",
                           item->node->key == NULL ? "keywords" : item->node->key);
    int err = 0;
    for (const struct yaml_node *v = list->first; v != NULL; v = v->next) {
        struct ast *one = NULL;
        int got = v->kind == YAML_TEXT && yaml_null(v)
                      ? sigma_fault(r, v,
                                    "null cannot be part of a list%s; write a selection of "
                                    "its own",
                                    item->field.len == 0 ? " of keywords" : "")
                      : read_value(r, item, v, &one);
        if (got != 0 && got != ERR_CONF)
            return got;
        err = got != 0 ? got : err;
        sigma_ast_add(joined, one);
    }
    if (err == 0)
        *out = sigma_ast_simple(joined);
    return err;
}

int sigma_item_read(struct sigma_reader *r, const struct yaml_node *node, struct ast **out)
{
    struct sigma_item item;
    struct ast *read = NULL;
    int err = sigma_item_open(r, node, &item);
    if (err != 0)
        return err;
    sigma_names_check(r, node, r->rule, item.field);
    bool several = node->kind == YAML_LIST && node->count > 1;
    if (item.has[MODIFIER_ALL] && !several)
        return sigma_fault_key(r, node, "the modifier \"all\" needs a list of two values or more");
    if (item.has[MODIFIER_EXISTS] && node->kind == YAML_LIST)
        return sigma_fault(r, node, "the modifier exists takes true or false, not a list");
    err = node->kind == YAML_LIST ? read_list(r, &item, node, &read)
                                  : read_value(r, &item, node, &read);
    if (err != 0 || !item.has[MODIFIER_NEQ]) {
        *out = read;
        return err;
    }
    struct ast *not = sigma_ast(r, AST_NOT);
    if (not == NULL)
        return ERR_NOMEM;
    sigma_ast_add(not, read);
    *out = not ;
    return 0;
}
