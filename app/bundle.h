/*
 * app/bundle.h - evidence to hand over: chosen rows, and the proof that they are what was recorded.
 *
 *   query, alert --bundle_choose--> numbers of rows in the municipality's history
 *   numbers --bundle_prove--> the rows' bytes, and the hashes that lead from them to the root
 *   all of it --bundle_write--> a folder, or a tar file:
 *
 *       README.txt       what it is, in Japanese and English, and how to verify it
 *       rows.raw         the rows                     manifest.ndjson  place, length, hash of each
 *       checkpoint.txt   the newest, as it is signed  checkpoint.pub   the key
 *       proof.txt        hashes                       verify_bundle.py verifier, Python alone
 *       alert.json       where it is an alert's       SHA256SUMS       of all of these
 *
 * Bytes: docs/format.md, chapter "Bundle". Only rows under the newest checkpoint can be handed over:
 * others are refused, with what helps. Nothing of another municipality is in it but what the
 * checkpoint says: codes, numbers of rows, roots.
 *
 * Ownership: everything is made and freed within the call; options are borrowed.
 * Threads:   one caller; a collector and a compaction may go on beside it.
 * Failures:  ERR_NOTFOUND: no such alert, no row chosen, or rows that no checkpoint vouches for as yet;
 *            ERR_BUSY: what is to be written exists; ERR_AGAIN: a compaction came in between, or the
 *            disk is full; ERR_CORRUPT, ERR_CONF, ERR_RANGE, ERR_IO, ERR_NOMEM. Why, and what helps,
 *            is in the diag. Nothing is left behind then.
 */
#pragma once

#include "app/sieve.h"

enum bundle_limits {
    BUNDLE_ROWS_MAX = 1 << 20,
    BUNDLE_RAW_BYTES_MAX = 512 << 20,
};

struct bundle_options {
    const char *dir;                 /* of the store */
    const char *out;                 /* a tar file when it ends with .tar, else a folder; made */
    const struct sieve_query *query; /* has a tenant */
    const char *query_text;          /* as it was asked for, and NULL */
    const char *alert;               /* its id: the rows that it names; NULL: those of the query */
};

struct bundle_report {
    uint64_t rows;
    uint64_t bytes;
    uint64_t hashes;
    uint64_t checkpoint;
    uint64_t damage; /* places of the store that could not be looked into */
};

int bundle_make(struct bundle_report *out, const struct bundle_options *options, struct diag *diag);
