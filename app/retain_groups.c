#include "app/retain_groups.h"

#include <stdlib.h>

#include "base/err.h"

enum {
    FIRST = 256, /* items of a list */
};

void retain_list_release(struct retain_list *l)
{
    free(l->stretches);
    free(l->leaves);
    *l = (struct retain_list){0};
}

void retain_classes(bool has[RETENTION_CLASSES], const struct segment *s)
{
    for (unsigned i = 0; i < RETENTION_CLASSES; i++)
        has[i] = false;
    for (size_t i = 0; i < segment_rowgroup_count(s); i++)
        has[retention_class_of(segment_rowgroup(s, i)->format)] = true;
}

static int add_stretch(struct retain_list *l, uint64_t first, uint64_t last)
{
    if (l->stretch_count == l->stretch_cap) {
        size_t cap = l->stretch_cap == 0 ? FIRST : l->stretch_cap * 2;
        struct deletion_stretch *grown = reallocarray(l->stretches, cap, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        l->stretches = grown;
        l->stretch_cap = cap;
    }
    l->stretches[l->stretch_count++] = (struct deletion_stretch){.first = first, .last = last};
    return 0;
}

/* Numbers of a block mostly ascend by one. */
static int add_numbers(struct retain_list *l, const int64_t *numbers, uint32_t count)
{
    int err = 0;
    for (uint32_t i = 0; i < count && err == 0;) {
        uint32_t end = i + 1;
        while (end < count && numbers[end] == numbers[end - 1] + 1)
            end++;
        err = add_stretch(l, (uint64_t)numbers[i], (uint64_t)numbers[end - 1]);
        i = end;
    }
    return err;
}

/* A reader of groups, and what it reads into. */
struct look {
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct hasher *hasher;
    struct buf line;
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
    int64_t offsets[ROWGROUP_BLOCK_ROWS];
    int32_t partitions[ROWGROUP_BLOCK_ROWS];
};

static void look_free(struct look *k)
{
    if (k == NULL)
        return;
    rowgroup_reader_free(k->reader);
    batch_free(k->batch);
    hasher_free(k->hasher);
    buf_release(&k->line);
    free(k);
}

static struct look *look_new(void)
{
    struct look *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return NULL;
    k->reader = rowgroup_reader_new();
    k->batch = batch_new();
    if (k->reader == NULL || k->batch == NULL || hasher_new(&k->hasher) != 0) {
        look_free(k);
        return NULL;
    }
    return k;
}

/* Ranges of a segment while it is looked at; one for each topic and partition. */
struct ranges {
    struct deletion_range *items;
    size_t count;
    size_t cap;
};

static int count_offset(struct ranges *r, struct slice topic, int32_t partition, int64_t offset)
{
    size_t i = r->count;
    while (i > 0 &&
           (r->items[i - 1].partition != partition || !slice_equal(r->items[i - 1].topic, topic)))
        i--;
    if (i == 0 && r->count == r->cap) {
        size_t cap = r->cap == 0 ? FIRST : r->cap * 2;
        struct deletion_range *grown = reallocarray(r->items, cap, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        r->items = grown;
        r->cap = cap;
    }
    if (i == 0) {
        r->items[r->count] = (struct deletion_range){
            .topic = topic, .partition = partition, .first = offset, .last = offset};
        i = ++r->count;
    }
    struct deletion_range *range = &r->items[i - 1];
    range->first = offset < range->first ? offset : range->first;
    range->last = offset > range->last ? offset : range->last;
    range->rows++;
    return 0;
}

static int range_order(const void *left, const void *right)
{
    const struct deletion_range *a = left;
    const struct deletion_range *b = right;
    int order = slice_compare(a->topic, b->topic);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static int take_ranges(struct deletion_segment *out, struct arena *arena, struct ranges *r)
{
    struct deletion_range *items = arena_array(arena, r->count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    if (r->count != 0) {
        qsort(r->items, r->count, sizeof(*r->items), range_order);
        memcpy(items, r->items, r->count * sizeof(*items));
    }
    for (size_t i = 0; i < r->count; i++) {
        const char *topic = arena_copy(arena, items[i].topic);
        if (topic == NULL)
            return ERR_NOMEM;
        items[i].topic.data = topic;
    }
    out->ranges = items;
    out->range_count = r->count;
    return 0;
}

/* Numbers and offsets of a group; no column is read. */
static int look_at_group(struct look *k, struct retain_list *l, struct ranges *ranges,
                         const struct rowgroup_head *h)
{
    static const struct column_mask PLACES = {.parts = PART_PLACES};
    int err = rowgroup_open(k->reader, h, k->batch);
    for (uint32_t block = 0; block < h->block_count && err == 0; block++) {
        err = rowgroup_rows(k->reader, block, &PLACES, k->batch);
        if (err == 0)
            err = rowgroup_leaves(k->reader, block, k->numbers);
        if (err != 0)
            break;
        batch_places(k->batch, k->offsets, k->partitions);
        err = add_numbers(l, k->numbers, k->batch->row_count);
        for (uint32_t row = 0; row < k->batch->row_count && err == 0; row++)
            err = count_offset(ranges, h->topic, k->partitions[row], k->offsets[row]);
    }
    return err;
}

static int add_class(struct deletion_segment *out, const struct rowgroup_head *h,
                     const struct retain_scope *scope)
{
    enum retention_class class_id = retention_class_of(h->format);
    struct slice name = slice_from(retention_class_name(class_id));
    size_t i = 0;
    while (i < out->class_count && !slice_equal(out->classes[i].name, name))
        i++;
    if (i == out->class_count)
        out->classes[out->class_count++] = (struct deletion_class){
            .name = name, .keep_s = (uint64_t)(scope->keeps.ns[class_id] / CLOCK_NS_PER_SECOND)};
    out->classes[i].rows += h->row_count;
    for (uint32_t block = 0; block < h->block_count; block++)
        out->classes[i].raw_bytes += h->blocks[block].raw_bytes;
    return 0;
}

static int damaged(const struct segment *s, int err, struct diag *diag)
{
    if (err == ERR_CORRUPT) {
        diag_add(diag, segment_file(s), 0, 0,
                 "the segment is damaged: nothing of it is deleted; restore it from a copy, or "
                 "keep it as it is");
    }
    return err;
}

int retain_look(struct retain_list *l, struct deletion_segment *out, struct arena *arena,
                const struct segment *s, const struct retain_scope *scope, struct diag *diag)
{
    const struct segment_info *info = segment_info(s);
    struct deletion_segment d = {.name = info->name, .bytes = info->bytes, .hash = info->hash};
    struct ranges ranges = {0};
    struct look *k = look_new();
    d.classes = arena_array(arena, RETENTION_CLASSES, sizeof(*d.classes));
    int err = k == NULL || d.classes == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < segment_rowgroup_count(s) && err == 0; i++) {
        const struct rowgroup_head *h = segment_rowgroup(s, i);
        if (!scope->goes[retention_class_of(h->format)]) {
            d.rest_rows += h->row_count;
            continue;
        }
        err = add_class(&d, h, scope);
        if (err == 0)
            err = look_at_group(k, l, &ranges, h);
    }
    if (err == 0)
        err = take_ranges(&d, arena, &ranges);
    free(ranges.items);
    look_free(k);
    if (err == 0)
        *out = d;
    return damaged(s, err, diag);
}

static int stretch_order(const void *left, const void *right)
{
    const struct deletion_stretch *a = left;
    const struct deletion_stretch *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

int retain_join(struct retain_list *l)
{
    size_t kept = 0;
    if (l->stretch_count == 0)
        return 0;
    qsort(l->stretches, l->stretch_count, sizeof(*l->stretches), stretch_order);
    for (size_t i = 1; i < l->stretch_count; i++) {
        struct deletion_stretch *last = &l->stretches[kept];
        if (l->stretches[i].first <= last->last)
            return ERR_CORRUPT;
        if (l->stretches[i].first == last->last + 1)
            last->last = l->stretches[i].last;
        else
            l->stretches[++kept] = l->stretches[i];
    }
    l->stretch_count = kept + 1;
    return 0;
}

/* Whether others than the stretches' rows are under the stored node over that row. */
static bool has_company(const struct retain_list *l, uint64_t number)
{
    size_t low = 0;
    size_t high = l->stretch_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->stretches[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    uint64_t first = number - number % TREE_GROUP_ROWS;
    return l->stretches[low].first > first || l->stretches[low].last < first + TREE_GROUP_ROWS - 1;
}

static int add_leaf(struct retain_list *l, uint64_t number, const struct sha256 *hash)
{
    if (l->leaf_count == RETAIN_LEAVES_MAX)
        return ERR_RANGE;
    if (l->leaf_count == l->leaf_cap) {
        size_t cap = l->leaf_cap == 0 ? FIRST : l->leaf_cap * 2;
        struct retain_leaf *grown = reallocarray(l->leaves, cap, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        l->leaves = grown;
        l->leaf_cap = cap;
    }
    l->leaves[l->leaf_count++] = (struct retain_leaf){.number = number, .hash = *hash};
    return 0;
}

/* Hash the rows of the batch that have company. */
static int hash_rows(struct look *k, struct retain_list *l)
{
    const struct batch *b = k->batch;
    int err = 0;
    batch_places(b, k->offsets, k->partitions);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        struct sha256 hash;
        if (!has_company(l, (uint64_t)k->numbers[row]))
            continue;
        buf_reset(&k->line);
        if (batch_render(b, row, &k->line) != 0)
            return ERR_NOMEM;
        const struct tree_row leaf = {.topic = b->topic,
                                      .partition = k->partitions[row],
                                      .offset = k->offsets[row],
                                      .sub = b->sub[row],
                                      .raw = buf_content(&k->line)};
        err = tree_leaf(k->hasher, &hash, &leaf);
        if (err == 0)
            err = add_leaf(l, (uint64_t)k->numbers[row], &hash);
    }
    return err;
}

/* Blocks none of whose rows has company are not unpacked. */
static int hash_group(struct look *k, struct retain_list *l, const struct rowgroup_head *h)
{
    static const struct column_mask PLACES = {.parts = PART_PLACES};
    int err = rowgroup_open(k->reader, h, k->batch);
    for (uint32_t block = 0; block < h->block_count && err == 0; block++) {
        bool any = false;
        err = rowgroup_rows(k->reader, block, &PLACES, k->batch);
        if (err == 0)
            err = rowgroup_leaves(k->reader, block, k->numbers);
        for (uint32_t row = 0; err == 0 && row < h->blocks[block].row_count && !any; row++)
            any = has_company(l, (uint64_t)k->numbers[row]);
        if (!any || err != 0)
            continue;
        err = rowgroup_rows(k->reader, block, NULL, k->batch);
        if (err == 0)
            err = hash_rows(k, l);
    }
    return err;
}

int retain_hash(struct retain_list *l, const struct segment *s, const struct retain_scope *scope,
                struct diag *diag)
{
    struct look *k = look_new();
    int err = k == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < segment_rowgroup_count(s) && err == 0; i++) {
        const struct rowgroup_head *h = segment_rowgroup(s, i);
        if (scope->goes[retention_class_of(h->format)])
            err = hash_group(k, l, h);
    }
    look_free(k);
    return damaged(s, err, diag);
}

static int leaf_order(const void *left, const void *right)
{
    const struct retain_leaf *a = left;
    const struct retain_leaf *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

/* The nodes that are made, the last ones of which may still be joined. */
struct nodes {
    struct deletion_node *items;
    size_t count;
};

/* Two neighbours under one node, as long as there are such and that is below the stored level. */
static int join_nodes(struct hasher *h, struct nodes *n)
{
    int err = 0;
    while (n->count >= 2 && err == 0) {
        struct deletion_node *left = &n->items[n->count - 2];
        const struct deletion_node *right = left + 1;
        if (left->level != right->level || left->level + 1 >= TREE_STORED_LEVEL ||
            (left->index & 1) != 0 || right->index != left->index + 1)
            break;
        struct deletion_node over = {.level = left->level + 1, .index = left->index >> 1};
        err = tree_node(h, &over.hash, &left->hash, &right->hash);
        *left = over;
        n->count--;
    }
    return err;
}

int retain_nodes(struct retain_list *l, struct deletion *out, struct arena *arena)
{
    struct nodes n = {0};
    struct hasher *h = NULL;
    if (l->leaf_count != 0)
        qsort(l->leaves, l->leaf_count, sizeof(*l->leaves), leaf_order);
    n.items = calloc(l->leaf_count + 1, sizeof(*n.items));
    int err = n.items == NULL ? ERR_NOMEM : hasher_new(&h);
    for (size_t i = 0; i < l->leaf_count && err == 0; i++) {
        n.items[n.count++] =
            (struct deletion_node){.index = l->leaves[i].number, .hash = l->leaves[i].hash};
        err = join_nodes(h, &n);
    }
    hasher_free(h);
    struct deletion_stretch *stretches =
        arena_array(arena, l->stretch_count + 1, sizeof(*stretches));
    struct deletion_node *nodes = arena_array(arena, n.count + 1, sizeof(*nodes));
    if (err == 0 && (stretches == NULL || nodes == NULL))
        err = ERR_NOMEM;
    if (err == 0) {
        memcpy(stretches, l->stretches, l->stretch_count * sizeof(*stretches));
        memcpy(nodes, n.items, n.count * sizeof(*nodes));
        out->stretches = stretches;
        out->stretch_count = l->stretch_count;
        out->nodes = nodes;
        out->node_count = n.count;
    }
    free(n.items);
    return err;
}
