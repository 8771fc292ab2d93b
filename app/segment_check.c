#include "app/segment_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/deletion_check.h"
#include "app/keyring_option.h"
#include "app/leaf_batch.h"
#include "base/file.h"
#include "event/grams.h"

struct checker {
    struct segment_check_report *report;
    const char *dir;
    const struct vouched *vouched; /* or NULL */
    struct diag *diag;
    struct keyring *keys;
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct grams *grams; /* of the group at hand */
    struct census_maker *census;
    struct buf made; /* that census */
    struct hasher *hasher;
    struct leaf_gather *leaves;
    bool locked;                    /* rows of the municipality could not be read */
    struct leaf_batch leaf_batch;   /* the last rows of the block at hand */
    char path[FILE_PATH_BYTES_MAX]; /* of what is at hand */
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
    int64_t offsets[ROWGROUP_BLOCK_ROWS];
    int32_t partitions[ROWGROUP_BLOCK_ROWS];
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
static void count_row(struct checker *c, struct rowgroup_block *sum, uint32_t row)
{
    const struct batch *b = c->batch;
    sum->unparsed_rows += b->reason[row] != REASON_NONE;
    sum->time_min_ns = b->time_ns[row] < sum->time_min_ns ? b->time_ns[row] : sum->time_min_ns;
    sum->time_max_ns = b->time_ns[row] > sum->time_max_ns ? b->time_ns[row] : sum->time_max_ns;
    if (b->arrival_ns[row] < sum->arrival_min_ns)
        sum->arrival_min_ns = b->arrival_ns[row];
    if (b->arrival_ns[row] > sum->arrival_max_ns)
        sum->arrival_max_ns = b->arrival_ns[row];
}

static bool same_block(const struct rowgroup_block *a, const struct rowgroup_block *b)
{
    return a->raw_bytes == b->raw_bytes && a->unparsed_rows == b->unparsed_rows &&
           a->time_min_ns == b->time_min_ns && a->time_max_ns == b->time_max_ns &&
           a->arrival_min_ns == b->arrival_min_ns && a->arrival_max_ns == b->arrival_max_ns;
}

/* What is hashed of a row; its line counts. */
static int add_leaf(struct checker *c, struct rowgroup_block *sum, uint32_t row)
{
    const struct batch *b = c->batch;
    struct buf *text = &c->leaf_batch.text;
    const struct tree_row leaf = {.topic = b->topic,
                                  .partition = c->partitions[row],
                                  .offset = c->offsets[row],
                                  .sub = b->sub[row]};
    int err = leaf_batch_begin(&c->leaf_batch, &leaf);
    size_t at = text->len;
    if (err == 0)
        err = batch_render(b, row, text);
    if (err != 0)
        return err;
    sum->raw_bytes += text->len - at;
    leaf_batch_end(&c->leaf_batch);
    return 0;
}

/* The hashes of the batch's rows up to `end` that wait for it go to the tree. */
static int check_leaves(struct checker *c, uint32_t end)
{
    struct leaf_batch *leaves = &c->leaf_batch;
    uint32_t row = end - leaves->count;
    uint64_t wrong = 0;
    int err = leaf_batch_hash(leaves, c->hasher);
    for (uint32_t i = 0; i < leaves->count && err == 0; i++, row++) {
        err = leaf_gather_add(c->leaves, (uint64_t)c->numbers[row], &leaves->hashes[i], &wrong);
        if (err == ERR_CORRUPT) {
            err = differs(c,
                          "row %" PRId64 " of the history (partition %" PRId32 ", offset %" PRId64
                          "): the rows around it are not those of the tree, node %" PRIu64,
                          c->numbers[row], c->partitions[row], c->offsets[row], wrong);
        }
    }
    leaf_batch_clear(leaves);
    return err;
}

/* Every row of the batch: count it, and give its hash to the tree. */
static int check_rows(struct checker *c, struct rowgroup_block *sum)
{
    int err = 0;
    batch_places(c->batch, c->offsets, c->partitions);
    leaf_batch_clear(&c->leaf_batch);
    for (uint32_t row = 0; row < c->batch->row_count && err == 0; row++) {
        count_row(c, sum, row);
        err = add_leaf(c, sum, row);
        if (err == 0 && leaf_batch_is_full(&c->leaf_batch))
            err = check_leaves(c, row + 1);
    }
    return err == 0 ? check_leaves(c, c->batch->row_count) : err;
}

static int check_block(struct checker *c, const struct rowgroup_head *h, size_t number,
                       uint32_t block)
{
    struct slice filter;
    struct rowgroup_block sum = {.time_min_ns = INT64_MAX,
                                 .time_max_ns = INT64_MIN,
                                 .arrival_min_ns = INT64_MAX,
                                 .arrival_max_ns = INT64_MIN};
    int err = rowgroup_filter(c->reader, h, block, &filter);
    if (err == 0)
        err = rowgroup_rows(c->reader, block, NULL, c->batch);
    if (err == 0)
        err = rowgroup_leaves(c->reader, block, c->numbers);
    if (err == ERR_CORRUPT)
        return differs(c, "group %zu, block %" PRIu32 ": a checksum or a value is wrong", number,
                       block);
    if (err == 0)
        err = check_rows(c, &sum);
    if (err == 0 && !same_block(&sum, &h->blocks[block]))
        return differs(c, "group %zu, block %" PRIu32 ": its rows are not what its head says",
                       number, block);
    if (err == 0 && h->grams_len != 0)
        err = grams_add(c->grams, c->batch, block == 0);
    if (err == 0 && h->census.len != 0)
        err = census_maker_add(c->census, c->batch);
    c->report->rows += h->blocks[block].row_count;
    c->report->raw_bytes += sum.raw_bytes;
    c->report->blocks++;
    return err;
}

/* A filter may let pass more than it must, but not less: what its rows hold is in it. */
static int check_grams(struct checker *c, const struct rowgroup_head *h, size_t number)
{
    struct slice filter;
    if (rowgroup_grams(c->reader, h, &filter) != 0)
        return differs(c, "group %zu: its filter of runs is damaged", number);
    if (h->grams_len != 0 && !grams_within(c->grams, filter))
        return differs(c, "group %zu: its filter of runs rules out what its rows hold", number);
    return 0;
}

/* A census tells of the places that it says exactly what the rows say. */
static int check_census(struct checker *c, const struct rowgroup_head *h, size_t number)
{
    uint64_t places = census_places(h->census);
    if (h->census.len == 0)
        return 0;
    buf_reset(&c->made);
    int err = census_maker_seal(c->census, places, &c->made);
    if (err == 0 && (places == 0 || !slice_equal(buf_content(&c->made), h->census)))
        return differs(c, "group %zu: its census is not that of its rows", number);
    return err;
}

static int check_group(struct checker *c, const struct rowgroup_head *h, size_t number)
{
    int err = rowgroup_open(c->reader, h, c->batch);
    if (err == ERR_CORRUPT)
        return differs(c, "group %zu: its description is damaged", number);
    grams_reset(c->grams);
    census_maker_reset(c->census);
    for (uint32_t block = 0; block < h->block_count && err == 0; block++)
        err = check_block(c, h, number, block);
    if (err == 0)
        err = check_grams(c, h, number);
    return err == 0 ? check_census(c, h, number) : err;
}

static bool is_the_one(const struct segment *s, const struct segment_info *info)
{
    const struct segment_info *have = segment_info(s);
    return sha256_equal(&have->hash, &info->hash) && have->row_count == info->row_count &&
           have->name.hour == info->name.hour;
}

/* All that one can tell without the key. */
static int check_outside(struct checker *c, const struct segment_info *info)
{
    struct segment *s = NULL;
    int err = segment_open_outside(&s, c->path, c->diag);
    if (err == 0 && !is_the_one(s, info))
        err = differs(c, "the segment is not the one that the catalog names");
    segment_close(s);
    return err;
}

static int check_groups(struct checker *c, const struct segment *s, const struct segment_info *info)
{
    int err =
        is_the_one(s, info) ? 0 : differs(c, "the segment is not the one that the catalog names");
    for (size_t i = 0; err == 0 && i < segment_rowgroup_count(s); i++)
        err = check_group(c, segment_rowgroup(s, i), i);
    if (err == 0 && segment_is_sealed(s))
        err = check_outside(c, info);
    return err;
}

static int check_segment(struct checker *c, const char *folder, const struct segment_info *info)
{
    struct segment *s = NULL;
    int err = segment_path(c->path, sizeof(c->path), folder, &info->name);
    if (err == 0)
        err = segment_open(&s, c->path, c->keys, c->diag);
    if (err == ERR_NOTFOUND)
        return ERR_CORRUPT; /* named */
    if (err == ERR_SEALED) {
        err = check_outside(c, info);
        c->locked = true;
        c->report->locked_segments += err == 0;
        c->report->locked_rows += err == 0 ? info->row_count : 0;
    } else if (err == 0) {
        err = check_groups(c, s, info);
    }
    if (err == 0) {
        c->report->segments++;
        c->report->bytes += info->bytes;
    }
    segment_close(s);
    return err;
}

/* The tree that was expected is another one. */
static int tree_differs(struct checker *c, uint32_t tenant, const struct leaf_gather_fault *fault)
{
    size_t count = 0;
    if (fault->is_missing) {
        return differs(c,
                       "row %" PRIu64
                       " of the history is in no segment, and no certificate says that it was "
                       "deleted",
                       fault->at);
    }
    if (!fault->is_head)
        return differs(c, "the nodes of the tree are not those of the catalog");
    return differs(c, "its first %" PRIu64 " rows are not those that were signed",
                   vouched_heads(c->vouched, tenant, &count)[fault->at].size);
}

/* What checkpoints say of the tree. */
static int expect_heads(struct checker *c, const struct catalog *catalog)
{
    size_t count = 0;
    if (c->vouched == NULL)
        return 0;
    const struct tree_head *heads = vouched_heads(c->vouched, catalog->tenant, &count);
    int err = leaf_gather_expect(c->leaves, heads, count);
    if (err == ERR_CORRUPT)
        err = differs(c, "%" PRIu64 " rows were signed, and the catalog knows of %" PRIu64,
                      heads[count - 1].size, catalog->tree.size);
    return err;
}

static int check_tree(struct checker *c, const char *folder, const struct catalog *catalog)
{
    char path[FILE_PATH_BYTES_MAX];
    struct tree_map map = {0};
    struct tree_file_id id = {.tenant = catalog->tenant, .size = catalog->tree.size};
    struct leaf_gather_fault fault = {0};
    memcpy(id.store_id, catalog->store_id, sizeof(id.store_id));
    int len = snprintf(path, sizeof(path), "%s/tree", folder);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE
                                                     : tree_map_open(&map, path, &id, c->diag);
    c->locked = false;
    if (err == 0)
        err = leaf_gather_new(&c->leaves, catalog->tree.size, map.nodes);
    memcpy(c->path, path, sizeof(path));
    if (err == 0)
        err = expect_heads(c, catalog);
    if (err == 0)
        err = deletion_check(&c->report->deletions, c->leaves, c->dir, catalog, c->diag);
    for (size_t i = 0; err == 0 && i < catalog->segment_count; i++)
        err = check_segment(c, folder, &catalog->segments[i]);
    memcpy(c->path, path, sizeof(path));
    if (err == 0 && !c->locked) {
        err = leaf_gather_finish(c->leaves, &catalog->tree, &fault);
        if (err == ERR_CORRUPT)
            err = tree_differs(c, catalog->tenant, &fault);
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
    struct log_hold hold = {0}; /* no segment that the catalog names is removed meanwhile */
    int err = log_hold_take_store(&hold, c->dir);
    if (err == 0)
        err = catalog_folder(folder, sizeof(folder), c->dir, tenant);
    if (err == 0)
        err = catalog_read(&catalog, folder, c->diag);
    bool begun = err == ERR_NOTFOUND; /* a compaction, which has not finished */
    if (err == 0)
        err = check_tree(c, folder, &catalog);
    if (err == 0)
        c->report->tenants++;
    catalog_release(&catalog);
    log_hold_drop(&hold);
    return begun ? 0 : err;
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
    struct catalog_tenants tenants;
    int err = catalog_list_tenants(&tenants, arena, c->dir);
    if (err == 0)
        err = check_listed(c, arena);
    for (size_t i = 0; i < tenants.count && err == 0; i++)
        err = check_tenant(c, tenants.codes[i]);
    return err;
}

/* Every municipality whose tree was signed has a catalog. */
static int check_signed(struct checker *c)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct file_info info;
    size_t cursor = 0;
    uint32_t tenant = 0;
    int err = 0;
    while (c->vouched != NULL && err == 0 && vouched_next_tenant(c->vouched, &cursor, &tenant)) {
        size_t count = 0;
        if (vouched_heads(c->vouched, tenant, &count)[count - 1].size == 0)
            continue;
        err = catalog_folder(folder, sizeof(folder), c->dir, tenant);
        int len = snprintf(c->path, sizeof(c->path), "%s/catalog", folder);
        if (err == 0)
            err = len < 0 || (size_t)len >= sizeof(c->path) ? ERR_RANGE : file_stat(&info, c->path);
        if (err == ERR_NOTFOUND)
            err = differs(c, "rows of the municipality were signed, and its catalog is missing");
    }
    return err;
}

int segment_check_run(struct segment_check_report *out, const char *dir,
                      const struct vouched *vouched, struct diag *diag)
{
    struct segment_check_report report = {0};
    struct arena arena = {0};
    struct checker *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->report = &report;
    c->dir = dir;
    c->vouched = vouched;
    c->diag = diag;
    c->reader = rowgroup_reader_new();
    c->batch = batch_new();
    int err = c->reader == NULL || c->batch == NULL ? ERR_NOMEM : hasher_new(&c->hasher);
    if (err == 0)
        err = keyring_option(&c->keys, diag);
    if (err == 0)
        err = grams_new(&c->grams);
    if (err == 0)
        err = census_maker_new(&c->census);
    if (err == 0)
        err = check_signed(c);
    if (err == 0)
        err = check_all(c, &arena);
    if (err == 0 && report.locked_segments != 0)
        err = ERR_SEALED;
    rowgroup_reader_free(c->reader);
    batch_free(c->batch);
    hasher_free(c->hasher);
    keyring_close(c->keys);
    grams_free(c->grams);
    census_maker_free(c->census);
    buf_release(&c->made);
    leaf_batch_release(&c->leaf_batch);
    arena_release(&arena);
    free(c);
    *out = report;
    return err;
}
