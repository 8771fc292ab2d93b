#include "app/sieve.h"

#include <stdlib.h>

int sieve_new(struct sieve **out, const struct sieve_query *query)
{
    struct sieve *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->query = query;
    s->reader = stored_reader_new();
    s->stored = batch_new();
    s->batch = s->stored;
    s->parts = PART_ALL;
    int err = s->reader == NULL || s->stored == NULL ? ERR_NOMEM : 0;
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
    batch_free(s->stored);
    batch_free(s->counted);
    census_reader_free(s->census);
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

/* A damaged filter rules nothing out, and the rows are read all the same; that it is damaged is told. */
static void read_filter(struct sieve *s)
{
    if (stored_filter(s->reader, &s->head) != 0) {
        s->damaged = true;
        s->head.filter = (struct slice){0};
    }
}

static void read_grams(struct sieve *s)
{
    s->grams_read = true;
    if (stored_grams(s->reader, &s->head, &s->grams) != 0) {
        s->damaged = true;
        s->grams = (struct slice){0};
    }
}

static bool gram_holds(void *self, enum grams_place place, struct slice literal)
{
    struct sieve *s = self;
    if (!s->grams_read)
        read_grams(s);
    return grams_may_hold(s->grams, place, literal);
}

/* The filter of runs is that of all blocks of a group: the first one asks it. */
static bool grams_possible(struct sieve *s)
{
    if (s->head.group == NULL)
        return true;
    if (s->asked != s->head.group) {
        s->asked = s->head.group;
        s->grams_read = false;
        s->group_possible = pred_literals(s->query->pred, gram_holds, s);
    }
    return s->group_possible;
}

static bool filters_possible(struct sieve *s)
{
    if (!grams_possible(s))
        return false;
    read_filter(s);
    return pred_required(s->query->pred, filter_holds, s);
}

/* Who reads every byte is told of every damaged one. */
static void check_filters(struct sieve *s)
{
    read_filter(s);
    if (s->head.group != NULL && s->head.block == 0)
        read_grams(s);
}

int sieve_open(struct sieve *s, struct stored_blob blob)
{
    uint64_t bytes = 0;
    s->damaged = false;
    s->asked = NULL;
    s->row_count = 0;
    s->number = UINT32_MAX;
    int err = stored_open(s->reader, blob, &bytes);
    s->counters.bytes += bytes;
    return err;
}

void sieve_counts(struct sieve *s, uint64_t places)
{
    s->places = places;
    s->counts = (s->query->pred == NULL || census_wants_pred(s->query->pred, &s->places)) &&
                census_joins(s->places);
}

/* Whether the census of the group, whose first block is at hand, tells all that is asked for of all its rows. */
static bool census_tells(const struct sieve *s)
{
    const struct rowgroup_head *g = s->head.group;
    const struct sieve_query *q = s->query;
    if (!s->counts || g == NULL || s->head.block != 0 || g->census.len == 0 || q->has_partition ||
        (s->places & ~census_places(g->census)) != 0)
        return false;
    for (uint32_t i = 0; i < g->block_count; i++) {
        if (g->blocks[i].time_min_ns < q->since_ns || g->blocks[i].time_max_ns >= q->until_ns)
            return false;
    }
    return true;
}

/* Combinations are few: a filter would take longer. */
static bool census_is_sooner(const struct sieve *s)
{
    return (s->places & CENSUS_TALLIES) == 0 && census_tells(s);
}

/* Read the next head; false in *wanted when it shows that no row can match. */
static int look_at_head(struct sieve *s, bool *wanted)
{
    const struct sieve_query *q = s->query;
    *wanted = false;
    s->row_count = 0;
    s->weights = NULL;
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
    if (q->pred == NULL && s->wish == NULL) {
        check_filters(s);
    } else if (q->pred != NULL && !census_is_sooner(s) && !filters_possible(s)) {
        s->counters.pruned_filter++;
        return 0;
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
    s->batch = s->stored;
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
    if (err == 0) {
        s->counters.rows_unpacked += s->batch->row_count;
        err = match_rows(s);
    }
    if (err != 0)
        s->row_count = 0;
    return err;
}

/* The census has the rows of all blocks: the others are passed over. */
static int pass_blocks(struct sieve *s)
{
    struct batch_head head;
    int err = 0;
    for (uint32_t i = 1; i < s->head.group->block_count && err == 0; i++) {
        err = stored_next(s->reader, &head);
        s->number++;
        s->counters.batches++;
        s->counters.rows += head.row_count;
    }
    return err;
}

/* Combinations instead of rows. */
static int match_census(struct sieve *s)
{
    if (s->counted == NULL)
        s->counted = batch_new();
    if (s->census == NULL)
        s->census = census_reader_new();
    if (s->counted == NULL || s->census == NULL)
        return ERR_NOMEM;
    int err = census_read(s->census, s->head.group, s->places, s->counted, &s->weights);
    if (err == 0) {
        s->batch = s->counted;
        err = match_rows(s);
    }
    if (err == 0)
        err = pass_blocks(s);
    if (err != 0) {
        s->row_count = 0;
        s->weights = NULL;
    }
    return err;
}

/* The rows, or what does for them; a damaged census is told, and the rows are read all the same. */
static int match(struct sieve *s)
{
    if (!census_tells(s))
        return unpack_and_match(s);
    int err = match_census(s);
    if (err != ERR_CORRUPT)
        return err;
    s->damaged = true;
    return unpack_and_match(s);
}

static uint64_t count_hits(const struct sieve *s)
{
    uint64_t count = s->row_count;
    if (s->weights == NULL)
        return count;
    count = 0;
    for (uint32_t i = 0; i < s->row_count; i++)
        count += s->weights[s->rows[i]];
    return count;
}

int sieve_next(struct sieve *s)
{
    bool wanted = false;
    int err = look_at_head(s, &wanted);
    if (err == 0 && wanted)
        err = match(s);
    s->counters.hits += count_hits(s);
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
            err = match(s);
            count = count_hits(s);
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
    s->weights = NULL;
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
    batch_places(s->batch, s->offsets, s->partitions);
}
