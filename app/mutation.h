/*
 * app/mutation.h - lines as a broken, a strange or a hostile sender would write them, by a seed.
 *
 *   origin, a line of a format -- flipped, cut, glued, runs of a byte, keys, nesting --> one line
 *
 * Ownership: a mutation owns its text and is used again and again; zeroed it is ready.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

enum mutation_limits {
    MUTATION_BYTES_MAX = 10000, /* that are added to a line, or of which one is made */
};

struct mutation {
    struct buf text;  /* one line, without a newline */
    const char *name; /* of the way, static */
    size_t origin;    /* which line it began as */
};

/*
 * Make the mutation of that seed from one of the lines, of which there is one at least; another one
 * may be glued to it. The same lines and seed give the same bytes on every machine.
 */
int mutation_make(struct mutation *m, const struct slice *lines, size_t count, uint64_t seed);
void mutation_release(struct mutation *m);
/* The name of way number `index`, NULL at the end. */
const char *mutation_name_at(size_t index);
