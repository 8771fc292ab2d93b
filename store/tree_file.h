/*
 * store/tree_file.h - the stored nodes of a tenant's tree: DIR/seg/<code6>/tree.
 *
 *   magic[8] "SEKITRE1", u32 header_len = 80, u32 version = 1, store_id[16], u32 tenant, u32 level = 8,
 *   u64 0, sha256 of the header before it; then nodes of that level, 32 bytes each, in order
 *
 * The file does not say how many nodes count: whoever keeps the tree's size elsewhere, durable after
 * the nodes, says it at opening, and nodes behind that are a write that a crash cut short. A node has
 * no checksum: a damaged one gives another root than the checkpoint's, and checking against the
 * rows names it.
 *
 * Layer:     base < event < store
 * Ownership: tree_file_open() gives a handle that tree_file_close() takes back; tree_map_open() a map
 *            that tree_map_close() takes back.
 * Threads:   one owner; maps may be read by any thread beside the writer.
 * Failures:  ERR_CORRUPT for a damaged header, another store's or tenant's file, and fewer nodes than
 *            counted; ERR_FORMAT for a newer version; ERR_IO, ERR_NOMEM. Why is in the diag.
 */
#pragma once

#include "base/diag.h"
#include "base/file.h"
#include "store/log_file.h"
#include "store/tree.h"

enum tree_file_sizes {
    TREE_FILE_HEADER_BYTES = 80,
    TREE_FILE_VERSION = 1,
};

/* Whose tree it is, and how many of its rows count. */
struct tree_file_id {
    uint8_t store_id[STORE_ID_BYTES];
    uint32_t tenant;
    uint64_t size;
};

struct tree_file;

/*
 * Open the file to append, or make it when `size` is less than a group; nodes behind those that
 * count are cut off.
 */
int tree_file_open(struct tree_file **out, const char *path, const struct tree_file_id *id,
                   struct diag *diag);
/* NULL is allowed. */
void tree_file_close(struct tree_file *f);
/* Whole nodes, as tree_append() gives them. After a failure nothing was appended. */
int tree_file_append(struct tree_file *f, struct slice nodes);
/* What was appended survives a power loss. After ERR_IO close the file and open it again. */
int tree_file_sync(struct tree_file *f);
/* Nodes in the file. */
uint64_t tree_file_count(const struct tree_file *f);

struct tree_map {
    struct slice nodes; /* those that count */
    struct slice whole;
};

/* The nodes to read. No file is fine when none counts. */
int tree_map_open(struct tree_map *out, const char *path, const struct tree_file_id *id,
                  struct diag *diag);
void tree_map_close(struct tree_map *m);
