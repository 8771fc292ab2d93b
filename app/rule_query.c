/* app/rule_query.c - a rule as a query, and a query as a rule. */
#include "app/rule_query.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "app/options.h"
#include "event/query.h"

enum {
    SELECTIONS_MAX = 1000,
    ID_BYTES = 16,
};

static int out_print(struct buf *out)
{
    bool written = buf_ok(out) && fwrite(out->data, 1, out->len, stdout) == out->len;
    buf_release(out);
    return written ? 0 : ERR_IO;
}

int rule_query(const struct rule_options *options)
{
    struct diag diag = {0};
    struct rule_set rules = {0};
    struct buf out = {0};
    bool wordless = false;
    int err = rule_load(&rules, options, &diag);
    for (uint32_t i = 0; i < rules.set.rule_count && err == 0; i++) {
        const struct sigma_rule *rule = &rules.set.rules[i];
        if (rule->kind != SIGMA_RULE)
            continue;
        size_t before = out.len;
        buf_slice(&out, rule->id);
        buf_byte(&out, '\t');
        int got = query_print(rule->condition, &out);
        buf_byte(&out, '\n');
        if (got == 0)
            continue;
        out.len = before;
        wordless = true;
        diag_add(&diag, rule->filename, rule->line, 1,
                 "the query language has no words for a condition of %.*s (keywords, letter case, "
                 "parts of times, or other fields)",
                 (int)rule->id.len, rule->id.data);
        err = got == ERR_RANGE ? 0 : got;
    }
    if (err == 0)
        err = out_print(&out);
    option_say(&diag);
    diag_release(&diag);
    buf_release(&out);
    rule_set_release(&rules);
    if (err != 0)
        return err == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(err);
    return wordless ? EXIT_CODE_FINDINGS : EXIT_CODE_OK;
}

/* From a query: each leaf becomes a selection, the tree above them the condition */

struct writer {
    struct buf selections;
    struct buf condition;
    unsigned count;
};

/* A text in single quotes, as YAML has it. */
static void quoted(struct buf *out, struct slice text)
{
    buf_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        buf_byte(out, text.data[i]);
        if (text.data[i] == '\'')
            buf_byte(out, '\'');
    }
    buf_byte(out, '\'');
}

/* A plain text as Sigma's pattern: what would be a wildcard or an escape is escaped. */
static void pattern(struct buf *out, struct slice text)
{
    struct buf escaped = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\0' && strchr("*?\\", text.data[i]) != NULL)
            buf_byte(&escaped, '\\');
        buf_byte(&escaped, text.data[i]);
    }
    quoted(out, buf_content(&escaped));
    buf_release(&escaped);
}

static void number(struct buf *out, const struct ast_bound *bound)
{
    if (bound->is_real)
        buf_printf(out, "%.17g", bound->real);
    else
        buf_decimal(out, bound->number);
}

static void key(struct buf *out, const struct ast *leaf, const char *modifiers)
{
    const struct field_info *info = field_info(leaf->field);
    struct slice name = info == NULL ? leaf->field_name : info->name;
    struct buf text = {0};
    buf_text(out, "    ");
    buf_slice(&text, name);
    buf_text(&text, modifiers);
    quoted(out, buf_content(&text));
    buf_text(out, ": ");
    buf_release(&text);
}

