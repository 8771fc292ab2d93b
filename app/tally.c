#include "app/tally.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"

struct tally {
    pthread_mutex_t lock;
    struct tally_row *rows; /* ordered by tenant, source */
    size_t count;
    struct tally_alerts *alerts; /* ordered by tenant */
    size_t alert_tenants;
    struct tally_hidden
        *hidden; /* ordered by tenant, filter; the last place is of what is left over */
    size_t hidden_count;
    uint64_t latency[TALLY_LATENCY_BUCKETS];
    uint64_t latency_rows;
};

int tally_new(struct tally **out)
{
    struct tally *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    t->rows = calloc(TALLY_ROWS_MAX, sizeof(*t->rows));
    t->alerts = calloc(TALLY_TENANTS_MAX, sizeof(*t->alerts));
    t->hidden = calloc(TALLY_HIDDEN_MAX, sizeof(*t->hidden));
    bool whole = t->rows != NULL && t->alerts != NULL && t->hidden != NULL;
    if (!whole || pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t->hidden);
        free(t->alerts);
        free(t->rows);
        free(t);
        return ERR_NOMEM;
    }
    *out = t;
    return 0;
}

void tally_free(struct tally *t)
{
    if (t == NULL)
        return;
    (void)pthread_mutex_destroy(&t->lock);
    free(t->hidden);
    free(t->alerts);
    free(t->rows);
    free(t);
}

static int row_compare(const struct tally_row *row, uint32_t tenant, struct slice source)
{
    if (row->tenant != tenant)
        return row->tenant < tenant ? -1 : 1;
    return slice_compare(slice_from(row->source), source);
}

/* The row of a source, made where it is missing; needs the lock. */
static struct tally_row *row_find(struct tally *t, uint32_t tenant, struct slice source)
{
    size_t low = 0;
    size_t high = t->count;
    if (source.len > TALLY_SOURCE_BYTES_MAX)
        source.len = TALLY_SOURCE_BYTES_MAX;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (row_compare(&t->rows[middle], tenant, source) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < t->count && row_compare(&t->rows[low], tenant, source) == 0)
        return &t->rows[low];
    if (t->count == TALLY_ROWS_MAX - 1) {
        struct tally_row *other = &t->rows[TALLY_ROWS_MAX - 1];
        memcpy(other->source, "_other", sizeof("_other"));
        return other;
    }
    memmove(&t->rows[low + 1], &t->rows[low], (t->count - low) * sizeof(t->rows[0]));
    t->count++;
    t->rows[low] = (struct tally_row){.tenant = tenant, .lag_records = -1};
    memcpy(t->rows[low].source, source.data, source.len);
    return &t->rows[low];
}

static void row_add(struct tally_row *to, const struct tally_row *add)
{
    to->rows += add->rows;
    to->unparsed += add->unparsed;
    to->raw_bytes += add->raw_bytes;
    to->stored_bytes += add->stored_bytes;
    if (add->last_arrival_ns > to->last_arrival_ns)
        to->last_arrival_ns = add->last_arrival_ns;
}

void tally_add(struct tally *t, const struct tally_row *add)
{
    (void)pthread_mutex_lock(&t->lock);
    row_add(row_find(t, add->tenant, slice_from(add->source)), add);
    (void)pthread_mutex_unlock(&t->lock);
}

void tally_set_lag(struct tally *t, uint32_t tenant, struct slice source, int64_t records)
{
    (void)pthread_mutex_lock(&t->lock);
    row_find(t, tenant, source)->lag_records = records;
    (void)pthread_mutex_unlock(&t->lock);
}

static unsigned bucket_of(int64_t ns)
{
    uint64_t step = ns <= 0 ? 0 : (uint64_t)ns / 1000000 / TALLY_LATENCY_STEP_MS;
    if (step < TALLY_LATENCY_STEPS)
        return (unsigned)step;
    unsigned doublings = 64U - (unsigned)__builtin_clzll(step / TALLY_LATENCY_STEPS);
    unsigned bucket = TALLY_LATENCY_STEPS - 1 + doublings;
    return bucket < TALLY_LATENCY_BUCKETS ? bucket : TALLY_LATENCY_BUCKETS - 1;
}

static int64_t bucket_top_ns(unsigned bucket)
{
    int64_t step_ns = INT64_C(1000000) * TALLY_LATENCY_STEP_MS;
    if (bucket < TALLY_LATENCY_STEPS)
        return (bucket + 1) * step_ns;
    return (TALLY_LATENCY_STEPS * step_ns) << (bucket - TALLY_LATENCY_STEPS + 1);
}

void tally_latency(struct tally *t, int64_t ns, uint64_t rows)
{
    (void)pthread_mutex_lock(&t->lock);
    t->latency[bucket_of(ns)] += rows;
    t->latency_rows += rows;
    (void)pthread_mutex_unlock(&t->lock);
}

int64_t tally_latency_share(struct tally *t, double share)
{
    int64_t top = 0;
    (void)pthread_mutex_lock(&t->lock);
    uint64_t need = (uint64_t)((double)t->latency_rows * share);
    uint64_t seen = 0;
    for (unsigned i = 0; i < TALLY_LATENCY_BUCKETS && t->latency_rows != 0; i++) {
        seen += t->latency[i];
        top = bucket_top_ns(i);
        if (seen >= need && seen != 0)
            break;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return top;
}

void tally_latency_counts(struct tally *t, const int64_t *tops_ns, uint64_t *counts, size_t count)
{
    unsigned bucket = 0;
    uint64_t seen = 0;
    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        for (; bucket < TALLY_LATENCY_BUCKETS && bucket_top_ns(bucket) <= tops_ns[i]; bucket++)
            seen += t->latency[bucket];
        counts[i] = seen;
    }
    (void)pthread_mutex_unlock(&t->lock);
}

