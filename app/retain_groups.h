/*
 * app/retain_groups.h - what of segments goes, as a certificate says it: rows by class, offsets, numbers, nodes.
 *
 *   retain_look() each segment   classes, ranges of offsets, stretches of numbers
 *   retain_join()                stretches of all, joined
 *   retain_hash() each again     hashes of rows beside which others stay under a stored node
 *   retain_nodes()               the nodes over them
 *
 * A stored node is over 256 rows. Where all of them go, the tree's file has what is needed; where some
 * stay, the nodes over the others must be known, or what stays could not be proved any more.
 *
 * Ownership: a list owns what it gathers until retain_list_release(); what a certificate points to
 *            is in the arena. Segments are borrowed for the call.
 * Threads:   one owner.
 * Failures:  ERR_CORRUPT with the segment named; ERR_RANGE past RETAIN_LEAVES_MAX; ERR_NOMEM.
 */
#pragma once

#include "app/retention.h"

enum retain_limits {
    RETAIN_LEAVES_MAX = 1 << 24, /* hashes gathered for one certificate */
};

/* Rows of which classes go, and how long these were kept. */
struct retain_scope {
    bool goes[RETENTION_CLASSES];
    struct retention_keeps keeps;
};

struct retain_leaf {
    uint64_t number;
    struct sha256 hash;
};

/* What is gathered for one certificate. A zeroed one is empty. */
struct retain_list {
    struct deletion_stretch *stretches;
    size_t stretch_count;
    size_t stretch_cap;
    struct retain_leaf *leaves;
    size_t leaf_count;
    size_t leaf_cap;
};

void retain_list_release(struct retain_list *l);

/* Classes whose rows are in it. */
void retain_classes(bool has[RETENTION_CLASSES], const struct segment *s);

/* What of the segment goes; *out but for the hash of the file. */
int retain_look(struct retain_list *l, struct deletion_segment *out, struct arena *arena,
                const struct segment *s, const struct retain_scope *scope, struct diag *diag);
/* After the last retain_look(): join the stretches. ERR_CORRUPT when a number is there twice. */
int retain_join(struct retain_list *l);
int retain_hash(struct retain_list *l, const struct segment *s, const struct retain_scope *scope,
                struct diag *diag);
/* Stretches and nodes of the certificate; both are in the arena. */
int retain_nodes(struct retain_list *l, struct deletion *out, struct arena *arena);
