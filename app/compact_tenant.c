#include "app/compact_tenant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/config.h"
#include "app/leaf_batch.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "event/renderer.h"
#include "event/row_hash.h"

enum {
    MEASURE_BYTES = 1 << 20, /* of lines are taken before it is asked again what is held */
};

/* A group being filled, and what its rows add up to. */
struct open_group {
    struct rowgroup *group;
    uint64_t sum;
};

/* The segment of an hour being written. */
struct open_hour {
    int64_t hour;
    struct segment_name name;
    struct segment_writer
        *writer; /* NULL until a group is sealed: it holds a file and much memory */
    struct open_group *groups;
    size_t group_count;
};

struct tenant_compaction {
    const struct compact_options *options;
    struct compact_report *report;
    struct diag *diag;
    uint32_t tenant;
    bool chosen; /* whether it is sealed, what is written */
    bool sealed;
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog catalog;
    struct open_hour *hours; /* in the order in which they were begun */
    size_t hour_count;
    struct segment_info *done;
    size_t done_count;
    struct tree tree; /* of the history so far */
    struct buf nodes; /* of it, not yet in its file */
    struct hasher *hasher;
    struct leaf_batch leaf_batch; /* rows that are not yet in the tree */
    struct totals_count *totals;
    struct ties ties;      /* of the batch that was looked at last */
    struct ties back_ties; /* of the block that was read back last */
    struct row_hasher row_hasher;
    struct renderer renderer;
    uint64_t sum;              /* of the group that is read back */
    uint64_t unmeasured_bytes; /* of lines taken since the groups were measured */
    uint16_t rows[BATCH_ROWS_MAX];
    int64_t offsets[BATCH_ROWS_MAX];
    int32_t partitions[BATCH_ROWS_MAX];
    uint64_t leaves[BATCH_ROWS_MAX]; /* of every row of the batch */
    uint32_t raw[BATCH_ROWS_MAX];
    uint64_t chosen_leaves[BATCH_ROWS_MAX];
    uint32_t chosen_raw[BATCH_ROWS_MAX];
    uint64_t hashes[BATCH_ROWS_MAX];
    uint64_t back[ROWGROUP_BLOCK_ROWS]; /* of a block that is read back */
};

static int64_t hour_of(int64_t arrival_ns)
{
    return arrival_ns / SEGMENT_HOUR_NS - (arrival_ns % SEGMENT_HOUR_NS < 0 ? 1 : 0);
}

/* What a row adds to the sum of its group: its place in the history and all that it holds. */
static uint64_t row_share(uint64_t leaf, uint64_t row_hash)
{
    uint64_t share = (row_hash ^ row_hash >> 32) + leaf * UINT64_C(0x9E3779B97F4A7C15);
    share = (share ^ share >> 29) * UINT64_C(0xD6E8FEB86659FD93);
    return share ^ share >> 32;
}

/* Its catalog, or an empty one where there need be none. */
static int read_catalog(struct tenant_compaction *t, uint64_t through_seq)
{
    int err = catalog_read(&t->catalog, t->folder, t->diag);
    if (err == ERR_NOTFOUND) {
        t->catalog = (struct catalog){.tenant = t->tenant};
        memcpy(t->catalog.store_id, t->options->store_id, sizeof(t->catalog.store_id));
        err = 0;
    }
    if (err == 0 && memcmp(t->catalog.store_id, t->options->store_id, 16) != 0) {
        diag_add(t->diag, t->folder, 0, 0, "the catalog is that of another store");
        err = ERR_CORRUPT;
    }
    if (err == 0 && t->catalog.through_seq < through_seq) {
        diag_add(t->diag, t->folder, 0, 0,
                 "the catalog is missing or ends before frame %" PRIu64
                 ", up to which rows were compacted; restore the folder from a copy of the store; "
                 "nothing was changed",
                 through_seq);
        err = ERR_CORRUPT;
    }
    return err;
}