static int leaf_write(struct buf *out, const struct ast *leaf)
{
    static const char *const ORDERS[] = {"|lt", "|lte", "|gt", "|gte"};
    if (leaf->field == FIELD_TIMESTAMP || leaf->field == FIELD_EVENT_INGESTED)
        return ERR_RANGE; /* Sigma compares no times */
    switch (leaf->op) {
    case AST_EQUAL:
        key(out, leaf, leaf->cased ? "|cased" : "");
        pattern(out, leaf->text);
        break;
    case AST_GLOB:
        key(out, leaf, leaf->cased ? "|cased" : "");
        quoted(out, leaf->text);
        break;
    case AST_CONTAINS:
        key(out, leaf, leaf->cased ? "|contains|cased" : "|contains");
        pattern(out, leaf->text);
        break;
    case AST_REGEX:
        key(out, leaf, leaf->cased ? "|re" : "|re|i");
        quoted(out, leaf->text);
        break;
    case AST_LESS:
    case AST_LESS_EQUAL:
    case AST_GREATER:
    case AST_GREATER_EQUAL:
        key(out, leaf, ORDERS[leaf->op - AST_LESS]);
        number(out, &leaf->bound);
        break;
    case AST_RANGE:
        key(out, leaf, "|gte");
        number(out, &leaf->bound);
        buf_byte(out, '\n');
        key(out, leaf, "|lte");
        number(out, &leaf->high);
        break;
    case AST_NETWORK:
        key(out, leaf, "|cidr");
        ip_print(out, &leaf->network.ip);
        buf_printf(out, "/%d",
                   ip_is_v4(&leaf->network.ip) && leaf->network.prefix_bits >= 96
                       ? leaf->network.prefix_bits - 96
                       : leaf->network.prefix_bits);
        break;
    case AST_EXISTS:
        key(out, leaf, "|exists");
        buf_text(out, "true");
        break;
    case AST_RAW:
        buf_text(out, "    'event.original|contains': ");
        pattern(out, leaf->text);
        break;
    case AST_VALUE:
    case AST_REF_EQUAL:
    case AST_REF_CONTAINS:
    case AST_REF_PREFIX:
    case AST_REF_SUFFIX:
    default:
        return ERR_RANGE;
    }
    buf_byte(out, '\n');
    return 0;
}

static int selection_write(struct writer *w, const struct ast *leaf)
{
    if (w->count == SELECTIONS_MAX)
        return ERR_RANGE;
    w->count++;
    buf_printf(&w->selections, "  s%u:\n", w->count);
    buf_printf(&w->condition, "s%u", w->count);
    return leaf_write(&w->selections, leaf);
}

/* The tree as a condition, every node but the outermost in parentheses. */
static int condition_write(struct writer *w, const struct ast *root)
{
    struct {
        const struct ast *node;
        const struct ast *child;
    } stack[AST_DEPTH_MAX + 2];
    unsigned depth = 0;
    int err = root->kind == AST_LEAF ? selection_write(w, root) : 0;
    if (root->kind == AST_LEAF)
        return err;
    stack[depth].node = root;
    stack[depth++].child = root->first;
    if (root->kind == AST_NOT)
        buf_text(&w->condition, "not ");
    while (depth > 0 && err == 0) {
        const struct ast *node = stack[depth - 1].node;
        const struct ast *child = stack[depth - 1].child;
        if (child == NULL) {
            if (--depth > 0)
                buf_byte(&w->condition, ')');
            continue;
        }
        if (child != node->first)
            buf_text(&w->condition, node->kind == AST_OR ? " or " : " and ");
        stack[depth - 1].child = child->next;
        if (child->kind == AST_LEAF) {
            err = selection_write(w, child);
        } else if (child->kind == AST_TRUE || depth > AST_DEPTH_MAX) {
            err = ERR_RANGE;
        } else {
            buf_text(&w->condition, child->kind == AST_NOT ? "(not " : "(");
            stack[depth].node = child;
            stack[depth++].child = child->first;
        }
    }
    return err;
}

/* RFC 4122, version 4. */
static void uuid(struct buf *out)
{
    unsigned char b[ID_BYTES];
    randombytes_buf(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (unsigned i = 0; i < ID_BYTES; i++)
        buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
}

int rule_from_query(const char *query, const char *title)
{
    struct diag diag = {0};
    struct arena arena = {0};
    struct ast *tree = NULL;
    struct writer w = {0};
    struct buf out = {0};
    int err = query_parse(&tree, &arena, slice_from(query), &diag);
    if (err == 0)
        err = tree->kind == AST_TRUE ? ERR_RANGE : condition_write(&w, tree);
    if (err == ERR_RANGE) {
        diag_add(&diag, "query", 1, 1,
                 "Sigma has no words for it: a query of nothing, or of times");
        err = ERR_CONF;
    }
    if (err == 0) {
        buf_text(&out, "title: ");
        quoted(&out, slice_from(title));
        buf_text(&out, "\nid: ");
        uuid(&out);
        buf_text(&out, "\nstatus: experimental\nlevel: medium\nlogsource:\n  product: sekisho\n"
                       "detection:\n");
        buf_slice(&out, buf_content(&w.selections));
        buf_text(&out, "  condition: ");
        buf_slice(&out, buf_content(&w.condition));
        buf_byte(&out, '\n');
        err = out_print(&out);
    }
    option_say(&diag);
    diag_release(&diag);
    arena_release(&arena);
    buf_release(&w.selections);
    buf_release(&w.condition);
    buf_release(&out);
    return err == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(err);
}
