#include "event/ast.h"

bool ast_bound_equal(const struct ast_bound *a, const struct ast_bound *b)
{
    return a->number == b->number && a->is_real == b->is_real && !(a->real < b->real) &&
           !(a->real > b->real) && slice_equal(a->text, b->text);
}

static bool same_node(const struct ast *a, const struct ast *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind != AST_LEAF)
        return true;
    return a->op == b->op && a->cased == b->cased && a->field == b->field &&
           slice_equal(a->field_name, b->field_name) && slice_equal(a->text, b->text) &&
           ast_bound_equal(&a->bound, &b->bound) && ast_bound_equal(&a->high, &b->high) &&
           a->network.prefix_bits == b->network.prefix_bits &&
           memcmp(a->network.ip.bytes, b->network.ip.bytes, sizeof(a->network.ip.bytes)) == 0;
}

bool ast_equal(const struct ast *a, const struct ast *b)
{
    struct {
        const struct ast *a;
        const struct ast *b;
    } stack[AST_DEPTH_MAX + 2];
    unsigned depth = 0;
    if (!same_node(a, b))
        return false;
    stack[depth].a = a->first;
    stack[depth++].b = b->first;
    while (depth > 0) {
        a = stack[depth - 1].a;
        b = stack[depth - 1].b;
        if (a == NULL && b == NULL) {
            depth--;
            continue;
        }
        if (a == NULL || b == NULL || !same_node(a, b) || depth > AST_DEPTH_MAX)
            return false;
        stack[depth - 1].a = a->next;
        stack[depth - 1].b = b->next;
        stack[depth].a = a->first;
        stack[depth++].b = b->first;
    }
    return true;
}