/* Without a key now, nothing must have been sealed until now: it would go on in clear unnoticed. */
static int check_clear(struct tenant_compaction *t)
{
    char path[FILE_PATH_BYTES_MAX];
    struct segment *s = NULL;
    if (t->catalog.segment_count == 0)
        return 0;
    const struct segment_info *newest = &t->catalog.segments[t->catalog.segment_count - 1];
    int err = segment_path(path, sizeof(path), t->folder, &newest->name);
    if (err == 0)
        err = segment_open(&s, path, NULL, t->diag);
    segment_close(s);
    return err == ERR_SEALED ? err : 0; /* damage matters to who reads it */
}

/* Whether what is written is to be sealed. ERR_SEALED when it cannot be. */
static int choose_seal(struct tenant_compaction *t)
{
    const struct compact_options *o = t->options;
    bool has_key = keyring_active(o->keys, t->tenant) != NULL;
    t->chosen = true;
    t->sealed = o->config == NULL ? has_key : config_encrypts(o->config, t->tenant);
    if (t->sealed && !has_key) {
        diag_add(
            t->diag, t->folder, 0, 0,
            "%06" PRIu32
            " is to be encrypted and the keyring has no active key of it: its rows stay in the "
            "log; make one with: sekisho keyring add",
            t->tenant);
        return ERR_SEALED;
    }
    return o->config == NULL && !has_key ? check_clear(t) : 0;
}

int tenant_compaction_new(struct tenant_compaction **out, const struct compact_options *options,
                          uint32_t tenant, uint64_t through_seq, struct compact_report *report,
                          struct diag *diag)
{
    struct tenant_compaction *t = calloc(1, sizeof(*t));
    struct segment_sweep swept;
    if (t == NULL)
        return ERR_NOMEM;
    t->options = options;
    t->report = report;
    t->diag = diag;
    t->tenant = tenant;
    int err = catalog_folder(t->folder, sizeof(t->folder), options->dir, tenant);
    if (err == 0)
        err = read_catalog(t, through_seq);
    if (err == 0)
        err = dir_create(t->folder);
    if (err == 0)
        err = segment_sweep(&swept, options->dir, &t->catalog);
    t->tree = t->catalog.tree;
    if (err == 0)
        err = hasher_new(&t->hasher);
    if (err != 0) {
        tenant_compaction_free(t);
        return err;
    }
    *out = t;
    return 0;
}

static void hour_close(struct open_hour *h)
{
    segment_abandon(h->writer);
    for (size_t i = 0; i < h->group_count; i++)
        rowgroup_free(h->groups[i].group);
    free(h->groups);
    *h = (struct open_hour){0};
}

void tenant_compaction_free(struct tenant_compaction *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->hour_count; i++)
        hour_close(&t->hours[i]);
    free(t->hours);
    free(t->done);
    catalog_release(&t->catalog);
    leaf_batch_release(&t->leaf_batch);
    ties_release(&t->ties);
    ties_release(&t->back_ties);
    row_hasher_release(&t->row_hasher);
    renderer_release(&t->renderer);
    buf_release(&t->nodes);
    hasher_free(t->hasher);
    free(t);
}

uint64_t tenant_compaction_through(const struct tenant_compaction *t)
{
    return t->catalog.through_seq;
}

void tenant_compaction_count(struct tenant_compaction *t, struct totals_count *totals)
{
    t->totals = totals;
}

/* Add up the rows of a block as it was read back. */
static int add_block(void *self, const struct batch *b, const int64_t *leaves)
{
    struct tenant_compaction *t = self;
    int err = ties_find(&t->back_ties, b);
    if (err == 0)
        err = row_hashes(&t->row_hasher, b, &t->back_ties, t->back);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++)
        t->sum += row_share((uint64_t)leaves[row], t->back[row]);
    return err;
}

