#include "app/segment_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/leaf_gather.h"
#include "base/file.h"

enum {
    CODE_DIGITS = 6,
};

struct checker {
    struct segment_check_report *report;
    const char *dir;
    struct diag *diag;
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct hasher *hasher;
    struct leaf_gather *leaves;
    struct buf line;
    char path[FILE_PATH_BYTES_MAX]; /* of what is at hand */
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
};

static int differs(struct checker *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int differs(struct checker *c, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    diag_add(c->diag, c->path, 0, 0, "%s; restore the file from a copy of the store", text);
    return ERR_CORRUPT;
}

/* What a block's rows add up to, to be compared with what its head says. */
static int count_row(struct checker *c, struct rowgroup_block *sum, uint32_t row)
{
    const struct batch *b = c->batch;
    buf_reset(&c->line);
    if (batch_render(b, row, &c->line) != 0)
        return ERR_NOMEM;
    sum->raw_bytes += c->line.len;
    sum->unparsed_rows += b->reason[row] != REASON_NONE;
    sum->time_min_ns = b->time_ns[row] < sum->time_min_ns ? b->time_ns[row] : sum->time_min_ns;
    sum->time_max_ns = b->time_ns[row] > sum->time_max_ns ? b->time_ns[row] : sum->time_max_ns;
    if (b->arrival_ns[row] < sum->arrival_min_ns)
        sum->arrival_min_ns = b->arrival_ns[row];
    if (b->arrival_ns[row] > sum->arrival_max_ns)
        sum->arrival_max_ns = b->arrival_ns[row];
    return 0;
}

static bool same_block(const struct rowgroup_block *a, const struct rowgroup_block *b)
{
    return a->raw_bytes == b->raw_bytes && a->unparsed_rows == b->unparsed_rows &&
           a->time_min_ns == b->time_min_ns && a->time_max_ns == b->time_max_ns &&
           a->arrival_min_ns == b->arrival_min_ns && a->arrival_max_ns == b->arrival_max_ns;
}

/* Every row of the batch: count it, and give its hash to the tree. */
static int check_rows(struct checker *c, struct rowgroup_block *sum)
{
    const struct batch *b = c->batch;
    int err = 0;
    for (uint32_t i = 0; i < b->run_count && err == 0; i++) {
        const struct run *run = &b->runs[i];
        int64_t offset = run->first_offset;
        for (uint32_t row = run->first_row; row < run->first_row + run->count && err == 0; row++) {
            struct sha256 hash;
            uint64_t wrong = 0;
            if (row != run->first_row)
                offset += !run->multi || b->sub[row] == 0;
            err = count_row(c, sum, row);
            const struct tree_row leaf = {.topic = b->topic,
                                          .partition = run->partition,
                                          .offset = offset,
                                          .sub = b->sub[row],
                                          .raw = buf_content(&c->line)};
            if (err == 0)
                err = tree_leaf(c->hasher, &hash, &leaf);
            if (err == 0)
                err = leaf_gather_add(c->leaves, (uint64_t)c->numbers[row], &hash, &wrong);
            if (err == ERR_CORRUPT) {
                return differs(c,
                               "row %" PRId64 " of the history (partition %" PRId32
                               ", offset %" PRId64 "): the rows around it are not those of the "
                               "tree, node %" PRIu64,
                               c->numbers[row], run->partition, offset, wrong);
            }
        }
    }
    return err;
}

static int check_group(struct checker *c, const struct rowgroup_head *h, size_t number)
{
    int err = rowgroup_open(c->reader, h, c->batch);
    for (uint32_t block = 0; block < h->block_count && err == 0; block++) {
        struct slice filter;
        struct rowgroup_block sum = {.time_min_ns = INT64_MAX,
                                     .time_max_ns = INT64_MIN,
                                     .arrival_min_ns = INT64_MAX,
                                     .arrival_max_ns = INT64_MIN};
        err = rowgroup_filter(h, block, &filter);
        if (err == 0)
            err = rowgroup_rows(c->reader, block, NULL, c->batch);
        if (err == 0)
            err = rowgroup_leaves(c->reader, block, c->numbers);
        if (err == ERR_CORRUPT)
            return differs(c, "group %zu, block %" PRIu32 ": a checksum or a value is wrong",
                           number, block);
        if (err == 0)
            err = check_rows(c, &sum);
        if (err == 0 && !same_block(&sum, &h->blocks[block]))
            return differs(c, "group %zu, block %" PRIu32 ": its rows are not what its head says",
                           number, block);
        c->report->rows += h->blocks[block].row_count;
        c->report->raw_bytes += sum.raw_bytes;
        c->report->blocks++;
    }
    return err == ERR_CORRUPT ? differs(c, "group %zu: its description is damaged", number) : err;
}

static int check_segment(struct checker *c, const char *folder, const struct segment_info *info)
{
    struct segment *s = NULL;
    int err = segment_path(c->path, sizeof(c->path), folder, &info->name);
    if (err == 0)
        err = segment_open(&s, c->path, c->diag);
    if (err == ERR_NOTFOUND)
        return ERR_CORRUPT; /* named */
    if (err == 0 && (!sha256_equal(&segment_info(s)->hash, &info->hash) ||
                     segment_info(s)->row_count != info->row_count ||
                     segment_info(s)->name.hour != info->name.hour))
        err = differs(c, "the segment is not the one that the catalog names");
    for (size_t i = 0; err == 0 && i < segment_rowgroup_count(s); i++)
        err = check_group(c, segment_rowgroup(s, i), i);
    if (err == 0) {
        c->report->segments++;
        c->report->bytes += info->bytes;
    }
    segment_close(s);
    return err;
}

static int check_tree(struct checker *c, const char *folder, const struct catalog *catalog)
{
    char path[FILE_PATH_BYTES_MAX];
    struct tree_map map = {0};
    struct tree_file_id id = {.tenant = catalog->tenant, .size = catalog->tree.size};
    uint64_t missing = 0;
    memcpy(id.store_id, catalog->store_id, sizeof(id.store_id));
    int len = snprintf(path, sizeof(path), "%s/tree", folder);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE
                                                     : tree_map_open(&map, path, &id, c->diag);
    if (err == 0)
        err = leaf_gather_new(&c->leaves, catalog->tree.size, map.nodes);
    for (size_t i = 0; err == 0 && i < catalog->segment_count; i++)
        err = check_segment(c, folder, &catalog->segments[i]);
    memcpy(c->path, path, sizeof(path));
    if (err == 0) {
        err = leaf_gather_finish(c->leaves, &catalog->tree, &missing);
        if (err == ERR_CORRUPT && missing != UINT64_MAX)
            err = differs(c, "row %" PRIu64 " of the history is in no segment", missing);
        else if (err == ERR_CORRUPT)
            err = differs(c, "the nodes of the tree are not those of the catalog");
    }
    leaf_gather_free(c->leaves);
    c->leaves = NULL;
    tree_map_close(&map);
    return err;
}

static int check_tenant(struct checker *c, uint32_t tenant)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog catalog = {0};
    int err = catalog_folder(folder, sizeof(folder), c->dir, tenant);
    if (err == 0)
        err = catalog_read(&catalog, folder, c->diag);
    if (err == ERR_NOTFOUND)
        return 0; /* a compaction has begun and not finished */
    if (err == 0)
        err = check_tree(c, folder, &catalog);
    if (err == 0)
        c->report->tenants++;
    catalog_release(&catalog);
    return err;
}

