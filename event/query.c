#include "event/query.h"

#include "base/err.h"
#include "event/query_term.h"

enum {
    QUERY_STACK_MAX = 8 * AST_DEPTH_MAX,
};

/* In rising order of how tightly they bind. */
enum operator_kind {
    OPERATOR_PAREN,
    OPERATOR_OR,
    OPERATOR_AND,
    OPERATOR_NOT,
};

struct pending {
    enum operator_kind kind;
    size_t at;
    struct query_field outer; /* PAREN: the field in force outside */
};

struct operand {
    struct ast *node;
    struct ast *last; /* child of AND, OR */
    unsigned depth;
    bool closed; /* in parentheses: no further children are taken in */
};

/*
 * Two stacks instead of recursion (Dijkstra, shunting-yard). `field` is in force inside
 * field:( ... ), where words are its values.
 */
struct query {
    struct query_lex lex;
    struct operand operands[QUERY_STACK_MAX];
    struct pending operators[QUERY_STACK_MAX];
    unsigned operand_count;
    unsigned operator_count;
    unsigned leaf_count;
    struct query_field field;
    bool want_operator; /* a condition has just ended */
};

static int too_deep(const struct query *q, size_t at)
{
    return lex_error(&q->lex, at, "nested deeper than %d levels; split the query", AST_DEPTH_MAX);
}

static int operand_push(struct query *q, struct ast *node, size_t at)
{
    if (q->operand_count == QUERY_STACK_MAX)
        return too_deep(q, at);
    if (++q->leaf_count > AST_LEAVES_MAX)
        return lex_error(&q->lex, at, "more than %d conditions; split the query", AST_LEAVES_MAX);
    q->operands[q->operand_count++] = (struct operand){.node = node, .depth = 1, .closed = true};
    q->want_operator = true;
    return 0;
}

static int reduce_not(struct query *q, const struct pending *op)
{
    struct operand *operand = &q->operands[q->operand_count - 1];
    struct ast *node = arena_alloc(q->lex.arena, sizeof(*node));
    if (node == NULL)
        return ERR_NOMEM;
    *node = (struct ast){.kind = AST_NOT, .first = operand->node};
    operand->node = node;
    operand->closed = true;
    return ++operand->depth > AST_DEPTH_MAX ? too_deep(q, op->at) : 0;
}

static int reduce_two(struct query *q, const struct pending *op)
{
    enum ast_kind kind = op->kind == OPERATOR_AND ? AST_AND : AST_OR;
    struct operand right = q->operands[--q->operand_count];
    struct operand *left = &q->operands[q->operand_count - 1];
    if (left->closed || left->node->kind != kind) {
        struct ast *node = arena_alloc(q->lex.arena, sizeof(*node));
        if (node == NULL)
            return ERR_NOMEM;
        *node = (struct ast){.kind = kind, .first = left->node};
        *left = (struct operand){.node = node, .last = left->node, .depth = left->depth + 1};
    }
    left->last->next = right.node;
    left->last = right.node;
    if (right.depth + 1 > left->depth)
        left->depth = right.depth + 1;
    return left->depth > AST_DEPTH_MAX ? too_deep(q, op->at) : 0;
}

/* Apply operators that bind at least as tightly as `kind`. */
static int reduce(struct query *q, enum operator_kind kind)
{
    int err = 0;
    while (err == 0 && q->operator_count > 0 && q->operators[q->operator_count - 1].kind >= kind &&
           q->operators[q->operator_count - 1].kind != OPERATOR_PAREN) {
        const struct pending *op = &q->operators[--q->operator_count];
        err = op->kind == OPERATOR_NOT ? reduce_not(q, op) : reduce_two(q, op);
    }
    return err;
}

static int operator_push(struct query *q, enum operator_kind kind, size_t at)
{
    int err = kind == OPERATOR_AND || kind == OPERATOR_OR ? reduce(q, kind) : 0;
    if (err != 0)
        return err;
    if (q->operator_count == QUERY_STACK_MAX)
        return too_deep(q, at);
    q->operators[q->operator_count++] = (struct pending){.kind = kind, .at = at, .outer = q->field};
    q->want_operator = false;
    return 0;
}

/* Conditions that stand side by side are joined by AND. */
static int adjacency(struct query *q)
{
    return q->want_operator ? operator_push(q, OPERATOR_AND, q->lex.at) : 0;
}

static int paren_close(struct query *q)
{
    size_t at = q->lex.at++;
    if (!q->want_operator)
        return lex_error(&q->lex, at, "a condition is missing before this parenthesis");
    int err = reduce(q, OPERATOR_OR);
    if (err != 0)
        return err;
    if (q->operator_count == 0)
        return lex_error(&q->lex, at, "no parenthesis was opened for this one");
    q->field = q->operators[--q->operator_count].outer;
    q->operands[q->operand_count - 1].closed = true;
    return 0;
}

