#include "app/retain_segment.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"

struct rewrite {
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct buf line;
    uint64_t sum;  /* of the group's lines */
    uint64_t back; /* of those that were read back */
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
    int64_t offsets[ROWGROUP_BLOCK_ROWS];
    int32_t partitions[ROWGROUP_BLOCK_ROWS];
    uint64_t leaves[ROWGROUP_BLOCK_ROWS];
    uint32_t raw_bytes[ROWGROUP_BLOCK_ROWS];
    uint16_t rows[ROWGROUP_BLOCK_ROWS];
};

/* What a row adds to the sum of its group; its line is left in `line`. */
static int add_row(struct rewrite *w, uint64_t *sum, const struct batch *b, uint32_t row,
                   uint64_t leaf)
{
    buf_reset(&w->line);
    if (batch_render(b, row, &w->line) != 0)
        return ERR_NOMEM;
    *sum += hash_slice(leaf, buf_content(&w->line)) | 1;
    return 0;
}

static int add_back(void *self, const struct batch *b, const int64_t *leaves)
{
    struct rewrite *w = self;
    int err = 0;
    for (uint32_t row = 0; row < b->row_count && err == 0; row++)
        err = add_row(w, &w->back, b, row, (uint64_t)leaves[row]);
    return err;
}

/* The rows of the block at hand into the group. */
static int copy_block(struct rewrite *w, struct rowgroup *g)
{
    const struct batch *b = w->batch;
    int err = 0;
    batch_places(b, w->offsets, w->partitions);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        w->leaves[row] = (uint64_t)w->numbers[row];
        w->rows[row] = (uint16_t)row;
        err = add_row(w, &w->sum, b, row, w->leaves[row]);
        w->raw_bytes[row] = (uint32_t)w->line.len;
    }
    const struct rowgroup_rows rows = {.batch = b,
                                       .rows = w->rows,
                                       .count = b->row_count,
                                       .offsets = w->offsets,
                                       .partitions = w->partitions,
                                       .leaves = w->leaves,
                                       .raw_bytes = w->raw_bytes};
    return err == 0 ? rowgroup_add(g, &rows) : err;
}

static int copy_group(struct rewrite *w, struct segment_writer *out, const struct rowgroup_head *h)
{
    struct rowgroup *g = NULL;
    w->sum = 0;
    w->back = 0;
    int err = rowgroup_open(w->reader, h, w->batch);
    for (uint32_t block = 0; block < h->block_count && err == 0; block++) {
        err = rowgroup_rows(w->reader, block, NULL, w->batch);
        if (err == 0)
            err = rowgroup_leaves(w->reader, block, w->numbers);
        if (err == 0 && g == NULL)
            err = rowgroup_new(&g, w->batch);
        if (err == 0)
            err = copy_block(w, g);
    }
    if (err == 0)
        err = segment_add(out, g, add_back, w);
    rowgroup_free(g);
    return err == 0 && w->sum != w->back ? ERR_CORRUPT : err;
}

static int write_rest(struct rewrite *w, struct segment_info *out, const struct segment *s,
                      const struct retain_scope *scope, const struct retain_place *place)
{
    char path[FILE_PATH_BYTES_MAX];
    struct segment_writer *writer = NULL;
    struct segment_name name = segment_info(s)->name;
    name.generation++;
    int err = segment_path(path, sizeof(path), place->folder, &name);
    if (err == 0)
        err = segment_create(&writer, path, &name, segment_store_id(s),
                             segment_is_sealed(s) ? place->keys : NULL);
    for (size_t i = 0; i < segment_rowgroup_count(s) && err == 0; i++) {
        const struct rowgroup_head *h = segment_rowgroup(s, i);
        if (!scope->goes[retention_class_of(h->format)])
            err = copy_group(w, writer, h);
    }
    if (err != 0) {
        segment_abandon(writer);
        return err;
    }
    err = segment_finish(writer, out);
    return err == 0 ? dir_sync(place->folder) : err;
}

int retain_rewrite(struct segment_info *out, const struct segment *s,
                   const struct retain_scope *scope, const struct retain_place *place,
                   struct diag *diag)
{
    struct rewrite *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ERR_NOMEM;
    w->reader = rowgroup_reader_new();
    w->batch = batch_new();
    int err =
        w->reader == NULL || w->batch == NULL ? ERR_NOMEM : write_rest(w, out, s, scope, place);
    if (err == ERR_CORRUPT) {
        diag_add(diag, segment_file(s), 0, 0,
                 "what is to stay of the segment cannot be written again: it is damaged, or lines "
                 "came back as others; nothing was deleted");
    }
    if (err == ERR_SEALED) {
        diag_add(
            diag, segment_file(s), 0, 0,
            "what is to stay of the encrypted segment cannot be written again without an active "
            "key; make one with: sekisho keyring add; nothing was deleted");
    }
    rowgroup_reader_free(w->reader);
    batch_free(w->batch);
    buf_release(&w->line);
    free(w);
    return err;
}