static int begin_segment(struct tenant_compaction *t, struct open_hour *h)
{
    char path[FILE_PATH_BYTES_MAX];
    int err = segment_path(path, sizeof(path), t->folder, &h->name);
    return err == 0 ? segment_create(&h->writer, path, &h->name, t->options->store_id,
                                     t->sealed ? t->options->keys : NULL)
                    : err;
}

/* Seal a group into its segment, and compare what came back with what went in. */
static int seal_group(struct tenant_compaction *t, struct open_hour *h, size_t at)
{
    struct open_group *g = &h->groups[at];
    t->sum = 0;
    int err = h->writer == NULL ? begin_segment(t, h) : 0;
    if (err == 0)
        err = segment_add(h->writer, g->group, add_block, t);
    if (err == 0 && t->sum != g->sum) {
        diag_add(t->diag, t->folder, 0, 0,
                 "hour %08" PRIx64 ": rows read back from the segment differ from the log's; "
                 "nothing was changed",
                 (uint64_t)h->hour);
        err = ERR_CORRUPT;
    }
    rowgroup_free(g->group);
    h->groups[at] = h->groups[--h->group_count];
    return err;
}

/* Seal what is open of an hour, and give the segment its name. */
static int finish_hour(struct tenant_compaction *t, struct open_hour *h)
{
    int err = 0;
    while (h->group_count != 0 && err == 0)
        err = seal_group(t, h, 0);
    if (err == 0) {
        struct segment_info *done = reallocarray(t->done, t->done_count + 1, sizeof(*done));
        if (done == NULL)
            return ERR_NOMEM;
        t->done = done;
        err = segment_finish(h->writer, &done[t->done_count]);
        h->writer = NULL;
    }
    if (err == 0) {
        t->report->segments++;
        t->report->segment_bytes += t->done[t->done_count].bytes;
        t->done_count++;
    }
    return err;
}

static int take_rows(struct tenant_compaction *t, const struct batch *b, int64_t hour,
                     uint32_t count);

/* The rows whose lines are there are the next of the history. */
static int grow_tree(struct tenant_compaction *t)
{
    struct leaf_batch *b = &t->leaf_batch;
    int err = leaf_batch_hash(b, t->hasher);
    if (err == 0)
        err = tree_append_leaves(t->hasher, &t->tree, b->hashes, b->count, &t->nodes);
    leaf_batch_clear(b);
    return err;
}

/* The line of a row, behind those that are to be hashed where it is new to the history. */
static int look_at_row(struct tenant_compaction *t, const struct batch *b, uint32_t row,
                       bool is_new)
{
    const struct tree_row leaf = {.topic = b->topic,
                                  .partition = t->partitions[row],
                                  .offset = t->offsets[row],
                                  .sub = b->sub[row]};
    struct buf *text = &t->leaf_batch.text;
    int err = is_new ? leaf_batch_begin(&t->leaf_batch, &leaf) : 0;
    size_t at = text->len;
    if (err == 0)
        err = renderer_row(&t->renderer, row, text);
    if (err != 0)
        return err;
    t->raw[row] = (uint32_t)(text->len - at);
    if (!is_new) {
        buf_reset(text);
        return 0;
    }
    leaf_batch_end(&t->leaf_batch);
    return leaf_batch_is_full(&t->leaf_batch) ? grow_tree(t) : 0;
}

/* The places, numbers and lines of a batch's rows, which are new to the history or not. */
static int look_at(struct tenant_compaction *t, const struct batch *b, bool is_new)
{
    batch_places(b, t->offsets, t->partitions);
    int err = ties_find(&t->ties, b);
    if (err == 0)
        err = row_hashes(&t->row_hasher, b, &t->ties, t->hashes);
    if (err == 0)
        err = renderer_begin(&t->renderer, b, &t->ties);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        err = look_at_row(t, b, row, is_new);
        t->hashes[row] = row_share(t->leaves[row], t->hashes[row]);
    }
    return err == 0 && is_new ? grow_tree(t) : err;
}

