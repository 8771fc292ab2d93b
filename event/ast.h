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
    AST_RANGE,        /* from `bound` to `high`, both included */
    AST_NETWORK,      /* address inside */
    AST_EXISTS,       /* the field is there, even where it is null */
    AST_VALUE,        /* the field has a value, if only the empty text: it is there and not null */
    AST_RAW,          /* text anywhere in the raw line */
    AST_REF_EQUAL,    /* the value and a value of the field `other`: equal, or the one ... */
    AST_REF_CONTAINS, /* ... holds the other's text, */
    AST_REF_PREFIX,   /* ... begins with it, */
    AST_REF_SUFFIX,   /* ... ends with it */
};

/* A part of a time that a comparison asks for instead of the whole. */
enum ast_part {
    AST_PART_NONE,
    AST_PART_MINUTE, /* 0 to 59 */
    AST_PART_HOUR,   /* 0 to 23 */
    AST_PART_DAY,    /* of the month, 1 to 31 */
    AST_PART_WEEK,   /* ISO 8601, 1 to 53 */
    AST_PART_MONTH,  /* 1 to 12 */
    AST_PART_YEAR,
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
    bool any_field;          /* asked of every value of the event; no field is named */
    uint8_t part;            /* enum ast_part; LESS..RANGE only */
    struct ast *first;       /* children of AND, OR, NOT */
    struct ast *next;        /* sibling */
    struct ast *last;        /* the last child where ast_add() made it, else NULL */
    struct slice field_name; /* as asked: ECS name, alias, or <format>.<key> */
    uint16_t field;          /* enum field, or FIELD_UNNAMED for a name outside the dictionary */
    uint16_t other;          /* REF_*: the same of the other field */
    struct slice other_name;
    struct slice text; /* decoded pattern; GLOB keeps backslash before literal * ? and backslash */
    struct ast_bound bound; /* LESS..GREATER_EQUAL; RANGE: the lower end */
    struct ast_bound high;  /* RANGE: the upper end */
    struct network network;
};

enum ast_limits {
    AST_DEPTH_MAX = 32,
    AST_LEAVES_MAX = 10000,
};

/* Append a child; needs a parent that had all its children by this. */
static inline void ast_add(struct ast *parent, struct ast *child)
{
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
}

/* The same number, written the same way. */
bool ast_bound_equal(const struct ast_bound *a, const struct ast_bound *b);

/* A copy of a tree of at most AST_DEPTH_MAX levels, or NULL without memory or where it is deeper. */
struct ast *ast_copy(struct arena *arena, const struct ast *root);
/* Call `each` for every leaf from left to right until it returns another than 0, which is returned. */
int ast_leaves(struct ast *root, int (*each)(void *self, struct ast *leaf), void *self);

/* The same question of the same field; where no field is asked, its name does not count. */
bool ast_leaf_equal(const struct ast *a, const struct ast *b);

/* The same tree, leaf by leaf. False also where one is deeper than AST_DEPTH_MAX. */
bool ast_equal(const struct ast *a, const struct ast *b);
