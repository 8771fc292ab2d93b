/*
 * store/segment.h - the long-term level: one file per municipality and hour of arrival.
 *
 *   [header | group: chunks, descriptions, filters | group ... | heads of the groups | trailer]
 *
 *   write   segment_create(), segment_add() for each full group, segment_finish(): synced, named
 *   read    segment_open(): mapped; heads are read, groups only when asked for
 *
 * Where a keyring is given to the writer, groups and footer are sealed with the municipality's active key
 * (store/seal.h, store/segment_seal.h).
 *
 * A file never changes once it has its name. Bytes: docs/format.md, chapter "Segments".
 *
 * Ownership: handles own their files and maps until finished, abandoned or closed. Heads and their
 *            slices are valid as long as the segment is open.
 * Threads:   a writer has one owner; an open segment is immutable.
 * Failures:  ERR_CORRUPT with file and what is wrong; ERR_FORMAT for a newer program's; ERR_AGAIN
 *            for a full disk; ERR_IO, ERR_NOMEM, ERR_RANGE. A writer that failed can only be
 *            abandoned; nothing has its name then.
 */
#pragma once

#include "base/diag.h"
#include "store/keyring.h"
#include "store/rowgroup_view.h"
#include "store/sha256.h"

enum segment_limits {
    SEGMENT_VERSION = 1,
    SEGMENT_GROUPS_MAX = 4096,
};

#define SEGMENT_HOUR_NS INT64_C(3600000000000)

/* Which segment: the file name is hour and generation. */
struct segment_name {
    uint32_t tenant;
    int64_t hour;        /* of arrival, hours since 1970; rows may be of another event time */
    uint32_t generation; /* from 1: one more when rows came late */
};

/* What a segment holds, as the catalog keeps it. */
struct segment_info {
    struct segment_name name;
    uint64_t bytes;
    uint64_t row_count;
    uint64_t raw_bytes;
    int64_t time_min_ns, time_max_ns;
    int64_t arrival_min_ns, arrival_max_ns;
    uint64_t leaf_min, leaf_max;
    struct sha256 hash; /* of header and footer, which hold the checksums of all else */
};

/* Write the path of a segment below the folder of its municipality. ERR_RANGE when it is too long. */
int segment_path(char *out, size_t cap, const char *folder, const struct segment_name *name);

/* Whether a file's name is that of a segment, or of one that is *begun; fills hour and generation. */
bool segment_parse(struct segment_name *out, bool *begun, const char *file);

struct segment_writer;

/* Begin `path`.tmp. With a keyring it is sealed: ERR_SEALED when the municipality has no active key. */
int segment_create(struct segment_writer **out, const char *path, const struct segment_name *name,
                   const uint8_t store_id[16], const struct keyring *keys);

/*
 * Sees each block as it was read back from the bytes that go to the file, with the rows' numbers in the history.
 * Returns 0, or an error that ends the writing.
 */
typedef int segment_check(void *self, const struct batch *block, const int64_t *leaves);

/* Seal a group into the file. Whatever happens, the group takes no more rows. */
int segment_add(struct segment_writer *w, struct rowgroup *g, segment_check *check, void *self);
/* Make it durable and give it its name. The handle is gone afterwards, whatever is returned. */
int segment_finish(struct segment_writer *w, struct segment_info *out);
/* Remove what was begun; NULL is allowed. */
void segment_abandon(struct segment_writer *w);

struct segment;

/* `keys` may be NULL: then a sealed one is ERR_SEALED, as it is when its key is not there; `diag` names the key. */
int segment_open(struct segment **out, const char *path, const struct keyring *keys,
                 struct diag *diag);
/*
 * As one who has no key sees it. Of a sealed one the hashes of all bytes are checked, it has no groups, and of its
 * info time and number of the rows are not known; one that is not sealed is opened like any.
 */
int segment_open_outside(struct segment **out, const char *path, struct diag *diag);
bool segment_is_sealed(const struct segment *s);
/* NULL is allowed. */
void segment_close(struct segment *s);
/* Its bytes leave memory, and come back from the file when they are asked for. */
void segment_forget(const struct segment *s);
const char *segment_file(const struct segment *s);
const struct segment_info *segment_info(const struct segment *s);
const uint8_t *segment_store_id(const struct segment *s);
size_t segment_rowgroup_count(const struct segment *s);
const struct rowgroup_head *segment_rowgroup(const struct segment *s, size_t at);
