#include "app/sieve.h"

#include <stdlib.h>

int sieve_new(struct sieve **out, const struct sieve_query *query)
{
    struct sieve *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->query = query;
    s->reader = stored_reader_new();
    s->batch = batch_new();
    s->parts = PART_ALL;
    int err = s->reader == NULL || s->batch == NULL ? ERR_NOMEM : 0;
    if (err == 0 && query->pred != NULL)
        err = pred_scratch_new(&s->scratch, query->pred);
    if (err != 0) {
        sieve_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void sieve_free(struct sieve *s)
{
    if (s == NULL)
        return;
    stored_reader_free(s->reader);
    batch_free(s->batch);
    pred_scratch_free(s->scratch);
    hits_release(&s->hits);
    free(s);
}

void sieve_counters_add(struct sieve_counters *to, const struct sieve_counters *from)
{
    to->batches += from->batches;
    to->bytes += from->bytes;
    to->rows += from->rows;
    to->rows_unpacked += from->rows_unpacked;
    to->hits += from->hits;
    to->pruned_scope += from->pruned_scope;
    to->pruned_time += from->pruned_time;
    to->pruned_filter += from->pruned_filter;
    to->pruned_texts += from->pruned_texts;
    to->segments_skipped += from->segments_skipped;
}

static bool in_scope(const struct sieve_query *q, const struct batch_head *head)
{
    if (q->has_tenant && q->tenant != head->tenant)
        return false;
    if (q->topic.len != 0 && !slice_equal(q->topic, head->topic))
        return false;
    if (!q->has_partition)
        return true;
    for (size_t i = 0; i < head->partitions.len / sizeof(int32_t); i++) {
        if (codec_head_partition(head, i) == q->partition)
            return true;
    }
    return false;
}

static bool filter_holds(void *self, uint16_t field, struct slice value)
{
    const struct sieve *s = self;
    const struct field_info *info = field_info(field);
    struct ip ip;
    if (info == NULL || info->type != FIELD_TYPE_IP)
        return codec_head_may_hold_text(&s->head, value);
    if (value.len != sizeof(ip.bytes))
        return true;
    memcpy(ip.bytes, value.data, sizeof(ip.bytes));
    return codec_head_may_hold_ip(&s->head, &ip);
}

int sieve_open(struct sieve *s, struct stored_blob blob)
{
    uint64_t bytes = 0;
    s->row_count = 0;
    s->number = UINT32_MAX;
    int err = stored_open(s->reader, blob, &bytes);
    s->counters.bytes += bytes;
    return err;
}

/* Read the next head; false in *wanted when it shows that no row can match. */
static int look_at_head(struct sieve *s, bool *wanted)
{
    const struct sieve_query *q = s->query;
    *wanted = false;
    s->row_count = 0;
    int err = stored_next(s->reader, &s->head);
    if (err != 0)
        return err;
    s->number++;
    if (s->is_covered != NULL && s->is_covered(s->covers, s->head.tenant))
        return 0;
    s->counters.batches++;
    if (!in_scope(q, &s->head)) {
        s->counters.pruned_scope++;
        return 0;
    }
    s->counters.rows += s->head.row_count;
    if (s->head.time_max_ns < q->since_ns || s->head.time_min_ns >= q->until_ns) {
        s->counters.pruned_time++;
        return 0;
    }
    if (q->pred != NULL) {
        err = stored_filter(&s->head);
        if (err != 0)
            return err;
        if (!pred_required(q->pred, filter_holds, s)) {
            s->counters.pruned_filter++;
            return 0;
        }
    }
    *wanted = true;
    return 0;
}

/* The partition of each row matters only where one was asked for. */
static bool row_wanted(const struct sieve *s, uint32_t row)
{
    const struct sieve_query *q = s->query;
    bool cut = s->head.time_min_ns < q->since_ns || s->head.time_max_ns >= q->until_ns;
    if (cut && (s->batch->time_ns[row] < q->since_ns || s->batch->time_ns[row] >= q->until_ns))
        return false;
    return !q->has_partition || s->partitions[row] == q->partition;
}

static int match_rows(struct sieve *s)
{
    struct column_set set = {.batch = s->batch, .end_row = s->batch->row_count, .rows_known = true};
    s->counters.rows_unpacked += set.end_row;
    if (s->query->has_partition)
        sieve_places(s);
    if (s->query->pred == NULL) {
        for (uint32_t row = 0; row < set.end_row; row++) {
            if (row_wanted(s, row))
                s->rows[s->row_count++] = (uint16_t)row;
        }
        return 0;
    }
    uint32_t end_row = set.end_row;
    int err = 0;
    for (set.first_row = 0; err == 0 && set.first_row < end_row; set.first_row = set.end_row) {
        uint32_t left = end_row - set.first_row;
        set.end_row = set.first_row + (left < BATCH_LIVE_ROWS_MAX ? left : BATCH_LIVE_ROWS_MAX);
        err = pred_eval(s->query->pred, s->scratch, &set, &s->hits);
        for (size_t i = 0; err == 0 && i < s->hits.count; i++) {
            uint32_t row = s->hits.items[i].row;
            if (row_wanted(s, row))
                s->rows[s->row_count++] = (uint16_t)row;
        }
    }
    return err;
}

/* Whether the texts of the batch leave it possible that a row matches; *wanted: columns for that. */
static int look_at_texts(struct sieve *s, bool *possible, struct column_mask *wanted)
{
    const struct pred *pred = s->query->pred;
    const struct column_set set = {.batch = s->batch}; /* its rows are absent as yet */
    struct column_mask texts = {0};
    bool all = s->wish != NULL && !s->wish->is_narrow;
    bool whole = false;
    int err = 0;
    if (pred != NULL)
        pred_text_columns(pred, s->scratch, s->batch, &texts);
    if (pred != NULL || all)
        err = stored_texts(s->reader, &s->head, all ? NULL : &texts, s->batch, &whole);
    *possible = true;
    if (err == 0 && pred != NULL) {
        bool can = pred_possible(pred, s->scratch, &set);
        *possible = can || !whole;
        pred_columns(pred, s->scratch, s->batch, wanted);
    }
    return err;
}

/* The parts of the batch that somebody will look at. */
static uint32_t wanted_parts(const struct sieve *s)
{
    const struct sieve_query *q = s->query;
    uint32_t parts = s->parts;
    if (s->head.time_min_ns < q->since_ns || s->head.time_max_ns >= q->until_ns)
        parts |= PART_TIMES;
    if (q->has_partition)
        parts |= PART_PLACES;
    return s->wish != NULL && !s->wish->is_narrow ? PART_ALL : parts;
}

static int unpack_and_match(struct sieve *s)
{
    struct column_mask wanted = {0};
    bool possible = true;
    int err = stored_begin(s->reader, &s->head, s->batch);
    if (err == 0)
        err = look_at_texts(s, &possible, &wanted);
    if (err == 0 && !possible)
        s->counters.pruned_texts++;
    if (err != 0 || !possible)
        return err;
    wanted.parts |= wanted_parts(s);
    if (s->wish != NULL)
        s->wish->columns(s->wish->self, s->batch, &wanted);
    err = stored_rows(s->reader, &s->head, s->whole ? NULL : &wanted, s->batch);
    if (err == 0)
        err = match_rows(s);
    if (err != 0)
        s->row_count = 0;
    return err;
}

int sieve_next(struct sieve *s)
{
    bool wanted = false;
    int err = look_at_head(s, &wanted);
    if (err == 0 && wanted)
        err = unpack_and_match(s);
    s->counters.hits += s->row_count;
    return err;
}

int sieve_next_count(struct sieve *s, uint64_t *out)
{
    const struct sieve_query *q = s->query;
    bool wanted = false;
    uint64_t count = 0;
    int err = look_at_head(s, &wanted);
    if (err == 0 && wanted) {
        if (q->pred == NULL && !q->has_partition && s->head.time_min_ns >= q->since_ns &&
            s->head.time_max_ns < q->until_ns) {
            count = s->head.row_count;
        } else {
            err = unpack_and_match(s);
            count = s->row_count;
        }
    }
    s->counters.hits += count;
    if (err == 0)
        *out = count;
    return err;
}

int sieve_take(struct sieve *s, const struct batch_head *head)
{
    s->row_count = 0;
    s->head = *head;
    return unpack_and_match(s);
}

int sieve_at(struct sieve *s, struct stored_blob blob, uint32_t number)
{
    int err = sieve_open(s, blob);
    for (; err == 0 && s->number + 1 != number; s->number++)
        err = stored_next(s->reader, &s->head);
    return err == 0 ? sieve_next(s) : err;
}

void sieve_places(struct sieve *s)
{
    const struct batch *b = s->batch;
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        int64_t offset = run->first_offset;
        for (uint32_t row = run->first_row; row < run->first_row + run->count; row++) {
            if (row != run->first_row)
                offset += !run->multi || b->sub[row] == 0;
            s->offsets[row] = offset;
            s->partitions[row] = run->partition;
        }
    }
}
