#include "app/tree_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/keyring_option.h"
#include "base/file.h"

enum {
    CACHED_GROUPS = 4, /* a proof asks for leaves of two groups at most, of growth for four */
};

/* Hashes of the rows under one stored node; where a row is gone, of the greatest node that begins with it. */
struct leaf_group {
    bool filled;
    uint64_t first;
    uint64_t have[TREE_GROUP_ROWS / 64];
    uint8_t levels[TREE_GROUP_ROWS];
    struct sha256 leaves[TREE_GROUP_ROWS];
};

struct tree_rows {
    struct diag *diag;
    struct keyring *keys;
    struct catalog catalog;
    struct gone_nodes *gone;
    struct tree_map nodes;
    struct tree_source source;
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct hasher *hasher;
    struct buf line;
    struct leaf_group groups[CACHED_GROUPS];
    unsigned next_group;
    char folder[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX]; /* of what is at hand */
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
    int64_t offsets[ROWGROUP_BLOCK_ROWS];
    int32_t partitions[ROWGROUP_BLOCK_ROWS];
};

/* Rows that are looked for. */
struct row_wish {
    uint64_t first;
    uint64_t end;
    tree_rows_take *take;
    void *self;
};

static int read_leaf(void *self, uint64_t index, unsigned *level, struct sha256 *out);

static int open_nodes(struct tree_rows *r)
{
    struct tree_file_id id = {.tenant = r->catalog.tenant, .size = r->catalog.tree.size};
    memcpy(id.store_id, r->catalog.store_id, sizeof(id.store_id));
    int len = snprintf(r->path, sizeof(r->path), "%s/tree", r->folder);
    int err = len < 0 || (size_t)len >= sizeof(r->path)
                  ? ERR_RANGE
                  : tree_map_open(&r->nodes, r->path, &id, r->diag);
    if (err == 0)
        r->source = (struct tree_source){.nodes = r->nodes.nodes, .leaf = read_leaf, .self = r};
    return err;
}

