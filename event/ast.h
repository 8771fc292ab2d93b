/*
 * event/ast.h - a condition on one event: what queries and rules are compiled from.
 *
 * A tree of AND, OR and NOT over leaves; a leaf asks one thing of one field. A field may stand
 * several times in an event: a leaf is true when any of its values is. All that a leaf asks it asks
 * of the same value, so both ends of a range.
 *
 * Ownership: nodes, names and values live in the arena that they were made in.
 * Threads:   immutable once built.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "event/field.h"
#include "event/value.h"

enum ast_kind {
    AST_AND,
    AST_OR,
    AST_NOT,
    AST_LEAF,
    AST_TRUE, /* the empty query */
};

enum ast_op {
    AST_EQUAL,    /* text with no wildcards, whole value */
    AST_GLOB,     /* text with * and ?, whole value */
    AST_CONTAINS, /* text anywhere in the value */
    AST_REGEX,    /* PCRE2, anywhere in the value */
    AST_LESS,
    AST_LESS_EQUAL,
    AST_GREATER,
    AST_GREATER_EQUAL,
    AST_RANGE,   /* from `bound` to `high`, both included */
    AST_NETWORK, /* address inside */
    AST_EXISTS,  /* the field has a value */
    AST_RAW,     /* text anywhere in the raw line */
};

/* A number or a time to compare with. */
struct ast_bound {
    struct slice text; /* as asked; may be empty */
    int64_t number;    /* times in ns for @timestamp */
    double real;       /* the same where the text has a fraction */
    bool is_real;
};

struct ast {
    enum ast_kind kind;
    enum ast_op op;
    bool cased;              /* letters differ by case; default: ASCII case is folded */
    struct ast *first;       /* children of AND, OR, NOT */
    struct ast *next;        /* sibling */
    struct slice field_name; /* as asked: ECS name, alias, or <format>.<key> */
    uint16_t field;          /* enum field, or FIELD_UNNAMED for a name outside the dictionary */
    struct slice text; /* decoded pattern; GLOB keeps backslash before literal * ? and backslash */
    struct ast_bound bound; /* LESS..GREATER_EQUAL; RANGE: the lower end */
    struct ast_bound high;  /* RANGE: the upper end */
    struct network network;
};

enum ast_limits {
    AST_DEPTH_MAX = 32,
    AST_LEAVES_MAX = 10000,
};

/* The same number, written the same way. */
bool ast_bound_equal(const struct ast_bound *a, const struct ast_bound *b);

/* The same tree, leaf by leaf. False also where one is deeper than AST_DEPTH_MAX. */
bool ast_equal(const struct ast *a, const struct ast *b);
