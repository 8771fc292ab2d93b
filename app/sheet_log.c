/* app/sheet_log.c - the part of a sheet that no compaction has counted yet. */
#include <stdlib.h>

#include "app/log_index.h"
#include "app/log_totals.h"
#include "app/sheet_state.h"
#include "base/err.h"
#include "ingest/ingest.h"

struct log_count {
    struct sheet_reading *reading;
    struct totals_count *totals;
    struct log_index *index;
    struct stored_reader *reader;
    struct batch *batch;
    struct buf line;
    int64_t offsets[BATCH_ROWS_MAX];
    int32_t partitions[BATCH_ROWS_MAX];
    uint32_t raw[BATCH_ROWS_MAX];
};

static bool is_other(const struct sheet_wish *wish, uint32_t tenant)
{
    return wish->has_tenant && wish->tenant != tenant;
}

static int owner_of(void *self, struct slice topic, struct totals_owner *out)
{
    struct log_count *c = self;
    struct sheet_reading *r = c->reading;
    uint32_t tenant = 0;
    struct slice source = {0};
    if (tenant_topic_parse(topic, &tenant, &source) != 0)
        return 0;
    struct totals_owner owner = {
        .known = true, .tenant = tenant, .from_seq = UINT64_MAX, .source = source};
    if (!is_other(r->wish, tenant)) {
        const struct sheet_tenant *t = sheet_tenant(r, tenant, r->sheet->compacted_seq);
        if (t == NULL)
            return ERR_NOMEM;
        owner.from_seq = t->through_seq;
    }
    *out = owner;
    return 0;
}

/* Of topics that tell no municipality: whose partitions were counted before. */
static int know_owners(struct log_count *c)
{
    struct sheet_reading *r = c->reading;
    int err = 0;
    for (size_t i = 0; i < r->tenant_count; i++) {
        const struct sheet_tenant *t = &r->tenants[i];
        for (size_t k = 0; k < t->end_count && err == 0; k++) {
            const struct totals_owner owner = {.known = true,
                                               .tenant = t->tenant,
                                               .from_seq = t->through_seq,
                                               .source = t->ends[k].source};
            err = totals_count_know(c->totals, t->ends[k].topic, t->ends[k].partition, &owner);
        }
    }
    return err;
}

/* The lengths of lines, where the batch's sum does not do: it has lines of several hours. */
static int measure(struct log_count *c)
{
    for (uint32_t row = 0; row < c->batch->row_count; row++) {
        buf_reset(&c->line);
        if (batch_render(c->batch, row, &c->line) != 0)
            return ERR_NOMEM;
        c->raw[row] = (uint32_t)c->line.len;
    }
    return 0;
}

static int count_batch(struct log_count *c, const struct batch_head *head, uint64_t through_seq)
{
    const struct column_mask none = {.parts = PART_ARRIVALS | PART_PLACES};
    bool one_hour = totals_hour_of(head->arrival_min_ns) == totals_hour_of(head->arrival_max_ns);
    struct totals_rows rows = {.batch = c->batch,
                               .offsets = c->offsets,
                               .partitions = c->partitions,
                               .raw_bytes = one_hour ? NULL : c->raw};
    int err = stored_begin(c->reader, head, c->batch);
    if (err == 0)
        err = stored_rows(c->reader, head, one_hour ? &none : NULL, c->batch);
    if (err == 0 && !one_hour)
        err = measure(c);
    if (err != 0)
        return err;
    batch_places(c->batch, c->offsets, c->partitions);
    err = totals_count_rows(c->totals, &rows, through_seq);
    if (err == 0 && one_hour && c->batch->row_count != 0)
        err = totals_count_bytes(c->totals, c->batch, c->partitions[0], c->batch->arrival_ns[0],
                                 head->raw_bytes);
    return err;
}