/* Take all rows of the segment that an hour has already. */
static int take_segment(struct tenant_compaction *t, const struct segment_info *old)
{
    char path[FILE_PATH_BYTES_MAX];
    struct segment *s = NULL;
    struct batch *b = batch_new();
    struct rowgroup_reader *r = rowgroup_reader_new();
    int64_t *leaves = calloc(ROWGROUP_BLOCK_ROWS, sizeof(*leaves));
    int err = b == NULL || r == NULL || leaves == NULL
                  ? ERR_NOMEM
                  : segment_path(path, sizeof(path), t->folder, &old->name);
    if (err == 0)
        err = segment_open(&s, path, t->options->keys, t->diag);
    for (size_t g = 0; err == 0 && g < segment_rowgroup_count(s); g++) {
        const struct rowgroup_head *head = segment_rowgroup(s, g);
        err = rowgroup_open(r, head, b);
        for (uint32_t block = 0; err == 0 && block < head->block_count; block++) {
            err = rowgroup_rows(r, block, NULL, b);
            if (err == 0)
                err = rowgroup_leaves(r, block, leaves);
            for (uint32_t row = 0; err == 0 && row < b->row_count; row++) {
                t->leaves[row] = (uint64_t)leaves[row];
                t->rows[row] = (uint16_t)row;
            }
            if (err == 0)
                err = look_at(t, b, false);
            if (err == 0)
                err = take_rows(t, b, old->name.hour, b->row_count);
            t->report->rows_again += b->row_count;
        }
    }
    if (err == ERR_CORRUPT) {
        diag_add(t->diag, path, 0, 0,
                 "the segment is damaged; restore it from a copy: until then its hour takes no "
                 "late rows");
    }
    segment_close(s);
    rowgroup_reader_free(r);
    batch_free(b);
    free(leaves);
    return err;
}

static bool has_hour(const struct tenant_compaction *t, int64_t hour)
{
    for (size_t i = 0; i < t->hour_count; i++) {
        if (t->hours[i].hour == hour)
            return true;
    }
    return false;
}

/* Begin an hour; its rows so far are taken first: *took, what is known of the batch at hand is gone. */
static int begin_hour(struct tenant_compaction *t, int64_t hour, bool *took)
{
    const struct segment_info *old = catalog_find(&t->catalog, hour);
    for (size_t i = 0; i < t->done_count; i++) {
        if (t->done[i].name.hour == hour)
            old = &t->done[i];
    }
    const struct segment_info before = old == NULL ? (struct segment_info){0} : *old;
    uint32_t generation =
        old == NULL ? catalog_generation(&t->catalog, hour) : before.name.generation;
    struct open_hour *hours = reallocarray(t->hours, t->hour_count + 1, sizeof(*hours));
    if (hours == NULL)
        return ERR_NOMEM;
    t->hours = hours;
    hours[t->hour_count++] = (struct open_hour){
        .hour = hour, .name = {.tenant = t->tenant, .hour = hour, .generation = generation + 1}};
    *took = old != NULL;
    return old == NULL ? 0 : take_segment(t, &before);
}

static struct open_hour *find_hour(struct tenant_compaction *t, int64_t hour)
{
    for (size_t i = 0; i < t->hour_count; i++) {
        if (t->hours[i].hour == hour)
            return &t->hours[i];
    }
    return NULL;
}

/* The group that takes rows like the batch's, the one made last if there are several. */
static int find_group(struct open_hour *h, const struct batch *b, size_t *out)
{
    for (size_t i = h->group_count; i > 0; i--) {
        if (rowgroup_is_like(h->groups[i - 1].group, b)) {
            *out = i - 1;
            return 0;
        }
    }
    struct open_group *groups = reallocarray(h->groups, h->group_count + 1, sizeof(*groups));
    if (groups == NULL)
        return ERR_NOMEM;
    h->groups = groups;
    groups[h->group_count] = (struct open_group){0};
    int err = rowgroup_new(&groups[h->group_count].group, b);
    if (err == 0)
        *out = h->group_count++;
    return err;
}