static int paren_open(struct query *q)
{
    size_t at = q->lex.at++;
    return operator_push(q, OPERATOR_PAREN, at);
}

/* A field's name and what is asked of it; the name's end is known to be followed by : < or >. */
static int field_term(struct query *q, size_t at, struct slice name)
{
    struct query_field field;
    struct ast *node = NULL;
    int err = term_field(&q->lex, at, name, &field);
    if (err != 0)
        return err;
    if (lex_peek(&q->lex, 0) == ':')
        q->lex.at++;
    (void)lex_blanks(&q->lex);
    if (lex_peek(&q->lex, 0) == '(') {
        err = paren_open(q);
        q->field = field;
        return err;
    }
    err = term_value(&q->lex, &field, &node);
    return err != 0 ? err : operand_push(q, node, at);
}

/* True where the quoted word that begins here is a field's name. */
static int quoted_name(struct query *q, struct query_word *word, bool *is_name)
{
    size_t at = q->lex.at;
    int err = lex_word(&q->lex, "", word);
    char next = lex_peek(&q->lex, 0);
    *is_name = next == ':' || next == '<' || next == '>';
    if (err != 0 || !*is_name)
        q->lex.at = at;
    return err;
}

static int term(struct query *q)
{
    size_t at = q->lex.at;
    struct ast *node = NULL;
    int err = 0;
    if (q->field.name.len != 0) {
        err = term_value(&q->lex, &q->field, &node);
        return err != 0 ? err : operand_push(q, node, at);
    }
    if (lex_peek(&q->lex, 0) == '"') {
        struct query_word word;
        bool is_name = false;
        err = quoted_name(q, &word, &is_name);
        if (err != 0)
            return err;
        if (is_name)
            return field_term(q, at, word.plain);
    } else {
        size_t len = lex_name_len(&q->lex);
        if (len != 0) {
            q->lex.at += len;
            return field_term(q, at, slice_of(q->lex.text.data + at, len));
        }
    }
    err = term_raw(&q->lex, &node);
    return err != 0 ? err : operand_push(q, node, at);
}

static int step(struct query *q)
{
    size_t at = q->lex.at;
    if (lex_peek(&q->lex, 0) == ')')
        return paren_close(q);
    bool is_or = lex_keyword(&q->lex, "or");
    if (is_or || lex_keyword(&q->lex, "and")) {
        if (!q->want_operator) {
            return lex_error(&q->lex, at,
                             "a condition is missing before \"%s\"; quote the word to "
                             "look for it",
                             is_or ? "or" : "and");
        }
        return operator_push(q, is_or ? OPERATOR_OR : OPERATOR_AND, at);
    }
    int err = adjacency(q);
    if (err != 0)
        return err;
    if (lex_peek(&q->lex, 0) == '(')
        return paren_open(q);
    if (lex_keyword(&q->lex, "not"))
        return operator_push(q, OPERATOR_NOT, at);
    return term(q);
}

static int finish(struct query *q, struct ast **out)
{
    if (q->operand_count == 0 && q->operator_count == 0) {
        struct ast *all = arena_alloc(q->lex.arena, sizeof(*all));
        if (all == NULL)
            return ERR_NOMEM;
        all->kind = AST_TRUE;
        *out = all;
        return 0;
    }
    if (!q->want_operator)
        return lex_error(&q->lex, q->lex.at, "a condition is missing at the end");
    int err = reduce(q, OPERATOR_OR);
    if (err != 0)
        return err;
    if (q->operator_count != 0)
        return lex_error(&q->lex, q->operators[q->operator_count - 1].at,
                         "this parenthesis is never closed");
    *out = q->operands[0].node;
    return 0;
}

int query_parse_head(struct ast **out, struct arena *arena, struct slice text, size_t *end,
                     struct diag *diag)
{
    struct query q = {.lex = {.text = text, .arena = arena, .diag = diag}};
    int err = 0;
    while (err == 0 && lex_blanks(&q.lex) && lex_peek(&q.lex, 0) != '|')
        err = step(&q);
    if (err == 0)
        err = finish(&q, out);
    if (err == 0)
        *end = q.lex.at;
    return err;
}

int query_parse(struct ast **out, struct arena *arena, struct slice text, struct diag *diag)
{
    const struct query_lex lex = {.text = text, .arena = arena, .diag = diag};
    struct ast *ast = NULL;
    size_t end = 0;
    int err = query_parse_head(&ast, arena, text, &end, diag);
    if (err == 0 && end < text.len)
        return lex_error(&lex, end, "a condition alone is wanted here; quote a text that holds |");
    if (err == 0)
        *out = ast;
    return err;
}
