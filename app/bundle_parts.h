/*
 * app/bundle_parts.h - the steps of a bundle; see app/bundle.h.
 *
 * Ownership: choice and evidence own their memory until released; zeroed ones are empty.
 * Threads:   one owner.
 * Failures:  as in app/bundle.h.
 */
#pragma once

#include "app/bundle.h"
#include "app/evidence.h"
#include "app/proof_maker.h"

/* Rows by their numbers in the history. */
struct bundle_choice {
    uint64_t *numbers; /* ascending, each once */
    size_t count;
    size_t cap;
    uint64_t log_rows; /* chosen, too, but in the log alone: they have no number as yet */
    uint64_t damage;
};

/* Rows of the query; with places only those that stand there. */
struct bundle_wish {
    const char *dir;
    const struct sieve_query *query;
    const struct evidence *places;
    size_t place_count;
};

int bundle_choose(struct bundle_choice *out, const struct bundle_wish *wish, struct diag *diag);
void bundle_choice_release(struct bundle_choice *c);

struct bundle_row {
    uint64_t number;
    uint64_t at; /* in `raw` */
    uint32_t len;
    int32_t partition;
    int64_t offset;
    uint32_t sub;
    struct span topic; /* in `topics` */
    struct sha256 hash;
};

struct bundle_evidence {
    struct bundle_row *rows; /* ascending by number */
    size_t row_count;
    struct buf raw; /* in no certain order */
    struct buf topics;
    struct buf proof; /* SHA256_BYTES each, from left to right */
};

/* Read the chosen rows, and prove that they are in the tree of the head. */
int bundle_prove(struct bundle_evidence *out, struct tree_rows *rows,
                 const struct bundle_choice *choice, const struct tree_head *head,
                 struct diag *diag);
void bundle_evidence_release(struct bundle_evidence *e);

struct bundle_file {
    const char *name;
    struct slice content;
};

/* Write the files, and the list of their hashes, to a tar file or folder that does not exist. */
int bundle_write(const char *out, const struct bundle_file *files, size_t count, int64_t time_ns,
                 struct diag *diag);