static int count_blob(struct log_count *c, size_t at)
{
    struct sheet_reading *r = c->reading;
    struct batch_head head;
    uint64_t bytes = 0;
    int err = stored_open(c->reader, log_index_blob(c->index, at), &bytes);
    while (err == 0) {
        err = stored_next(c->reader, &head);
        if (err != 0 || is_other(r->wish, head.tenant))
            continue;
        const struct sheet_tenant *t = sheet_tenant(r, head.tenant, r->sheet->compacted_seq);
        if (t == NULL)
            return ERR_NOMEM;
        if (log_index_seq(c->index, at) > t->through_seq)
            err = count_batch(c, &head, t->through_seq);
    }
    if (err == ERR_CORRUPT) {
        log_index_name(c->index, at, "the batches here are damaged: their records are missing",
                       r->diag);
        r->sheet->damage++;
        return 0;
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static int count_rows(struct log_count *c, uint64_t from_seq)
{
    int err = 0;
    for (size_t at = 0; at < log_index_count(c->index) && err == 0; at++) {
        if (log_index_seq(c->index, at) > from_seq)
            err = count_blob(c, at);
    }
    return err;
}

static int take_all(struct log_count *c)
{
    struct sheet_reading *r = c->reading;
    struct arena arena = {0};
    int err = 0;
    for (uint32_t tenant = 0; err == 0 && totals_count_tenant(c->totals, &tenant); tenant++) {
        struct totals t = {.through_seq = r->sheet->last_seq};
        arena_reset(&arena);
        err = totals_count_take(c->totals, tenant, &arena, &t);
        r->at = sheet_tenant(r, tenant, r->sheet->compacted_seq);
        if (err == 0 && r->at == NULL)
            err = ERR_NOMEM;
        if (err != 0 || is_other(r->wish, tenant))
            continue;
        t.from_seq = r->at->counted_seq;
        err = sheet_take(r, &t);
    }
    struct sheet_finding nobody = {.kind = SHEET_NOBODY};
    int64_t start = 0;
    int64_t end = 0;
    if (err == 0 && !r->wish->has_tenant &&
        totals_count_orphan(c->totals, &nobody.topic, &nobody.partition, &start, &end)) {
        nobody.from = (uint64_t)start;
        nobody.to = (uint64_t)end;
        err = sheet_find(r, &nobody);
    }
    arena_release(&arena);
    return err;
}

/* Frames behind which no municipality was compacted. */
static uint64_t least_through(const struct sheet_reading *r)
{
    uint64_t least = r->sheet->compacted_seq;
    for (size_t i = 0; i < r->tenant_count; i++)
        least = r->tenants[i].through_seq < least ? r->tenants[i].through_seq : least;
    return least;
}

static int count_all(struct log_count *c)
{
    struct sheet_reading *r = c->reading;
    uint64_t from_seq = least_through(r);
    uint64_t damage = 0;
    const struct log_index_options options = {.dir = r->wish->dir, .log_only = true};
    int err = log_index_open_with(&c->index, &options, r->diag);
    if (err != 0)
        return err;
    r->sheet->last_seq = log_index_last_seq(c->index);
    r->sheet->damage += log_index_damage(c->index);
    err = totals_count_new(&c->totals, owner_of, c);
    if (err == 0)
        err = know_owners(c);
    struct diag again = {0}; /* its damage is that of the index */
    if (err == 0)
        err =
            log_totals_read(c->totals, r->wish->dir, from_seq, r->sheet->last_seq, &damage, &again);
    diag_release(&again);
    if (err == 0)
        err = count_rows(c, from_seq);
    return err == 0 ? take_all(c) : err;
}

int sheet_count_log(struct sheet_reading *r)
{
    struct log_count *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->reading = r;
    c->reader = stored_reader_new();
    c->batch = batch_new();
    int err = c->reader == NULL || c->batch == NULL ? ERR_NOMEM : count_all(c);
    totals_count_free(c->totals);
    log_index_close(c->index);
    stored_reader_free(c->reader);
    batch_free(c->batch);
    buf_release(&c->line);
    free(c);
    return err;
}
