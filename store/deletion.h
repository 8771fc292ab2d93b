/*
 * store/deletion.h - certificates of deletion: what went, when, why, signed; made before it goes.
 *
 *   certificate durable --> catalog's record --> files removed
 *
 * DIR/deletions/<code6>/%08u.note are a municipality's, numbered from 1; each names the hash of the one
 * before. One that no catalog knows is of a run that was killed: it is completed, or withdrawn by the
 * next. What a certificate covers: rows by their numbers in the history; for stretches that end
 * within a group of 256 rows, the nodes of the tree over what is gone, so that the rows beside it can
 * still be proved. Text and meaning: docs/format.md, chapter "Deletions".
 *
 * Layer:     base < event < store
 * Ownership: a parsed certificate borrows text and arena. A file handle is deletions_close()'s.
 * Threads:   values; one owner of a handle, one writer per municipality.
 * Failures:  ERR_FORMAT for a text of another form, ERR_CORRUPT for a wrong signature or chain,
 *            ERR_RANGE for what cannot be a certificate, ERR_AGAIN for a full disk, ERR_IO,
 *            ERR_NOMEM. Why is in the diag.
 */
#pragma once

#include "base/arena.h"
#include "store/checkpoint.h"
#include "store/segment.h"

enum deletion_limits {
    DELETION_SEGMENTS_MAX = 64,
    DELETION_CLASSES_MAX = 16, /* of a segment */
    DELETION_NAME_BYTES_MAX = 32,
    DELETION_LINES_MAX = 1 << 20, /* of one kind */
    DELETION_BYTES_MAX = 64 << 20,
    DELETION_NUMBER_MAX = 99999999,
};

/* Rows of one class in a segment. */
struct deletion_class {
    struct slice name;
    uint64_t keep_s; /* that was in force, in seconds */
    uint64_t rows;
    uint64_t raw_bytes;
};

/* Of a partition: the first and last offset among the rows that went. */
struct deletion_range {
    struct slice topic;
    int32_t partition;
    int64_t first;
    int64_t last;
    uint64_t rows;
};

struct deletion_segment {
    struct segment_name name; /* the tenant's is the certificate's */
    uint64_t bytes;
    struct sha256 hash;      /* as in the catalog */
    struct sha256 file_hash; /* of all bytes */
    uint64_t rest_rows;      /* that stay, in the next generation */
    struct deletion_class *classes;
    size_t class_count;
    struct deletion_range *ranges; /* ascending by topic, partition */
    size_t range_count;
};

/* Rows [first, last] of the history. */
struct deletion_stretch {
    uint64_t first;
    uint64_t last;
};

/* The node of that level and number over rows that are gone. */
struct deletion_node {
    uint32_t level; /* below TREE_STORED_LEVEL */
    uint64_t index;
    struct sha256 hash;
};

struct deletion {
    uint8_t store_id[STORE_ID_BYTES];
    uint32_t tenant;
    uint64_t number;
    int64_t time_ns;  /* that was trusted */
    int64_t clock_ns; /* what the system's clock said */
    struct sha256 previous;
    uint64_t withdraws; /* number of the one before it, of which nothing came; 0: none */
    struct deletion_segment *segments;
    size_t segment_count;
    struct deletion_stretch *stretches; /* ascending, apart from each other */
    size_t stretch_count;
    struct deletion_node *nodes; /* ascending by place */
    size_t node_count;
};

/* Append the whole text. ERR_RANGE for lists out of order or a limit passed. */
int deletion_sign(struct buf *out, const struct deletion *d, const struct note_signer *signer);
/* Read a whole text and check its signature (`key` NULL: leave it unchecked). */
int deletion_parse(struct deletion *out, struct arena *arena, struct slice text,
                   const struct note_key *key, const char *file, struct diag *diag);

struct deletions;

/* Whose certificates. */
struct deletions_options {
    const char *dir; /* of the store */
    const uint8_t *store_id;
    uint32_t tenant;
    const struct note_key *key;       /* NULL: signatures are not looked at */
    const struct note_signer *signer; /* NULL: they are only read */
};

/* Open a municipality's; the last one is read and checked. */
int deletions_open(struct deletions **out, const struct deletions_options *options,
                   struct diag *diag);
/* NULL is allowed. */
void deletions_close(struct deletions *f);
/* How many there are. */
uint64_t deletions_count(const struct deletions *f);
/*
 * Read one, 1..deletions_count(), and check signature, store, municipality and number; valid until
 * the next call. *hash: by which the next one names it; may be NULL.
 */
int deletions_read(struct deletions *f, uint64_t number, const struct deletion **out,
                   struct sha256 *hash, struct diag *diag);
/* Sign the next one: number, previous, store and municipality are filled in. Durable on return. */
int deletions_append(struct deletions *f, struct deletion *d, struct diag *diag);