/* Give t->rows[0, count) of a batch to the group of their hour. */
static int take_rows(struct tenant_compaction *t, const struct batch *b, int64_t hour,
                     uint32_t count)
{
    struct open_hour *h = find_hour(t, hour);
    size_t at = 0;
    if (h == NULL)
        return ERR_RANGE;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        t->chosen_leaves[i] = t->leaves[t->rows[i]];
        t->chosen_raw[i] = t->raw[t->rows[i]];
        sum += t->hashes[t->rows[i]];
    }
    const struct rowgroup_rows rows = {.batch = b,
                                       .rows = t->rows,
                                       .count = count,
                                       .ties = &t->ties,
                                       .offsets = t->offsets,
                                       .partitions = t->partitions,
                                       .leaves = t->chosen_leaves,
                                       .raw_bytes = t->chosen_raw};
    int err = find_group(h, b, &at);
    if (err == 0)
        err = rowgroup_add(h->groups[at].group, &rows);
    if (err == ERR_RANGE) {
        err = seal_group(t, h, at);
        if (err == 0)
            err = find_group(h, b, &at);
        if (err == 0)
            err = rowgroup_add(h->groups[at].group, &rows);
    }
    if (err == 0)
        h->groups[at].sum += sum;
    return err;
}

static uint64_t held_bytes(const struct tenant_compaction *t)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < t->hour_count; i++) {
        for (size_t g = 0; g < t->hours[i].group_count; g++)
            bytes += rowgroup_held_bytes(t->hours[i].groups[g].group);
    }
    return bytes;
}

/* Finish an hour before the others; should it get rows again, it is read and written again. */
static int finish_at(struct tenant_compaction *t, size_t at)
{
    int err = finish_hour(t, &t->hours[at]);
    hour_close(&t->hours[at]);
    t->hour_count--;
    memmove(t->hours + at, t->hours + at + 1, (t->hour_count - at) * sizeof(*t->hours));
    return err;
}

/* Of the segments begun no more than some stay open. */
static int keep_writers(struct tenant_compaction *t)
{
    size_t count = 0;
    int err = 0;
    for (size_t i = 0; i < t->hour_count; i++)
        count += t->hours[i].writer != NULL;
    for (size_t i = 0; i < t->hour_count && count > COMPACT_WRITERS_MAX && err == 0;) {
        if (t->hours[i].writer == NULL) {
            i++;
            continue;
        }
        err = finish_at(t, i);
        count--;
    }
    return err;
}

/* The hour begun first of those that have rows in memory, or NULL. */
static struct open_hour *first_held(struct tenant_compaction *t)
{
    for (size_t i = 0; i < t->hour_count; i++) {
        if (t->hours[i].group_count != 0)
            return &t->hours[i];
    }
    return NULL;
}

/* Over the budget the groups of the hour begun first are sealed; its segment goes on. */
static int keep_budget(struct tenant_compaction *t)
{
    uint64_t budget =
        t->options->memory_bytes != 0 ? t->options->memory_bytes : (uint64_t)COMPACT_MEMORY_BYTES;
    int err = 0;
    if (t->hour_count <= COMPACT_HOURS_MAX && t->unmeasured_bytes < MEASURE_BYTES)
        return 0;
    t->unmeasured_bytes = 0;
    while (err == 0 && held_bytes(t) > budget) {
        struct open_hour *h = first_held(t);
        if (h == NULL)
            break;
        while (h->group_count != 0 && err == 0)
            err = seal_group(t, h, 0);
        if (err == 0)
            err = keep_writers(t);
    }
    return err == 0 && t->hour_count > COMPACT_HOURS_MAX ? finish_at(t, 0) : err;
}

