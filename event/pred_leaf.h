/*
 * event/pred_leaf.h - what one leaf means on one value: the single definition.
 *
 * A value is looked at in one of four ways, by the leaf and the type of the value's column:
 *
 *   LEAF_PRESENT  it is there
 *   LEAF_NUMBER   as a number: INT, EPOCH, time
 *   LEAF_IP       as an address
 *   LEAF_TEXT     as decoded text, in each of its forms (event/pred_form.h)
 *
 * Ownership: texts live in the arena given to leaf_init(); the regex is the leaf's.
 * Threads:   immutable after leaf_init(); the regex scratch is the caller's.
 */
#pragma once

#include "event/ast.h"
#include "event/pred_find.h"
#include "event/pred_regex.h"

enum leaf_op {
    LEAF_OP_EQUAL,
    LEAF_OP_PREFIX,
    LEAF_OP_SUFFIX,
    LEAF_OP_CONTAINS,
    LEAF_OP_GLOB,
    LEAF_OP_REGEX,
    LEAF_OP_LESS,
    LEAF_OP_LESS_EQUAL,
    LEAF_OP_GREATER,
    LEAF_OP_GREATER_EQUAL,
    LEAF_OP_RANGE, /* bound <= value <= high */
    LEAF_OP_NETWORK,
    LEAF_OP_EXISTS,
    LEAF_OP_VALUE,     /* there and not null */
    LEAF_OP_REF_EQUAL, /* of two fields: leaf_ref() */
    LEAF_OP_REF_CONTAINS,
    LEAF_OP_REF_PREFIX,
    LEAF_OP_REF_SUFFIX,
};

/* Beside enum field_type: nanoseconds since 1970, printed as RFC 3339. */
enum leaf_type {
    LEAF_TYPE_TIME = 16,
};

enum leaf_way {
    LEAF_NEVER,
    LEAF_PRESENT,
    LEAF_NUMBER,
    LEAF_IP,
    LEAF_TEXT,
};

/* Bytes of a glob, folded unless cased; above 255 the two wildcards. */
enum leaf_glob {
    GLOB_ONE = 256, /* one character, or one byte that is not UTF-8 */
    GLOB_ANY = 257, /* any number of them */
};

struct number {
    int64_t integer;
    double real;
    bool is_real;
};

struct leaf {
    uint8_t op; /* enum leaf_op */
    bool cased;
    bool is_int; /* EQUAL: the text is an INT, an EPOCH, an address, a time */
    bool is_epoch;
    bool is_ip;
    bool is_time;
    uint8_t part;         /* enum ast_part: LESS..RANGE of a part of a time */
    uint8_t epoch_form;   /* enum epoch_form */
    struct slice text;    /* EQUAL, PREFIX, SUFFIX, CONTAINS: folded (base/fold.h) unless cased */
    struct needle needle; /* a literal that every match holds; may be empty */
    const uint16_t *glob;
    size_t glob_len;
    struct number bound; /* LESS..RANGE */
    struct number high;  /* RANGE */
    int64_t equal_int;
    int64_t equal_epoch;
    int64_t equal_time_ns;
    struct ip equal_ip;
    struct network network;
    struct regex *regex;
};

/*
 * Read a leaf of a tree. AST_RAW becomes CONTAINS; a GLOB without wildcards EQUAL, with stars at
 * its ends only PREFIX, SUFFIX, CONTAINS. ERR_CONF with a diagnosis for a regex that is wrong;
 * ERR_NOMEM.
 */
int leaf_init(struct leaf *out, struct arena *arena, const struct ast *ast, struct diag *diag);
void leaf_release(struct leaf *leaf);

/* `type` is an enum field_type or LEAF_TYPE_TIME. */
enum leaf_way leaf_way(const struct leaf *leaf, unsigned type);

/*
 * Where leaf_way() says LEAF_NUMBER. The parts of a LEAF_TYPE_TIME are those of Japan's clock, the
 * parts of a time in a text those that it is written with.
 */
bool leaf_number(const struct leaf *leaf, unsigned type, unsigned epoch_form, int64_t value);
/* low <= value <= high; nothing where low > high. */
struct leaf_span {
    int64_t low;
    int64_t high;
};
/* The same for many values: those for which leaf_number() holds, where that is one span of them. */
bool leaf_number_span(const struct leaf *leaf, unsigned type, unsigned epoch_form,
                      struct leaf_span *out);
/* Where leaf_way() says LEAF_IP. */
bool leaf_ip(const struct leaf *leaf, const struct ip *ip);
/* Where leaf_way() says LEAF_TEXT: 1, 0, or ERR_RANGE, ERR_NOMEM of a regex. Needs padding. */
int leaf_text(const struct leaf *leaf, struct regex_scratch *regex, struct slice text);

/* Does the leaf compare two fields? */
static inline bool leaf_is_ref(enum ast_op op)
{
    return op >= AST_REF_EQUAL && op <= AST_REF_SUFFIX;
}

/* One value of a field and one of the other, as text: a LEAF_OP_REF_*. */
bool leaf_ref(const struct leaf *leaf, struct slice value, struct slice other);

/* "-12", "3.5", "1e3"; nothing around it. Integers up to 18 digits are exact, the rest is real. */
bool leaf_parse_number(struct slice text, struct number *out);
