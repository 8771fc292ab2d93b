/*
 * store/catalog.h - which segments a municipality has, and up to where in the log they hold its rows.
 *
 *   DIR/seg/<code6>/catalog    [header | record 1 | record 2 | ...]   appended to, each with a hash of all before
 *   a record                   segments added, replaced, deleted; through_seq, the tree of the rows so far
 *
 * A record is the point from which a compaction counts, for this municipality: its segments were
 * durable before. Whoever reads takes the catalog first, and of the log the frames behind
 * through_seq. So rows are seen once, whatever a compaction does meanwhile.
 *
 * Ownership: a catalog owns its list until catalog_release(); a zeroed struct is empty.
 * Threads:   one owner; one writer per municipality, any number of readers beside it.
 * Failures:  ERR_NOTFOUND without a catalog; ERR_CORRUPT, ERR_FORMAT with the file named; ERR_AGAIN
 *            for a full disk; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "store/segment.h"
#include "store/tree.h"

enum catalog_limits {
    CATALOG_VERSION = 1,
    CATALOG_BYTES_MAX = 1 << 30,
    CATALOG_CHANGES_MAX = 1 << 20, /* of a record */
};

/* A segment that was deleted, and by which certificate (store/deletion.h). */
struct catalog_removal {
    int64_t hour;
    uint32_t generation;
    uint64_t certificate;
};

/* After a record: the rows of frames up to that one have the numbers below `rows`. */
struct catalog_step {
    uint64_t through_seq;
    uint64_t rows;
};

struct catalog {
    uint8_t store_id[16];
    uint32_t tenant;
    uint64_t record_count;
    uint64_t through_seq;          /* rows of the log's frames up to this one are in segments */
    struct tree tree;              /* of the rows of the municipality's history that are */
    struct segment_info *segments; /* ascending by hour; one of an hour */
    size_t segment_count;
    struct catalog_removal *removals; /* in the order in which they went */
    size_t removal_count;
    struct catalog_step *steps; /* of each record */
    struct sha256 hash;         /* of the last record */
    uint64_t bytes;             /* of header and whole records */
    bool torn;                  /* something that is no record stands behind them */
};

/* What a compaction or a deletion has done. Removals come first: what stays of an hour is added. */
struct catalog_change {
    uint64_t through_seq;
    const struct tree *tree;          /* its nodes are durable in the tree's file */
    const struct segment_info *added; /* one that has the hour of another replaces it */
    size_t added_count;
    const struct catalog_removal *removed;
    size_t removed_count;
};

/* The folder of a municipality: DIR/seg/<code6>. ERR_RANGE when it is too long. */
int catalog_folder(char *out, size_t cap, const char *dir, uint32_t tenant);

/* Municipalities that have a folder, ascending; none where there is no DIR/seg. In the arena. */
struct catalog_tenants {
    const uint32_t *codes;
    size_t count;
};
int catalog_list_tenants(struct catalog_tenants *out, struct arena *arena, const char *dir);

/* Read the catalog in a folder. What a writer has begun behind the last record is left out. */
int catalog_read(struct catalog *out, const char *folder, struct diag *diag);
void catalog_release(struct catalog *c);

/* The segment of an hour, or NULL. */
const struct segment_info *catalog_find(const struct catalog *c, int64_t hour);

/* The generation of the hour's last segment, also of one that was deleted; 0: there was none. */
uint32_t catalog_generation(const struct catalog *c, int64_t hour);
/* Rows with numbers below that are in segments and in no frame from `seq` on. */
uint64_t catalog_rows_before(const struct catalog *c, uint64_t seq);
/* The greatest number of a certificate that counts; 0: none does. */
uint64_t catalog_certificate(const struct catalog *c);

/*
 * Append a record, which is durable on return, and apply it to `c`, which may be empty: then the
 * catalog is made. After a failure `c` is as before and the file may have a torn tail.
 */
int catalog_append(struct catalog *c, const char *folder, const struct catalog_change *change);
