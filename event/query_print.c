#include "base/clock.h"
#include "base/err.h"
#include "event/pred_row.h"
#include "event/query.h"
#include "event/query_lex.h"

static bool all_bytes(struct slice s, bool (*is)(char))
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is(s.data[i]))
            return false;
    }
    return s.len != 0;
}

/* Between quotes, with a backslash before each byte of `escaped`. */
static void print_quoted(struct buf *out, struct slice s, const char *escaped)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '\0' && strchr(escaped, s.data[i]) != NULL)
            buf_byte(out, '\\');
        buf_byte(out, s.data[i]);
    }
    buf_byte(out, '"');
}

/* As asked; rules may have the number of a field alone. */
static struct slice leaf_name(const struct ast *leaf)
{
    const struct field_info *info = field_info(leaf->field);
    return leaf->field_name.len == 0 && info != NULL ? info->name : leaf->field_name;
}

static void print_name(struct buf *out, const struct ast *leaf)
{
    struct slice name = leaf_name(leaf);
    bool digit = name.len != 0 && name.data[0] >= '0' && name.data[0] <= '9';
    if (!digit && all_bytes(name, lex_is_name_byte))
        buf_slice(out, name);
    else
        print_quoted(out, name, "\"\\");
}

static void print_value(struct buf *out, struct slice text)
{
    if (all_bytes(text, lex_is_value_byte))
        buf_slice(out, text);
    else
        print_quoted(out, text, "\"\\*?");
}

/* A glob holds its own backslashes; only quotes are missing. */
static void print_glob(struct buf *out, struct slice glob)
{
    print_quoted(out, glob, "\"");
}

static void print_contains(struct buf *out, struct slice text)
{
    buf_text(out, "\"*");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\0' && strchr("\"\\*?", text.data[i]) != NULL)
            buf_byte(out, '\\');
        buf_byte(out, text.data[i]);
    }
    buf_text(out, "*\"");
}

static void print_regex(struct buf *out, struct slice pattern)
{
    buf_byte(out, '/');
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '/')
            buf_byte(out, '\\');
        buf_byte(out, pattern.data[i]);
        if (pattern.data[i] == '\\' && i + 1 < pattern.len)
            buf_byte(out, pattern.data[++i]);
    }
    buf_byte(out, '/');
}

static void print_network(struct buf *out, const struct ast *leaf)
{
    if (leaf->text.len != 0 && memchr(leaf->text.data, '/', leaf->text.len) != NULL) {
        buf_slice(out, leaf->text);
        return;
    }
    const struct network *net = &leaf->network;
    ip_print(out, &net->ip);
    buf_printf(out, "/%u",
               ip_is_v4(&net->ip) && net->prefix_bits >= 96 ? net->prefix_bits - 96U
                                                            : net->prefix_bits);
}

static void print_bound(struct buf *out, const struct ast *leaf, const struct ast_bound *bound)
{
    enum row_field row = row_field_find(leaf_name(leaf));
    if (bound->text.len != 0)
        print_value(out, bound->text);
    else if (row == ROW_FIELD_TIMESTAMP || row == ROW_FIELD_INGESTED)
        clock_print(out, bound->number);
    else if (bound->is_real)
        buf_printf(out, "\"%.17g\"", bound->real);
    else
        buf_decimal(out, bound->number);
}

static void print_range(struct buf *out, const struct ast *leaf)
{
    buf_byte(out, '[');
    print_bound(out, leaf, &leaf->bound);
    buf_text(out, " to ");
    print_bound(out, leaf, &leaf->high);
    buf_byte(out, ']');
}

static int print_leaf(struct buf *out, const struct ast *leaf)
{
    static const char *const SIGNS[] = {
        [AST_EQUAL] = ":",   [AST_GLOB] = ":",           [AST_CONTAINS] = ":",
        [AST_REGEX] = ":",   [AST_LESS] = "<",           [AST_LESS_EQUAL] = "<=",
        [AST_GREATER] = ">", [AST_GREATER_EQUAL] = ">=", [AST_NETWORK] = ":",
        [AST_EXISTS] = ":*", [AST_RANGE] = ":",
    };
    if (leaf->cased || leaf->any_field || leaf->part != AST_PART_NONE || leaf->op == AST_VALUE ||
        leaf->op >= AST_REF_EQUAL)
        return ERR_RANGE;
    if (leaf->op == AST_RAW) {
        print_quoted(out, leaf->text, "\"\\");
        return 0;
    }
    print_name(out, leaf);
    buf_text(out, SIGNS[leaf->op]);
    switch (leaf->op) {
    case AST_EQUAL:
        print_value(out, leaf->text);
        break;
    case AST_GLOB:
        print_glob(out, leaf->text);
        break;
    case AST_CONTAINS:
        print_contains(out, leaf->text);
        break;
    case AST_REGEX:
        print_regex(out, leaf->text);
        break;
    case AST_NETWORK:
        print_network(out, leaf);
        break;
    case AST_LESS:
    case AST_LESS_EQUAL:
    case AST_GREATER:
    case AST_GREATER_EQUAL:
        print_bound(out, leaf, &leaf->bound);
        break;
    case AST_RANGE:
        print_range(out, leaf);
        break;
    case AST_EXISTS:
    case AST_VALUE:
    case AST_RAW:
    case AST_REF_EQUAL:
    case AST_REF_CONTAINS:
    case AST_REF_PREFIX:
    case AST_REF_SUFFIX:
    default:
        break;
    }
    return 0;
}

struct print_frame {
    const struct ast *child; /* next to print */
    enum ast_kind kind;
    bool paren;
    bool any; /* a child was printed */
};

static bool needs_paren(enum ast_kind parent, enum ast_kind child)
{
    if (child != AST_AND && child != AST_OR)
        return false;
    return parent == AST_NOT || parent == AST_AND || (parent == AST_OR && child == AST_OR);
}

int query_print(const struct ast *ast, struct buf *out)
{
    struct print_frame stack[AST_DEPTH_MAX + 2];
    unsigned depth = 0;
    struct ast root = *ast;
    root.next = NULL;
    if (root.kind == AST_TRUE)
        return 0;
    stack[depth++] = (struct print_frame){.child = &root, .kind = AST_TRUE};
    while (depth > 0) {
        struct print_frame *f = &stack[depth - 1];
        const struct ast *node = f->child;
        if (node == NULL) {
            if (f->paren)
                buf_byte(out, ')');
            depth--;
            continue;
        }
        if (f->any)
            buf_text(out, f->kind == AST_OR ? " or " : " and ");
        f->any = true;
        f->child = node->next;
        if (node->kind == AST_LEAF) {
            int err = print_leaf(out, node);
            if (err != 0)
                return err;
            continue;
        }
        if (node->kind == AST_TRUE || node->first == NULL || depth > AST_DEPTH_MAX)
            return ERR_RANGE;
        bool paren = needs_paren(f->kind, node->kind);
        if (paren)
            buf_byte(out, '(');
        if (node->kind == AST_NOT)
            buf_text(out, "not ");
        stack[depth++] =
            (struct print_frame){.child = node->first, .kind = node->kind, .paren = paren};
    }
    return buf_ok(out) ? 0 : ERR_NOMEM;
}