size_t tally_copy(struct tally *t, struct tally_row *out, size_t cap)
{
    (void)pthread_mutex_lock(&t->lock);
    size_t count = t->count < cap ? t->count : cap;
    memcpy(out, t->rows, count * sizeof(*out));
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}

struct tally_row tally_total(struct tally *t)
{
    struct tally_row total = {.lag_records = 0};
    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->count; i++) {
        row_add(&total, &t->rows[i]);
        if (t->rows[i].lag_records > 0)
            total.lag_records += t->rows[i].lag_records;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return total;
}

/* ------------------------------------------------------------------------------ alerts */

/* The severity that a line says. Its keys have an order, and no text of others stands before it. */
static unsigned severity_of(struct slice line)
{
    static const char KEY[] = "\"alert.severity\":\"";
    const char *at = line.len == 0 ? NULL : memmem(line.data, line.len, KEY, sizeof(KEY) - 1);
    if (at == NULL)
        return ALERT_INFORMATIONAL;
    struct slice value = slice_from_offset(line, (size_t)(at - line.data) + sizeof(KEY) - 1);
    for (unsigned i = 0; i < ALERT_SEVERITY_COUNT; i++) {
        if (slice_starts(value, slice_from(alert_severity_name(i))))
            return i;
    }
    return ALERT_INFORMATIONAL;
}

/* Needs the lock; NULL when there is no room. */
static struct tally_alerts *alerts_find(struct tally *t, uint32_t tenant)
{
    size_t at = 0;
    while (at < t->alert_tenants && t->alerts[at].tenant < tenant)
        at++;
    if (at < t->alert_tenants && t->alerts[at].tenant == tenant)
        return &t->alerts[at];
    if (t->alert_tenants == TALLY_TENANTS_MAX)
        return NULL;
    memmove(&t->alerts[at + 1], &t->alerts[at], (t->alert_tenants - at) * sizeof(*t->alerts));
    t->alert_tenants++;
    t->alerts[at] = (struct tally_alerts){.tenant = tenant};
    return &t->alerts[at];
}

void tally_alerts(struct tally *t, struct slice records)
{
    struct alert_record record;
    (void)pthread_mutex_lock(&t->lock);
    while (records.len >= sizeof(uint32_t)) {
        size_t len = bytes_get32(records.data);
        records = slice_from_offset(records, sizeof(uint32_t));
        len = len < records.len ? len : records.len;
        if (alert_record_take(&record, slice_of(records.data, len)) == 0 && record.revision == 1) {
            struct tally_alerts *a = alerts_find(t, record.tenant);
            if (a != NULL)
                a->by[severity_of(record.line)]++;
        }
        records = slice_from_offset(records, len);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

size_t tally_copy_alerts(struct tally *t, struct tally_alerts *out, size_t cap)
{
    (void)pthread_mutex_lock(&t->lock);
    size_t count = t->alert_tenants < cap ? t->alert_tenants : cap;
    memcpy(out, t->alerts, count * sizeof(*out));
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}

/* ------------------------------------------------------------------------------ filters */

/* The place of a filter in a municipality, made where it is missing; needs the lock. */
static struct tally_hidden *hidden_find(struct tally *t, uint32_t tenant, struct slice filter)
{
    size_t at = 0;
    if (filter.len > TALLY_FILTER_BYTES_MAX)
        filter.len = TALLY_FILTER_BYTES_MAX;
    for (; at < t->hidden_count; at++) {
        const struct tally_hidden *h = &t->hidden[at];
        int order = h->tenant != tenant ? (h->tenant < tenant ? -1 : 1)
                                        : slice_compare(slice_from(h->filter), filter);
        if (order == 0)
            return &t->hidden[at];
        if (order > 0)
            break;
    }
    if (t->hidden_count == TALLY_HIDDEN_MAX - 1) {
        struct tally_hidden *other = &t->hidden[TALLY_HIDDEN_MAX - 1];
        memcpy(other->filter, "_other", sizeof("_other"));
        return other;
    }
    memmove(&t->hidden[at + 1], &t->hidden[at], (t->hidden_count - at) * sizeof(*t->hidden));
    t->hidden_count++;
    t->hidden[at] = (struct tally_hidden){.tenant = tenant};
    memcpy(t->hidden[at].filter, filter.data, filter.len);
    return &t->hidden[at];
}

void tally_hidden(struct tally *t, uint32_t tenant, struct slice filter, uint64_t rows)
{
    (void)pthread_mutex_lock(&t->lock);
    hidden_find(t, tenant, filter)->rows += rows;
    (void)pthread_mutex_unlock(&t->lock);
}

size_t tally_copy_hidden(struct tally *t, struct tally_hidden *out, size_t cap)
{
    (void)pthread_mutex_lock(&t->lock);
    bool other = t->hidden_count == TALLY_HIDDEN_MAX - 1 && t->hidden[t->hidden_count].rows != 0;
    size_t count = t->hidden_count + other;
    count = count < cap ? count : cap;
    memcpy(out, t->hidden, count * sizeof(*out));
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}
