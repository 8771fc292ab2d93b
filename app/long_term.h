/*
 * app/long_term.h - the segments that a query may have to look into, and what of the log they hold.
 *
 *   DIR/seg/compacted   all frames up to here are in segments: the log is read behind them
 *   catalogs            segments of each municipality; those of others and of other times stay shut
 *
 * Ownership: long_term_open() fills a struct that long_term_close() empties; groups are valid until
 *            then. Directory and diagnosis are borrowed during the call.
 * Threads:   immutable once open.
 * Failures:  ERR_IO, ERR_NOMEM, ERR_RANGE. What is damaged or missing is named and counted, and the
 *            rest is there.
 */
#pragma once

#include "store/store.h"

/* What a query is about: an index may leave out what cannot concern it. */
struct long_term_wish {
    bool has_tenant;
    uint32_t tenant;
    int64_t since_ns; /* event time in [since, until) */
    int64_t until_ns;
    const struct keyring
        *keys; /* NULL: those of app/keyring_option.h. Borrowed as long as it is open */
};

/* What a municipality's segments hold. */
struct covered_tenant {
    uint32_t tenant;
    uint64_t through_seq;
};

enum long_term_limits {
    LONG_TERM_RESIDENT_BYTES =
        96 << 20, /* of segments that may stay in memory once they are open */
};

struct long_term {
    struct keyring *own_keys;
    const struct keyring *keys;
    struct segment **segments;
    size_t segment_count;
    const struct rowgroup_head **groups; /* ascending by municipality, hour, place */
    uint32_t *segment_of;                /* each group's */
    size_t group_count;
    uint64_t through_seq;           /* the log up to here is in segments, everybody's */
    struct covered_tenant *tenants; /* ascending: whose rows are, and up to where */
    size_t tenant_count;
    uint64_t rows_skipped; /* in segments that were left out by time */
    uint64_t segments_skipped;
    uint64_t damage;
    uint64_t mapped_bytes; /* of the segments */
};

/*
 * No segment that a catalog names is removed meanwhile. Who needs the log's files behind it too holds
 * them from before (store/log_hold.h). ERR_BUSY when a removal takes too long.
 */
int long_term_open(struct long_term *out, const char *dir, const struct long_term_wish *wish,
                   struct diag *diag);
void long_term_close(struct long_term *t);

/* The frame up to which a municipality's rows are in segments; 0: none are. */
uint64_t long_term_through(const struct long_term *t, uint32_t tenant);