/* Those that must have a folder. */
static int check_listed(struct checker *c, struct arena *arena)
{
    struct compacted done = {0};
    int err = compacted_read(&done, c->dir, arena, c->diag);
    if (err == ERR_NOTFOUND)
        return 0;
    for (size_t i = 0; i < done.tenant_count && err == 0; i++) {
        struct catalog catalog = {0};
        err = catalog_folder(c->path, sizeof(c->path), c->dir, done.tenants[i]);
        if (err == 0)
            err = catalog_read(&catalog, c->path, c->diag);
        if (err == ERR_NOTFOUND)
            err = differs(c, "the folder or its catalog is missing");
        else if (err == 0 && catalog.through_seq < done.through_seq)
            err = differs(c, "the catalog ends before frame %" PRIu64, done.through_seq);
        catalog_release(&catalog);
    }
    return err;
}

static int check_all(struct checker *c, struct arena *arena)
{
    char path[FILE_PATH_BYTES_MAX];
    struct dir_names names = {0};
    int len = snprintf(path, sizeof(path), "%s/seg", c->dir);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : dir_list(&names, arena, path);
    if (err == ERR_NOTFOUND)
        return 0;
    if (err == 0)
        err = check_listed(c, arena);
    for (size_t i = 0; i < names.count && err == 0; i++) {
        const char *name = names.names[i];
        if (strlen(name) == CODE_DIGITS && strspn(name, "0123456789") == CODE_DIGITS)
            err = check_tenant(c, (uint32_t)strtoul(name, NULL, 10));
    }
    return err;
}

int segment_check_run(struct segment_check_report *out, const char *dir, struct diag *diag)
{
    struct segment_check_report report = {0};
    struct arena arena = {0};
    struct checker *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->report = &report;
    c->dir = dir;
    c->diag = diag;
    c->reader = rowgroup_reader_new();
    c->batch = batch_new();
    int err = c->reader == NULL || c->batch == NULL ? ERR_NOMEM : hasher_new(&c->hasher);
    if (err == 0)
        err = check_all(c, &arena);
    rowgroup_reader_free(c->reader);
    batch_free(c->batch);
    hasher_free(c->hasher);
    buf_release(&c->line);
    arena_release(&arena);
    free(c);
    *out = report;
    return err;
}
