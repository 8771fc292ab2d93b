#include "event/ast.h"

bool ast_bound_equal(const struct ast_bound *a, const struct ast_bound *b)
{
    return a->number == b->number && a->is_real == b->is_real && !(a->real < b->real) &&
           !(a->real > b->real) && slice_equal(a->text, b->text);
}

bool ast_leaf_equal(const struct ast *a, const struct ast *b)
{
    bool raw = a->op == AST_RAW || a->any_field;
    return a->op == b->op && a->cased == b->cased && a->any_field == b->any_field &&
           a->part == b->part && a->field == b->field && a->other == b->other &&
           (raw || slice_equal(a->field_name, b->field_name)) &&
           slice_equal(a->other_name, b->other_name) && slice_equal(a->text, b->text) &&
           ast_bound_equal(&a->bound, &b->bound) && ast_bound_equal(&a->high, &b->high) &&
           a->network.prefix_bits == b->network.prefix_bits &&
           memcmp(a->network.ip.bytes, b->network.ip.bytes, sizeof(a->network.ip.bytes)) == 0;
}

static bool same_node(const struct ast *a, const struct ast *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind != AST_LEAF)
        return true;
    return ast_leaf_equal(a, b) && slice_equal(a->field_name, b->field_name);
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

struct ast *ast_copy(struct arena *arena, const struct ast *root)
{
    struct {
        const struct ast *next; /* child to copy */
        struct ast *to;
    } stack[AST_DEPTH_MAX + 2];
    unsigned depth = 0;
    struct ast *copy = arena_alloc(arena, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    *copy = *root;
    stack[depth].next = root->first;
    stack[depth++].to = copy;
    copy->next = NULL;
    copy->first = NULL;
    copy->last = NULL;
    while (depth > 0) {
        const struct ast *child = stack[depth - 1].next;
        if (child == NULL) {
            depth--;
            continue;
        }
        struct ast *node = arena_alloc(arena, sizeof(*node));
        if (node == NULL || depth > AST_DEPTH_MAX)
            return NULL;
        *node = *child;
        node->next = NULL;
        node->first = NULL;
        node->last = NULL;
        ast_add(stack[depth - 1].to, node);
        stack[depth - 1].next = child->next;
        stack[depth].next = child->first;
        stack[depth++].to = node;
    }
    return copy;
}

int ast_leaves(struct ast *root, int (*each)(void *self, struct ast *leaf), void *self)
{
    struct ast *stack[AST_DEPTH_MAX + 2];
    unsigned depth = 0;
    int result = root->kind == AST_LEAF ? each(self, root) : 0;
    stack[depth++] = root->first;
    while (depth > 0 && result == 0) {
        struct ast *node = stack[depth - 1];
        if (node == NULL) {
            depth--;
            continue;
        }
        stack[depth - 1] = node->next;
        if (node->kind == AST_LEAF)
            result = each(self, node);
        else if (depth <= AST_DEPTH_MAX)
            stack[depth++] = node->first;
    }
    return result;
}
