/*
 * detect/sigma_claim.h - what a leaf of a condition claims, and which claims exclude each other.
 *
 *   source.port:80        source.port:443       on one value: exclude each other
 *   user.name:taro        no user.name at all   exclude each other on any line
 *   user.name:taro*       not user.name:t*      the first says what the second denies
 *   sekisho.verdict:ALLOWED                     never holds: no verdict has this name
 *
 * Only what is certain by the definitions of event/pred_leaf.h is said: a URL is compared as written
 * and decoded, a number may be written 080, letters are folded unless cased. What is not looked at
 * (regular expressions, two fields compared) claims nothing but itself.
 *
 * Ownership: claims borrow leaves; what they read of them lives in the arena given.
 * Threads:   immutable once made.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/pred_leaf.h"

enum claim_limits {
    CLAIM_NAMES_MAX = 32, /* of a field with a fixed list of values */
};

/* All that a field may be, one bit each; fields without a fixed list have all bits. */
#define CLAIM_ALL UINT32_MAX

struct claim {
    const struct ast *ast;
    bool holds;       /* false: that the leaf does not hold */
    bool one_value;   /* no line has the field twice */
    bool many_values; /* lines have it several times as a matter of course */
    bool is_url;      /* compared in two forms */
    bool looked;      /* `leaf` was read: it is no regular expression and compares no two fields */
    uint8_t type;     /* enum field_type or LEAF_TYPE_TIME */
    uint32_t names;   /* of a fixed list, those with which the claim holds */
    struct leaf leaf; /* as asked */
    struct leaf folded; /* the same with case folded: holds wherever the leaf does */
};

enum claim_relation {
    CLAIM_TOGETHER,  /* both may hold */
    CLAIM_TWO_LINES, /* only where a line has the field more than once */
    CLAIM_EXCLUDED,  /* on no line */
};

int claim_init(struct claim *out, struct arena *arena, const struct ast *leaf, bool holds);

/* Are two claims of the same field? Of other fields nothing is known. */
bool claim_same_field(const struct claim *a, const struct claim *b);
/* Of claims of the same field. */
enum claim_relation claim_compare(const struct claim *a, const struct claim *b);
/* No value of the field satisfies it, whatever else is claimed. */
bool claim_never(const struct claim *c);

/* Append why no value satisfies it: `sekisho.verdict is one of allow deny drop`. */
void claim_print_reason(struct buf *out, const struct claim *c);
/* Append the claim as one would ask for it: `not source.port:80`. */
void claim_print(struct buf *out, const struct claim *c);
