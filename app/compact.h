/*
 * app/compact.h - rows of the log into segments, one municipality after the other.
 *
 *   log    pack pack pack ...   of all municipalities, in the order of the history
 *    |  shard: packs of one municipality stay where they are; batches of mixed ones go to a spill
 *    v
 *   per municipality  batch batch ...  --> groups of one topic and format --> segments of its hours
 *                                                                        --> catalog: now they count
 *
 * A segment that is there for an hour is read and written again with what has come late. Each block
 * is read back from the bytes that go to disk, and its rows are compared with those of the log,
 * by event/row_hash.h, before the catalog says so. A run that is killed leaves files that no catalog names; the next
 * removes them. Nothing of the log is removed here.
 *
 * Whose rows are to be sealed and have no active key stays in the log, and is named; so does who was
 * sealed until now and would not be any more. The others go on.
 *
 * Ownership: everything is made and freed within compact_run().
 * Threads:   one run per store at a time; readers and a collector may go on beside it.
 * Failures:  ERR_CORRUPT when what is in the log or comes back differs (nothing of that municipality
 *            counts then); ERR_SEALED when municipalities were left out for want of a key; ERR_AGAIN for a full disk; ERR_IO, ERR_NOMEM, ERR_RANGE. Municipalities that
 *            were finished before the failure stay finished.
 */
#pragma once

#include <stdatomic.h>

#include "store/store.h"

struct config;

struct compact_options {
    const char *dir;             /* of the store */
    const uint8_t *store_id;     /* 16 bytes */
    uint64_t through_seq;        /* frames up to this one; UINT64_MAX: all that the log has */
    uint64_t memory_bytes;       /* of groups that are filled; 0: COMPACT_MEMORY_BYTES */
    uint32_t rest_share;         /* of each 16 parts of time so many are rested; 0..15 */
    const struct keyring *keys;  /* opens sealed segments; NULL: none. Borrowed */
    const struct config *config; /* who is to be sealed; NULL: who has an active key */
    atomic_bool *stop;           /* asked between batches; NULL: never. Ends with ERR_AGAIN */
};

enum compact_limits {
    COMPACT_MEMORY_BYTES = 192 << 20,
    COMPACT_MAPPED_BYTES = 4 << 20, /* of packs that were looked at, until their pages are let go */
    COMPACT_SPILL_BYTES = 256 << 10, /* of a municipality's batches that are spilled together */
    COMPACT_HOURS_MAX = 4096,        /* with rows in memory; more are finished oldest first */
    COMPACT_WRITERS_MAX = 16,        /* segments that are begun; of these, too */
};

struct compact_report {
    uint64_t tenants;
    uint64_t rows;       /* taken from the log */
    uint64_t rows_again; /* from segments that were written anew */
    uint64_t raw_bytes;
    uint64_t segments;
    uint64_t segment_bytes;
    uint64_t spilled_bytes;
    uint64_t through_seq;
};

int compact_run(const struct compact_options *options, struct compact_report *out,
                struct diag *diag);