int tenant_compaction_add(struct tenant_compaction *t, const struct batch *b)
{
    const uint64_t first_leaf = t->tree.size;
    for (uint32_t row = 0; row < b->row_count; row++)
        t->leaves[row] = first_leaf + row;
    int err = t->chosen ? 0 : choose_seal(t);
    if (err == 0)
        err = look_at(t, b, true);
    const struct totals_rows places = {
        .batch = b, .offsets = t->offsets, .partitions = t->partitions, .raw_bytes = t->raw};
    if (err == 0)
        err = totals_count_rows(t->totals, &places, t->catalog.through_seq);
    /* Rows of one hour after the other; nearly always there is one. */
    for (uint32_t first = 0; first < b->row_count && err == 0;) {
        int64_t hour = hour_of(b->arrival_ns[first]);
        if (!has_hour(t, hour)) {
            bool took = false;
            err = begin_hour(t, hour, &took);
            for (uint32_t row = 0; row < b->row_count && took; row++)
                t->leaves[row] = first_leaf + row;
            if (err == 0 && took)
                err = look_at(t, b, false);
        }
        uint32_t count = 0;
        while (first < b->row_count && hour_of(b->arrival_ns[first]) == hour)
            t->rows[count++] = (uint16_t)first++;
        if (err == 0)
            err = take_rows(t, b, hour, count);
    }
    if (err != 0)
        return err;
    t->report->rows += b->row_count;
    for (uint32_t row = 0; row < b->row_count; row++) {
        t->report->raw_bytes += t->raw[row];
        t->unmeasured_bytes += t->raw[row];
    }
    return keep_budget(t);
}

/* Make the tree's new nodes durable; those that a killed run left behind are cut off first. */
static int write_nodes(struct tenant_compaction *t)
{
    char path[FILE_PATH_BYTES_MAX];
    struct tree_file *f = NULL;
    struct tree_file_id id = {.tenant = t->tenant, .size = t->catalog.tree.size};
    memcpy(id.store_id, t->options->store_id, sizeof(id.store_id));
    int len = snprintf(path, sizeof(path), "%s/tree", t->folder);
    if (t->nodes.len == 0)
        return 0;
    int err = !buf_ok(&t->nodes)                       ? ERR_NOMEM
              : len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE
                                                       : tree_file_open(&f, path, &id, t->diag);
    if (err == 0)
        err = tree_file_append(f, buf_content(&t->nodes));
    if (err == 0)
        err = tree_file_sync(f);
    if (err == ERR_IO && file_no_space())
        err = ERR_AGAIN;
    tree_file_close(f);
    return err;
}

/* What of its sources was stored by these frames, and what not. */
static int write_totals(struct tenant_compaction *t, uint64_t through_seq)
{
    struct arena arena = {0};
    struct totals totals = {.from_seq = t->catalog.through_seq, .through_seq = through_seq};
    struct totals_head head = {0};
    int err = totals_file_head(&head, t->folder, t->catalog.through_seq, t->diag);
    if (err == ERR_NOTFOUND) {
        head = (struct totals_head){.tenant = t->tenant};
        memcpy(head.store_id, t->options->store_id, sizeof(head.store_id));
        err = 0;
    }
    if (err == 0)
        err = totals_count_take(t->totals, t->tenant, &arena, &totals);
    if (err == 0)
        err = totals_file_append(&head, t->folder, &totals);
    arena_release(&arena);
    return err;
}

int tenant_compaction_finish(struct tenant_compaction *t, uint64_t through_seq)
{
    int err = write_nodes(t);
    failpoint("compact.nodes");
    for (size_t i = 0; i < t->hour_count && err == 0; i++)
        err = finish_hour(t, &t->hours[i]);
    failpoint("compact.segments");
    if (err == 0)
        err = write_totals(t, through_seq);
    failpoint("compact.totals");
    if (err == 0 && t->done_count != 0)
        err = dir_sync(t->folder);
    failpoint("compact.synced");
    const struct catalog_change change = {.through_seq = through_seq,
                                          .tree = &t->tree,
                                          .added = t->done,
                                          .added_count = t->done_count};
    if (err == 0)
        err = catalog_append(&t->catalog, t->folder, &change);
    failpoint("compact.counted");
    return err;
}
