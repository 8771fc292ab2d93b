/*
 * detect/sigma_possible.h - can a condition hold at all?
 *
 *   and                  what must hold: a, b
 *   |-- source.port:80   a
 *   |-- or               443 and 22 fall by a: nothing is left, so the and cannot hold
 *   |   |-- source.port:443
 *   |   `-- source.port:22
 *   `-- user.name:taro   b
 *
 * What must hold is spread until nothing changes: an AND wants all of its parts, an OR with one part
 * left wants that. A part falls when it and what must hold exclude each other
 * (detect/sigma_claim.h). Each AND is first tried alone, inner ones first; then the whole, and at
 * the end each AND that is one of several ways, together with what must hold. Ways are never
 * combined, so a condition may be impossible and not be found; one that is found is.
 *
 * Ownership: what is found lives in the arena given and points into the tree.
 * Threads:   pure.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "detect/sigma_claim.h"

enum possible_limits {
    POSSIBLE_STEPS_MAX = 1 << 20, /* comparisons of one condition; then it counts as possible, */
    POSSIBLE_NODES_MAX = 20000,   /* as does a larger tree */
    POSSIBLE_FIELDS_MAX = 512,    /* leaves of further fields are compared with none */
};

struct possible {
    enum claim_relation relation; /* CLAIM_TOGETHER: it may hold */
    /* Otherwise two claims that exclude each other; the same one twice: it never holds. */
    struct claim *first;
    struct claim *second;
};

/* All of `count` conditions together. */
int possible_find(struct possible *out, struct arena *arena, const struct ast *const *conditions,
                  size_t count);
