#include "store/stored.h"

#include <stdlib.h>

#include "base/err.h"

struct stored_reader {
    struct codec *codec;
    struct rowgroup_reader *groups;
    struct pack_view view;
    const struct rowgroup_head *group; /* NULL: a pack */
    uint32_t block;                    /* the next */
    const struct rowgroup_head *begun; /* whose columns are in the batch */
    const struct batch *batch;
};

struct stored_reader *stored_reader_new(void)
{
    struct stored_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->codec = codec_new(1);
    r->groups = rowgroup_reader_new();
    if (r->codec == NULL || r->groups == NULL) {
        stored_reader_free(r);
        return NULL;
    }
    return r;
}

void stored_reader_free(struct stored_reader *r)
{
    if (r == NULL)
        return;
    codec_free(r->codec);
    rowgroup_reader_free(r->groups);
    free(r);
}

int stored_open(struct stored_reader *r, struct stored_blob blob, uint64_t *bytes)
{
    r->group = blob.group;
    r->block = 0;
    *bytes = 0;
    if (blob.group != NULL)
        return 0;
    int err = pack_open(&r->view, blob.pack);
    if (err == 0)
        *bytes = blob.pack.len;
    return err;
}

int stored_next(struct stored_reader *r, struct batch_head *out)
{
    const struct rowgroup_head *g = r->group;
    if (g == NULL)
        return pack_next(&r->view, out);
    if (r->block == g->block_count)
        return ERR_NOTFOUND;
    uint32_t block = r->block++; /* a damaged one is passed over */
    const struct rowgroup_block *b = &g->blocks[block];
    *out = (struct batch_head){.tenant = g->tenant,
                               .format = g->format,
                               .zone_minutes = g->zone_minutes,
                               .generation = g->generation,
                               .row_count = b->row_count,
                               .raw_bytes = b->raw_bytes,
                               .time_min_ns = b->time_min_ns,
                               .time_max_ns = b->time_max_ns,
                               .arrival_min_ns = b->arrival_min_ns,
                               .arrival_max_ns = b->arrival_max_ns,
                               .unparsed_rows = b->unparsed_rows,
                               .topic = g->topic,
                               .source = g->source,
                               .format_name = g->format_name,
                               .partitions = g->partitions,
                               .group = g,
                               .block = block};
    return 0;
}

int stored_filter(struct stored_reader *r, struct batch_head *head)
{
    return head->group == NULL
               ? 0
               : rowgroup_filter(r->groups, head->group, head->block, &head->filter);
}

int stored_grams(struct stored_reader *r, const struct batch_head *head, struct slice *out)
{
    if (head->group != NULL)
        return rowgroup_grams(r->groups, head->group, out);
    *out = (struct slice){0};
    return 0;
}

int stored_begin(struct stored_reader *r, const struct batch_head *head, struct batch *out)
{
    if (head->group != NULL && r->begun == head->group && r->batch == out)
        return 0;
    r->begun = NULL;
    r->batch = out;
    if (head->group == NULL) {
        batch_reset(out);
        return codec_texts(r->codec, head, out);
    }
    int err = rowgroup_open(r->groups, head->group, out);
    if (err == 0)
        r->begun = head->group;
    return err;
}

int stored_texts(struct stored_reader *r, const struct batch_head *head,
                 const struct column_mask *only, struct batch *out, bool *whole)
{
    *whole = true;
    if (head->group == NULL)
        return 0;
    int err = rowgroup_texts(r->groups, head->block, only, out, whole);
    if (err != 0)
        r->begun = NULL;
    return err;
}

int stored_rows(struct stored_reader *r, const struct batch_head *head,
                const struct column_mask *only, struct batch *out)
{
    if (head->group == NULL)
        return codec_rows(r->codec, head, out, only);
    int err = rowgroup_rows(r->groups, head->block, only, out);
    if (err != 0)
        r->begun = NULL;
    return err;
}

int stored_batch(struct stored_reader *r, const struct batch_head *head, struct batch *out)
{
    int err = stored_begin(r, head, out);
    return err == 0 ? stored_rows(r, head, NULL, out) : err;
}