int tree_rows_open(struct tree_rows **out, const char *dir, uint32_t tenant, struct diag *diag)
{
    struct tree_rows *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    r->diag = diag;
    r->reader = rowgroup_reader_new();
    r->batch = batch_new();
    int err = r->reader == NULL || r->batch == NULL ? ERR_NOMEM : hasher_new(&r->hasher);
    if (err == 0)
        err = keyring_option(&r->keys, diag);
    if (err == 0)
        err = catalog_folder(r->folder, sizeof(r->folder), dir, tenant);
    if (err == 0)
        err = catalog_read(&r->catalog, r->folder, diag);
    if (err == 0)
        err = open_nodes(r);
    if (err == 0)
        err = gone_nodes_open(&r->gone, dir, &r->catalog);
    if (err != 0) {
        tree_rows_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void tree_rows_close(struct tree_rows *r)
{
    if (r == NULL)
        return;
    gone_nodes_close(r->gone);
    tree_map_close(&r->nodes);
    catalog_release(&r->catalog);
    rowgroup_reader_free(r->reader);
    keyring_close(r->keys);
    batch_free(r->batch);
    hasher_free(r->hasher);
    buf_release(&r->line);
    free(r);
}

const struct catalog *tree_rows_catalog(const struct tree_rows *r)
{
    return &r->catalog;
}

const struct tree_source *tree_rows_source(struct tree_rows *r)
{
    return &r->source;
}

static int open_segment(struct tree_rows *r, const struct segment_info *info, struct segment **out)
{
    size_t said = r->diag->count;
    int err = segment_path(r->path, sizeof(r->path), r->folder, &info->name);
    if (err == 0)
        err = segment_open(out, r->path, r->keys, r->diag);
    if (err == ERR_NOTFOUND)
        err = ERR_AGAIN;
    if (err == 0 && !sha256_equal(&segment_info(*out)->hash, &info->hash)) {
        segment_close(*out);
        err = ERR_CORRUPT;
    }
    if (err == ERR_CORRUPT && r->diag->count == said)
        diag_add(r->diag, r->path, 0, 0,
                 "the segment is not the one that the catalog names; restore it from a copy");
    return err;
}

static int damaged(struct tree_rows *r, uint32_t block, int err)
{
    if (err == ERR_CORRUPT) {
        diag_add(r->diag, r->path, 0, 0,
                 "block %" PRIu32 " of a group is damaged; sekisho verify tells more, restore the "
                 "file from a copy",
                 block);
    }
    return err;
}

/* The rows of the block at hand that are looked for. */
static int take_rows(struct tree_rows *r, const struct row_wish *wish)
{
    const struct batch *b = r->batch;
    int err = 0;
    batch_places(b, r->offsets, r->partitions);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        uint64_t number = (uint64_t)r->numbers[row];
        if (number < wish->first || number >= wish->end)
            continue;
        buf_reset(&r->line);
        if (batch_render(b, row, &r->line) != 0)
            return ERR_NOMEM;
        const struct tree_row leaf = {.topic = b->topic,
                                      .partition = r->partitions[row],
                                      .offset = r->offsets[row],
                                      .sub = b->sub[row],
                                      .raw = buf_content(&r->line)};
        err = wish->take(wish->self, number, &leaf);
    }
    return err;
}

static int read_block(struct tree_rows *r, const struct rowgroup_head *h, uint32_t block,
                      const struct row_wish *wish)
{
    bool any = false;
    int err = rowgroup_leaves(r->reader, block, r->numbers);
    for (uint32_t row = 0; err == 0 && row < h->blocks[block].row_count && !any; row++)
        any = (uint64_t)r->numbers[row] >= wish->first && (uint64_t)r->numbers[row] < wish->end;
    if (err == 0 && any)
        err = rowgroup_rows(r->reader, block, NULL, r->batch);
    if (err != 0)
        return damaged(r, block, err);
    return any ? take_rows(r, wish) : 0;
}

static int read_segment(struct tree_rows *r, const struct segment_info *info,
                        const struct row_wish *wish)
{
    struct segment *s = NULL;
    int err = open_segment(r, info, &s);
    if (err != 0)
        return err;
    for (size_t i = 0; i < segment_rowgroup_count(s) && err == 0; i++) {
        const struct rowgroup_head *h = segment_rowgroup(s, i);
        if (h->leaf_max < wish->first || h->leaf_min >= wish->end)
            continue;
        err = damaged(r, 0, rowgroup_open(r->reader, h, r->batch));
        for (uint32_t block = 0; block < h->block_count && err == 0; block++)
            err = read_block(r, h, block, wish);
    }
    segment_close(s);
    return err;
}

int tree_rows_read(struct tree_rows *r, uint64_t first, uint64_t end, tree_rows_take *take,
                   void *self)
{
    const struct row_wish wish = {first, end, take, self};
    int err = 0;
    for (size_t i = 0; i < r->catalog.segment_count && err == 0; i++) {
        const struct segment_info *info = &r->catalog.segments[i];
        if (info->leaf_max >= first && info->leaf_min < end)
            err = read_segment(r, info, &wish);
    }
    return err;
}

/* A row's hash into the group that is filled. */
struct group_filler {
    struct tree_rows *rows;
    struct leaf_group *group;
};

static int take_leaf(void *self, uint64_t number, const struct tree_row *row)
{
    struct group_filler *f = self;
    uint64_t at = number - f->group->first;
    f->group->have[at / 64] |= UINT64_C(1) << at % 64;
    return tree_leaf(f->rows->hasher, &f->group->leaves[at], row);
}

static int take_node(void *self, uint64_t number, unsigned level, const struct sha256 *hash)
{
    struct leaf_group *g = self;
    uint64_t at = number - g->first;
    g->have[at / 64] |= UINT64_C(1) << at % 64;
    g->levels[at] = (uint8_t)level;
    g->leaves[at] = *hash;
    return 0;
}

/* Whether a row of the history is missing in the group. */
static bool has_gaps(const struct tree_rows *r, const struct leaf_group *g)
{
    uint64_t end = r->catalog.tree.size - g->first;
    for (uint64_t at = 0; at < TREE_GROUP_ROWS && at < end; at++) {
        if ((g->have[at / 64] >> at % 64 & 1) == 0)
            return true;
    }
    return false;
}

int tree_rows_gone(struct tree_rows *r, uint64_t first, uint64_t end, gone_nodes_take *take,
                   void *self)
{
    return gone_nodes_each(r->gone, first, end, take, self, r->diag);
}

static int fill_group(struct tree_rows *r, uint64_t first, struct leaf_group **out)
{
    for (unsigned i = 0; i < CACHED_GROUPS; i++) {
        *out = &r->groups[i];
        if ((*out)->filled && (*out)->first == first)
            return 0;
    }
    struct leaf_group *g = &r->groups[r->next_group++ % CACHED_GROUPS];
    struct group_filler filler = {r, g};
    *g = (struct leaf_group){.first = first};
    int err = tree_rows_read(r, first, first + TREE_GROUP_ROWS, take_leaf, &filler);
    if (err == 0 && has_gaps(r, g))
        err = tree_rows_gone(r, first, first + TREE_GROUP_ROWS, take_node, g);
    g->filled = err == 0;
    *out = g;
    return err;
}

/* A leaf for a proof, or a node over leaves that are gone. */
static int read_leaf(void *self, uint64_t index, unsigned *level, struct sha256 *out)
{
    struct tree_rows *r = self;
    struct leaf_group *g = NULL;
    uint64_t at = index % TREE_GROUP_ROWS;
    int err = fill_group(r, index - at, &g);
    if (err != 0)
        return err;
    if ((g->have[at / 64] >> at % 64 & 1) == 0) {
        diag_add(r->diag, r->folder, 0, 0, "row %" PRIu64 " of the history is in no segment",
                 index);
        return ERR_NOTFOUND;
    }
    *level = g->levels[at];
    *out = g->leaves[at];
    return 0;
}

/* The row of that place in a group; ERR_NOTFOUND. */
static int find_in_group(struct tree_rows *r, const struct rowgroup_head *h,
                         const struct tree_row *place, uint64_t *number)
{
    const struct column_mask places = {.parts = PART_PLACES};
    int err = damaged(r, 0, rowgroup_open(r->reader, h, r->batch));
    for (uint32_t block = 0; block < h->block_count && err == 0; block++) {
        err = rowgroup_rows(r->reader, block, &places, r->batch);
        if (err != 0)
            return damaged(r, block, err);
        batch_places(r->batch, r->offsets, r->partitions);
        for (uint32_t row = 0; row < r->batch->row_count; row++) {
            if (r->offsets[row] != place->offset || r->partitions[row] != place->partition ||
                r->batch->sub[row] != place->sub)
                continue;
            err = damaged(r, block, rowgroup_leaves(r->reader, block, r->numbers));
            *number = (uint64_t)r->numbers[row];
            return err;
        }
    }
    return err == 0 ? ERR_NOTFOUND : err;
}

int tree_rows_find(struct tree_rows *r, const struct tree_row *place, uint64_t *number)
{
    int err = ERR_NOTFOUND;
    for (size_t i = r->catalog.segment_count; i > 0 && err == ERR_NOTFOUND; i--) {
        struct segment *s = NULL;
        err = open_segment(r, &r->catalog.segments[i - 1], &s);
        if (err != 0)
            return err;
        err = ERR_NOTFOUND;
        for (size_t k = 0; k < segment_rowgroup_count(s) && err == ERR_NOTFOUND; k++) {
            const struct rowgroup_head *h = segment_rowgroup(s, k);
            if (slice_equal(h->topic, place->topic))
                err = find_in_group(r, h, place, number);
        }
        segment_close(s);
    }
    return err;
}
