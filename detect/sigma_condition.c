/* A condition: and, or, not, parentheses, `1 of` and `all of`. */
#include <string.h>

#include "base/err.h"
#include "detect/sigma_read.h"

enum {
    CONDITION_DEPTH_MAX = 10,
    CONDITION_STACK_MAX = 256,
    WORD_SHOWN_MAX = 60,
};

/* In rising order of how tightly they bind. */
enum operator_kind {
    OPERATOR_PAREN,
    OPERATOR_OR,
    OPERATOR_AND,
    OPERATOR_NOT,
};

/* Two stacks instead of recursion (Dijkstra, shunting-yard). */
struct condition {
    struct sigma_reader *r;
    const struct yaml_node *at;
    const struct sigma_resolver *resolver;
    struct slice rest;
    struct ast *operands[CONDITION_STACK_MAX];
    bool closed[CONDITION_STACK_MAX]; /* of operands: no further terms are taken in */
    enum operator_kind operators[CONDITION_STACK_MAX];
    unsigned operand_count;
    unsigned operator_count;
    unsigned paren_count;
    bool want_operator; /* a term has just ended */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word or parenthesis; empty at the end. */
static struct slice word_next(struct condition *c)
{
    struct slice s = c->rest;
    size_t at = 0;
    while (at < s.len && is_blank(s.data[at]))
        at++;
    size_t from = at;
    if (at < s.len && strchr("()|", s.data[at]) != NULL && s.data[at] != '\0') {
        at++;
    } else {
        while (at < s.len && !is_blank(s.data[at]) && s.data[at] != '(' && s.data[at] != ')' &&
               s.data[at] != '|')
            at++;
    }
    c->rest = slice_from_offset(s, at);
    return slice_of(s.data + from, at - from);
}

static bool word_is(struct slice word, const char *keyword)
{
    size_t len = strlen(keyword);
    return word.len == len && strncasecmp(word.data, keyword, len) == 0;
}

static int word_len(struct slice word)
{
    return (int)(word.len < WORD_SHOWN_MAX ? word.len : WORD_SHOWN_MAX);
}

static int operand_push(struct condition *c, struct ast *node)
{
    if (c->operand_count == CONDITION_STACK_MAX)
        return sigma_fault(c->r, c->at, "the condition has more than %d terms in one place",
                           CONDITION_STACK_MAX);
    c->closed[c->operand_count] = true;
    c->operands[c->operand_count++] = node;
    c->want_operator = true;
    return 0;
}

/* A tree may be named twice: what is linked here is a node of its own. */
static int operand_link(struct condition *c, struct ast *node)
{
    struct ast *link = sigma_ast(c->r, AST_AND);
    if (link == NULL)
        return ERR_NOMEM;
    ast_add(link, node);
    return operand_push(c, link);
}

static int reduce_one(struct condition *c)
{
    enum operator_kind kind = c->operators[--c->operator_count];
    struct ast *right = c->operands[c->operand_count - 1];
    struct ast *node = sigma_ast(c->r, kind == OPERATOR_NOT   ? AST_NOT
                                       : kind == OPERATOR_AND ? AST_AND
                                                              : AST_OR);
    if (node == NULL)
        return ERR_NOMEM;
    if (kind == OPERATOR_NOT) {
        ast_add(node, right);
        c->operands[c->operand_count - 1] = node;
        c->closed[c->operand_count - 1] = true;
        return 0;
    }
    c->operand_count--;
    struct ast *left = c->operands[c->operand_count - 1];
    /* A chain of the same operator is one flat node, so that its length makes no depth. */
    if (left->kind == node->kind && !c->closed[c->operand_count - 1]) {
        ast_add(left, right);
        return 0;
    }
    ast_add(node, left);
    ast_add(node, right);
    c->operands[c->operand_count - 1] = node;
    c->closed[c->operand_count - 1] = false;
    return 0;
}

static int reduce(struct condition *c, enum operator_kind kind)
{
    int err = 0;
    while (err == 0 && c->operator_count > 0 && c->operators[c->operator_count - 1] >= kind &&
           c->operators[c->operator_count - 1] != OPERATOR_PAREN)
        err = reduce_one(c);
    return err;
}

static int operator_push(struct condition *c, enum operator_kind kind, struct slice word)
{
    bool prefix = kind == OPERATOR_NOT || kind == OPERATOR_PAREN;
    if (prefix == c->want_operator) {
        return sigma_fault(c->r, c->at,
                           prefix ? "the condition has no \"and\" or \"or\" before \"%.*s\""
                                  : "the condition has nothing before \"%.*s\"",
                           word_len(word), word.data);
    }
    int err = prefix ? 0 : reduce(c, kind);
    if (err != 0)
        return err;
    if (kind == OPERATOR_PAREN && ++c->paren_count > CONDITION_DEPTH_MAX)
        return sigma_fault(c->r, c->at, "the condition is nested deeper than %d levels",
                           CONDITION_DEPTH_MAX);
    if (c->operator_count == CONDITION_STACK_MAX)
        return sigma_fault(c->r, c->at, "the condition has more than %d operators in one place",
                           CONDITION_STACK_MAX);
    c->operators[c->operator_count++] = kind;
    c->want_operator = false;
    return 0;
}

static int paren_close(struct condition *c)
{
    if (!c->want_operator)
        return sigma_fault(c->r, c->at, "the condition has nothing before \")\"");
    int err = reduce(c, OPERATOR_OR);
    if (err != 0)
        return err;
    if (c->operator_count == 0)
        return sigma_fault(c->r, c->at, "the condition has a \")\" without its \"(\"");
    c->operator_count--;
    c->paren_count--;
    struct ast *inner = c->operands[--c->operand_count];
    return operand_push(c, inner);
}

static int quantifier(struct condition *c, struct slice word)
{
    struct ast *node = NULL;
    bool all = word_is(word, "all");
    bool one = word_is(word, "1") || word_is(word, "any");
    (void)word_next(c); /* "of", which was seen */
    struct slice pattern = word_next(c);
    if (!all && !one) {
        return sigma_fault(c->r, c->at,
                           "the quantifier \"%.*s of\" is not known; only 1 of and all of are",
                           word_len(word), word.data);
    }
    if (c->resolver->pattern == NULL) {
        return sigma_fault(c->r, c->at,
                           "the condition uses \"%.*s of\", which stands for "
                           "selections only",
                           word_len(word), word.data);
    }
    if (pattern.len == 0 || *pattern.data == '(' || *pattern.data == ')')
        return sigma_fault(c->r, c->at, "the condition names nothing behind \"%.*s of\"",
                           word_len(word), word.data);
    if (word_is(pattern, "them"))
        pattern.len = 0;
    int err = c->resolver->pattern(c->resolver->self, c->at, pattern, all, &node);
    return err != 0 ? err : operand_link(c, node);
}

static int term(struct condition *c, struct slice word)
{
    struct ast *node = NULL;
    if (c->want_operator)
        return sigma_fault(c->r, c->at, "the condition has no \"and\" or \"or\" before \"%.*s\"",
                           word_len(word), word.data);
    struct slice after = c->rest;
    bool of = word_is(word_next(c), "of");
    c->rest = after;
    if (of)
        return quantifier(c, word);
    int err = c->resolver->name(c->resolver->self, c->at, word, &node);
    return err != 0 ? err : operand_link(c, node);
}

static int word_take(struct condition *c, struct slice word)
{
    if (*word.data == '|') {
        return sigma_fault(c->r, c->at,
                           "the condition uses \"|\", the aggregation of old Sigma; write a "
                           "correlation");
    }
    if (word_is(word, "near"))
        return sigma_fault(c->r, c->at,
                           "the condition uses near, of old Sigma; write a temporal correlation");
    if (*word.data == '(')
        return operator_push(c, OPERATOR_PAREN, word);
    if (*word.data == ')')
        return paren_close(c);
    if (word_is(word, "and"))
        return operator_push(c, OPERATOR_AND, word);
    if (word_is(word, "or"))
        return operator_push(c, OPERATOR_OR, word);
    if (word_is(word, "not"))
        return operator_push(c, OPERATOR_NOT, word);
    return term(c, word);
}

int sigma_condition_read(struct sigma_reader *r, const struct yaml_node *at,
                         const struct sigma_resolver *resolver, struct ast **out)
{
    struct condition c = {.r = r, .at = at, .resolver = resolver, .rest = at->text};
    int err = 0;
    for (struct slice word = word_next(&c); err == 0 && word.len != 0; word = word_next(&c))
        err = word_take(&c, word);
    if (err != 0)
        return err;
    if (c.operand_count == 0 && c.operator_count == 0)
        return sigma_fault(r, at, "the condition is empty");
    if (!c.want_operator)
        return sigma_fault(r, at, "the condition ends where a selection is expected");
    err = reduce(&c, OPERATOR_OR);
    if (err == 0 && c.operator_count != 0)
        return sigma_fault(r, at, "the condition has a \"(\" without its \")\"");
    if (err == 0)
        *out = c.operands[0];
    return err;
}
